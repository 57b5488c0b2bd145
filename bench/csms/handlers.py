"""The conforming answers of an OCPP 2.0.1 CSMS: a table action -> handler.

A handler is a function of the backend's state and the payload; it gets payloads that fit the schema (unless
the CSMS was told to be lenient) and returns a Reply. The table is built per CSMS, so that a bench can replace
entries.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.csms.authorize import authorize, id_token_info
from bench.csms.ocsp_status import certificate_status
from bench.csms.payload import Payload
from bench.pki import BadCsr

if TYPE_CHECKING:
    from bench.csms.backoffice import BackOffice

from cryptography.hazmat.primitives.serialization import Encoding

Call = Callable[[str, dict[str, Any]], Coroutine[Any, Any, Payload]]


@dataclass(frozen=True)
class Reply:
    """An answer, `delay_s` late, and what to do after it was sent (given the means to call the charger)."""

    payload: dict[str, Any]
    delay_s: float = 0.0
    then: Callable[[Call], Coroutine[Any, Any, None]] | None = None


class HandlerError(Exception):
    """The answer is a CALLERROR with this code."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(description or code)
        self.code = code
        self.description = description


Handler = Callable[["BackOffice", Payload], Reply]


def timestamp() -> str:
    """Now, as OCPP writes it: ISO 8601 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _boot(office: BackOffice, _: Payload) -> Reply:
    return Reply({"currentTime": timestamp(), "interval": office.heartbeat_interval_s, "status": "Accepted"})


def _heartbeat(_: BackOffice, __: Payload) -> Reply:
    return Reply({"currentTime": timestamp()})


def _empty(_: BackOffice, __: Payload) -> Reply:
    return Reply({})


def _authorize(office: BackOffice, call: Payload) -> Reply:
    return Reply(authorize(call.raw, office.contracts, office.tokens, office.pki))


def _transaction_event(office: BackOffice, call: Payload) -> Reply:
    token = call.raw.get("idToken")
    if not isinstance(token, Mapping):
        return Reply({})
    return Reply({"idTokenInfo": id_token_info(token, office.contracts, office.tokens)})


def _get_15118_ev_certificate(office: BackOffice, call: Payload) -> Reply:
    answer = office.provisioning.answer(call.raw)
    if answer is None:
        raise HandlerError("InternalError", "the provisioning service cannot be reached")
    return Reply(answer, delay_s=office.provisioning.delay_s)


def _get_certificate_status(office: BackOffice, call: Payload) -> Reply:
    return Reply(certificate_status(call.raw, office.pki))


def _sign_certificate(office: BackOffice, call: Payload) -> Reply:
    """A02, A03: accept the request, then send CertificateSigned."""
    kind = call.certificateType or "ChargingStationCertificate"
    try:
        chain = office.sign(str(call.csr), str(kind))
    except BadCsr as error:
        return Reply(
            {"status": "Rejected", "statusInfo": {"reasonCode": "BadCsr", "additionalInfo": str(error)[:512]}}
        )
    if chain is None:
        return Reply({"status": "Rejected", "statusInfo": {"reasonCode": "NoCa"}})
    pem = "".join(each.public_bytes(Encoding.PEM).decode("ascii") for each in chain)

    async def send(call_charger: Call) -> None:
        await call_charger("CertificateSigned", {"certificateChain": pem, "certificateType": kind})

    return Reply({"status": "Accepted"}, then=send)


def _data_transfer(_: BackOffice, __: Payload) -> Reply:
    return Reply({"status": "UnknownVendorId"})


def _accept(_: BackOffice, __: Payload) -> Reply:
    return Reply({"status": "Accepted"})


def conforming_201() -> dict[str, Handler]:
    """A fresh table for OCPP 2.0.1: every action that a charging station may call."""
    return {
        "Authorize": _authorize,
        "BootNotification": _boot,
        "ClearedChargingLimit": _empty,
        "DataTransfer": _data_transfer,
        "FirmwareStatusNotification": _empty,
        "Get15118EVCertificate": _get_15118_ev_certificate,
        "GetCertificateStatus": _get_certificate_status,
        "Heartbeat": _heartbeat,
        "LogStatusNotification": _empty,
        "MeterValues": _empty,
        "NotifyChargingLimit": _empty,
        "NotifyCustomerInformation": _empty,
        "NotifyDisplayMessages": _empty,
        "NotifyEVChargingNeeds": _accept,
        "NotifyEVChargingSchedule": _accept,
        "NotifyEvent": _empty,
        "NotifyMonitoringReport": _empty,
        "NotifyReport": _empty,
        "PublishFirmwareStatusNotification": _empty,
        "ReportChargingProfiles": _empty,
        "ReservationStatusUpdate": _empty,
        "SecurityEventNotification": _empty,
        "SignCertificate": _sign_certificate,
        "StatusNotification": _empty,
        "TransactionEvent": _transaction_event,
    }
