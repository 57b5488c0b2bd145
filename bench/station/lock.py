"""One controller per bench: an advisory lock that the kernel takes back when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.station.errors import BenchError, BenchInUse

RUNTIME_VARIABLE = "PLUGBENCH_RUNTIME_DIR"
_MAX_NOTE_BYTES = 1024


def runtime_folder() -> Path:
    """The user's folder for locks and short-lived files, made when absent, for the user alone. Raises
    BenchError.
    """
    chosen = os.environ.get(RUNTIME_VARIABLE)
    base = os.environ.get("XDG_RUNTIME_DIR")
    if chosen:
        folder = Path(chosen)
    elif base and Path(base).is_dir():
        folder = Path(base) / "plugbench"
    else:
        folder = Path(tempfile.gettempdir()) / f"plugbench-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise BenchError(
                f"{folder}: belongs to somebody else; set {RUNTIME_VARIABLE} to a folder of your own"
            )
    except OSError as error:
        raise BenchError(f"{folder}: cannot be made: {error.strerror}; set {RUNTIME_VARIABLE}") from error
    return folder


class BenchLock:
    """The lock of a bench, held from `acquire` to `release` or to the death of the process."""

    def __init__(self, bench: str) -> None:
        self.bench = bench
        self.path = runtime_folder() / f"{bench}.lock"
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises BenchInUse, saying who holds it, and BenchError when the file cannot be
        had.
        """
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise BenchError(f"{self.path}: the bench's lock cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(handle)
            os.close(handle)
            raise BenchInUse(f"bench {self.bench!r} is in use by {holder}; wait for it or end it") from None
        note = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(note).encode(), 0)
        self._handle = handle

    def release(self) -> None:
        """Give it back; may be called twice. The file stays: to remove it would race with the next holder."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
            os.close(handle)


def sweep(bench: str) -> None:
    """Remove what a controller of this bench that was killed left behind: its charger's store, keys and all.

    For the holder of the lock only.
    """
    ours = re.compile(re.escape(bench) + r"-[a-z0-9_]{8}")  # as `tempfile.mkdtemp` names them
    for entry in runtime_folder().iterdir():
        if ours.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)


def _holder(handle: int) -> str:
    try:
        note = json.loads(os.pread(handle, _MAX_NOTE_BYTES, 0))
        return f"process {int(note['pid'])} since {str(note['since'])[:40]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
