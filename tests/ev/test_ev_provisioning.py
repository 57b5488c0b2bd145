"""CertificateInstallation and CertificateUpdate as the car takes them; the signature of a tariff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_secc import FakeSecc

from bench.ev import faults
from bench.ev.credentials import Credentials
from bench.ev.emulator import EvEmulator
from bench.ev.errors import PlanMistake, SessionEnded
from bench.ev.iso2.requests import certificate_chain
from bench.pki import Pki, contract_key
from bench.pki.credential import Credential
from bench.v2g import signature
from bench.v2g.messages import iso2

MakeEv = Callable[..., EvEmulator]


def service_list() -> iso2.ServiceList:
    return iso2.ServiceList(
        Service=[
            iso2.Service(
                ServiceID=2, ServiceCategory=iso2.serviceCategory.ContractCertificate, FreeService=True
            )
        ]
    )


def provide(pki: Pki, recipient: Credential, contract: Credential, *, update: bool = False) -> Any:
    """What a provisioning service answers: body and signature."""
    point, encrypted = contract_key.wrap(contract.private_key, recipient.certificate.public_key())  # type: ignore[arg-type]
    kind = iso2.CertificateUpdateRes if update else iso2.CertificateInstallationRes
    body = kind(
        ResponseCode=iso2.responseCode.OK,
        SAProvisioningCertificateChain=certificate_chain(pki.cps),
        ContractSignatureCertChain=certificate_chain(contract, "id1"),
        ContractSignatureEncryptedPrivateKey=iso2.ContractSignatureEncryptedPrivateKey(
            value=encrypted, Id="id2"
        ),
        DHpublickey=iso2.DiffieHellmanPublickey(value=point, Id="id3"),
        eMAID=iso2.EMAID(value=contract.emaid, Id="id4"),
    )
    parts = [
        body.ContractSignatureCertChain,
        body.ContractSignatureEncryptedPrivateKey,
        body.DHpublickey,
        body.eMAID,
    ]
    return body, signature.sign(parts, pki.cps.private_key)


def without_contract(pki: Pki) -> Credentials:
    return Credentials(
        oem=pki.oem, v2g_roots=(pki.v2g_root.certificate,), mo_roots=(pki.mo_root.certificate,)
    )


def test_installation_gives_the_session_its_contract(secc: FakeSecc, pki: Pki, make_ev: MakeEv) -> None:
    fresh = pki.issue_contract()
    secc.services = service_list()
    secc.answers["CertificateInstallationReq"] = lambda req, fake: provide(pki, pki.oem, fresh)
    session = make_ev(secc, credentials=without_contract(pki)).plug_in("dc", "pnc")
    session.until("PaymentDetailsReq")
    assert session.provisioned.problems == []
    assert session.provisioned.signature_ok and session.provisioned.key_matches
    assert session.installed_contract is not None and session.installed_contract.emaid == fresh.emaid
    request = secc.sent("CertificateInstallationReq")[0]
    header = secc.headers[secc.names().index("CertificateInstallationReq")]
    key = pki.oem.certificate.public_key()
    assert signature.verify(header.Signature, [request], key).ok  # type: ignore[arg-type]
    assert secc.sent("ServiceDetailReq")[0].ServiceID == 2
    selected = secc.sent("PaymentServiceSelectionReq")[0].SelectedServiceList.SelectedService
    assert [(each.ServiceID, each.ParameterSetID) for each in selected] == [(1, None), (2, 1)]
    session.run(0.01)
    assert secc.sent("PaymentDetailsReq")[0].eMAID == fresh.emaid
    header = secc.headers[secc.names().index("AuthorizationReq")]
    key = fresh.certificate.public_key()
    assert signature.verify(header.Signature, secc.sent("AuthorizationReq"), key).ok  # type: ignore[arg-type]


def test_update_replaces_the_contract(secc: FakeSecc, pki: Pki, make_ev: MakeEv) -> None:
    fresh = pki.issue_contract()
    secc.services = service_list()
    secc.answers["CertificateUpdateReq"] = lambda req, fake: provide(pki, pki.contract, fresh, update=True)
    session = make_ev(secc).plug_in("dc", "pnc", certificate="update").run(0.01)
    assert session.ended == "finished" and session.provisioned.problems == []
    assert secc.sent("CertificateUpdateReq")[0].eMAID == pki.contract.emaid
    assert secc.sent("PaymentDetailsReq")[0].eMAID == fresh.emaid


def test_an_altered_answer_is_noticed(secc: FakeSecc, pki: Pki, make_ev: MakeEv) -> None:
    def altered(req: Any, fake: FakeSecc) -> Any:
        body, signed = provide(pki, pki.oem, pki.issue_contract())
        body.eMAID.value = pki.contract.emaid
        return body, signed

    secc.services = service_list()
    secc.answers["CertificateInstallationReq"] = altered
    session = make_ev(secc, credentials=without_contract(pki)).plug_in("dc", "pnc")
    session.through("CertificateInstallationReq")
    assert session.provisioned.signature_ok is False
    assert any("digest" in each for each in session.provisioned.problems)
    assert any("eMAID" in each for each in session.provisioned.problems)


def test_a_key_for_another_car_ends_the_session(secc: FakeSecc, pki: Pki, make_ev: MakeEv) -> None:
    secc.services = service_list()
    secc.answers["CertificateInstallationReq"] = lambda req, fake: provide(pki, pki.cps, pki.issue_contract())
    session = make_ev(secc, credentials=without_contract(pki)).plug_in("dc", "pnc")
    with pytest.raises(SessionEnded, match="new contract cannot be used"):
        session.until("PaymentDetailsReq")
    assert session.provisioned.key_matches is False


def test_unreadable_certificates_do_not_crash(secc: FakeSecc, pki: Pki, make_ev: MakeEv) -> None:
    def broken(req: Any, fake: FakeSecc) -> Any:
        body, signed = provide(pki, pki.oem, pki.issue_contract())
        body.ContractSignatureCertChain.Certificate = b"\x30\x03\x02\x01\x05"
        body.SAProvisioningCertificateChain.Certificate = b"junk"
        body.DHpublickey.value = bytes(65)
        return body, signed

    secc.services = service_list()
    secc.answers["CertificateInstallationReq"] = broken
    session = make_ev(secc, credentials=without_contract(pki)).plug_in("dc", "pnc")
    with pytest.raises(SessionEnded, match="unreadable"):
        session.until("PaymentDetailsReq")


def test_refused_provisioning(secc: FakeSecc, pki: Pki, make_ev: MakeEv) -> None:
    def refuse(req: Any, fake: FakeSecc) -> Any:
        body, _ = provide(pki, pki.oem, pki.issue_contract())
        body.ResponseCode = iso2.responseCode.FAILED_NoCertificateAvailable
        return body

    secc.services = service_list()
    secc.answers["CertificateInstallationReq"] = refuse
    session = make_ev(secc, credentials=without_contract(pki)).plug_in("dc", "pnc")
    session.deviate("CertificateInstallationReq", faults.bad_signature())
    assert session.through("CertificateInstallationReq").ResponseCode == "FAILED_NoCertificateAvailable"
    assert session.ended and session.provisioned.contract is None


def test_what_the_car_lacks_is_said_at_plug_in(secc: FakeSecc, pki: Pki, make_ev: MakeEv) -> None:
    with pytest.raises(PlanMistake, match="contract"):
        make_ev(secc, credentials=Credentials(v2g_roots=(pki.v2g_root.certificate,))).plug_in("dc", "pnc")
    session = make_ev(secc, credentials=without_contract(pki)).plug_in("dc", "pnc")
    with pytest.raises(SessionEnded, match="no certificate service"):
        session.until("PaymentDetailsReq")


@pytest.mark.parametrize(
    ("signer", "spoil", "wanted"),
    [
        ("sub_ca2", False, "valid"),
        ("sub_ca2", True, "invalid"),
        ("root", False, "invalid"),
        (None, False, "unsigned"),
    ],
)
def test_tariff_signature(
    ev: EvEmulator, secc: FakeSecc, pki: Pki, signer: str | None, spoil: bool, wanted: str
) -> None:
    def with_tariff(req: Any, fake: FakeSecc) -> Any:
        entry = iso2.SalesTariffEntry(TimeInterval=iso2.RelativeTimeInterval(start=0), EPriceLevel=1)
        tariff = iso2.SalesTariff(Id="t1", SalesTariffID=1, NumEPriceLevels=1, SalesTariffEntry=[entry])
        signed = signature.sign([tariff], pki.credentials[f"mo/{signer}"].private_key) if signer else None
        answer = fake.on_ChargeParameterDiscoveryReq(req)
        if spoil:
            tariff.SalesTariffID = 2
        answer.SASchedules = fake.schedules(tariff)
        return answer, signed

    secc.answers["ChargeParameterDiscoveryReq"] = with_tariff
    session = ev.plug_in("dc", "pnc").until("CableCheckReq")
    assert session.tariff_signature is not None and session.tariff_signature.startswith(wanted)


def test_no_tariff_is_absent(ev: EvEmulator) -> None:
    session = ev.plug_in("dc", "pnc").until("CableCheckReq")
    assert session.tariff_signature == "absent"
