"""Certificate hash data of OCPP (CertificateHashDataType, OCSPRequestDataType).

Source: OCPP 2.0.1 part 2, section 2.6 and RFC 6960, CertID: hash of the issuer's distinguished name (DER) and
of the issuer's public key (the BIT STRING without tag, length and unused bits), serial number as hexadecimal
text without leading zeros. Hexadecimal is compared without regard to case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.pki.validate import ocsp_urls

ALGORITHMS: Mapping[str, str] = {"SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}


def _key_bits(issuer: x509.Certificate) -> bytes:
    key = issuer.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)  # of the kinds in use only RSA has this form


def hash_data(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: str = "SHA256"
) -> dict[str, str]:
    """CertificateHashDataType of `certificate`: hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber.

    For a root, `issuer` is the root itself. Raises KeyError for an unknown algorithm.
    """
    name = ALGORITHMS[algorithm]
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": hashlib.new(name, issuer.subject.public_bytes()).hexdigest(),
        "issuerKeyHash": hashlib.new(name, _key_bits(issuer)).hexdigest(),
        "serialNumber": f"{certificate.serial_number:x}",
    }


def ocsp_request_data(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: str = "SHA256"
) -> dict[str, str]:
    """OCSPRequestDataType: the hash data and the responderURL of the certificate ("" where it names none)."""
    urls = ocsp_urls(certificate)
    return {**hash_data(certificate, issuer, algorithm), "responderURL": urls[0][:512] if urls else ""}


def same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """True when two hash data name the same certificate."""
    return left.get("hashAlgorithm") == right.get("hashAlgorithm") and all(
        _text(left, field) == _text(right, field)
        for field in ("issuerNameHash", "issuerKeyHash", "serialNumber")
    )


def _text(data: Mapping[str, Any], field: str) -> str:
    text = str(data.get(field, "")).lower()
    return text.lstrip("0") if field == "serialNumber" else text


def issuer_of(data: Mapping[str, Any], issuers: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """The certificate among `issuers` that issued what `data` names, or None."""
    algorithm = data.get("hashAlgorithm")
    if algorithm not in ALGORITHMS:
        return None
    for issuer in issuers:
        candidate = hash_data(issuer, issuer, str(algorithm))
        if all(
            _text(candidate, field) == _text(data, field) for field in ("issuerNameHash", "issuerKeyHash")
        ):
            return issuer
    return None
