"""File names of case pages, and links to evidence that cannot leave the run folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from bench.report.model import Case, Evidence

_KNOWN = (
    ("run.json", "all that this report is made from"),
    ("timeline.jsonl", "every event of the run, one a line"),
    ("capture.pcapng", "network capture"),
    ("tls.keylog", "session keys, to read the capture"),
    ("ocpp.jsonl", "OCPP frames"),
    ("bench.toml", "the bench file as used"),
    ("charger.toml", "the charger file as used"),
    ("charger.log", "what the simulated charger said"),
    ("rig.log", "what the simulated rig said"),
    ("pytest.html", "the familiar pytest view of the same run"),
    ("junit.xml", "verdicts for a CI system"),
    ("manifest.json", "SHA-256 of each file of the folder"),
)
_NOT_HASHED = ("junit.xml", "manifest.json")
"""Written after or together with the report: their checksums are in no page."""


@dataclass(frozen=True)
class Proof:
    """Evidence as it is printed: `href` is "" where the file is not in the run folder."""

    label: str
    what: str
    href: str
    sha256: str = ""


def case_files(cases: Iterable[Case]) -> list[str]:
    """Return a file name for each case, unique even where ids are repeated or unfit for a file name."""
    names: list[str] = []
    taken: set[str] = set()
    for case in cases:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", case.id)[:60].strip("_") or "case"
        name, count = f"{stem}.html", 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}-{count}.html"
        taken.add(name.lower())
        names.append(name)
    return names


def inside(folder: Path, name: str) -> bool:
    """True when `name` is a relative path to a file that exists within `folder`."""
    path = PurePosixPath(name)
    if not name or len(name) > 300 or path.is_absolute() or ".." in path.parts or ":" in name or "\\" in name:
        return False
    target = folder / path
    try:
        return target.is_file() and target.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False


def proof(folder: Path, evidence: Evidence, upwards: str) -> Proof:
    """Return a printable link; `upwards` leads from the page to the run folder ("" or "../")."""
    lines = ""
    if evidence.first is not None and evidence.last is not None:
        same = evidence.first == evidence.last
        lines = f", line {evidence.first}" if same else f", lines {evidence.first}–{evidence.last}"
    href = upwards + quote(evidence.file) if inside(folder, evidence.file) else ""
    return Proof(f"{evidence.file or '(unnamed file)'}{lines}", evidence.what, href)


def files(folder: Path, captures: Iterable[str] = ()) -> list[Proof]:
    """The files of a run folder that a reader may want, as far as they are there; `captures` are the names of
    those that were judged.
    """
    known = dict(_KNOWN) | {name: "the capture that was judged" for name in captures}
    return [
        Proof(name, what, quote(name), "" if name in _NOT_HASHED else _sha256(folder / name))
        for name, what in known.items()
        if inside(folder, name)
    ]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""  # shown without a checksum; the report does not depend on it
