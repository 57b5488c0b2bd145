"""XML signatures over EXI as V2G uses them.

The digest of a reference is taken over the element's EXI stream in the fragment grammar of the message
schema; the
signature over SignedInfo's stream in the fragment grammar of xmldsig. A signature is raw r and s, each
padded to the
size of the curve's order: 2 x 32 bytes with P-256 and SHA-256 (ISO 15118-2:2014, 7.9.2.4.2), 2 x 66 with
P-521 and
SHA-512 (ISO 15118-20). With Ed448, the other curve of ISO 15118-20, it is the 114 bytes of RFC 8032.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from bench.exi.declare import Named, Record
from bench.v2g import codec
from bench.v2g.messages import xmldsig

CANONICAL_EXI = "http://www.w3.org/TR/canonical-exi/"
ED448_BYTES = 114


@dataclass(frozen=True)
class Suite:
    """The algorithms of a protocol: digest name for hashlib, URIs, and the hash of the ECDSA signature.

    ``hash`` is None where the signature is not ECDSA but Ed448, which hashes by itself.
    """

    digest: str
    digest_uri: str
    signature_uri: str
    hash: hashes.HashAlgorithm | None


SHA256 = Suite(
    "sha256",
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    hashes.SHA256(),
)
SHA512 = Suite(
    "sha512",
    "http://www.w3.org/2001/04/xmlenc#sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
    hashes.SHA512(),
)
ED448 = Suite(
    "sha512",
    "http://www.w3.org/2001/04/xmlenc#sha512",
    "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed448",
    None,
)
_BY_DIGEST = {s.digest_uri: s for s in (SHA256, SHA512)}
_BY_SIGNATURE = {s.signature_uri: s for s in (SHA256, SHA512, ED448)}

PrivateKey = ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed448.Ed448PublicKey


class SignatureError(codec.CodecError):
    """Something cannot be signed."""


@dataclass
class ReferenceCheck:
    """One reference: what it points to, the digest it holds and the digest that was computed.

    ``actual_digest`` and ``fragment_exi`` are empty when no element has the Id.
    """

    uri: str
    ok: bool
    expected_digest: bytes
    actual_digest: bytes = b""
    fragment_exi: bytes = b""


@dataclass
class SignatureCheck:
    """The outcome of a verification; ``reasons`` says what is wrong, in words.

    ``signed_info_exi`` is what the signature value must be over: SignedInfo in the fragment grammar of
    xmldsig.
    """

    ok: bool
    reasons: list[str] = field(default_factory=list)
    references: list[ReferenceCheck] = field(default_factory=list)
    signed_info_exi: bytes = b""


def suite_for(message_set: str) -> Suite:
    """SHA-256 for ``iso2``, SHA-512 for the sets of ISO 15118-20."""
    return SHA512 if message_set.startswith("iso20") else SHA256


def identifier(element: Any) -> str:
    """The Id of an element. Raises SignatureError when it has none."""
    value = element.value if isinstance(element, Named) else element
    name = element.name if isinstance(element, Named) else type(element).__name__
    if not isinstance(value, Record) or "Id" not in value._fields:
        raise SignatureError(f"{name} cannot be signed: its type has no Id")
    found = value.Id  # type: ignore[attr-defined]
    if not found:
        raise SignatureError(f"{name} cannot be signed: its Id is not set")
    return str(found)


def digest(element: Any, set: str = "iso2", *, suite: Suite | None = None) -> bytes:
    """The digest of an element's EXI fragment."""
    exi = codec.encode(element, set, fragment=True)
    return hashlib.new((suite or suite_for(set)).digest, exi).digest()


def sign(
    elements: list[Any],
    private_key: PrivateKey,
    set: str = "iso2",
    *,
    suite: Suite | None = None,
) -> xmldsig.Signature:
    """A signature with one reference an element, in the order given.

    An element is a message with an ``Id``, or ``Named(name, value)`` where the class does not tell the
    element's name.
    Raises SignatureError for an element without Id, and CodecError for one that cannot be encoded.
    """
    used = suite or (ED448 if isinstance(private_key, ed448.Ed448PrivateKey) else suite_for(set))
    references = [
        xmldsig.Reference(
            URI=f"#{identifier(element)}",
            Transforms=xmldsig.Transforms(Transform=[xmldsig.Transform(Algorithm=CANONICAL_EXI)]),
            DigestMethod=xmldsig.DigestMethod(Algorithm=used.digest_uri),
            DigestValue=digest(element, set, suite=used),
        )
        for element in elements
    ]
    signed_info = xmldsig.SignedInfo(
        CanonicalizationMethod=xmldsig.CanonicalizationMethod(Algorithm=CANONICAL_EXI),
        SignatureMethod=xmldsig.SignatureMethod(Algorithm=used.signature_uri),
        Reference=references,
    )
    raw = sign_raw(signed_info_exi(signed_info), private_key, used)
    return xmldsig.Signature(SignedInfo=signed_info, SignatureValue=xmldsig.SignatureValue(value=raw))


def signed_info_exi(signed_info: xmldsig.SignedInfo) -> bytes:
    """What the signature is computed over."""
    return codec.encode(signed_info, "xmldsig", fragment=True)


