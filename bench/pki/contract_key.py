"""The contract's private key on its way into the car: ISO 15118-2 CertificateInstallationRes and UpdateRes.

Source: ISO 15118-2:2014 clause 7.9.2.4.3 ([V2G2-818] ... [V2G2-822]) and annex G: ephemeral-static ECDH on
P-256, one step of the concatenation KDF of NIST SP 800-56A with SHA-256 (AlgorithmID 0x01, PartyUInfo "U",
PartyVInfo "V", 128-bit key), AES-128-CBC without padding, the initialisation vector in front of the
ciphertext.
"""

from __future__ import annotations

import os

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

DH_PUBLIC_KEY_LENGTH = 65
"""Bytes: an uncompressed P-256 point (0x04, x, y)."""
ENCRYPTED_KEY_LENGTH = 48
"""Bytes: initialisation vector (16) and encrypted scalar (32)."""

_IV_LENGTH = 16
_KEY_LENGTH = 16
_OTHER_INFO = b"\x01" + b"U" + b"V"
# Order of P-256 (SEC 2, 2.4.2): a private key is a scalar from 1 to this number, exclusive.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class ContractKeyError(ValueError):
    """A wrapped contract key that cannot be unwrapped, or that does not fit."""


def _session_key(own: ec.EllipticCurvePrivateKey, peer: ec.EllipticCurvePublicKey) -> bytes:
    shared = own.exchange(ec.ECDH(), peer)
    return ConcatKDFHash(hashes.SHA256(), _KEY_LENGTH, _OTHER_INFO).derive(shared)


def _require_p256(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey, what: str) -> None:
    if not isinstance(key.curve, ec.SECP256R1):
        raise ContractKeyError(f"the {what} is on {key.curve.name}; ISO 15118-2 wraps on secp256r1 only")


def wrap(
    contract_private_key: ec.EllipticCurvePrivateKey,
    recipient_public_key: ec.EllipticCurvePublicKey,
    *,
    ephemeral: ec.EllipticCurvePrivateKey | None = None,
    iv: bytes | None = None,
) -> tuple[bytes, bytes]:
    """Encrypt a contract key for the holder of `recipient_public_key` (the OEM provisioning or old contract
    key).

    Returns (DHpublickey, 65 bytes; ContractSignatureEncryptedPrivateKey, 48 bytes). `ephemeral` and `iv` (16
    bytes) are for reproducible tests. Raises ContractKeyError for a key of another curve.
    """
    _require_p256(contract_private_key, "contract key")
    _require_p256(recipient_public_key, "recipient's key")
    own = ephemeral or ec.generate_private_key(ec.SECP256R1())
    vector = iv if iv is not None else os.urandom(_IV_LENGTH)
    scalar = contract_private_key.private_numbers().private_value.to_bytes(32, "big")
    encryptor = Cipher(algorithms.AES(_session_key(own, recipient_public_key)), modes.CBC(vector)).encryptor()
    point = own.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return point, vector + encryptor.update(scalar) + encryptor.finalize()


def unwrap(
    encrypted: bytes,
    dh_public: bytes,
    own_private_key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate | None = None,
) -> ec.EllipticCurvePrivateKey:
    """Decrypt a contract key; with `certificate`, also check that the key belongs to it ([V2G2-822]).

    Raises ContractKeyError, and nothing else, for whatever the peer sent: wrong lengths, a point that is not
    on the curve, a scalar out of range, a key that is another than the certificate's.
    """
    _require_p256(own_private_key, "own key")
    if len(encrypted) != ENCRYPTED_KEY_LENGTH:
        raise ContractKeyError(f"encrypted key of {len(encrypted)} bytes instead of {ENCRYPTED_KEY_LENGTH}")
    if len(dh_public) != DH_PUBLIC_KEY_LENGTH or dh_public[0] != 0x04:
        raise ContractKeyError(
            f"DH public key of {len(dh_public)} bytes: an uncompressed point has "
            f"{DH_PUBLIC_KEY_LENGTH} and starts with 0x04"
        )
    try:
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), dh_public)
    except ValueError as error:
        raise ContractKeyError("DH public key is not a point of secp256r1") from error
    cipher = Cipher(
        algorithms.AES(_session_key(own_private_key, peer)), modes.CBC(bytes(encrypted[:_IV_LENGTH]))
    )
    decryptor = cipher.decryptor()
    scalar = int.from_bytes(decryptor.update(bytes(encrypted[_IV_LENGTH:])) + decryptor.finalize(), "big")
    if not 0 < scalar < _ORDER:
        raise ContractKeyError("decrypted scalar is not a private key of secp256r1 (0 < d < n) [V2G2-821]")
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    if certificate is not None and not _belongs(key, certificate):
        raise ContractKeyError("decrypted key does not belong to the contract certificate [V2G2-822]")
    return key


def _belongs(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bool:
    try:
        public = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return (
        isinstance(public, ec.EllipticCurvePublicKey)
        and isinstance(public.curve, ec.SECP256R1)
        and public.public_numbers() == key.public_key().public_numbers()
    )
