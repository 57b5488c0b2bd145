"""CertificateInstallation and CertificateUpdate as the back office handles them: EXI in, signed EXI out.

Source: ISO 15118-2:2014, 8.4.3.10 and 8.4.3.11 (messages), 7.9.2.4 (signatures, key encryption); annex E for
which key signs what: the request by the OEM provisioning (or contract) key, the answer by the provisioning
service's leaf over ContractSignatureCertChain, ContractSignatureEncryptedPrivateKey, DHpublickey and eMAID.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from bench.csms.contracts import Contracts
from bench.pki import BadCertificate, Credential, Pki, load_der, validate_chain
from bench.pki.contract_key import ContractKeyError, wrap
from bench.pki.emaid import normalise
from bench.pki.validate import Purpose, public_key
from bench.v2g import codec, signature
from bench.v2g.messages import iso2

MAX_REQUEST_BYTES = 5600
MAX_SUB_CAS = 4


class RequestRefusedError(Exception):
    """The request is refused; `reason` is a short code for statusInfo.reasonCode."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Made:
    """The outcome: the contract handed out, the answer as EXI, and who it is for (PCID or old eMAID)."""

    contract: Credential
    exi: bytes
    recipient: str


@dataclass(frozen=True)
class _Asked:
    """A request that was found good."""

    recipient: str
    key: ec.EllipticCurvePublicKey
    emaid: str | None


def answer_request(
    pki: Pki, contracts: Contracts, request: bytes, action: str, contract: Credential | None
) -> Made:
    """Check `request` (a V2G_Message of `action` Install or Update) and make the signed answer.

    `contract` is handed out when given, else a new one is issued; an update keeps the eMAID. Raises
    RequestRefusedError for a request that is unreadable, of the wrong kind, wrongly signed or of an unknown
    origin.
    """
    if len(request) > MAX_REQUEST_BYTES:
        raise RequestRefusedError("TooLarge", f"a request of {len(request)} bytes")
    try:
        message = codec.decode("iso2", request)
    except codec.CodecError as error:
        raise RequestRefusedError("BadExi", str(error)) from error
    if not isinstance(message, iso2.V2G_Message):
        raise RequestRefusedError("BadExi", f"not a V2G_Message but {type(message).__name__}")
    body = message.Body.BodyElement
    kind = {"Install": iso2.CertificateInstallationReq, "Update": iso2.CertificateUpdateReq}.get(action)
    if kind is None or not isinstance(body, kind):
        raise RequestRefusedError("WrongAction", f"{type(body).__name__} with action {action}")
    try:
        asked = _check(pki, contracts, message, body)
    except (TypeError, AttributeError) as error:
        # The decoder lets schema-invalid content through (a test bench sends it); here it is just a bad
        # request.
        raise RequestRefusedError("BadRequest", f"{type(body).__name__}: {error}") from error
    issued = contract or pki.issue_contract(asked.emaid)
    try:
        exi = _answer(pki, message.Header.SessionID, action, issued, asked.key)
    except (ContractKeyError, codec.CodecError) as error:
        raise RequestRefusedError("CannotAnswer", str(error)) from error
    return Made(issued, exi, asked.recipient)


def _check(
    pki: Pki, contracts: Contracts, message: iso2.V2G_Message, body: iso2.BodyElement | None
) -> _Asked:
    emaid: str | None = None
    purpose: Purpose
    if isinstance(body, iso2.CertificateInstallationReq):
        leaf = _load(body.OEMProvisioningCert)
        # The message has no room for the OEM's sub-CAs; the service gets them from the OEM beforehand.
        subs, roots, purpose = list(pki.oem.sub_cas), [pki.oem_root.certificate], "oem"
    elif isinstance(body, iso2.CertificateUpdateReq):
        chain = body.ContractSignatureCertChain
        leaf = _load(chain.Certificate)
        given = chain.SubCertificates.Certificate if chain.SubCertificates is not None else []
        subs = [_load(each) for each in given[:MAX_SUB_CAS]]
        roots, purpose = [pki.mo_root.certificate, pki.foreign.mo_root.certificate], "contract"
        emaid = normalise(body.eMAID)
    else:
        raise RequestRefusedError("WrongAction", type(body).__name__)
    check = validate_chain(
        leaf,
        subs,
        roots,
        at=datetime.now(UTC),
        purpose=purpose,
        revocation=pki.revocations,
        expected_name=emaid,
    )
    if not check.ok:
        raise RequestRefusedError("CertChainError", str(check.problems[0]))
    if emaid is not None and contracts.status(emaid)[0] != "Accepted":
        raise RequestRefusedError("NoContract", f"the contract {emaid} is {contracts.status(emaid)[0]}")
    key = public_key(leaf)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise RequestRefusedError("CertChainError", "not an elliptic-curve key")
    if message.Header.Signature is None:
        raise RequestRefusedError("SignatureError", "the request is not signed")
    verdict = signature.verify(message.Header.Signature, [body], key)
    if not verdict.ok:
        raise RequestRefusedError("SignatureError", "; ".join(verdict.reasons))
    names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return _Asked(str(names[0].value) if names else "", key, emaid)


def _load(der: bytes) -> x509.Certificate:
    try:
        return load_der(bytes(der))
    except BadCertificate as error:
        raise RequestRefusedError("CertChainError", str(error)) from error


def _chain(credential: Credential, identifier: str | None = None) -> iso2.CertificateChain:
    der = credential.der_chain()
    subs = iso2.SubCertificates(Certificate=der[1:]) if der[1:] else None
    return iso2.CertificateChain(Certificate=der[0], SubCertificates=subs, Id=identifier)


def _answer(
    pki: Pki, session_id: bytes, action: str, contract: Credential, recipient: ec.EllipticCurvePublicKey
) -> bytes:
    point, encrypted = wrap(contract.private_key, recipient)
    chain = _chain(contract, "id1")
    wrapped = iso2.ContractSignatureEncryptedPrivateKey(value=encrypted, Id="id2")
    dh_key = iso2.DiffieHellmanPublickey(value=point, Id="id3")
    emaid = iso2.EMAID(value=contract.emaid, Id="id4")
    kind = iso2.CertificateInstallationRes if action == "Install" else iso2.CertificateUpdateRes
    body = kind(
        ResponseCode=iso2.responseCode.OK,
        SAProvisioningCertificateChain=_chain(pki.cps),
        ContractSignatureCertChain=chain,
        ContractSignatureEncryptedPrivateKey=wrapped,
        DHpublickey=dh_key,
        eMAID=emaid,
    )
    signed = signature.sign([chain, wrapped, dh_key, emaid], pki.cps.private_key)
    header = iso2.MessageHeader(SessionID=session_id, Signature=signed)
    return codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body)), "iso2")
