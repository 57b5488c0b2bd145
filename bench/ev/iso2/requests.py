"""One builder a request: the message body from the state of the session. No builder sends or changes anything
else.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bench.ev.iso2.state import (
    CERTIFICATE_SERVICE_ID,
    INSTALLATION_PARAMETER_SET,
    UPDATE_PARAMETER_SET,
    GiveUp,
    SessionState,
)
from bench.ev.profile import AcLimits, DcLimits
from bench.pki.credential import Credential
from bench.v2g.messages import iso2, sap, xmldsig

MAX_PROFILE_ENTRIES = 24
MAX_ROOTS = 20
SIGNED_ID = "id1"
"""Id of the signed body element; one element is signed in every EV message of ISO 15118-2."""


def volts(value: float) -> iso2.PhysicalValue:
    """A voltage, to 0.1 V."""
    return iso2.PhysicalValue.of(round(value, 1), "V")


def amperes(value: float) -> iso2.PhysicalValue:
    """A current, to 0.1 A."""
    return iso2.PhysicalValue.of(round(value, 1), "A")


def watts(value: float) -> iso2.PhysicalValue:
    """A power; the multiplier takes what 16 bits cannot."""
    return iso2.PhysicalValue.of(round(value), "W")


def watt_hours(value: float) -> iso2.PhysicalValue:
    """An energy."""
    return iso2.PhysicalValue.of(round(value), "Wh")


def _dc(state: SessionState) -> DcLimits:
    if state.profile.dc is None:
        raise GiveUp(f"the car {state.profile.name!r} has no DC inlet")
    return state.profile.dc


def _ac(state: SessionState) -> AcLimits:
    if state.profile.ac is None:
        raise GiveUp(f"the car {state.profile.name!r} has no AC inlet")
    return state.profile.ac


def certificate_chain(credential: Credential, identifier: str | None = None) -> iso2.CertificateChain:
    """A CertificateChain: leaf, and sub-CAs where there are any; the root stays at home."""
    leaf, *subs = credential.der_chain()
    return iso2.CertificateChain(
        Certificate=leaf,
        SubCertificates=iso2.SubCertificates(Certificate=list(subs)) if subs else None,
        Id=identifier,
    )


def root_ids(roots: tuple[x509.Certificate, ...]) -> iso2.ListOfRootCertificateIDs:
    """ListOfRootCertificateIDs: the roots that the car trusts, by issuer and serial number."""
    if not roots:
        raise GiveUp("the car trusts no V2G root, and a provisioning request must name at least one")
    return iso2.ListOfRootCertificateIDs(
        RootCertificateID=[
            xmldsig.X509IssuerSerial(
                X509IssuerName=root.issuer.rfc4514_string(), X509SerialNumber=root.serial_number
            )
            for root in roots[:MAX_ROOTS]
        ]
    )


def supported_app_protocol(state: SessionState) -> sap.supportedAppProtocolReq:
    """Clause 8.2: what the car speaks."""
    return sap.supportedAppProtocolReq(
        AppProtocol=[
            sap.AppProtocol(
                ProtocolNamespace=each.namespace,
                VersionNumberMajor=each.major,
                VersionNumberMinor=each.minor,
                SchemaID=each.schema_id,
                Priority=each.priority,
            )
            for each in state.profile.protocols
        ]
    )


def session_setup(state: SessionState) -> iso2.SessionSetupReq:
    """Clause 8.4.3.2."""
    return iso2.SessionSetupReq(EVCCID=state.profile.evccid)


def service_discovery(state: SessionState) -> iso2.ServiceDiscoveryReq:
    """Clause 8.4.3.3; neither scope nor category: everything there is."""
    return iso2.ServiceDiscoveryReq()


def service_detail(state: SessionState) -> iso2.ServiceDetailReq:
    """Clause 8.4.3.4."""
    return iso2.ServiceDetailReq(ServiceID=state.services_to_ask[0])


def payment_service_selection(state: SessionState) -> iso2.PaymentServiceSelectionReq:
    """Clause 8.4.3.5; the certificate service is selected with what the car wants of it (table 106)."""
    selected = [iso2.SelectedService(ServiceID=state.charge_service_id)]
    if state.provisioning != "none" and state.certificate_service:
        wanted = INSTALLATION_PARAMETER_SET if state.provisioning == "install" else UPDATE_PARAMETER_SET
        selected.append(iso2.SelectedService(ServiceID=CERTIFICATE_SERVICE_ID, ParameterSetID=wanted))
    option = iso2.paymentOption.Contract if state.auth == "pnc" else iso2.paymentOption.ExternalPayment
    return iso2.PaymentServiceSelectionReq(
        SelectedPaymentOption=option,
        SelectedServiceList=iso2.SelectedServiceList(SelectedService=selected),
    )


def certificate_installation(state: SessionState) -> iso2.CertificateInstallationReq:
    """Clause 8.4.3.11; signed with the OEM provisioning key."""
    oem = state.credentials.oem
    if oem is None:
        raise GiveUp("the car has no OEM provisioning certificate")
    return iso2.CertificateInstallationReq(
        OEMProvisioningCert=oem.certificate.public_bytes(serialization.Encoding.DER),
        ListOfRootCertificateIDs=root_ids(state.credentials.v2g_roots),
        Id=SIGNED_ID,
    )


def certificate_update(state: SessionState) -> iso2.CertificateUpdateReq:
    """Clause 8.4.3.10; signed with the key of the contract that is to be replaced."""
    contract = state.contract_in_use
    return iso2.CertificateUpdateReq(
        ContractSignatureCertChain=certificate_chain(contract),
        eMAID=contract.emaid,
        ListOfRootCertificateIDs=root_ids(state.credentials.v2g_roots),
        Id=SIGNED_ID,
    )


def payment_details(state: SessionState) -> iso2.PaymentDetailsReq:
    """Clause 8.4.3.6."""
    contract = state.contract_in_use
    return iso2.PaymentDetailsReq(
        eMAID=contract.emaid, ContractSignatureCertChain=certificate_chain(contract)
    )


def authorization(state: SessionState) -> iso2.AuthorizationReq:
    """Clause 8.4.3.7: with the challenge and an Id to be signed under Contract, empty otherwise."""
    if state.auth == "eim":
        return iso2.AuthorizationReq()
    return iso2.AuthorizationReq(GenChallenge=state.gen_challenge, Id=SIGNED_ID)


def charge_parameter_discovery(state: SessionState) -> iso2.ChargeParameterDiscoveryReq:
    """Clause 8.4.3.8."""
    return iso2.ChargeParameterDiscoveryReq(
        MaxEntriesSAScheduleTuple=state.profile.max_schedule_entries,
        RequestedEnergyTransferMode=iso2.EnergyTransferMode(state.energy_mode),
        EVChargeParameter=dc_parameter(state) if state.energy == "dc" else _ac_parameter(state),
    )


def dc_parameter(state: SessionState) -> iso2.DC_EVChargeParameter:
    """The car's limits and what the battery is at."""
    dc, battery = _dc(state), state.battery
    return iso2.DC_EVChargeParameter(
        DepartureTime=state.profile.departure_time_s,
        DC_EVStatus=state.ev_status(ready=state.started),
        EVMaximumCurrentLimit=amperes(dc.max_current_a),
        EVMaximumPowerLimit=watts(dc.max_power_kw * 1000),
        EVMaximumVoltageLimit=volts(dc.max_voltage_v),
        EVEnergyCapacity=watt_hours(battery.limits.capacity_kwh * 1000),
        EVEnergyRequest=watt_hours(battery.energy_to_full_wh),
        FullSOC=int(battery.limits.full_soc_percent),
        BulkSOC=int(battery.limits.bulk_soc_percent),
    )


