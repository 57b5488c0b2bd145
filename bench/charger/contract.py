"""Contract certificates: local validation, the backend's word, and what holds when there is no backend.

Source: ISO 15118-2 [V2G2-824] ... [V2G2-829]; OCPP 2.0.1 use case C07: with the root at hand the chain is
validated
locally and its hash data sent (FR.01, FR.02); without it the certificate is sent, if
CentralContractValidationAllowed
(FR.06); offline, ContractValidationOffline decides (FR.07 to FR.09).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bench.charger.backend import (
    Authorization,
    Backend,
    BackendUnavailable,
    HashData,
    IdToken,
    Variables,
)
from bench.charger.secc.iso2.common import OK, Refusal
from bench.charger.store import CertificateStore
from bench.pki.emaid import normalise
from bench.pki.ocsp import certificate_hash_data
from bench.pki.validate import BadCertificate, ChainCheck, load_der, ocsp_urls, validate_chain
from bench.v2g.messages import iso2

_Code = iso2.responseCode
MAX_HASH_DATA = 4
PATIENCE_S = 30.0
"""How long the backend may think about a contract altogether; PaymentDetailsRes and AuthorizationRes wait
less."""

# What each problem of `bench.pki.validate` is called in a response; the first match in this order counts.
_CODES: tuple[tuple[str, _Code], ...] = (
    ("malformed", _Code.FAILED_CertChainError),
    ("broken-signature", _Code.FAILED_CertChainError),
    ("incomplete-chain", _Code.FAILED_CertChainError),
    ("unknown-root", _Code.FAILED_CertChainError),
    ("expired", _Code.FAILED_CertificateExpired),
    ("not-yet-valid", _Code.FAILED_CertificateExpired),
    ("revoked", _Code.FAILED_CertificateRevoked),
    ("wrong-common-name", _Code.FAILED_CertificateNotAllowedAtThisEVSE),
)
_CERTIFICATE_STATUS: dict[str, _Code] = {
    "SignatureError": _Code.FAILED_CertChainError,
    "CertificateExpired": _Code.FAILED_CertificateExpired,
    "CertificateRevoked": _Code.FAILED_CertificateRevoked,
    "NoCertificateAvailable": _Code.FAILED_NoCertificateAvailable,
    "CertChainError": _Code.FAILED_CertChainError,
    "ContractCancelled": _Code.FAILED_ContractCanceled,
}
_TOKEN_STATUS: dict[str, _Code] = {
    "Blocked": _Code.FAILED_ContractCanceled,
    "Expired": _Code.FAILED_CertificateExpired,
}


def response_code(problems: Sequence[str]) -> _Code:
    """The response code for problem codes of `validate_chain`; OK for none."""
    if not problems:
        return OK
    return next((code for problem, code in _CODES if problem in problems), _Code.FAILED_CertChainError)


@dataclass(frozen=True)
class LocalCheck:
    """Outcome of local validation: problem codes, and the path (leaf to root) as far as it was found."""

    problems: tuple[str, ...]
    path: tuple[x509.Certificate, ...]


class ContractPolicy:
    """Judges contracts. Each method is one policy, and may be replaced by a defect."""

    def __init__(
        self,
        store: CertificateStore,
        variables: Variables,
        backend: Callable[[], Backend],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.variables = variables
        self.backend = backend
        self.clock = clock

    def read(self, chain: iso2.CertificateChain) -> tuple[x509.Certificate, ...]:
        """The certificates of a message, leaf first; Refusal FAILED_CertChainError when one is unreadable."""
        subs = chain.SubCertificates.Certificate if chain.SubCertificates is not None else []
        try:
            return tuple(load_der(der) for der in (chain.Certificate, *subs))
        except BadCertificate as error:
            raise Refusal(_Code.FAILED_CertChainError, str(error)) from error

    def roots(self) -> tuple[x509.Certificate, ...]:
        """Where a contract may end: MO roots, and V2G roots: an MO may live under the V2G root (ISO 15118-2
        annex E)."""
        return self.store.roots("MORoot") + self.store.roots("V2GRoot")

    def local_check(self, emaid: str, chain: Sequence[x509.Certificate]) -> LocalCheck:
        """Validate chain, dates, key usage and eMAID against the installed roots."""
        check: ChainCheck = validate_chain(
            chain[0], chain[1:], self.roots(), at=self.clock(), purpose="contract", expected_name=emaid
        )
        return LocalCheck(tuple(check.codes), tuple(check.path))

    async def decide(self, emaid: str, chain: Sequence[x509.Certificate]) -> _Code:
        """Whether this contract may charge: OK or the FAILED code to answer with. Never raises for a bad
        contract."""
        local = self.local_check(emaid, chain)
        if not self.backend().online:
            return self.offline(emaid, local)
        central = set(local.problems) == {"unknown-root"} and self.variables.flag(
            "ISO15118Ctrlr", "CentralContractValidationAllowed"
        )
        if local.problems and not central:
            return response_code(local.problems)
        name = normalise(emaid)
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        try:
            async with asyncio.timeout(PATIENCE_S):
                if central:
                    answer = await self.backend().authorize_contract(
                        name, chain_pem=pem(chain), hash_data=None
                    )
                else:
                    answer = await self.backend().authorize_contract(
                        name, chain_pem=None, hash_data=self.hash_data(local.path)
                    )
        except (BackendUnavailable, TimeoutError):
            return self.silence(emaid, loop.time() - asked_s)
        return self.verdict(answer)

    def hash_data(self, path: Sequence[x509.Certificate]) -> list[HashData]:
        """Hash data of leaf and sub-CAs, each with its issuer from the path (at most four, OCPP
        AuthorizeRequest)."""
        entries = []
        for certificate, issuer in list(pairwise(path))[:MAX_HASH_DATA]:
            data = certificate_hash_data(certificate, issuer)
            urls = ocsp_urls(certificate)
            entries.append(
                HashData(
                    "SHA256",
                    data["issuerNameHash"],
                    data["issuerKeyHash"],
                    data["serialNumber"],
                    urls[0] if urls else "",
                )
            )
        return entries

    def verdict(self, answer: Authorization) -> _Code:
        """The backend's answer as a response code."""
        if answer.certificate_status not in (None, "Accepted"):
            return _CERTIFICATE_STATUS.get(str(answer.certificate_status), _Code.FAILED_CertChainError)
        if answer.status == "Accepted":
            return OK
        return _TOKEN_STATUS.get(answer.status, _Code.FAILED_CertificateNotAllowedAtThisEVSE)

    def silence(self, emaid: str, waited_s: float) -> _Code:
        """The backend did not answer within `waited_s`, or not usably: nobody vouches for this contract."""
        return _Code.FAILED_CertificateNotAllowedAtThisEVSE

    def offline(self, emaid: str, local: LocalCheck) -> _Code:
        """No backend: only a contract that validates here and is known may charge, if that is allowed at
        all."""
        if not self.variables.flag("ISO15118Ctrlr", "ContractValidationOffline"):
            return _Code.FAILED_CertificateNotAllowedAtThisEVSE
        if local.problems:
            return response_code(local.problems)
        if self.backend().known_offline(IdToken(normalise(emaid), "eMAID")):
            return OK
        return _Code.FAILED_CertificateNotAllowedAtThisEVSE


def pem(chain: Sequence[x509.Certificate]) -> str:
    """The chain as PEM text, leaf first."""
    return "".join(each.public_bytes(Encoding.PEM).decode("ascii") for each in chain)
