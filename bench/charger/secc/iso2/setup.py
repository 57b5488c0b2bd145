"""SessionSetup, ServiceDiscovery, ServiceDetail (ISO 15118-2 clauses 8.4.3.2 to 8.4.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import OK, Refusal
from bench.charger.secc.session import NO_SESSION, Session
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

CHARGE_SERVICE_ID = 1
CERTIFICATE_SERVICE_ID = 2
INSTALLATION_SET_ID = 1
UPDATE_SET_ID = 2
PLUG_TIMEOUT_S = 1.0


async def session_setup(
    request: iso2.SessionSetupReq, session: Session, charger: Charger
) -> iso2.SessionSetupRes:
    """Open a session, or join the paused one whose id the EV sends ([V2G2-740] to [V2G2-744])."""
    code = await open_session(request.EVCCID, session, charger)
    return iso2.SessionSetupRes(
        ResponseCode=code, EVSEID=charger.profile.evse_id, EVSETimeStamp=charger.policy.timestamp_s()
    )


async def open_session(evccid: bytes, session: Session, charger: Charger) -> iso2.responseCode:
    """Give the session its id: a fresh one, or that of the paused session which the EV names.

    Raises Refusal without a vehicle on the cable.
    """
    if not await charger.pilot.vehicle_in(("B", "C", "D"), PLUG_TIMEOUT_S):
        raise Refusal(iso2.responseCode.FAILED, "no vehicle is connected")
    asked = session.id
    session.evccid = evccid
    code = iso2.responseCode.OK_NewSessionEstablished
    if asked != NO_SESSION and charger.policy.resume(asked, session, charger):
        code = iso2.responseCode.OK_OldSessionJoined
    else:
        session.id = charger.policy.new_session_id()
    charger.session_opened(session)
    return code


async def service_discovery(
    request: iso2.ServiceDiscoveryReq, session: Session, charger: Charger
) -> iso2.ServiceDiscoveryRes:
    """Offer charging, the ways to pay, and (with TLS and a backend) certificates."""
    options = charger.policy.payment_options(session, charger)
    services = None
    wanted = request.ServiceCategory
    if charger.policy.certificates_offered(session, charger) and wanted in (
        None,
        iso2.serviceCategory.ContractCertificate,
    ):
        services = iso2.ServiceList(
            Service=[
                iso2.Service(
                    ServiceID=CERTIFICATE_SERVICE_ID,
                    ServiceName="Certificate",
                    ServiceCategory=iso2.serviceCategory.ContractCertificate,
                    FreeService=True,
                )
            ]
        )
    return iso2.ServiceDiscoveryRes(
        ResponseCode=OK,
        PaymentOptionList=iso2.PaymentOptionList(PaymentOption=options),
        ChargeService=iso2.ChargeService(
            ServiceID=CHARGE_SERVICE_ID,
            ServiceName="AC_DC_Charging",
            ServiceCategory=iso2.serviceCategory.EVCharging,
            FreeService=False,
            SupportedEnergyTransferMode=iso2.SupportedEnergyTransferMode(
                EnergyTransferMode=list(charger.profile.energy_modes)
            ),
        ),
        ServiceList=services,
    )


async def service_detail(
    request: iso2.ServiceDetailReq, session: Session, charger: Charger
) -> iso2.ServiceDetailRes:
    """Parameter sets of the certificate service: 1 Installation, 2 Update (table 106)."""
    if request.ServiceID == CHARGE_SERVICE_ID:
        return iso2.ServiceDetailRes(ResponseCode=OK, ServiceID=CHARGE_SERVICE_ID)
    if request.ServiceID != CERTIFICATE_SERVICE_ID or not charger.policy.certificates_offered(
        session, charger
    ):
        raise Refusal(
            iso2.responseCode.FAILED_ServiceIDInvalid, f"service {request.ServiceID} is not offered"
        )
    sets = [
        iso2.ParameterSet(ParameterSetID=number, Parameter=[iso2.Parameter(Name="Service", stringValue=name)])
        for number, name in ((INSTALLATION_SET_ID, "Installation"), (UPDATE_SET_ID, "Update"))
    ]
    return iso2.ServiceDetailRes(
        ResponseCode=OK,
        ServiceID=CERTIFICATE_SERVICE_ID,
        ServiceParameterList=iso2.ServiceParameterList(ParameterSet=sets),
    )
