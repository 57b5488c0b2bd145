"""XML signatures of messages, as the charger needs them: verify the EV's, sign the tariff."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from bench.pki.validate import public_key
from bench.v2g import signature as xml_signature
from bench.v2g.messages import iso2, xmldsig


def is_signed_by(
    body: iso2.BodyElement, signature: xmldsig.Signature | None, certificate: x509.Certificate | None
) -> bool:
    """True when `signature` covers `body` (by its Id) and verifies with the certificate's key. Never
    raises."""
    if signature is None or certificate is None:
        return False
    key = public_key(certificate)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    return xml_signature.verify(signature, [body], key).ok


def sign(tariff: iso2.SalesTariff, key: ec.EllipticCurvePrivateKey) -> xmldsig.Signature:
    """A signature over the tariff. Raises codec.CodecError when it has no Id."""
    return xml_signature.sign([tariff], key)
