"""Signatures: own round trips, explanations of what is wrong, and the oracle's vectors."""

from __future__ import annotations

import hashlib
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bench.exi.declare import Named
from bench.v2g import codec, signature
from bench.v2g.messages import iso2, xmldsig
from bench.v2g.messages.iso20 import common, commontypes
from tests.shared import shared_dir

KEY = ec.generate_private_key(ec.SECP256R1())


def request() -> iso2.AuthorizationReq:
    return iso2.AuthorizationReq(Id="id1", GenChallenge=bytes(16))


def test_sign_and_verify() -> None:
    element = request()
    made = signature.sign([element], KEY)
    assert len(made.SignatureValue.value) == 64
    check = signature.verify(made, [element], KEY.public_key())
    assert check.ok
    assert not check.reasons
    assert check.references[0].fragment_exi == codec.encode(element, "iso2", fragment=True)


def test_signature_survives_the_header() -> None:
    element = request()
    header = iso2.MessageHeader(SessionID=bytes(8), Signature=signature.sign([element], KEY))
    sent = iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=element))
    read = codec.decode("iso2", codec.encode(sent))
    assert read == sent
    assert signature.verify(read.Header.Signature, [read.Body.BodyElement], KEY.public_key()).ok


def test_a_changed_element_is_explained() -> None:
    made = signature.sign([request()], KEY)
    changed = request().copy(GenChallenge=b"\x01" * 16)
    check = signature.verify(made, [changed], KEY.public_key())
    assert not check.ok
    assert "digest is" in check.reasons[0]
    assert check.references[0].expected_digest != check.references[0].actual_digest


def test_the_bytes_that_were_judged_are_there() -> None:
    element = request()
    made = signature.sign([element], KEY)
    check = signature.verify(made, [element], KEY.public_key())
    assert check.signed_info_exi == codec.encode(made.SignedInfo, "xmldsig", fragment=True)
    assert check.references[0].uri == "#id1"


def test_a_digest_over_other_bytes_is_recognised() -> None:
    element = request()
    for data, said in (
        (codec.encode(element, "iso2"), "EXI document"),
        (codec.to_xml(element).encode(), "XML text"),
    ):
        made = signature.sign([element], KEY)
        made.SignedInfo.Reference[0].DigestValue = hashlib.sha256(data).digest()
        check = signature.verify(made, [element], KEY.public_key())
        assert not check.ok
        assert f"it is the digest of the element's {said} ({len(data)} bytes)" in check.reasons[0]


def test_other_faults_are_explained() -> None:
    element = request()
    made = signature.sign([element], KEY)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert "does not match" in signature.verify(made, [element], other).reasons[0]
    assert "no signed element" in signature.verify(made, [], KEY.public_key()).reasons[0]
    unsigned = element.copy(Id="id2")
    assert "not referenced" in " ".join(signature.verify(made, [element, unsigned], KEY.public_key()).reasons)
    raw = made.SignatureValue.value
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    made.SignatureValue.value = der
    assert "DER" in signature.verify(made, [element], KEY.public_key()).reasons[0]


def test_wrong_grammar_is_recognised() -> None:
    element = request()
    made = signature.sign([element], KEY)
    made.SignatureValue.value = signature.sign_raw(codec.encode(made.SignedInfo, "iso2", fragment=True), KEY)
    assert "fragment grammar" in signature.verify(made, [element], KEY.public_key()).reasons[0]


def test_elements_without_id_are_refused() -> None:
    for element in (iso2.AuthorizationReq(), iso2.SessionSetupReq(EVCCID=b""), Named("eMAID", "DE123")):
        with pytest.raises(signature.SignatureError, match="Id"):
            signature.sign([element], KEY)


def test_p521_with_sha512() -> None:
    key = ec.generate_private_key(ec.SECP521R1())
    element = request()
    made = signature.sign([element], key, suite=signature.SHA512)
    assert len(made.SignatureValue.value) == 132
    assert signature.verify(made, [element], key.public_key()).ok


