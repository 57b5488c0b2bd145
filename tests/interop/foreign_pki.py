"""Certificates between Josev's test PKI and the bench's own: each side's material in the other's layout.

Josev's layout: `iso15118_2/certs` (DER and PEM) and `iso15118_2/private_keys` (PEM with a passphrase).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from bench.charger.store import write_store
from bench.pki import Credential, Pki
from bench.pki.emaid import with_check_character

PASSPHRASE = b"12345"


def josev_pki() -> Path:
    """Where Josev's start script keeps (or will make) its PKI."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = Path(os.environ.get("JOSEV_HOME", cache / "josev-peer"))
    return Path(os.environ.get("JOSEV_PKI", home / "pki"))


def _certificate(pki: Path, name: str) -> x509.Certificate:
    return x509.load_der_x509_certificate((pki / "iso15118_2/certs" / f"{name}Cert.der").read_bytes())


def _key(pki: Path, name: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key((pki / "iso15118_2/private_keys" / f"{name}.key").read_bytes(), PASSPHRASE)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def write_charger_store(pki: Path, folder: Path) -> None:
    """The store of a charger in Josev's world: its SECC chain, its V2G and MO roots, its tariff signer."""
    root, mo_root = _certificate(pki, "v2gRootCA"), _certificate(pki, "moRootCA")
    chain = tuple(x509.load_pem_x509_certificates((pki / "iso15118_2/certs/cpoCertChain.pem").read_bytes()))
    tariff = tuple(_certificate(pki, name) for name in ("moSubCA2", "moSubCA1"))
    write_store(
        folder,
        secc=Credential(chain[0], _key(pki, "seccLeaf"), chain, root, "secc"),
        tariff=Credential(tariff[0], _key(pki, "moSubCA2"), tariff, mo_root, "tariff"),
        v2g_roots=[root],
        mo_roots=[mo_root],
    )


def with_valid_emaid(pki: Path, folder: Path) -> Path:
    """A copy of Josev's PKI in which the contract's eMAID has the right check character.

    The one that Josev's script makes has a wrong one (UKSWI123456791A instead of ...5), and a charger may
    refuse it for that; all else of the certificate, its key included, stays.
    """
    shutil.copytree(pki, folder)
    old = _certificate(pki, "contractLeaf")
    renamed = x509.Name(
        x509.NameAttribute(each.oid, with_check_character(str(each.value)[:14]))
        if each.oid == x509.NameOID.COMMON_NAME
        else each
        for each in old.subject
    )
    builder = x509.CertificateBuilder(old.issuer, renamed, old.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(old.not_valid_before_utc).not_valid_after(old.not_valid_after_utc)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signed = builder.sign(_key(pki, "moSubCA2"), hashes.SHA256())
    (folder / "iso15118_2/certs/contractLeafCert.der").write_bytes(signed.public_bytes(Encoding.DER))
    return folder


# Josev's file names for what its EV reads, and the bench's for the same.
_CERTIFICATES = {
    "v2gRootCA": "v2g/root",
    "oemLeaf": "oem/provisioning_leaf",
    "oemSubCA1": "oem/sub_ca1",
    "oemSubCA2": "oem/sub_ca2",
    "oemRootCA": "oem/root",
    "contractLeaf": "mo/contract_leaf",
    "moSubCA1": "mo/sub_ca1",
    "moSubCA2": "mo/sub_ca2",
    "moRootCA": "mo/root",
    # Not read by the EV: the start script makes a PKI of its own where this chain is missing.
    "cpoCertChain": "cpo/secc_leaf",
}
_KEYS = {"oemLeaf": "oem/provisioning_leaf", "contractLeaf": "mo/contract_leaf"}


def in_josev_layout(pki: Pki, folder: Path) -> Path:
    """The bench's PKI as Josev's EV wants to find it."""
    certificates, keys = folder / "iso15118_2/certs", folder / "iso15118_2/private_keys"
    certificates.mkdir(parents=True)
    keys.mkdir()
    for theirs, ours in _CERTIFICATES.items():
        credential = pki.credentials[ours]
        name = theirs if theirs.endswith("Chain") else f"{theirs}Cert"
        (certificates / f"{name}.der").write_bytes(credential.der_chain()[0])
        (certificates / f"{name}.pem").write_bytes(credential.pem_chain())
    for theirs, ours in _KEYS.items():
        pem = pki.credentials[ours].private_key.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSPHRASE)
        )
        (keys / f"{theirs}.key").write_bytes(pem)
        (keys / f"{theirs}Password.txt").write_bytes(PASSPHRASE)
    return folder
