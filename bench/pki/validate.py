"""Chain validation that names what is wrong, and never stumbles over a hostile certificate.

The rules are those of RFC 5280 section 6 and the profiles of ISO 15118-2 annex F. Unlike a TLS library's
verdict the result lists every problem, with the names of `faults.FAULTS` as codes, so that a test can say
which rule a peer ignored. Certificates come from the wire: parsing is bounded and every oddity becomes a
problem or `BadCertificate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from bench.pki import emaid
from bench.pki.credential import Credential
from bench.pki.profile import REQUIRED_DOMAIN_COMPONENT, REQUIRED_KEY_USAGE, key_usage_names
from bench.pki.revocation import RevocationSource
from bench.pki.unreadable import UNREADABLE

Purpose = Literal["secc", "contract", "oem", "cps"]

MAX_CERTIFICATE_BYTES = 16_384
MAX_INTERMEDIATES = 10


class BadCertificate(ValueError):  # noqa: N818 - the name says what was handed in
    """Bytes that are no readable X.509 certificate."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a chain; `code` is a name of `faults.FAULTS`, "malformed" or "not-a-ca"."""

    code: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.subject}: {self.text}"


@dataclass(frozen=True)
class ChainCheck:
    """Outcome of `validate_chain`; `path` is leaf first and ends with the trusted root when one was
    reached.
    """

    ok: bool
    problems: list[Problem]
    path: list[x509.Certificate]

    @property
    def codes(self) -> list[str]:
        """The problem codes, in order of discovery."""
        return [each.code for each in self.problems]


def load_der(data: bytes) -> x509.Certificate:
    """Parse one DER certificate; raises `BadCertificate`, and nothing else, for anything that is not one.

    Names, validity, serial number and extensions are read here already (the library parses them late), so
    that using the result is safe. A key of an unknown kind is no reason to refuse: `validate_chain` reports
    it.
    """
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise BadCertificate(f"a certificate of {len(data)} bytes is larger than {MAX_CERTIFICATE_BYTES}")
    try:
        certificate = x509.load_der_x509_certificate(bytes(data))
        _touch(certificate)
    except UNREADABLE as error:
        raise BadCertificate(f"not a readable certificate ({error})") from error
    return certificate


def load_pem(data: bytes) -> list[x509.Certificate]:
    """Parse every certificate of a PEM text; raises `BadCertificate`."""
    try:
        certificates = x509.load_pem_x509_certificates(data)
        for each in certificates:
            _touch(each)
    except UNREADABLE as error:
        raise BadCertificate(f"not a readable PEM certificate ({error})") from error
    return certificates


def _touch(certificate: x509.Certificate) -> None:
    for name in (certificate.subject, certificate.issuer):
        name.rfc4514_string()
    _ = (
        certificate.serial_number,
        certificate.version,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.signature_algorithm_oid,
        list(certificate.extensions),
    )


def public_key(certificate: x509.Certificate) -> object | None:
    """The subject's key, or None when it is of a kind or on a curve that cannot be read."""
    try:
        return certificate.public_key()
    except UNREADABLE:
        return None


def _extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _names(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(each.value) for each in certificate.subject.get_attributes_for_oid(oid)]


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _as_certificates(items: Iterable[x509.Certificate | Credential]) -> list[x509.Certificate]:
    return [each.certificate if isinstance(each, Credential) else each for each in items]


