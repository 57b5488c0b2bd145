"""Faulty certificates by name: what a negative test presents, and the rule that a good peer enforces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from bench.pki import issue, profile
from bench.pki.credential import Credential
from bench.pki.issue import Faults
from bench.pki.profile import KeyUsageName

if TYPE_CHECKING:
    from bench.pki.hierarchy import Pki

Kind = Literal["contract", "secc", "oem"]


@dataclass(frozen=True)
class Fault:
    """One way to be wrong; `code` is the problem code that `validate.validate_chain` reports for it."""

    name: str
    description: str
    rule: str
    code: str


_ALL = (
    Fault("expired", "leaf whose notAfter has passed", "RFC 5280 6.1.3; ISO 15118-2 [V2G2-875]", "expired"),
    Fault(
        "not-yet-valid",
        "leaf whose notBefore is in the future",
        "RFC 5280 6.1.3; [V2G2-824]",
        "not-yet-valid",
    ),
    Fault("sub-ca1-expired", "sub-CA 1 whose notAfter has passed", "RFC 5280 6.1.3", "expired"),
    Fault("sub-ca2-expired", "sub-CA 2 whose notAfter has passed", "RFC 5280 6.1.3", "expired"),
    Fault(
        "wrong-key-usage",
        "leaf without keyAgreement (and without digitalSignature, but for an SECC)",
        "annex F keyUsage",
        "wrong-key-usage",
    ),
    Fault(
        "wrong-domain-component",
        "leaf whose domainComponent names another role",
        "annex F; ISO 15118-2 [V2G2-925]",
        "wrong-domain-component",
    ),
    Fault("wrong-curve", "leaf with a P-384 key", "annex F: secp256r1 only", "wrong-curve"),
    Fault(
        "broken-signature",
        "leaf signed with a key that is not its issuer's",
        "RFC 5280 6.1.3",
        "broken-signature",
    ),
    Fault(
        "path-length-exceeded",
        "a third sub-CA below one with path length 0",
        "RFC 5280 4.2.1.9; annex F: at most two sub-CAs",
        "path-length-exceeded",
    ),
    Fault("unknown-root", "a whole chain under a root nobody installed", "RFC 5280 6.1", "unknown-root"),
    Fault("revoked", "a good leaf that the OCSP responder calls revoked", "RFC 6960; [V2G2-875]", "revoked"),
    Fault(
        "incomplete-chain", "the leaf alone, sub-CAs left out", "ISO 15118-2 [V2G2-871]", "incomplete-chain"
    ),
    Fault(
        "wrong-order",
        "the two sub-CAs swapped",
        "RFC 5246 7.4.2: each certifies the one before",
        "wrong-order",
    ),
    Fault(
        "wrong-common-name",
        "a common name that is no eMAID, no PCID, or another charger's",
        "annex F common name; ISO 15118-2 annex H",
        "wrong-common-name",
    ),
)
FAULTS: dict[str, Fault] = {each.name: each for each in _ALL}

_LEAVES: dict[str, tuple[str, str, profile.Profile]] = {
    "contract": ("mo", "mo/contract_leaf", profile.CONTRACT),
    "secc": ("cpo", "cpo/secc_leaf", profile.SECC),
    "oem": ("oem", "oem/provisioning_leaf", profile.OEM),
}
_WRONG_NAMES = {"contract": "DE-PBX-NOT-AN-EMAID", "secc": "XX*OTHER*E99999", "oem": "NO PCID"}


def faulty_credential(pki: Pki, kind: Kind, fault: str) -> Credential:
    """Make a fresh credential of `kind` with the named fault; `revoked` also registers it with
    `pki.revocations`.

    Raises KeyError (with the known names) when `kind` or `fault` is unknown.
    """
    if kind not in _LEAVES:
        raise KeyError(f"no faulty certificates of kind {kind!r}; known: {', '.join(_LEAVES)}")
    if fault not in FAULTS:
        raise KeyError(f"no certificate fault {fault!r}; known: {', '.join(FAULTS)}")
    return _MAKERS[fault](pki, kind)


def _name(pki: Pki, kind: Kind) -> str:
    return pki.new_emaid() if kind == "contract" else pki.credentials[_LEAVES[kind][1]].common_name


def _leaf(pki: Pki, kind: Kind, issuer: Credential, faults: Faults, name: str | None = None) -> Credential:
    return issue.issue_under(
        issuer,
        f"faulty/{kind}",
        _LEAVES[kind][2],
        name if name is not None else _name(pki, kind),
        ocsp_url=pki.ocsp_url,
        faults=faults,
    )


def _sub_ca(pki: Pki, kind: Kind, number: int) -> Credential:
    return pki.credentials[f"{_LEAVES[kind][0]}/sub_ca{number}"]


def _root(pki: Pki, kind: Kind) -> Credential:
    sub = _sub_ca(pki, kind, 1)
    return next(each for each in pki.issuers() if each.certificate == sub.root)


def _with(make: Callable[[datetime], Faults]) -> Callable[[Pki, Kind], Credential]:
    """A maker of leaves that differ from the profile in what `make(now)` says."""

    def maker(pki: Pki, kind: Kind) -> Credential:
        return _leaf(pki, kind, _sub_ca(pki, kind, 2), make(datetime.now(UTC).replace(microsecond=0)))

    return maker


def _expired(now: datetime) -> Faults:
    return {"not_before": now - timedelta(days=400), "not_after": now - timedelta(days=2)}


def _not_yet_valid(now: datetime) -> Faults:
    return {"not_before": now + timedelta(days=2), "not_after": now + timedelta(days=60)}


def _expired_sub_ca(number: int) -> Callable[[Pki, Kind], Credential]:
    def maker(pki: Pki, kind: Kind) -> Credential:
        issuer = _root(pki, kind)
        now = datetime.now(UTC).replace(microsecond=0)
        for level in (1, 2):
            shape = profile.sub_ca(level, _LEAVES[kind][2].domain_component or "")
            issuer = issue.issue_under(
                issuer,
                f"faulty/sub_ca{level}",
                shape,
                f"Plugbench expired {kind} Sub-CA {level}",
                ocsp_url=pki.ocsp_url,
                faults=_expired(now) if level == number else {},
            )
        return _leaf(pki, kind, issuer, {})

    return maker


def _wrong_domain_component(pki: Pki, kind: Kind) -> Credential:
    other = "OEM" if kind != "oem" else "MO"
    return _leaf(pki, kind, _sub_ca(pki, kind, 2), {"domain_component": other})


def _wrong_key_usage(pki: Pki, kind: Kind) -> Credential:
    # A TLS library refuses to serve a certificate that may not sign, so the SECC's lacks keyAgreement only.
    usage: frozenset[KeyUsageName] = frozenset(
        {"digital_signature" if kind == "secc" else "data_encipherment"}
    )
    return _leaf(pki, kind, _sub_ca(pki, kind, 2), {"key_usage": usage})


def _path_length_exceeded(pki: Pki, kind: Kind) -> Credential:
    shape = profile.sub_ca(3, _LEAVES[kind][2].domain_component or "")
    third = issue.issue_under(
        _sub_ca(pki, kind, 2), "faulty/sub_ca3", shape, f"Plugbench {kind} Sub-CA 3", ocsp_url=pki.ocsp_url
    )
    return _leaf(pki, kind, third, {})


def _unknown_root(pki: Pki, kind: Kind) -> Credential:
    domain_component = _LEAVES[kind][2].domain_component or ""
    issuer = issue.issue_root(
        "faulty/root", "Nobody's Root CA", domain_component, profile.root(domain_component)
    )
    for level in (1, 2):
        shape = profile.sub_ca(level, domain_component)
        issuer = issue.issue_under(issuer, f"faulty/sub_ca{level}", shape, f"Nobody's Sub-CA {level}")
    return _leaf(pki, kind, issuer, {})


def _revoked(pki: Pki, kind: Kind) -> Credential:
    credential = _leaf(pki, kind, _sub_ca(pki, kind, 2), {})
    pki.revocations.revoke(credential.certificate)
    return credential


def _rechained(arrange: Callable[[tuple[x509.Certificate, ...]], tuple[x509.Certificate, ...]]) -> _Maker:
    def maker(pki: Pki, kind: Kind) -> Credential:
        credential = _leaf(pki, kind, _sub_ca(pki, kind, 2), {})
        return replace(credential, chain=arrange(credential.chain))

    return maker


def _wrong_common_name(pki: Pki, kind: Kind) -> Credential:
    return _leaf(pki, kind, _sub_ca(pki, kind, 2), {}, _WRONG_NAMES[kind])


_Maker = Callable[["Pki", Kind], Credential]
_MAKERS: dict[str, _Maker] = {
    "expired": _with(_expired),
    "not-yet-valid": _with(_not_yet_valid),
    "sub-ca1-expired": _expired_sub_ca(1),
    "sub-ca2-expired": _expired_sub_ca(2),
    "wrong-key-usage": _wrong_key_usage,
    "wrong-domain-component": _wrong_domain_component,
    "wrong-curve": _with(lambda now: {"curve": ec.SECP384R1()}),
    "broken-signature": _with(lambda now: {"sign_with_other_key": True}),
    "path-length-exceeded": _path_length_exceeded,
    "unknown-root": _unknown_root,
    "revoked": _revoked,
    "incomplete-chain": _rechained(lambda chain: chain[:1]),
    "wrong-order": _rechained(lambda chain: (chain[0], *reversed(chain[1:]))),
    "wrong-common-name": _wrong_common_name,
}