def signed_mode() -> common.PnC_AReqAuthorizationMode:
    chain = common.ContractCertificateChain(
        Certificate=b"leaf", SubCertificates=common.SubCertificates(Certificate=[b"sub"])
    )
    return common.PnC_AReqAuthorizationMode(Id="id1", GenChallenge=bytes(16), ContractCertificateChain=chain)


@pytest.mark.parametrize("curve", ["P-521", "Ed448"])
def test_iso20_signature_survives_the_header(curve: str) -> None:
    key = ec.generate_private_key(ec.SECP521R1()) if curve == "P-521" else ed448.Ed448PrivateKey.generate()
    mode = signed_mode()
    made = signature.sign([mode], key, "iso20-common")
    assert len(made.SignatureValue.value) == (132 if curve == "P-521" else 114)
    sent = common.AuthorizationReq(
        Header=commontypes.MessageHeader(SessionID=bytes(8), TimeStamp=1, Signature=made),
        SelectedAuthorizationService=common.authorization.PnC,
        PnC_AReqAuthorizationMode=mode,
    )
    read = codec.decode("iso20-common", codec.encode(sent))
    assert read == sent
    element, public = read.PnC_AReqAuthorizationMode, key.public_key()
    assert signature.verify(read.Header.Signature, [element], public, "iso20-common").ok
    assert not signature.verify(made, [mode.copy(GenChallenge=b"1" * 16)], public, "iso20-common").ok
    value = made.SignatureValue.value
    made.SignatureValue.value = signature.sign_raw(
        codec.encode(made.SignedInfo, "iso20-common", fragment=True), key, signature.SHA512
    )
    wrong = signature.verify(made, [mode], public, "iso20-common")
    assert "fragment grammar" in wrong.reasons[0]
    made.SignatureValue.value = value[:-1]
    assert "bytes" in signature.verify(made, [mode], public, "iso20-common").reasons[0]


def test_key_and_algorithm_must_fit() -> None:
    edwards, mode = ed448.Ed448PrivateKey.generate(), signed_mode()
    made = signature.sign([mode], edwards, "iso20-common")
    check = signature.verify(made, [mode], KEY.public_key(), "iso20-common")
    assert "not one for the signature algorithm" in check.reasons[0]
    with pytest.raises(signature.SignatureError, match="Ed448 key"):
        signature.sign([mode], KEY, "iso20-common", suite=signature.ED448)


def test_oracle_vectors() -> None:
    shared = shared_dir()
    path = shared / "vectors" / "signatures.jsonl" if shared is not None else None
    if path is None or not path.is_file():
        pytest.skip("no shared vectors (set PLUGBENCH_SHARED)")
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        info = codec.from_xml("xmldsig", row["signed_info_xml"], True)
        assert codec.encode(info, "xmldsig", fragment=True).hex() == row["signed_info_exi_xmldsig_fragment"]
        value = xmldsig.SignatureValue(value=bytes.fromhex(row["signature_value_raw_hex"]))
        made = xmldsig.Signature(SignedInfo=info, SignatureValue=value)
        elements = [codec.from_xml(row["schema"], r["xml"], True) for r in row["references"]]
        for element, reference in zip(elements, row["references"], strict=True):
            forms = {codec.encode(element, row["schema"], True, empty_as_end=e).hex() for e in (False, True)}
            assert reference["fragment_exi"] in forms
        public = x509.load_pem_x509_certificate(row["certificate_pem"].encode()).public_key()
        private = load_pem_private_key(row["private_key_pem"].encode(), None)
        assert isinstance(public, ec.EllipticCurvePublicKey)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        assert signature.verify(made, elements, public, row["schema"]).ok
        made.SignatureValue.value = bytes.fromhex(row["bad_signature_raw_hex"])
        assert not signature.verify(made, elements, public, row["schema"]).ok
        own = signature.sign(elements, private, row["schema"])
        assert signature.verify(own, elements, public, row["schema"]).ok