def _key_identifiers_differ(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    authority = _extension(certificate, x509.AuthorityKeyIdentifier)
    subject = _extension(issuer, x509.SubjectKeyIdentifier)
    if authority is None or subject is None or authority.key_identifier is None:
        return False
    return bool(authority.key_identifier != subject.digest)


def validate_chain(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    roots: Iterable[x509.Certificate | Credential],
    *,
    at: datetime,
    purpose: Purpose,
    revocation: RevocationSource | None = None,
    expected_name: str | None = None,
) -> ChainCheck:
    """Check a chain as it was sent (`intermediates` in the order sent, without the root) against trusted
    `roots`.

    `at` is the moment of use and must carry a time zone; `revocation` is asked for every certificate of the
    path but the root; `expected_name` is the common name (an eMAID is compared without hyphens and case) that
    the leaf must have. Every problem found is listed, none stops the search for others. Never raises for what
    a certificate holds.
    """
    problems: list[Problem] = []
    if len(intermediates) > MAX_INTERMEDIATES:
        text = f"{len(intermediates)} certificates below the leaf, at most {MAX_INTERMEDIATES} are looked at"
        problems.append(Problem("path-length-exceeded", _subject(leaf), text))
    used = list(intermediates[:MAX_INTERMEDIATES])
    path = _find_path(leaf, used, _as_certificates(roots), problems)
    _check_order(path, used, problems)
    for position, certificate in enumerate(path):
        _check_validity(certificate, at, problems)
        if position:
            _check_ca(certificate, position - 1, problems)
        if (
            revocation is not None
            and certificate.issuer != certificate.subject
            and revocation.is_revoked(certificate)
        ):
            problems.append(Problem("revoked", _subject(certificate), "revoked by its issuer"))
        # The curve of sub-CAs counts too: annex F knows one curve for the whole hierarchy.
        _check_curve(certificate, problems)
    _check_leaf(leaf, purpose, expected_name, problems)
    return ChainCheck(not problems, problems, path)


def _find_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    problems: list[Problem],
) -> list[x509.Certificate]:
    path = [leaf]
    remaining = [each for each in intermediates if each != leaf]
    while True:
        current = path[-1]
        if current in roots:
            return path
        root = _pick_issuer(current, roots)
        if root is not None and (_signed_by(current, root) or not _key_identifiers_differ(current, root)):
            if not _signed_by(current, root):
                text = f"signature does not verify with the key of {_subject(root)}"
                problems.append(Problem("broken-signature", _subject(current), text))
            path.append(root)
            return path
        issuer = _pick_issuer(current, remaining)
        if issuer is None:
            problems.append(_no_issuer(path, root is not None))
            return path
        if not _signed_by(current, issuer):
            text = f"signature does not verify with the key of {_subject(issuer)}"
            problems.append(Problem("broken-signature", _subject(current), text))
        remaining.remove(issuer)
        path.append(issuer)


