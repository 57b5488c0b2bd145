"""Wrapping of the contract key: what is wrapped is unwrapped, and nothing else is."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.pki import Pki
from bench.pki.contract_key import ContractKeyError, unwrap, wrap

PKI = Pki.create()
OWN = PKI.oem.private_key


def test_what_is_wrapped_is_unwrapped() -> None:
    point, encrypted = wrap(PKI.contract.private_key, OWN.public_key())
    assert (len(point), len(encrypted)) == (65, 48)
    key = unwrap(encrypted, point, OWN, PKI.contract.certificate)
    assert key.private_numbers() == PKI.contract.private_key.private_numbers()


def test_the_key_derivation_is_that_of_the_standard() -> None:
    """Done again by hand: SHA-256 over counter, shared secret, algorithm id, U and V; first 16 bytes."""
    point, encrypted = wrap(PKI.contract.private_key, OWN.public_key())
    peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"\x00\x00\x00\x01" + OWN.exchange(ec.ECDH(), peer) + b"\x01UV")
    cipher = Cipher(algorithms.AES(digest.finalize()[:16]), modes.CBC(encrypted[:16])).decryptor()
    scalar = cipher.update(encrypted[16:]) + cipher.finalize()
    assert int.from_bytes(scalar, "big") == PKI.contract.private_key.private_numbers().private_value


def test_another_recipient_cannot_use_it() -> None:
    point, encrypted = wrap(PKI.contract.private_key, OWN.public_key())
    with pytest.raises(ContractKeyError):
        unwrap(encrypted, point, PKI.secc.private_key, PKI.contract.certificate)


def test_the_key_must_fit_the_certificate() -> None:
    point, encrypted = wrap(PKI.contract.private_key, OWN.public_key())
    with pytest.raises(ContractKeyError, match="does not belong"):
        unwrap(encrypted, point, OWN, PKI.secc.certificate)


def test_only_p256_is_wrapped() -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(ContractKeyError, match="secp384r1"):
        wrap(other, OWN.public_key())
    with pytest.raises(ContractKeyError, match="secp384r1"):
        wrap(PKI.contract.private_key, other.public_key())
    with pytest.raises(ContractKeyError, match="secp384r1"):
        unwrap(bytes(48), bytes(65), other)


@pytest.mark.parametrize(
    ("encrypted", "point", "text"),
    [
        (bytes(47), b"\x04" + bytes(64), "47 bytes"),
        (bytes(48), bytes(65), "uncompressed"),
        (bytes(48), b"\x04" + bytes(64), "not a point"),
        (bytes(48), b"", "0 bytes"),
    ],
)
def test_wrong_shapes(encrypted: bytes, point: bytes, text: str) -> None:
    with pytest.raises(ContractKeyError, match=text):
        unwrap(encrypted, point, OWN)


def test_a_scalar_out_of_range_is_refused() -> None:
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    point, encrypted = wrap(PKI.contract.private_key, OWN.public_key(), ephemeral=ephemeral, iv=bytes(16))
    scalar = PKI.contract.private_key.private_numbers().private_value.to_bytes(32, "big")
    # The first plaintext block is its decryption XOR the IV: flipping the IV makes the scalar all ones in
    # front.
    iv = bytes(a ^ 0xFF for a in scalar[:16])
    with pytest.raises(ContractKeyError, match="scalar"):
        unwrap(iv + encrypted[16:], point, OWN)


@given(st.binary(max_size=60), st.binary(max_size=70))
@settings(max_examples=100, deadline=None)
def test_any_bytes(encrypted: bytes, point: bytes) -> None:
    with pytest.raises(ContractKeyError):
        unwrap(encrypted, point, OWN, PKI.contract.certificate)
