"""Defects of contract validation and authorization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cryptography import x509

from bench.charger.backend import Authorization, BackendUnavailable, IdToken
from bench.charger.contract import LocalCheck
from bench.charger.defects import defect
from bench.charger.defects.wire import fall_silent
from bench.charger.secc.iso2.common import OK, Refusal
from bench.charger.secc.session import Session
from bench.pki.emaid import normalise
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

_Code = iso2.responseCode
SILENCE_S = 0.5
"""A backend that failed faster than this said something; one that took longer was silent."""


def _tolerate(charger: Charger, *problems: str) -> None:
    """Accept a contract that is refused for nothing but these problems of local validation."""
    good = charger.contracts.decide

    async def decide(emaid: str, chain: Sequence[x509.Certificate]) -> _Code:
        code = await good(emaid, chain)
        found = set(charger.contracts.local_check(emaid, chain).problems)
        return OK if found and found <= set(problems) else code

    charger.contracts.decide = decide  # type: ignore[method-assign]


@defect(
    "payment-details-refuses-sub-ca-2",
    protocol="contract",
    wrong="a contract chain with two sub-CAs is refused",
)
def payment_details_refuses_sub_ca_2(charger: Charger) -> None:
    """Only chains of one sub-CA are understood."""
    good = charger.contracts.read

    def read(chain: iso2.CertificateChain) -> tuple[x509.Certificate, ...]:
        certificates = good(chain)
        if len(certificates) > 2:
            raise Refusal(_Code.FAILED_CertChainError, "a defect")
        return certificates

    charger.contracts.read = read  # type: ignore[method-assign]


@defect("offline-refuses-known-contract", protocol="contract", wrong="offline, a known contract is refused")
def offline_refuses_known_contract(charger: Charger) -> None:
    """ContractValidationOffline is taken for false."""
    charger.contracts.offline = (  # type: ignore[method-assign]
        lambda emaid, local: _Code.FAILED_CertificateNotAllowedAtThisEVSE
    )


@defect("offline-accepts-unconditionally", protocol="contract", wrong="offline, every contract is accepted")
def offline_accepts_unconditionally(charger: Charger) -> None:
    """ContractValidationOffline and the local check are not looked at."""

    def offline(emaid: str, local: LocalCheck) -> _Code:
        return OK

    charger.contracts.offline = offline  # type: ignore[method-assign]


@defect(
    "authorizes-when-backend-silent",
    protocol="contract",
    wrong="a backend that does not answer counts as a yes",
)
def authorizes_when_backend_silent(charger: Charger) -> None:
    """Silence is consent; a CALLERROR at once is not."""
    good = charger.contracts.silence

    def silence(emaid: str, waited_s: float) -> _Code:
        return OK if waited_s >= SILENCE_S else good(emaid, waited_s)

    charger.contracts.silence = silence  # type: ignore[method-assign]


@defect("accepts-expired-contract", protocol="contract", wrong="an expired contract may charge")
def accepts_expired_contract(charger: Charger) -> None:
    """notAfter is not looked at."""
    _tolerate(charger, "expired")


@defect(
    "accepts-not-yet-valid-contract", protocol="contract", wrong="a contract that is not yet valid may charge"
)
def accepts_not_yet_valid_contract(charger: Charger) -> None:
    """notBefore is not looked at."""
    _tolerate(charger, "not-yet-valid")


@defect(
    "accepts-unknown-mo-root",
    protocol="contract",
    wrong="a contract under a root that nobody knows may charge",
)
def accepts_unknown_mo_root(charger: Charger) -> None:
    """Where the chain ends does not matter; the backend is asked as usual, its refusal is not heard."""
    _tolerate(charger, "unknown-root")


@defect("accepts-broken-chain", protocol="contract", wrong="a contract whose sub-CA is missing may charge")
def accepts_broken_chain(charger: Charger) -> None:
    """A chain that does not connect is good enough."""
    _tolerate(charger, "incomplete-chain", "broken-signature")


@defect(
    "accepts-wrong-key-usage", protocol="contract", wrong="a contract without digitalSignature may charge"
)
def accepts_wrong_key_usage(charger: Charger) -> None:
    """keyUsage is not looked at."""
    _tolerate(charger, "wrong-key-usage")


@defect(
    "accepts-wrong-emaid",
    protocol="contract",
    wrong="PaymentDetailsReq may name another eMAID than the certificate",
)
def accepts_wrong_emaid(charger: Charger) -> None:
    """The eMAID of the message is believed."""
    _tolerate(charger, "wrong-common-name")


@defect(
    "accepts-revoked-contract",
    protocol="contract",
    wrong="a contract that the backend calls revoked may charge",
)
def accepts_revoked_contract(charger: Charger) -> None:
    """certificateStatus CertificateRevoked counts as Accepted, whatever the token status with it."""
    good = charger.contracts.verdict

    def verdict(answer: Authorization) -> _Code:
        return OK if answer.certificate_status == "CertificateRevoked" else good(answer)

    charger.contracts.verdict = verdict  # type: ignore[method-assign]


@defect(
    "accepts-blocked-emaid", protocol="contract", wrong="an eMAID that the backend calls blocked may charge"
)
def accepts_blocked_emaid(charger: Charger) -> None:
    """Token status Blocked, or certificateStatus ContractCancelled that comes with it, counts as Accepted."""
    good = charger.contracts.verdict

    def verdict(answer: Authorization) -> _Code:
        only_blocked = answer.certificate_status in (None, "Accepted", "ContractCancelled")
        return OK if answer.status == "Blocked" and only_blocked else good(answer)

    charger.contracts.verdict = verdict  # type: ignore[method-assign]


@defect("refuses-roaming-contract", protocol="contract", wrong="a contract of a foreign country is refused")
def refuses_roaming_contract(charger: Charger) -> None:
    """The eMAID's country must be that of the EVSE id, whatever root is installed."""
    good = charger.contracts.decide

    async def decide(emaid: str, chain: Sequence[x509.Certificate]) -> _Code:
        if normalise(emaid)[:2] != charger.profile.evse_id[:2].upper():
            return _Code.FAILED_CertificateNotAllowedAtThisEVSE
        return await good(emaid, chain)

    charger.contracts.decide = decide  # type: ignore[method-assign]