def _pick_issuer(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    named = [each for each in candidates if each.subject == certificate.issuer]
    return next((each for each in named if _signed_by(certificate, each)), named[0] if named else None)


def _no_issuer(path: Sequence[x509.Certificate], same_name: bool) -> Problem:
    """Say why the path ends early: a sub-CA left out looks different from a root that nobody trusts."""
    top = path[-1]
    issuer = top.issuer.rfc4514_string()
    if same_name:
        return Problem("unknown-root", _subject(top), f"issued by another {issuer} than the trusted one")
    if top.issuer == top.subject:
        return Problem("unknown-root", _subject(top), "a root that is not trusted")
    constraints = _extension(top, x509.BasicConstraints)
    if len(path) == 1 or constraints is None or not constraints.ca:
        return Problem("incomplete-chain", _subject(top), f"the issuer {issuer} was not sent")
    return Problem("unknown-root", _subject(top), f"its issuer {issuer} is neither sent nor trusted")


def _check_order(
    path: Sequence[x509.Certificate], sent: Sequence[x509.Certificate], problems: list[Problem]
) -> None:
    on_path = [each for each in path[1:] if each in sent]
    as_sent = [each for each in sent if each in on_path]
    if on_path != as_sent:
        problems.append(
            Problem("wrong-order", _subject(as_sent[0]), "does not certify the one sent before it")
        )


def _check_validity(certificate: x509.Certificate, at: datetime, problems: list[Problem]) -> None:
    if at > certificate.not_valid_after_utc:
        text = f"expired at {certificate.not_valid_after_utc.isoformat()}"
        problems.append(Problem("expired", _subject(certificate), text))
    if at < certificate.not_valid_before_utc:
        text = f"valid from {certificate.not_valid_before_utc.isoformat()} only"
        problems.append(Problem("not-yet-valid", _subject(certificate), text))


def _check_ca(certificate: x509.Certificate, sub_cas_below: int, problems: list[Problem]) -> None:
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        problems.append(Problem("not-a-ca", _subject(certificate), "issued a certificate without being a CA"))
    elif constraints.path_length is not None and sub_cas_below > constraints.path_length:
        text = f"path length {constraints.path_length}, but {sub_cas_below} sub-CAs below"
        problems.append(Problem("path-length-exceeded", _subject(certificate), text))
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        problems.append(Problem("wrong-key-usage", _subject(certificate), "a CA without keyCertSign"))


def _check_curve(certificate: x509.Certificate, problems: list[Problem]) -> None:
    key = public_key(certificate)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        text = f"{describe_key(key)} instead of secp256r1"
        problems.append(Problem("wrong-curve", _subject(certificate), text))


def _check_leaf(
    leaf: x509.Certificate, purpose: Purpose, expected_name: str | None, problems: list[Problem]
) -> None:
    subject = _subject(leaf)
    usage = _extension(leaf, x509.KeyUsage)
    missing = REQUIRED_KEY_USAGE[purpose] - (key_usage_names(usage) if usage is not None else frozenset())
    if missing:
        problems.append(Problem("wrong-key-usage", subject, f"keyUsage without {', '.join(sorted(missing))}"))
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        problems.append(Problem("wrong-key-usage", subject, "a leaf that is a CA"))
    components = _names(leaf, NameOID.DOMAIN_COMPONENT)
    wanted = REQUIRED_DOMAIN_COMPONENT[purpose]
    if wanted not in components:
        text = f"domainComponent {', '.join(components) or '(none)'} instead of {wanted}"
        problems.append(Problem("wrong-domain-component", subject, text))
    _check_name(_names(leaf, NameOID.COMMON_NAME), subject, purpose, expected_name, problems)


def _check_name(
    names: Sequence[str], subject: str, purpose: Purpose, expected: str | None, problems: list[Problem]
) -> None:
    name = names[0] if names else ""
    text = ""
    if not name:
        text = "no common name"
    elif purpose == "contract" and not emaid.is_valid(name):
        text = f"{name!r} is not an eMAID"
    elif purpose == "oem" and not (17 <= len(name) <= 20 and name.isascii() and name.isalnum()):
        text = f"{name!r} is not a PCID (17 to 20 letters and digits)"
    elif expected is not None:
        same = (
            emaid.normalise(name) == emaid.normalise(expected) if purpose == "contract" else name == expected
        )
        text = "" if same else f"{name!r} instead of {expected!r}"
    if text:
        problems.append(Problem("wrong-common-name", subject, text))


def describe_key(key: object | None) -> str:
    """Short name of a public key: its curve, or its kind (and size)."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name
    if key is None:
        return "unreadable key"
    size = getattr(key, "key_size", None)
    kind = type(key).__name__.removesuffix("PublicKey")
    return f"{kind} {size}" if size else kind


def describe(certificate: x509.Certificate) -> dict[str, Any]:
    """JSON-able summary: subject, issuer, serial (hex), not_before, not_after (ISO 8601), key,
    signature_algorithm, key_usage (list), domain_component, common_name, ca, path_length, ocsp_urls, sha256
    (fingerprint, hex).
    """
    usage = _extension(certificate, x509.KeyUsage)
    constraints = _extension(certificate, x509.BasicConstraints)
    try:
        hash_algorithm = certificate.signature_hash_algorithm
        algorithm = hash_algorithm.name if hash_algorithm is not None else ""
    except UNREADABLE:
        algorithm = ""
    oid = certificate.signature_algorithm_oid
    return {
        "subject": _subject(certificate),
        "issuer": certificate.issuer.rfc4514_string(),
        "common_name": next(iter(_names(certificate, NameOID.COMMON_NAME)), ""),
        "domain_component": next(iter(_names(certificate, NameOID.DOMAIN_COMPONENT)), None),
        "serial": f"{certificate.serial_number:x}",
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "key": describe_key(public_key(certificate)),
        "signature_algorithm": getattr(oid, "_name", "") or oid.dotted_string,
        "signature_hash": algorithm,
        "key_usage": sorted(key_usage_names(usage)) if usage is not None else [],
        "ca": bool(constraints is not None and constraints.ca),
        "path_length": constraints.path_length if constraints is not None else None,
        "ocsp_urls": ocsp_urls(certificate),
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def ocsp_urls(certificate: x509.Certificate) -> list[str]:
    """The OCSP responder URLs of the authorityInfoAccess extension (hostile text: check before use)."""
    access = _extension(certificate, x509.AuthorityInformationAccess)
    if access is None:
        return []
    return [
        str(each.access_location.value)
        for each in access
        if each.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(each.access_location, x509.UniformResourceIdentifier)
    ]


def der(certificate: x509.Certificate) -> bytes:
    """DER of a certificate."""
    return certificate.public_bytes(serialization.Encoding.DER)
