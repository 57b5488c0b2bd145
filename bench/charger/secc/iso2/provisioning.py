"""CertificateInstallation and CertificateUpdate: the charger passes EXI through to the backend and back.

Source: ISO 15118-2 clauses 8.4.3.10/11; OCPP 2.0.1 M01/M02: exiRequest is the EV's message as received,
exiResponse is
sent to the EV as it is. The EV waits 5 s; the charger answers FAILED before that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from bench.charger.backend import BackendUnavailable, ProvisioningAnswer
from bench.charger.secc.iso2.common import Refusal, Reply
from bench.charger.secc.session import Session
from bench.v2g import codec
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

SCHEMA_VERSION = "urn:iso:15118:2:2013:MsgDef"
PATIENCE_S = 4.0
"""The response is due in 4.5 s (table 109); the rest is for the way back."""
MAX_RESPONSE_BYTES = 65_000


async def certificate_installation(
    request: iso2.CertificateInstallationReq, session: Session, charger: Charger
) -> Reply:
    """Fetch a contract for a vehicle that shows its OEM provisioning certificate."""
    return await provision("Install", iso2.CertificateInstallationRes, session, charger)


async def certificate_update(request: iso2.CertificateUpdateReq, session: Session, charger: Charger) -> Reply:
    """Fetch a new contract for a vehicle that shows its old one."""
    return await provision("Update", iso2.CertificateUpdateRes, session, charger)


async def provision(
    action: Literal["Install", "Update"], wanted: type[iso2.BodyElement], session: Session, charger: Charger
) -> Reply:
    """Ask the backend; Refusal when it is down, slow, refuses, or answers with something else."""
    try:
        async with asyncio.timeout(charger.policy.provisioning_patience_s):
            answer = await charger.backend.get_15118_ev_certificate(SCHEMA_VERSION, action, session.payload)
    except (BackendUnavailable, TimeoutError) as error:
        raise Refusal(
            iso2.responseCode.FAILED_NoCertificateAvailable, f"no answer from the backend: {error}"
        ) from error
    return charger.policy.provisioning_reply(answer, wanted)


def provisioning_reply(answer: ProvisioningAnswer, wanted: type[iso2.BodyElement]) -> Reply:
    """The backend's answer as a reply; Refusal when it says Failed or its EXI is not the wanted response."""
    if answer.status != "Accepted" or not answer.exi_response:
        raise Refusal(iso2.responseCode.FAILED_NoCertificateAvailable, "the backend has no certificate")
    if len(answer.exi_response) > MAX_RESPONSE_BYTES:
        raise Refusal(iso2.responseCode.FAILED, "the backend's response is too large")
    try:
        body = codec.decode("iso2", answer.exi_response).Body.BodyElement
    except codec.CodecError as error:
        raise Refusal(
            iso2.responseCode.FAILED, f"the backend's exiResponse is not readable: {error}"
        ) from error
    if not isinstance(body, wanted):
        raise Refusal(iso2.responseCode.FAILED, f"the backend's exiResponse is a {type(body).__name__}")
    return Reply(body, raw=answer.exi_response)
