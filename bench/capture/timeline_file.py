"""A timeline that goes to a file and is not kept in memory: for captures that run for days."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.timeline import FORMAT, Event, TimelineError, now_ns

_MOST_PENDING = 256 * 1024


class TimelineFile:
    """Appends events to a `timeline.jsonl`, in the format that `bench.timeline.read` reads.

    What was appended is on disk after `flush`. Raises TimelineError when the file cannot be made; `error`
    says why it is no longer written, "" if it is.
    """

    def __init__(self, path: Path, *, epoch_ns: int | None = None) -> None:
        """`epoch_ns`: the events are of a capture and are stamped in nanoseconds since the epoch; this is the
        first stamp. Without it, stamps are monotonic and begin now.
        """
        self.path = path
        self.events = 0
        self.error = ""
        self._lock = threading.Lock()
        self._pending = bytearray()
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise TimelineError(f"{path}: the timeline cannot be written: {error.strerror}") from error
        wall_ns = time.time_ns() if epoch_ns is None else epoch_ns
        self.append("bench", "clock", "epoch", {"wall_ns": wall_ns, "format": FORMAT}, t_ns=epoch_ns)
        self.flush()

    def append(
        self, source: str, kind: str, name: str, data: dict[str, Any], *, t_ns: int | None = None
    ) -> None:
        """Append an event; `t_ns` is the moment it happened (monotonic; now, when absent)."""
        with self._lock:
            event = Event(self.events, now_ns() if t_ns is None else t_ns, source, kind, name, data)
            self.events += 1
            self._pending += event.to_json().encode("utf-8", "backslashreplace") + b"\n"
            if len(self._pending) > _MOST_PENDING:
                self._write()

    def flush(self) -> None:
        """Have everything on disk."""
        with self._lock:
            self._write()

    def close(self) -> None:
        """Flush and close; may be called twice."""
        with self._lock:
            self._write()
            self._file.close()

    def _write(self) -> None:
        pending, self._pending = memoryview(bytes(self._pending)), bytearray()
        try:
            while pending and not self._file.closed:
                pending = pending[self._file.write(pending) :]
        except OSError as error:  # A full disk, say; the capture may be on another one.
            self.error = f"{self.path}: {error.strerror}"
            self._file.close()

    def __enter__(self) -> TimelineFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