def _ac_parameter(state: SessionState) -> iso2.AC_EVChargeParameter:
    ac = _ac(state)
    return iso2.AC_EVChargeParameter(
        DepartureTime=state.profile.departure_time_s if state.profile.departure_time_s is not None else 0,
        EAmount=watt_hours(state.battery.energy_to_full_wh),
        EVMaxVoltage=volts(ac.max_voltage_v),
        EVMaxCurrent=amperes(ac.max_current_a),
        EVMinCurrent=amperes(ac.min_current_a),
    )


def cable_check(state: SessionState) -> iso2.CableCheckReq:
    """Clause 8.4.5.2."""
    return iso2.CableCheckReq(DC_EVStatus=state.ev_status(ready=True))


def precharge(state: SessionState) -> iso2.PreChargeReq:
    """Clause 8.4.5.3: the voltage of the battery, so that the contactor closes without a surge."""
    return iso2.PreChargeReq(
        DC_EVStatus=state.ev_status(ready=True),
        EVTargetVoltage=volts(state.battery.voltage_v),
        EVTargetCurrent=amperes(_dc(state).precharge_current_a),
    )


def power_delivery(state: SessionState) -> iso2.PowerDeliveryReq:
    """Clause 8.4.3.9: Start, Stop or Renegotiate, as the intent of the session has it."""
    progress = progress_wanted(state)
    wants_profile = progress == "Start" and state.profile.quirks.charging_profile
    return iso2.PowerDeliveryReq(
        ChargeProgress=iso2.chargeProgress(progress),
        SAScheduleTupleID=state.schedule_id,
        ChargingProfile=_charging_profile(state) if wants_profile else None,
        EVPowerDeliveryParameter=power_delivery_parameter(state) if state.energy == "dc" else None,
    )


