"""GetCertificateStatus (OCPP 2.0.1 M06): the OCSP answer of the bench's own responder, without a network
round."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from bench.csms.hashdata import issuer_of
from bench.pki import Pki
from bench.pki.ocsp import OcspResponder

MAX_RESULT_CHARACTERS = 5500
"""Of ocspResult in OCPP 2.0.1."""
_Hash = type[hashes.SHA256] | type[hashes.SHA384] | type[hashes.SHA512]
_HASHES: dict[str, _Hash] = {"SHA256": hashes.SHA256, "SHA384": hashes.SHA384, "SHA512": hashes.SHA512}


def certificate_status(payload: Mapping[str, Any], pki: Pki | None) -> dict[str, Any]:
    """GetCertificateStatusResponse for `payload`; Failed when the issuer is not known here (M06.FR.04)."""
    data = payload.get("ocspRequestData")
    if pki is None or not isinstance(data, Mapping):
        return _failed("NoResponder")
    issuer = issuer_of(data, (each.certificate for each in pki.issuers()))
    if issuer is None:
        return _failed("UnknownIssuer")
    try:
        request = _request(data)
    except (ValueError, TypeError, OverflowError):
        return _failed("BadHashData")
    result = base64.b64encode(OcspResponder(pki).respond(request)).decode("ascii")
    if len(result) > MAX_RESULT_CHARACTERS:
        return _failed("TooLarge")
    return {"status": "Accepted", "ocspResult": result}


def _request(data: Mapping[str, Any]) -> bytes:
    """DER of the OCSP request that the hash data stand for; raises ValueError for hashes of a wrong
    length."""
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        bytes.fromhex(str(data.get("issuerNameHash"))),
        bytes.fromhex(str(data.get("issuerKeyHash"))),
        int(str(data.get("serialNumber")), 16),
        _HASHES[str(data.get("hashAlgorithm"))](),
    )
    return builder.build().public_bytes(Encoding.DER)


def _failed(reason: str) -> dict[str, Any]:
    return {"status": "Failed", "statusInfo": {"reasonCode": reason}}
