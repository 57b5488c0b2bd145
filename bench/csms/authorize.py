"""The back office's answer to Authorize (OCPP 2.0.1 C01 and C07)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from bench.csms.contracts import Contracts, Tokens
from bench.csms.hashdata import issuer_of
from bench.pki import Pki
from bench.pki.validate import BadCertificate, load_pem, validate_chain

# The first of these found decides; what is not listed is CertChainError (C07.FR.15 to FR.17).
_STATUS_OF_PROBLEM: Sequence[tuple[str, str, str]] = (
    ("expired", "CertificateExpired", "Expired"),
    ("revoked", "CertificateRevoked", "Invalid"),
    ("unknown-root", "NoCertificateAvailable", "Invalid"),
)


def authorize(
    payload: Mapping[str, Any], contracts: Contracts, tokens: Tokens, pki: Pki | None
) -> dict[str, Any]:
    """Answer AuthorizeRequest `payload` with an AuthorizeResponse.

    A contract is judged by its certificate chain or hash data, where `pki` is known, and by the registry:
    expired is CertificateExpired and Expired (C07.FR.15), revoked CertificateRevoked and Invalid (FR.16), a
    bad chain CertChainError and Invalid (FR.17), a cancelled or blocked contract ContractCancelled and the
    token's status (FR.13).
    """
    token = payload.get("idToken")
    token = token if isinstance(token, Mapping) else {}
    text, kind = str(token.get("idToken", "")), str(token.get("type", ""))
    if kind != "eMAID":
        return {"idTokenInfo": {"status": tokens.status(text)}}
    status, imposed = contracts.status(text)
    certificate, found = None, None
    if payload.get("certificate") is not None:
        certificate, found = _check_chain(str(payload["certificate"]), text, pki)
    elif payload.get("iso15118CertificateHashData") is not None:
        certificate, found = _check_hash_data(payload["iso15118CertificateHashData"], pki)
    if certificate is None:
        return {"idTokenInfo": {"status": status}}
    if found is not None:  # what the certificate itself shows goes before what the registry says
        return {"idTokenInfo": {"status": found}, "certificateStatus": certificate}
    return {"idTokenInfo": {"status": status}, "certificateStatus": imposed or "Accepted"}


def id_token_info(token: Mapping[str, Any], contracts: Contracts, tokens: Tokens) -> dict[str, str]:
    """IdTokenInfo for a TransactionEvent with `token` (E05)."""
    text = str(token.get("idToken", ""))
    return {"status": contracts.status(text)[0] if token.get("type") == "eMAID" else tokens.status(text)}


def _check_chain(pem: str, emaid: str, pki: Pki | None) -> tuple[str, str | None]:
    """certificateStatus and, when it is not Accepted, the token status that goes with it."""
    try:
        chain = load_pem(pem.encode())
    except (BadCertificate, UnicodeEncodeError):
        return "CertChainError", "Invalid"
    if not chain:
        return "CertChainError", "Invalid"
    if pki is None:
        return "Accepted", None
    roots = [pki.mo_root.certificate, pki.foreign.mo_root.certificate]
    check = validate_chain(
        chain[0],
        chain[1:],
        roots,
        at=datetime.now(UTC),
        purpose="contract",
        revocation=pki.revocations,
        expected_name=emaid,
    )
    if check.ok:
        return "Accepted", None
    for code, certificate, status in _STATUS_OF_PROBLEM:
        if code in check.codes:
            return certificate, status
    return "CertChainError", "Invalid"


def _check_hash_data(entries: Sequence[Mapping[str, Any]], pki: Pki | None) -> tuple[str, str | None]:
    if pki is None:
        return "Accepted", None
    issuers: list[x509.Certificate] = [each.certificate for each in pki.issuers()]
    for entry in entries:
        issuer = issuer_of(entry, issuers)
        if issuer is None:
            # Nobody to ask about its status (a roaming partner's CA that the bench does not run): the charger
            # has validated the chain, and whether the contract is known is the registry's business.
            continue
        try:
            serial = int(str(entry.get("serialNumber", "")), 16)
        except ValueError:
            return "CertChainError", "Invalid"
        if pki.revocations.revoked_at(issuer.subject, serial) is not None:
            return "CertificateRevoked", "Invalid"
    return "Accepted", None
