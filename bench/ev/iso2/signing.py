"""Signatures in an ISO 15118-2 session: which key signs which request, and whose signature the EV checks.

Source: ISO 15118-2 clause 7.9.2.4; AuthorizationReq, MeteringReceiptReq and CertificateUpdateReq are signed
with the contract's key, CertificateInstallationReq with the OEM provisioning key (table 20).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from bench.ev.iso2.state import SessionState
from bench.ev.wire import Received
from bench.pki.validate import public_key
from bench.v2g import codec, signature
from bench.v2g.messages import iso2, xmldsig

_SIGNED_BY_CONTRACT = frozenset({"AuthorizationReq", "MeteringReceiptReq", "CertificateUpdateReq"})


def key_for(state: SessionState, name: str, body: Any) -> ec.EllipticCurvePrivateKey | None:
    """The key that signs `body` of message `name`; None for what is not signed (no Id, ExternalPayment)."""
    if not getattr(body, "Id", None):
        return None
    if name == "CertificateInstallationReq":
        oem = state.credentials.oem
        return oem.private_key if oem is not None else None
    if name in _SIGNED_BY_CONTRACT and state.contract is not None:
        return state.contract.private_key
    return None


def sign(body: Any, key: ec.EllipticCurvePrivateKey) -> xmldsig.Signature:
    """A signature over `body`, which has an Id; a body that deviates from its schema is signed as it will be
    sent.
    """
    try:
        return signature.sign([body], key, "iso2")
    except codec.ValidationError:
        return _sign_deviant(body, key)


def _sign_deviant(body: Any, key: ec.EllipticCurvePrivateKey) -> xmldsig.Signature:
    suite = signature.SHA256
    exi = codec.encode(body, "iso2", fragment=True, deviations=True)
    info = xmldsig.SignedInfo(
        CanonicalizationMethod=xmldsig.CanonicalizationMethod(Algorithm=signature.CANONICAL_EXI),
        SignatureMethod=xmldsig.SignatureMethod(Algorithm=suite.signature_uri),
        Reference=[
            xmldsig.Reference(
                URI=f"#{body.Id}",
                Transforms=xmldsig.Transforms(
                    Transform=[xmldsig.Transform(Algorithm=signature.CANONICAL_EXI)]
                ),
                DigestMethod=xmldsig.DigestMethod(Algorithm=suite.digest_uri),
                DigestValue=hashlib.sha256(exi).digest(),
            )
        ],
    )
    value = signature.sign_raw(signature.signed_info_exi(info), key, suite)
    return xmldsig.Signature(SignedInfo=info, SignatureValue=xmldsig.SignatureValue(value=value))


def verify(received: Received, elements: Sequence[Any], signer: x509.Certificate) -> str | None:
    """What is wrong with the header signature of `received` over `elements`, None when it is right. Never
    raises.
    """
    found = getattr(received.header, "Signature", None)
    if found is None:
        return "the message is not signed"
    key = public_key(signer)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return "the signer's certificate has no elliptic-curve key"
    check = signature.verify(found, list(elements), key, "iso2")
    return None if check.ok else "; ".join(check.reasons)


def judge_tariff(state: SessionState, received: Received) -> str | None:
    """Check the signature of the sales tariffs ([V2G2-641]): "valid", "unsigned", "absent", "unknown" or
    "invalid: ...".

    The tariff is signed by the sub-CA that issued the contract. None while the charger is still Ongoing.
    """
    schedules = received.body.SASchedules
    if not isinstance(schedules, iso2.SAScheduleList):
        return state.tariff_signature
    tariffs = [each.SalesTariff for each in schedules.SAScheduleTuple if each.SalesTariff is not None]
    if not tariffs:
        return "absent"
    if getattr(received.header, "Signature", None) is None:
        return "unsigned"
    if state.contract is None or len(state.contract.chain) < 2:
        return "unknown: the car has no sub-CA certificate to check with"
    signed = [each for each in tariffs if each.Id]
    problem = verify(received, signed, state.contract.chain[1])
    return "valid" if problem is None else f"invalid: {problem}"