@defect(
    "dies-on-malformed-certificate",
    protocol="contract",
    wrong="a malformed certificate makes the charger deaf",
)
def dies_on_malformed_certificate(charger: Charger) -> None:
    """FB-20: after it nothing is answered any more."""
    good = charger.contracts.read

    def read(chain: iso2.CertificateChain) -> tuple[x509.Certificate, ...]:
        try:
            return good(chain)
        except Refusal:
            fall_silent(charger)
            raise

    charger.contracts.read = read  # type: ignore[method-assign]


@defect(
    "no-rfid-fallback", protocol="contract", wrong="after a failed contract no card is accepted until replug"
)
def no_rfid_fallback(charger: Charger) -> None:
    """ExternalPayment is refused for the rest of the plug-in."""
    failed = [False]
    charger.pilot.on_connect.append(lambda: failed.__setitem__(0, False))
    good_decide = charger.contracts.decide
    good_external = charger.policy.external_authorization

    async def decide(emaid: str, chain: Sequence[x509.Certificate]) -> _Code:
        code = await good_decide(emaid, chain)
        failed[0] = failed[0] or code != OK
        return code

    async def external(session: Session, charger: Charger) -> iso2.AuthorizationRes:
        if failed[0]:
            raise Refusal(_Code.FAILED, "a defect")
        return await good_external(session, charger)

    charger.contracts.decide = decide  # type: ignore[method-assign]
    charger.policy.external_authorization = external  # type: ignore[method-assign]


@defect("accepts-rejected-rfid", protocol="contract", wrong="a card that the backend rejects may charge")
def accepts_rejected_rfid(charger: Charger) -> None:
    """The backend is asked, its answer is not heard."""
    good = charger.card_accepted

    async def accepted(token: IdToken) -> bool:
        try:
            await good(token)
        except BackendUnavailable:
            return False
        return True

    charger.card_accepted = accepted  # type: ignore[method-assign]
