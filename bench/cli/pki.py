"""`plugbench pki`: make a test PKI, look at certificates."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from cryptography import x509

from bench.pki.hierarchy import Pki
from bench.pki.store import INDEX
from bench.pki.validate import BadCertificate, describe, load_der, load_pem

_MAX_FILE_BYTES = 1_000_000
_MAX_FILES = 500
_EXAMPLES = """examples:
  plugbench pki create ./pki                 make every hierarchy, with keys, under ./pki
  plugbench pki create ./pki --force         make it anew, over an old one
  plugbench pki inspect ./pki                one line a certificate
  plugbench pki inspect ./pki/cpo/secc_chain.pem
"""


class _UserError(Exception):
    """Something the user can put right; printed as one line, exit 2."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `pki` verb to the `plugbench` command."""
    parser = subparsers.add_parser(
        "pki",
        help="make a test PKI, inspect certificates",
        description="Make the certificate hierarchies of a bench, or show what is in certificate files.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="pki_action", metavar="ACTION", required=True)
    create = actions.add_parser(
        "create",
        help="make every hierarchy (V2G, MO, OEM, CPS, CSMS, a roaming partner) in a folder",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    create.add_argument("folder", metavar="DIR", type=Path)
    create.add_argument("--force", action="store_true", help="write into a folder that is not empty")
    create.set_defaults(func=run)
    inspect = actions.add_parser(
        "inspect",
        help="show the certificates of a file or folder",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inspect.add_argument("path", metavar="FILE|DIR", type=Path)
    inspect.set_defaults(func=run)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments ask; exit status 0, or 2 with one line on stderr."""
    try:
        if args.pki_action == "create":
            _create(args.folder, force=args.force)
        else:
            _inspect(args.path)
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; what is still buffered must not fail at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (_UserError, OSError) as error:
        text = (
            f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else error
        )
        print(f"plugbench pki: {text}", file=sys.stderr)
        return 2
    return 0


def _create(folder: Path, *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise _UserError(f"{folder} is not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise _UserError(f"{folder} is not empty (--force writes into it)")
    pki = Pki.create(folder)
    print(f"{len(pki.credentials)} certificates and keys in {folder}")
    print(f"  V2G root   {folder / 'v2g/root.pem'}")
    print(f"  SECC       {folder / 'cpo/secc_chain.pem'}   {pki.secc.common_name}")
    print(f"  contract   {folder / 'mo/contract_chain.pem'}   {pki.contract.emaid}")
    print(f"  OEM        {folder / 'oem/provisioning_chain.pem'}   {pki.oem.common_name}")


def _inspect(path: Path) -> None:
    files = _files(path)
    single = len(files) == 1
    rows: list[tuple[str, dict[str, Any]]] = []
    for file in files:
        for position, certificate in enumerate(_read(file)):
            name = str(file.relative_to(path)) if path.is_dir() else file.name
            rows.append((name if not position else f"  + {position}", describe(certificate)))
    if single:
        for name, row in rows:
            print(_detail(name, row))
        return
    width = max(len(name) for name, _ in rows)
    for name, row in rows:
        role = "CA" if row["ca"] else (row["domain_component"] or "-")
        print(f"{name:<{width}}  {role:<4} {row['key']:<10} to {row['not_after'][:10]}  {row['subject']}")


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise _UserError(f"{path}: no such file or folder")
    if not path.is_dir():
        return [path]
    found = sorted(
        each for each in path.rglob("*") if each.suffix in (".pem", ".crt", ".cer", ".der") and each.is_file()
    )
    if (path / INDEX).exists():
        # In a folder of ours every chain only repeats certificates that have a file of their own.
        found = [each for each in found if not each.stem.endswith("_chain")]
    if not found:
        raise _UserError(f"{path}: no certificate file (.pem, .crt, .cer, .der) in it")
    return found[:_MAX_FILES]


def _read(file: Path) -> list[x509.Certificate]:
    with file.open("rb") as handle:
        data = handle.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise _UserError(f"{file}: larger than {_MAX_FILE_BYTES} bytes")
    try:
        return load_pem(data) if b"-----BEGIN" in data else [load_der(data)]
    except BadCertificate as error:
        raise _UserError(f"{file}: {error}") from error


def _detail(name: str, row: dict[str, Any]) -> str:
    lines = [name]
    for key, value in row.items():
        if value in (None, [], ""):
            continue
        text = ", ".join(value) if isinstance(value, list) else str(value)
        lines.append(f"  {key.replace('_', ' '):<20} {text}")
    return "\n".join(lines)