def sign_raw(data: bytes, private_key: PrivateKey, suite: Suite = SHA256) -> bytes:
    """ECDSA over ``data`` as r and s, each as long as the curve's order; an Ed448 signature as it is."""
    if isinstance(private_key, ed448.Ed448PrivateKey):
        return private_key.sign(data)
    if suite.hash is None:
        raise SignatureError(f"{suite.signature_uri} needs an Ed448 key")
    r, s = decode_dss_signature(private_key.sign(data, ec.ECDSA(suite.hash)))
    size = (private_key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def verify(
    signature: xmldsig.Signature,
    elements: list[Any],
    public_key: PublicKey,
    set: str = "iso2",
) -> SignatureCheck:
    """Checks the references against ``elements`` and the signature against ``public_key``; never raises for
    a bad one.

    Every element must be referenced and every reference must point to an element.
    """
    check = SignatureCheck(ok=True)
    by_id: dict[str, list[Any]] = {}
    for element in elements:
        try:
            by_id.setdefault(identifier(element), []).append(element)
        except SignatureError as exc:
            check.reasons.append(str(exc))
    try:
        for reference in signature.SignedInfo.Reference:
            check.references.append(_check_reference(reference, by_id, set, check.reasons))
        referenced = {r.uri.removeprefix("#") for r in check.references}
        check.reasons += [f"element with Id {i!r} is not referenced" for i in by_id if i not in referenced]
        if not check.references:
            check.reasons.append("SignedInfo has no reference")
        check.signed_info_exi = signed_info_exi(signature.SignedInfo)
        check.reasons += _check_value(signature, public_key, set)
    except (AttributeError, TypeError, codec.CodecError) as exc:
        check.reasons.append(f"the signature cannot be read: {exc}")
    check.ok = not check.reasons
    return check


def _check_reference(
    reference: xmldsig.Reference, by_id: dict[str, list[Any]], set: str, reasons: list[str]
) -> ReferenceCheck:
    uri = reference.URI or ""
    found = ReferenceCheck(uri=uri, ok=False, expected_digest=bytes(reference.DigestValue))
    suite = _BY_DIGEST.get(reference.DigestMethod.Algorithm)
    candidates = by_id.get(uri.removeprefix("#"), []) if uri.startswith("#") else []
    if suite is None:
        reasons.append(f"reference {uri!r}: unknown digest {reference.DigestMethod.Algorithm!r}")
        return found
    if not candidates:
        reasons.append(f"reference {uri!r}: no signed element has this Id")
        return found
    # Ids may collide, and an empty value has two legal encodings of which the signer chose one.
    for element in candidates:
        for empty_as_end in (False, True):
            exi = codec.encode(element, set, fragment=True, deviations=True, empty_as_end=empty_as_end)
            actual = hashlib.new(suite.digest, exi).digest()
            found.ok = hmac.compare_digest(actual, found.expected_digest)
            if found.ok or not found.actual_digest:
                found.actual_digest, found.fragment_exi = actual, exi
            if found.ok:
                return found
    reasons.append(
        f"reference {uri!r}: digest is {found.expected_digest.hex()}, the element's EXI fragment"
        f" ({len(found.fragment_exi)} bytes) gives {found.actual_digest.hex()}"
        f"{_other_bytes(candidates, set, suite, found.expected_digest)}"
    )
    return found


def _other_bytes(candidates: list[Any], set: str, suite: Suite, expected: bytes) -> str:
    """What the signer took for the element's EXI fragment, where that can be told."""
    for element in candidates:
        try:
            document = codec.encode(element, set, deviations=True)
            xml = codec.to_xml(element, set).encode()
        except codec.CodecError:
            continue
        for name, data in (("EXI document", document), ("XML text", xml)):
            if hmac.compare_digest(hashlib.new(suite.digest, data).digest(), expected):
                return f"; it is the digest of the element's {name} ({len(data)} bytes)"
    return ""


def _check_value(signature: xmldsig.Signature, public_key: PublicKey, set: str) -> list[str]:
    method = signature.SignedInfo.SignatureMethod.Algorithm
    suite = _BY_SIGNATURE.get(method)
    if suite is None:
        return [f"unknown signature algorithm {method!r}"]
    raw = bytes(signature.SignatureValue.value)
    if (suite.hash is None) != isinstance(public_key, ed448.Ed448PublicKey):
        return [f"the key is not one for the signature algorithm {method!r}"]
    if isinstance(public_key, ed448.Ed448PublicKey):
        if len(raw) != ED448_BYTES:
            return [f"the signature value has {len(raw)} bytes, {ED448_BYTES} are needed for Ed448"]
        return _compare(signature, public_key, raw, suite, set)
    size = (public_key.curve.key_size + 7) // 8
    exi = signed_info_exi(signature.SignedInfo)
    if len(raw) != 2 * size:
        if _valid(public_key, raw, exi, suite):
            return ["the signature value is valid but DER-encoded; V2G wants r and s as raw bytes"]
        return [
            f"the signature value has {len(raw)} bytes, {2 * size} are needed for {public_key.curve.name}"
        ]
    der = encode_dss_signature(int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big"))
    return _compare(signature, public_key, der, suite, set)


def _compare(
    signature: xmldsig.Signature, public_key: PublicKey, value: bytes, suite: Suite, set: str
) -> list[str]:
    """Whether the value fits SignedInfo, in either form of an empty value, or in the wrong grammar."""
    info = signature.SignedInfo
    for empty_as_end in (False, True):
        exi = codec.encode(info, "xmldsig", True, empty_as_end=empty_as_end)
        if _valid(public_key, value, exi, suite):
            return []
    if set != "xmldsig" and _valid(public_key, value, codec.encode(info, set, True), suite):
        return [f"the signature is over SignedInfo in the {set} fragment grammar instead of that of xmldsig"]
    return ["the signature value does not match SignedInfo and the key"]


def _valid(public_key: PublicKey, value: bytes, data: bytes, suite: Suite) -> bool:
    try:
        if isinstance(public_key, ed448.Ed448PublicKey):
            public_key.verify(value, data)
        elif suite.hash is not None:
            public_key.verify(value, data, ec.ECDSA(suite.hash))
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True
