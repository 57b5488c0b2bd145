"""The run folder: everything that one run leaves behind, and the manifest that proves it unaltered."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.station.errors import BenchError

MANIFEST = "manifest.json"
_MAX_TRIES = 1000
_FULL = (errno.ENOSPC, errno.EDQUOT)


def disk_error(path: Path, error: OSError) -> BenchError:
    """One line for a file that could not be written."""
    if error.errno in _FULL:
        return BenchError(f"{path}: the disk is full; free some space or give another --results folder")
    return BenchError(f"{path}: cannot be written: {error.strerror}")


class RunFolder:
    """`<results>/<UTC stamp>-<bench>/`. Raises BenchError when it cannot be made."""

    def __init__(self, results: Path, bench: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in range(_MAX_TRIES):
            path = results / (f"{stamp}-{bench}" if number == 0 else f"{stamp}-{bench}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError as error:
                if path.is_dir():
                    continue
                raise disk_error(path, error) from error
            except OSError as error:
                if error.errno in _FULL:
                    raise disk_error(path, error) from error
                raise BenchError(
                    f"{results}: no run folder can be made here: {error.strerror};"
                    " give another folder with --results"
                ) from error
            self.path = path.resolve()
            return
        raise BenchError(f"{results}: holds {_MAX_TRIES} runs of {stamp} already")

    def path_of(self, name: str) -> Path:
        """The path of a file in the folder. Raises ValueError for a name that leads out of it."""
        path = self.path / name
        if not path.resolve().is_relative_to(self.path):
            raise ValueError(f"{name!r} is not within the run folder")
        return path

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Write a file whole or not at all. Raises BenchError."""
        path = self.path_of(name)
        draft = path.with_name(path.name + ".new")
        try:
            with draft.open("wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise disk_error(path, error) from error
        return path

    def write_text(self, name: str, text: str) -> Path:
        """Write a text whole or not at all. Raises BenchError."""
        return self.write_bytes(name, text.encode("utf-8"))

    def write_json(self, name: str, value: Any) -> Path:
        """Write JSON whole or not at all. Raises BenchError."""
        return self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def files(self) -> list[Path]:
        """Every file of the run but the manifest, in order."""
        found = (path for path in self.path.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(path for path in found if path != self.path / MANIFEST and path.suffix != ".new")

    def write_manifest(self) -> Path:
        """SHA-256 and size of every file. Raises BenchError."""
        entries = {}
        for path in self.files():
            try:
                with path.open("rb") as handle:
                    digest = hashlib.file_digest(handle, "sha256").hexdigest()
                size = path.stat().st_size
            except OSError as error:
                raise BenchError(f"{path}: cannot be read: {error.strerror}") from error
            entries[path.relative_to(self.path).as_posix()] = {"sha256": digest, "bytes": size}
        return self.write_json(MANIFEST, {"format": 1, "algorithm": "sha256", "files": entries})
