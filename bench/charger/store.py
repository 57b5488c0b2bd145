"""The charger's certificates and keys, as files that the station writes and that survive a restart.

Layout of the directory (`plugbench charger serve --store DIR`), everything PEM:

    secc/chain.pem  secc/key.pem        leaf first, then its sub-CAs, no root ([V2G2-871])
    client/chain.pem  client/key.pem    the charger's own TLS client certificate (OCPP security profile 3),
    optional
    faulty/NAME/chain.pem  key.pem      SECC chains with a named fault of `bench.pki.faults`, for TLS
    defects, optional
    tariff/chain.pem  tariff/key.pem    the mobility operator's sub-CA 2 that signs sales tariffs, optional
    v2g_roots/*.pem  mo_roots/*.pem  csms_roots/*.pem  manufacturer_roots/*.pem     one root a file

`write_store` makes such a directory from `bench.pki` credentials.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from bench.pki.credential import Credential
from bench.pki.unreadable import UNREADABLE

RootKind = Literal["V2GRoot", "MORoot", "CSMSRoot", "ManufacturerRoot"]
ROOT_FOLDERS: dict[RootKind, str] = {
    "V2GRoot": "v2g_roots",
    "MORoot": "mo_roots",
    "CSMSRoot": "csms_roots",
    "ManufacturerRoot": "manufacturer_roots",
}
MAX_PEM_BYTES = 100_000


class StoreError(Exception):
    """The store cannot be read or written; the text is one line and names the file."""


@dataclass(frozen=True)
class Identity:
    """A certificate chain (leaf first, no root) with the leaf's key, both as PEM."""

    chain_pem: bytes
    key_pem: bytes

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The parsed chain, leaf first."""
        return tuple(x509.load_pem_x509_certificates(self.chain_pem))

    @functools.cached_property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The parsed key; raises StoreError when it is not an elliptic-curve key."""
        try:
            key = load_pem_private_key(self.key_pem, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise StoreError(f"not a usable private key: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise StoreError("not an elliptic-curve private key")
        return key


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_PEM_BYTES:
            raise StoreError(f"{path}: larger than {MAX_PEM_BYTES} bytes, not a certificate file")
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file and replace it atomically, so that a kill leaves either the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _file_name(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()[:32] + ".pem"


class CertificateStore:
    """Certificates of the charger, read once and kept in memory; every change goes to disk and to
    `on_change`."""

    def __init__(self, folder: Path) -> None:
        """Read the store in `folder` (which need not have every part). Raises StoreError."""
        self.folder = folder
        self.on_change: list[Callable[[], None]] = []
        """Called after each change, e.g. by the TLS server to show a new certificate."""
        self._roots: dict[RootKind, list[x509.Certificate]] = {
            kind: self._load_roots(kind) for kind in ROOT_FOLDERS
        }
        self.secc = self._load_identity("secc")
        """What the TLS server shows to EVs, or None (then there is no TLS)."""
        self.client = self._load_identity("client")
        self.tariff = self._load_identity("tariff")
        """Signs SalesTariff ([V2G2-908]: a mobility operator's key); None: no tariff is sent."""

    def _load_identity(self, part: str) -> Identity | None:
        folder = self.folder / part
        if not (folder / "chain.pem").exists():
            return None
        identity = Identity(_read(folder / "chain.pem"), _read(folder / "key.pem"))
        try:
            if not identity.chain:
                raise ValueError("no certificate in it")
        except UNREADABLE as error:
            raise StoreError(f"{folder / 'chain.pem'}: not a PEM certificate chain: {error}") from error
        return identity

    def _load_roots(self, kind: RootKind) -> list[x509.Certificate]:
        roots: list[x509.Certificate] = []
        for path in sorted((self.folder / ROOT_FOLDERS[kind]).glob("*.pem")):
            try:
                roots.extend(x509.load_pem_x509_certificates(_read(path)))
            except UNREADABLE as error:
                raise StoreError(f"{path}: not a PEM certificate: {error}") from error
        return roots

    def faulty(self, fault: str) -> Identity | None:
        """An SECC chain with a fault of `bench.pki.faults`, when the station supplied one. Raises
        StoreError."""
        return self._load_identity(f"faulty/{fault}")

    def roots(self, kind: RootKind) -> tuple[x509.Certificate, ...]:
        """The installed roots of one kind."""
        return tuple(self._roots[kind])

    def install_root(self, kind: RootKind, certificate: x509.Certificate) -> None:
        """Install a root (again, if it is there already). Raises StoreError. Judging it is the caller's
        business."""
        if certificate not in self._roots[kind]:
            _write(
                self.folder / ROOT_FOLDERS[kind] / _file_name(certificate),
                certificate.public_bytes(Encoding.PEM),
            )
            self._roots[kind].append(certificate)
            self._changed()

    def delete_root(self, kind: RootKind, certificate: x509.Certificate) -> bool:
        """Delete a root; False when it is not there."""
        if certificate not in self._roots[kind]:
            return False
        self._roots[kind].remove(certificate)
        for path in (self.folder / ROOT_FOLDERS[kind]).glob("*.pem"):
            if certificate in x509.load_pem_x509_certificates(_read(path)):
                path.unlink(missing_ok=True)
        self._changed()
        return True

    def replace_secc(self, identity: Identity) -> None:
        """Show another SECC certificate from the next handshake on (OCPP A02/A03, SignV2GCertificate)."""
        self._store_identity("secc", identity)
        self.secc = identity
        self._changed()

    def replace_client(self, identity: Identity) -> None:
        """Use another TLS client certificate from the next connection to the CSMS on."""
        self._store_identity("client", identity)
        self.client = identity
        self._changed()

    def _store_identity(self, part: str, identity: Identity) -> None:
        _write(self.folder / part / "key.pem", identity.key_pem, 0o600)
        _write(self.folder / part / "chain.pem", identity.chain_pem)

    def _changed(self) -> None:
        for callback in tuple(self.on_change):
            callback()


def write_store(
    folder: Path,
    *,
    secc: Credential | None = None,
    client: Credential | None = None,
    tariff: Credential | None = None,
    faulty: Mapping[str, Credential] | None = None,
    v2g_roots: Iterable[x509.Certificate] = (),
    mo_roots: Iterable[x509.Certificate] = (),
    csms_roots: Iterable[x509.Certificate] = (),
) -> None:
    """Write a store directory from credentials of `bench.pki`; raises StoreError.

    `tariff` is the MO sub-CA 2; `faulty` maps fault names ("expired", "wrong-domain-component",
    "unknown-root") to
    `pki.faulty("secc", name)`: what the TLS defects of these names show.
    """
    parts = {"secc": secc, "client": client, "tariff": tariff}
    parts |= {f"faulty/{fault}": credential for fault, credential in (faulty or {}).items()}
    for part, credential in parts.items():
        if credential is not None:
            _write(folder / part / "key.pem", credential.pem_key(), 0o600)
            _write(folder / part / "chain.pem", credential.pem_chain())
    kinds: tuple[tuple[RootKind, Iterable[x509.Certificate]], ...] = (
        ("V2GRoot", v2g_roots),
        ("MORoot", mo_roots),
        ("CSMSRoot", csms_roots),
    )
    for kind, certificates in kinds:
        for each in certificates:
            _write(folder / ROOT_FOLDERS[kind] / _file_name(each), each.public_bytes(Encoding.PEM))
