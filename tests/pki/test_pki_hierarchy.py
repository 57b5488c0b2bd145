"""The hierarchies: complete, by profile, saved and loaded, and able to issue more."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.pki import BadCsr, Pki, StoreError, emaid, validate_chain
from bench.pki.hierarchy import CSMS_HOSTS


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def csr(key: ec.EllipticCurvePrivateKey, name: str | None = "PBX-7") -> bytes:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab")]
    if name is not None:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("kind", ["secc", "contract", "oem", "cps"])
def test_every_leaf_of_the_field_is_valid(pki: Pki, kind: str) -> None:
    credential = getattr(pki, kind)
    check = validate_chain(
        credential.certificate,
        credential.sub_cas,
        [credential.root],
        at=datetime.now(UTC),
        purpose=kind,  # type: ignore[arg-type]
    )
    assert check.ok, check.problems
    assert len(check.path) == 4


def test_sub_cas_have_the_path_lengths_of_annex_f(pki: Pki) -> None:
    for branch in ("cpo", "mo", "oem", "cps"):
        for number, length in ((1, 1), (2, 0)):
            extension = pki.credentials[f"{branch}/sub_ca{number}"].certificate.extensions
            constraints = extension.get_extension_for_class(x509.BasicConstraints)
            usage = extension.get_extension_for_class(x509.KeyUsage)
            assert constraints.critical and constraints.value.ca and constraints.value.path_length == length
            assert usage.critical and usage.value.key_cert_sign


def test_the_contract_carries_an_emaid(pki: Pki) -> None:
    assert emaid.is_valid(pki.contract.emaid)
    assert len(pki.contract.emaid) == 15


def test_the_foreign_hierarchies_are_apart(pki: Pki) -> None:
    leaf = pki.foreign.contract
    check = validate_chain(
        leaf.certificate, leaf.sub_cas, [pki.mo_root], at=datetime.now(UTC), purpose="contract"
    )
    assert check.codes == ["unknown-root"]
    assert pki.foreign.secc.root == pki.foreign.v2g_root.certificate


def test_the_csms_server_is_named_by_every_loopback_address(pki: Pki) -> None:
    names = pki.csms.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(getattr(each, "value", each)) for each in names} == set(CSMS_HOSTS)


def test_a_saved_pki_is_loaded_as_it_was(pki: Pki, tmp_path: Path) -> None:
    revoked = pki.issue_contract()
    pki.revocations.revoke(revoked.certificate)
    pki.save(tmp_path)
    pki.save(tmp_path)
    again = Pki.load(tmp_path)
    assert again.secc.chain == pki.secc.chain
    assert again.contract.emaid == pki.contract.emaid
    assert again.contract.root == pki.contract.root
    assert again.revocations.is_revoked(revoked.certificate)
    assert (tmp_path / "cpo/secc_chain.pem").read_bytes() == pki.secc.pem_chain()
    assert stat.S_IMODE((tmp_path / "cpo/secc_leaf.key").stat().st_mode) == 0o600
    assert again.secc.private_key.private_numbers() == pki.secc.private_key.private_numbers()
    fresh = again.issue_contract()
    check = validate_chain(
        fresh.certificate, fresh.sub_cas, [again.mo_root], at=datetime.now(UTC), purpose="contract"
    )
    assert check.ok


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("index.json", b"{"),
        ("index.json", b"[]"),
        ("index.json", b'{"format": 1, "ocsp_url": "", "credentials": {"a": {}}, "revoked": []}'),
        ("index.json", b'{"format": 1, "ocsp_url": "", "credentials": {}, "revoked": []}'),
        ("cpo/secc_leaf.pem", b"rubbish"),
        ("cpo/secc_leaf.key", b"rubbish"),
    ],
)
def test_a_damaged_folder_is_named(pki: Pki, tmp_path: Path, file: str, content: bytes) -> None:
    pki.save(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(StoreError, match=r"index\.json|secc_leaf"):
        Pki.load(tmp_path)


def test_an_index_cannot_point_outside_its_folder(pki: Pki, tmp_path: Path) -> None:
    pki.save(tmp_path / "pki")
    index = tmp_path / "pki/index.json"
    index.write_text(index.read_text().replace('"v2g/root.pem"', '"../../../etc/hostname"'))
    with pytest.raises(StoreError, match="outside"):
        Pki.load(tmp_path / "pki")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        Pki.load(tmp_path / "nowhere")


@pytest.mark.parametrize("profile", ["secc", "charger_tls"])
def test_a_csr_is_answered_with_a_chain(pki: Pki, profile: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    chain = pki.sign_csr(csr(key), profile)  # type: ignore[arg-type]
    public = chain[0].public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.public_numbers() == key.public_key().public_numbers()
    assert chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "PBX-7"
    assert chain[0].subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "Lab"
    if profile == "secc":
        check = validate_chain(chain[0], chain[1:], [pki.v2g_root], at=datetime.now(UTC), purpose="secc")
        assert check.ok, check.problems
    else:
        chain[0].verify_directly_issued_by(pki.csms_root.certificate)


def test_a_csr_can_be_answered_wrongly(pki: Pki) -> None:
    chain = pki.sign_csr(csr(ec.generate_private_key(ec.SECP256R1())), "secc", domain_component=None)
    check = validate_chain(chain[0], chain[1:], [pki.v2g_root], at=datetime.now(UTC), purpose="secc")
    assert check.codes == ["wrong-domain-component"]


@pytest.mark.parametrize("data", [b"", b"rubbish", "not PEM \ud800", b"-----BEGIN X-----", b"x" * 20_000])
def test_a_bad_csr_is_refused(pki: Pki, data: bytes | str) -> None:
    with pytest.raises(BadCsr):
        pki.sign_csr(data)


def test_a_csr_without_name_or_with_a_forged_signature_is_refused(pki: Pki) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(BadCsr, match="common name"):
        pki.sign_csr(csr(key, None))
    der = bytearray(x509.load_pem_x509_csr(csr(key)).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    with pytest.raises(BadCsr, match="signature"):
        pki.sign_csr(bytes(der))


@pytest.mark.parametrize(
    ("contract_id", "character"),
    [
        ("NN123ABCDEFGHI", "T"),
        ("FRXYZ123456789", "2"),
        ("IT-A1B-2C3E4F5G6", "4"),
        ("ESZU8WOX834H1D", "R"),
        ("PT73902837ABCZ", "Z"),
        ("DE83DUIEN83QGZ", "D"),
        ("de83duien83zgq", "M"),
        ("DE8AA001234567", "0"),
    ],
)
def test_check_characters_known_in_public(contract_id: str, character: str) -> None:
    assert emaid.check_character(contract_id) == character
    assert emaid.is_valid(contract_id + character)
    assert not emaid.is_valid(contract_id + ("A" if character != "A" else "B"))


@pytest.mark.parametrize("text", ["", "DE", "12PBXC12345678", "DEPBXC1234567É", "DEPBXC12345678900"])
def test_no_emaid(text: str) -> None:
    assert not emaid.is_valid(text)