def progress_wanted(state: SessionState) -> str:
    """ChargeProgress that the intent of the session asks for."""
    return {"stop": "Stop", "pause": "Stop", "renegotiate": "Renegotiate"}.get(state.intent, "Start")


def power_delivery_parameter(state: SessionState) -> iso2.DC_EVPowerDeliveryParameter:
    """What a DC car adds to PowerDeliveryReq."""
    stopping = progress_wanted(state) == "Stop"
    return iso2.DC_EVPowerDeliveryParameter(
        DC_EVStatus=state.ev_status(ready=not stopping),
        BulkChargingComplete=state.battery.bulk_complete,
        ChargingComplete=stopping,
    )


def own_power_limit_w(state: SessionState) -> float:
    """The most power that the car itself draws, W."""
    if state.energy == "dc":
        return _dc(state).max_power_kw * 1000
    ac = _ac(state)
    return ac.max_current_a * (state.nominal_voltage_v or 230.0) * ac.phases


def _charging_profile(state: SessionState) -> iso2.ChargingProfile | None:
    """Follow the schedule, never above it nor above what the car can ([V2G2-293], [V2G2-303])."""
    if state.schedule is None:
        return None
    limit_w = own_power_limit_w(state)
    entries = [
        iso2.ProfileEntry(
            ChargingProfileEntryStart=getattr(entry.TimeInterval, "start", 0) or 0,
            ChargingProfileEntryMaxPower=watts(max(0.0, min(limit_w, entry.PMax.value))),
        )
        for entry in state.schedule.PMaxSchedule.PMaxScheduleEntry[:MAX_PROFILE_ENTRIES]
    ]
    return iso2.ChargingProfile(ProfileEntry=entries) if entries else None


def target_current_a(state: SessionState) -> float:
    """What the battery wants now, within what the charger and the schedule allow."""
    if state.intent in ("stop", "pause") or (state.profile.quirks.stop_when_full and state.battery.full):
        return 0.0
    wanted_a = state.battery.wanted_current_a()
    if state.evse_max_current_a is not None:
        wanted_a = min(wanted_a, max(0.0, state.evse_max_current_a))
    if state.evse_max_power_w is not None:
        wanted_a = min(wanted_a, max(0.0, state.evse_max_power_w) / max(state.battery.voltage_v, 1.0))
    return wanted_a


def current_demand(state: SessionState) -> iso2.CurrentDemandReq:
    """Clause 8.4.5.4."""
    dc, battery = _dc(state), state.battery
    to_full_s = battery.seconds_to(battery.limits.full_soc_percent)
    to_bulk_s = battery.seconds_to(battery.limits.bulk_soc_percent)
    return iso2.CurrentDemandReq(
        DC_EVStatus=state.ev_status(ready=True),
        EVTargetCurrent=amperes(target_current_a(state)),
        EVMaximumVoltageLimit=volts(dc.max_voltage_v),
        EVMaximumCurrentLimit=amperes(dc.max_current_a),
        EVMaximumPowerLimit=watts(dc.max_power_kw * 1000),
        BulkChargingComplete=battery.bulk_complete,
        ChargingComplete=state.profile.quirks.stop_when_full and battery.full,
        RemainingTimeToFullSoC=_seconds(to_full_s),
        RemainingTimeToBulkSoC=_seconds(to_bulk_s),
        EVTargetVoltage=volts(battery.limits.max_voltage_v),
    )


def _seconds(value: float | None) -> iso2.PhysicalValue | None:
    return None if value is None else iso2.PhysicalValue.of(min(round(value), 32_767), "s")


def charging_status(state: SessionState) -> iso2.ChargingStatusReq:
    """Clause 8.4.4.2."""
    return iso2.ChargingStatusReq()


def metering_receipt(state: SessionState) -> iso2.MeteringReceiptReq:
    """Clause 8.4.3.12: the charger's own reading, signed by the contract."""
    return iso2.MeteringReceiptReq(
        SessionID=state.session_id,
        SAScheduleTupleID=state.schedule_id,
        MeterInfo=state.receipt,
        Id=SIGNED_ID,
    )


def welding_detection(state: SessionState) -> iso2.WeldingDetectionReq:
    """Clause 8.4.5.5."""
    return iso2.WeldingDetectionReq(DC_EVStatus=state.ev_status(ready=False))


def session_stop(state: SessionState) -> iso2.SessionStopReq:
    """Clause 8.4.3.13."""
    how = iso2.chargingSession.Pause if state.intent == "pause" else iso2.chargingSession.Terminate
    return iso2.SessionStopReq(ChargingSession=how)
