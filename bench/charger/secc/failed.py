"""FAILED responses: for each request the least response of its kind that the schema allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import ac_status, amperes, dc_status, volts, watts
from bench.charger.secc.session import Session
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

_NO_EMAID = "XX000000000000"
_Maker = Callable[[iso2.responseCode, Session, "Charger"], iso2.BodyElement]


def failed(name: str, code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    """The FAILED response to request `name`; raises KeyError for what is no request."""
    return _MAKERS[name](code, session, charger)


def _setup(code: iso2.responseCode, _: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.SessionSetupRes(ResponseCode=code, EVSEID=charger.profile.evse_id)


def _discovery(code: iso2.responseCode, _: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.ServiceDiscoveryRes(
        ResponseCode=code,
        PaymentOptionList=iso2.PaymentOptionList(PaymentOption=[iso2.paymentOption.ExternalPayment]),
        ChargeService=iso2.ChargeService(
            ServiceID=1,
            ServiceCategory=iso2.serviceCategory.EVCharging,
            FreeService=False,
            SupportedEnergyTransferMode=iso2.SupportedEnergyTransferMode(
                EnergyTransferMode=list(charger.profile.energy_modes)
            ),
        ),
    )


def _detail(code: iso2.responseCode, _: Session, __: Charger) -> iso2.BodyElement:
    return iso2.ServiceDetailRes(ResponseCode=code, ServiceID=1)


def _selection(code: iso2.responseCode, _: Session, __: Charger) -> iso2.BodyElement:
    return iso2.PaymentServiceSelectionRes(ResponseCode=code)


def _details(code: iso2.responseCode, _: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.PaymentDetailsRes(
        ResponseCode=code, GenChallenge=bytes(16), EVSETimeStamp=charger.policy.timestamp_s()
    )


def _authorization(code: iso2.responseCode, _: Session, __: Charger) -> iso2.BodyElement:
    return iso2.AuthorizationRes(ResponseCode=code, EVSEProcessing=iso2.EVSEProcessing.Finished)


def _provisioning(kind: type[iso2.BodyElement]) -> _Maker:
    def make(code: iso2.responseCode, _: Session, __: Charger) -> iso2.BodyElement:
        return kind(
            ResponseCode=code,
            SAProvisioningCertificateChain=iso2.CertificateChain(Certificate=b""),
            ContractSignatureCertChain=iso2.CertificateChain(Certificate=b""),
            ContractSignatureEncryptedPrivateKey=iso2.ContractSignatureEncryptedPrivateKey(
                value=b"", Id="id1"
            ),
            DHpublickey=iso2.DiffieHellmanPublickey(value=b"", Id="id2"),
            eMAID=iso2.EMAID(value=_NO_EMAID, Id="id3"),
        )

    return make


def _parameters(code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    if session.dc:
        limits = charger.profile.dc
        parameter: iso2.EVSEChargeParameter = iso2.DC_EVSEChargeParameter(
            DC_EVSEStatus=dc_status(charger, session, "EVSE_NotReady"),
            EVSEMaximumCurrentLimit=amperes(limits.max_current_a),
            EVSEMaximumPowerLimit=watts(limits.max_power_w),
            EVSEMaximumVoltageLimit=volts(limits.max_voltage_v),
            EVSEMinimumCurrentLimit=amperes(limits.min_current_a),
            EVSEMinimumVoltageLimit=volts(limits.min_voltage_v),
            EVSEPeakCurrentRipple=amperes(1.0),
        )
    else:
        parameter = iso2.AC_EVSEChargeParameter(
            AC_EVSEStatus=ac_status(charger),
            EVSENominalVoltage=volts(charger.profile.ac_voltage_v),
            EVSEMaxCurrent=amperes(charger.profile.ac_max_current_a),
        )
    return iso2.ChargeParameterDiscoveryRes(
        ResponseCode=code, EVSEProcessing=iso2.EVSEProcessing.Finished, EVSEChargeParameter=parameter
    )


def _cable_check(code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.CableCheckRes(
        ResponseCode=code,
        DC_EVSEStatus=dc_status(charger, session, "EVSE_NotReady"),
        EVSEProcessing=iso2.EVSEProcessing.Finished,
    )


def _pre_charge(code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.PreChargeRes(
        ResponseCode=code,
        DC_EVSEStatus=dc_status(charger, session, "EVSE_NotReady"),
        EVSEPresentVoltage=volts(charger.power.dc.voltage_v),
    )


def _status(session: Session, charger: Charger) -> iso2.EVSEStatus:
    return dc_status(charger, session, "EVSE_NotReady") if session.dc else ac_status(charger)


def _delivery(code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.PowerDeliveryRes(ResponseCode=code, EVSEStatus=_status(session, charger))


def _current_demand(code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.CurrentDemandRes(
        ResponseCode=code,
        DC_EVSEStatus=dc_status(charger, session, "EVSE_NotReady"),
        EVSEPresentVoltage=volts(charger.power.dc.voltage_v),
        EVSEPresentCurrent=amperes(charger.power.dc.current_a),
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        EVSEPowerLimitAchieved=False,
        EVSEID=charger.profile.evse_id,
        SAScheduleTupleID=session.schedule_id,
    )


def _charging_status(code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.ChargingStatusRes(
        ResponseCode=code,
        EVSEID=charger.profile.evse_id,
        SAScheduleTupleID=session.schedule_id,
        AC_EVSEStatus=ac_status(charger),
    )


def _receipt(code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.MeteringReceiptRes(ResponseCode=code, EVSEStatus=_status(session, charger))


def _welding(code: iso2.responseCode, session: Session, charger: Charger) -> iso2.BodyElement:
    return iso2.WeldingDetectionRes(
        ResponseCode=code,
        DC_EVSEStatus=dc_status(charger, session, "EVSE_NotReady"),
        EVSEPresentVoltage=volts(charger.power.dc.voltage_v),
    )


def _stop(code: iso2.responseCode, _: Session, __: Charger) -> iso2.BodyElement:
    return iso2.SessionStopRes(ResponseCode=code)


_MAKERS: dict[str, _Maker] = {
    "SessionSetupReq": _setup,
    "ServiceDiscoveryReq": _discovery,
    "ServiceDetailReq": _detail,
    "PaymentServiceSelectionReq": _selection,
    "CertificateInstallationReq": _provisioning(iso2.CertificateInstallationRes),
    "CertificateUpdateReq": _provisioning(iso2.CertificateUpdateRes),
    "PaymentDetailsReq": _details,
    "AuthorizationReq": _authorization,
    "ChargeParameterDiscoveryReq": _parameters,
    "CableCheckReq": _cable_check,
    "PreChargeReq": _pre_charge,
    "PowerDeliveryReq": _delivery,
    "CurrentDemandReq": _current_demand,
    "ChargingStatusReq": _charging_status,
    "MeteringReceiptReq": _receipt,
    "WeldingDetectionReq": _welding,
    "SessionStopReq": _stop,
}
