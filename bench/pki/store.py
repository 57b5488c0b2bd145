"""A PKI as a folder of PEM files and an index.json."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.pki.credential import Credential

INDEX = "index.json"
FORMAT = 1
CA_NAMES = ("root", "sub_ca1", "sub_ca2")
REQUIRED = (
    "v2g/root",
    "cpo/sub_ca2",
    "cpo/secc_leaf",
    "cps/cps_leaf",
    "mo/root",
    "mo/sub_ca2",
    "mo/contract_leaf",
    "oem/root",
    "oem/sub_ca2",
    "oem/provisioning_leaf",
    "csms/root",
    "csms/server_leaf",
    "csms/charger_leaf",
    "foreign/v2g/root",
    "foreign/cpo/secc_leaf",
    "foreign/mo/root",
    "foreign/mo/sub_ca2",
    "foreign/mo/contract_leaf",
)
_MAX_FILE_BYTES = 1_000_000


class StoreError(ValueError):
    """A PKI folder that cannot be read; the text names the file."""


@dataclass(frozen=True)
class Content:
    """What a PKI folder holds."""

    credentials: dict[str, Credential]
    ocsp_url: str
    revoked: list[dict[str, str]]


def write(
    folder: Path, credentials: dict[str, Credential], ocsp_url: str, revoked: list[dict[str, str]]
) -> None:
    """Write NAME.pem, NAME.key (0600) and, for leaves, the chain beside them; raises OSError."""
    entries: dict[str, dict[str, Any]] = {}
    for name, credential in credentials.items():
        certificate = folder / f"{name}.pem"
        certificate.parent.mkdir(parents=True, exist_ok=True)
        certificate.write_bytes(credential.certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(folder / f"{name}.key", credential.pem_key())
        chain = f"{name.removesuffix('_leaf')}_chain.pem"
        (folder / chain).write_bytes(credential.pem_chain())
        entries[name] = {
            "certificate": f"{name}.pem",
            "key": f"{name}.key",
            "chain": chain,
            "root": _root_name(credentials, credential),
            "subject": credential.certificate.subject.rfc4514_string(),
            "not_after": credential.certificate.not_valid_after_utc.isoformat(),
        }
    index = {"format": FORMAT, "ocsp_url": ocsp_url, "credentials": entries, "revoked": revoked}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _write_key(path: Path, pem: bytes) -> None:
    # The mode is set at creation, so that the key is at no time readable by others.
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(pem)


def _root_name(credentials: dict[str, Credential], credential: Credential) -> str:
    return next(name for name, each in credentials.items() if each.certificate == credential.root)


def read(folder: Path) -> Content:
    """Read what `write` wrote; raises StoreError."""
    index_file = folder / INDEX
    try:
        index = json.loads(_bytes(index_file))
    except ValueError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{index_file}: not JSON ({error})") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise StoreError(f"{index_file}: not an index of a Plugbench PKI (format {FORMAT})")
    entries, ocsp_url, revoked = index.get("credentials"), index.get("ocsp_url"), index.get("revoked", [])
    if not isinstance(entries, dict) or not isinstance(ocsp_url, str) or not isinstance(revoked, list):
        raise StoreError(
            f"{index_file}: 'credentials', 'ocsp_url' or 'revoked' is missing or of the wrong kind"
        )
    credentials: dict[str, Credential] = {}
    for name, entry in entries.items():
        try:
            names = {key: str(entry[key]) for key in ("certificate", "key", "chain", "root")}
            root_file = str(entries[names["root"]]["certificate"])
        except (KeyError, TypeError) as error:
            raise StoreError(f"{index_file}: entry {name!r} lacks {error}") from error
        credentials[name] = Credential(
            certificate=_certificates(folder, names["certificate"])[0],
            private_key=_key(folder, names["key"]),
            chain=tuple(_certificates(folder, names["chain"])),
            root=_certificates(folder, root_file)[0],
            name=name,
        )
    return Content(credentials, ocsp_url, revoked)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            data = handle.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
    if len(data) > _MAX_FILE_BYTES:
        raise StoreError(f"{path}: larger than {_MAX_FILE_BYTES} bytes")
    return data


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise StoreError(f"{folder / INDEX}: {name!r} points outside the folder")
    return path


def _certificates(folder: Path, name: str) -> list[x509.Certificate]:
    path = _inside(folder, name)
    data = _bytes(path)
    try:
        return x509.load_pem_x509_certificates(data)
    except (ValueError, TypeError, Warning) as error:
        raise StoreError(f"{path}: not a PEM certificate ({error})") from error


def _key(folder: Path, name: str) -> ec.EllipticCurvePrivateKey:
    path = _inside(folder, name)
    data = _bytes(path)
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StoreError(f"{path}: not a PEM private key ({error})") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StoreError(f"{path}: not an elliptic-curve key")
    return key
