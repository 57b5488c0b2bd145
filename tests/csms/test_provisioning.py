"""Get15118EVCertificate: real EXI, real signatures, real keys."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bench.csms.contracts import Contracts
from bench.csms.provisioning import MAX_RESPONSE_CHARACTERS, Provisioning
from bench.csms.schemas import check
from bench.pki import Credential, Pki, load_der
from bench.pki.contract_key import unwrap
from bench.v2g import codec, signature
from bench.v2g.messages import iso2, xmldsig

SESSION = bytes.fromhex("0102030405060708")


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture
def contracts(pki: Pki) -> Contracts:
    return Contracts(pki.revocations, lambda *_: None)


@pytest.fixture
def service(pki: Pki, contracts: Contracts) -> Provisioning:
    return Provisioning(pki, contracts, lambda *_: None)


def roots(pki: Pki) -> iso2.ListOfRootCertificateIDs:
    return iso2.ListOfRootCertificateIDs(
        RootCertificateID=[
            xmldsig.X509IssuerSerial(
                X509IssuerName=pki.mo_root.certificate.subject.rfc4514_string(), X509SerialNumber=1
            )
        ]
    )


def message(body: Any, key: Any) -> bytes:
    signed = signature.sign([body], key) if key is not None else None
    header = iso2.MessageHeader(SessionID=SESSION, Signature=signed)
    return codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body)), "iso2")


def installation(pki: Pki, oem: Credential, key: Any = "own") -> bytes:
    body = iso2.CertificateInstallationReq(
        OEMProvisioningCert=oem.der_chain()[0], ListOfRootCertificateIDs=roots(pki), Id="id1"
    )
    return message(body, oem.private_key if key == "own" else key)


def update(pki: Pki, contract: Credential) -> bytes:
    der = contract.der_chain()
    body = iso2.CertificateUpdateReq(
        ContractSignatureCertChain=iso2.CertificateChain(
            Certificate=der[0], SubCertificates=iso2.SubCertificates(Certificate=der[1:])
        ),
        eMAID=contract.emaid,
        ListOfRootCertificateIDs=roots(pki),
        Id="id1",
    )
    return message(body, contract.private_key)


def ask(service: Provisioning, request: bytes, action: str = "Install") -> dict[str, Any]:
    payload = {
        "iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef",
        "action": action,
        "exiRequest": base64.b64encode(request).decode(),
    }
    assert check("2.0.1", "Get15118EVCertificate", payload) is None
    answer = service.answer(payload)
    assert answer is not None
    return answer


def opened(pki: Pki, answer: dict[str, Any], own: Credential) -> Any:
    """The body of the answer, with signature, chain and key checked as a car does."""
    assert check("2.0.1", "Get15118EVCertificate", answer, response=True) is None
    assert answer["status"] == "Accepted", answer
    reply = codec.decode("iso2", base64.b64decode(answer["exiResponse"]))
    assert reply.Header.SessionID == SESSION
    body = reply.Body.BodyElement
    signer = load_der(body.SAProvisioningCertificateChain.Certificate)
    assert signer == pki.cps.certificate
    elements = [
        body.ContractSignatureCertChain,
        body.ContractSignatureEncryptedPrivateKey,
        body.DHpublickey,
        body.eMAID,
    ]
    verdict = signature.verify(reply.Header.Signature, elements, signer.public_key())  # type: ignore[arg-type]
    assert verdict.reasons == []
    leaf = load_der(body.ContractSignatureCertChain.Certificate)
    unwrap(body.ContractSignatureEncryptedPrivateKey.value, body.DHpublickey.value, own.private_key, leaf)
    return body


def test_installation(service: Provisioning, contracts: Contracts, pki: Pki) -> None:
    body = opened(pki, ask(service, installation(pki, pki.oem)), pki.oem)
    assert isinstance(body, iso2.CertificateInstallationRes)
    assert service.issued[-1].emaid == body.eMAID.value
    assert contracts.status(body.eMAID.value) == ("Accepted", None)


def test_installation_of_a_given_contract(service: Provisioning, pki: Pki) -> None:
    service.contract = pki.contract
    body = opened(pki, ask(service, installation(pki, pki.oem)), pki.oem)
    assert body.eMAID.value == pki.contract.emaid


def test_request_with_trailing_byte_is_still_readable(service: Provisioning, pki: Pki) -> None:
    opened(pki, ask(service, installation(pki, pki.oem) + b"\0"), pki.oem)


def test_update_keeps_the_emaid(service: Provisioning, contracts: Contracts, pki: Pki) -> None:
    contracts.accept(pki.contract.emaid)
    body = opened(pki, ask(service, update(pki, pki.contract), "Update"), pki.contract)
    assert isinstance(body, iso2.CertificateUpdateRes)
    assert body.eMAID.value == pki.contract.emaid
    assert body.ContractSignatureCertChain.Certificate != pki.contract.der_chain()[0]


def test_refusals(service: Provisioning, contracts: Contracts, pki: Pki) -> None:
    other = pki.issue_oem("WMIV1234567890ABCDEY")
    refused = {
        "SignatureError": [
            installation(pki, pki.oem, other.private_key),
            installation(pki, pki.oem, None),
        ],
        "CertChainError": [installation(pki, pki.contract), installation(pki, pki.faulty("oem", "expired"))],
        "BadExi": [b"", b"\x80", bytes(200), b"\xff" * 500],
        "WrongAction": [update(pki, pki.contract)],
    }
    for reason, requests in refused.items():
        for request in requests:
            answer = ask(service, request)
            assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Failed", reason)
            assert check("2.0.1", "Get15118EVCertificate", answer, response=True) is None
    answer = ask(service, update(pki, pki.contract), "Update")
    assert answer["statusInfo"]["reasonCode"] == "NoContract"
    assert service.issued == []


def test_damaged_requests_never_raise(service: Provisioning, pki: Pki) -> None:
    good = installation(pki, pki.oem)
    for position in range(0, len(good), 7):
        damaged = bytearray(good)
        damaged[position] ^= 0x55
        assert ask(service, bytes(damaged))["status"] in ("Failed", "Accepted")
    for length in range(0, len(good), 23):
        assert ask(service, good[:length])["status"] == "Failed"


def test_moods(service: Provisioning, pki: Pki) -> None:
    request = installation(pki, pki.oem)
    service.down()
    assert service.answer({"action": "Install", "exiRequest": ""}) is None
    service.refuse()
    assert ask(service, request)["status"] == "Failed"
    service.slow(6.0)
    assert service.delay_s == 6.0
    assert ask(service, request)["status"] == "Accepted"
    service.too_large()
    assert len(ask(service, request)["exiResponse"]) > MAX_RESPONSE_CHARACTERS
    service.normal()
    assert service.delay_s == 0.0
    answer = service.answer({"action": "Install", "exiRequest": "%%%"})
    assert answer is not None
    assert answer["status"] == "Failed"
