"""Chain validation: every named fault is found under its name, and hostile certificates do no harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.pki import FAULTS, BadCertificate, Pki, describe, load_der, validate_chain

PKI = Pki.create()
ROOTS = [PKI.v2g_root, PKI.mo_root, PKI.oem_root]
NAMES = {"secc": PKI.secc.common_name, "contract": None, "oem": None}
Kind = Literal["contract", "secc", "oem"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["contract", "secc", "oem"])
def test_each_fault_is_found_under_its_name(kind: Kind, fault: str) -> None:
    credential = PKI.faulty(kind, fault)
    check = validate_chain(
        credential.certificate,
        credential.sub_cas,
        ROOTS,
        at=datetime.now(UTC),
        purpose=kind,
        revocation=PKI.revocations,
        expected_name=NAMES[kind],
    )
    assert not check.ok
    assert set(check.codes) == {FAULTS[fault].code}
    assert all(str(each) for each in check.problems)


def test_unknown_faults_are_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="expired"):
        PKI.faulty("contract", "sleepy")
    with pytest.raises(KeyError, match="secc"):
        PKI.faulty("wallbox", "expired")  # type: ignore[arg-type]


def test_every_fault_says_what_and_why() -> None:
    assert all(each.description and each.rule and each.name == name for name, each in FAULTS.items())


def test_a_good_leaf_of_another_purpose_is_not_accepted() -> None:
    leaf = PKI.contract
    check = validate_chain(leaf.certificate, leaf.sub_cas, ROOTS, at=datetime.now(UTC), purpose="secc")
    assert check.codes == ["wrong-domain-component"]


def test_time_decides() -> None:
    leaf = PKI.secc
    late = datetime.now(UTC) + timedelta(days=91)
    assert validate_chain(leaf.certificate, leaf.sub_cas, ROOTS, at=late, purpose="secc").codes == ["expired"]


def test_a_revoked_sub_ca_counts() -> None:
    pki = Pki.create()
    pki.revocations.revoke(pki.credentials["mo/sub_ca2"].certificate)
    check = validate_chain(
        pki.contract.certificate,
        pki.contract.sub_cas,
        [pki.mo_root],
        at=datetime.now(UTC),
        purpose="contract",
        revocation=pki.revocations,
    )
    assert check.codes == ["revoked"]
    pki.revocations.reinstate(pki.credentials["mo/sub_ca2"].certificate)
    assert not pki.revocations.is_revoked(pki.credentials["mo/sub_ca2"].certificate)


def test_a_leaf_that_issued_another_is_no_ca() -> None:
    from bench.pki import issue, profile

    below = issue.issue_under(PKI.contract, "x", profile.CONTRACT, PKI.new_emaid())
    check = validate_chain(below.certificate, below.sub_cas, ROOTS, at=datetime.now(UTC), purpose="contract")
    assert "not-a-ca" in check.codes


def test_the_emaid_is_compared_without_hyphens_and_case() -> None:
    leaf = PKI.contract
    name = leaf.emaid.lower()
    for text, ok in ((f"{name[:2]}-{name[2:5]}-{name[5:]}", True), (PKI.new_emaid(), False)):
        check = validate_chain(
            leaf.certificate,
            leaf.sub_cas,
            ROOTS,
            at=datetime.now(UTC),
            purpose="contract",
            expected_name=text,
        )
        assert check.ok is ok


def test_more_certificates_than_anyone_needs_are_bounded() -> None:
    leaf = PKI.contract
    many = list(leaf.sub_cas) + [PKI.issue_contract().certificate for _ in range(30)]
    check = validate_chain(leaf.certificate, many, ROOTS, at=datetime.now(UTC), purpose="contract")
    assert check.codes == ["path-length-exceeded"]


def test_an_rsa_certificate_is_a_problem_not_a_crash() -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RSA")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    check = validate_chain(certificate, [], ROOTS, at=now, purpose="secc")
    assert {"wrong-curve", "unknown-root", "wrong-key-usage", "wrong-domain-component"} <= set(check.codes)
    assert describe(certificate)["key"] == "RSA 2048"


def test_describe_is_complete() -> None:
    row = describe(PKI.secc.certificate)
    assert row["common_name"] == PKI.secc.common_name
    assert row["domain_component"] == "CPO"
    assert row["key"] == "secp256r1"
    assert row["ocsp_urls"] == [PKI.ocsp_url]
    assert len(row["sha256"]) == 64


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x80", b"\xff" * 100, b"\x30" * 100_000])
def test_bytes_that_are_no_certificate(data: bytes) -> None:
    with pytest.raises(BadCertificate):
        load_der(data)


GOOD = PKI.contract.certificate.public_bytes(serialization.Encoding.DER)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_certificates_never_raise_anything_unexpected(data: st.DataObject) -> None:
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(GOOD) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(GOOD)))
    candidate = bytes(damaged[:cut] if data.draw(st.booleans()) else damaged)
    try:
        certificate = load_der(candidate)
    except BadCertificate:
        return
    validate_chain(certificate, PKI.contract.sub_cas, ROOTS, at=datetime.now(UTC), purpose="contract")
    validate_chain(
        PKI.contract.certificate, [certificate], [certificate], at=datetime.now(UTC), purpose="contract"
    )
    describe(certificate)


def test_a_certificate_of_an_unknown_version_is_unreadable() -> None:
    der = Pki.create().contract.certificate.public_bytes(serialization.Encoding.DER)
    version_3 = bytes.fromhex("a003020102")
    assert version_3 in der
    with pytest.raises(BadCertificate):
        load_der(der.replace(version_3, bytes.fromhex("a003020109"), 1))
