"""Defects of contract provisioning on the V2G side: CertificateInstallation and CertificateUpdate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.charger.backend import BackendUnavailable, ProvisioningAnswer
from bench.charger.defects import defect
from bench.charger.secc.iso2.common import Handler, Refusal, Reply
from bench.charger.secc.session import Session
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

PROVISIONING = ("CertificateInstallationReq", "CertificateUpdateReq")
FOREVER_S = 3600.0


@defect(
    "installation-answer-altered",
    protocol="v2g",
    wrong="one byte of the backend's CertificateInstallationRes is changed",
)
def installation_answer_altered(charger: Charger) -> None:
    """The byte lies in the wrapped contract key, so that the message still decodes but its signature is
    wrong."""
    good = charger.policy.provisioning_reply

    def reply(answer: ProvisioningAnswer, wanted: type[iso2.BodyElement]) -> Reply:
        right = good(answer, wanted)
        if not isinstance(right.body, iso2.CertificateInstallationRes) or right.raw is None:
            return right
        return Reply(
            right.body, raw=damaged(right.raw, right.body.ContractSignatureEncryptedPrivateKey.value)
        )

    charger.policy.provisioning_reply = reply  # type: ignore[method-assign]


def damaged(exi: bytes, inside: bytes) -> bytes:
    """`exi` with one bit flipped in the middle of the binary value `inside`, at whatever bit offset that
    lies."""
    bits = f"{int.from_bytes(exi, 'big'):0{len(exi) * 8}b}"
    at = bits.find(f"{int.from_bytes(inside, 'big'):0{len(inside) * 8}b}")
    position = at + len(inside) * 4 if at >= 0 and inside else len(bits) // 2
    flipped = "1" if bits[position] == "0" else "0"
    return int(bits[:position] + flipped + bits[position + 1 :], 2).to_bytes(len(exi), "big")


@defect(
    "installation-silent-when-service-down",
    protocol="v2g",
    wrong="without a provisioning service the EV gets no answer at all",
)
def installation_silent_when_service_down(charger: Charger) -> None:
    """Instead of the FAILED answer: silence, when the backend gives no answer (down, refused connection,
    CALLERROR)."""

    def silent(name: str) -> Handler:
        good: Handler = charger.handlers[name]

        async def handle(request: Any, session: Session, charger: Charger) -> iso2.BodyElement | Reply:
            try:
                return await good(request, session, charger)
            except Refusal as refusal:
                if isinstance(refusal.__cause__, BackendUnavailable):
                    session.memory["silent"] = True
                raise

        return handle

    for name in PROVISIONING:
        charger.handlers[name] = silent(name)
    good_last = charger.policy.before_answer

    async def before(name: str, reply: Reply, session: Session, charger: Charger) -> Reply | None:
        if session.memory.pop("silent", False):
            return None
        return await good_last(name, reply, session, charger)

    charger.policy.before_answer = before  # type: ignore[method-assign]


@defect(
    "installation-waits-forever",
    protocol="v2g",
    wrong="a slow provisioning service is awaited beyond the EV's timeout",
)
def installation_waits_forever(charger: Charger) -> None:
    """No limit of its own, and none of the dispatcher, for the provisioning requests."""
    charger.policy.provisioning_patience_s = FOREVER_S
    good = charger.policy.time_limit_s
    charger.policy.time_limit_s = (  # type: ignore[method-assign]
        lambda name, schema="iso2": FOREVER_S if name in PROVISIONING else good(name, schema)
    )


@defect(
    "installation-ok-on-refusal",
    protocol="v2g",
    wrong="a refusal of the provisioning service becomes OK for the EV",
)
def installation_ok_on_refusal(charger: Charger) -> None:
    """Status Failed: an empty CertificateInstallationRes (or UpdateRes) with OK."""
    good = charger.policy.provisioning_reply

    def reply(answer: ProvisioningAnswer, wanted: type[iso2.BodyElement]) -> Reply:
        if answer.status == "Accepted":
            return good(answer, wanted)
        name = wanted.__name__.removesuffix("Res") + "Req"
        body: Any = charger.policy.failed(name, iso2.responseCode.OK, Session(), charger)
        return Reply(body)

    charger.policy.provisioning_reply = reply  # type: ignore[method-assign]


@defect("certificate-update-refused", protocol="v2g", wrong="CertificateUpdateReq is always refused")
def certificate_update_refused(charger: Charger) -> None:
    """CertificateUpdate."""

    async def refuse(request: Any, session: Session, charger: Charger) -> Reply:
        raise Refusal(iso2.responseCode.FAILED_NoCertificateAvailable, "a defect")

    charger.handlers["CertificateUpdateReq"] = refuse


@defect(
    "installation-signs-over-request",
    protocol="v2g",
    wrong="a request with a bad signature gets the contract of a former answer",
)
def installation_signs_over_request(charger: Charger) -> None:
    """Status Failed after a request whose signature is bad: the last good answer is sent again, or an empty
    OK."""
    last: dict[str, Reply] = {}

    def install(name: str) -> Handler:
        handler: Handler = charger.handlers[name]

        async def handle(request: Any, session: Session, charger: Charger) -> iso2.BodyElement | Reply:
            try:
                reply = await handler(request, session, charger)
            except Refusal:
                if signed(request, session, charger):
                    raise
                body: Any = charger.policy.failed(name, iso2.responseCode.OK, session, charger)
                return last.get(name, Reply(body))
            if isinstance(reply, Reply):
                last[name] = reply
            return reply

        return handle

    charger.handlers["CertificateInstallationReq"] = install("CertificateInstallationReq")


def signed(request: iso2.CertificateInstallationReq, session: Session, charger: Charger) -> bool:
    """True when the request is signed with the key of the OEM certificate that it shows."""
    try:
        (leaf,) = charger.contracts.read(iso2.CertificateChain(Certificate=request.OEMProvisioningCert))
    except Refusal:
        return False
    return charger.policy.verified(request, session.signature, leaf)
