"""The event stream: one clock, one timeline.

Every event (pilot state, V2G message, TLS handshake, OCPP frame, power sample, instrument command, verdict)
is appended once, with a monotonic nanosecond stamp taken where it happened. Log, live view, rules, report and
the analysis of a capture file read this stream; nobody keeps a private trace.

The kinds of event and the fields of each are described in `docs/internals.md`.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

FORMAT = 1
MAX_LINE_BYTES = 4 * 1024 * 1024
"""A line of `timeline.jsonl` longer than this is refused when read: the file may come from elsewhere."""


def now_ns() -> int:
    """Monotonic time in nanoseconds: the one clock of the bench."""
    return time.monotonic_ns()


class TimelineError(Exception):
    """A timeline could not be written or read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    `seq` counts from 0 within a timeline, `t_ns` is monotonic nanoseconds, `source` names who saw it (`ev`,
    `csms`, `analyzer`, ...), `kind` its class (`v2g`, `sdp`, `tls`, `ocpp`, `power`, ...), `name` the
    message, action or quantity, `data` a JSON-able dict.
    """

    seq: int
    t_ns: int
    source: str
    kind: str
    name: str
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The event as one line of `timeline.jsonl`, without the line end."""
        return json.dumps(
            {
                "seq": self.seq,
                "t_ns": self.t_ns,
                "source": self.source,
                "kind": self.kind,
                "name": self.name,
                "data": self.data,
            },
            separators=(",", ":"),
            ensure_ascii=False,
            default=_plain,
        )


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, Path):
        return str(value)
    return repr(value)


class Timeline:
    """An append-only, thread-safe stream of events, written to disk as it happens.

    With `path`, every event is one flushed line of JSON, so that nothing measured is lost when the process is
    killed. The events of the run are also kept in memory (`since`, `wait_for`).
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.write_error: str | None = None
        """Why events no longer reach the disk (disk full), or None."""
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._subscribers: list[Callable[[Event], None]] = []
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8")
            except OSError as error:
                raise TimelineError(f"{path}: the timeline cannot be written: {error.strerror}") from error
        self.append("bench", "clock", "epoch", {"wall_ns": time.time_ns(), "format": FORMAT})

    def append(
        self,
        source: str,
        kind: str,
        name: str,
        data: dict[str, Any] | None = None,
        *,
        t_ns: int | None = None,
    ) -> Event:
        """Append an event; `t_ns` is the moment it happened (now, when absent)."""
        stamp = now_ns() if t_ns is None else t_ns
        with self._changed:
            event = Event(len(self._events), stamp, source, kind, name, data if data is not None else {})
            self._events.append(event)
            self._write(event)
            subscribers = tuple(self._subscribers)
            self._changed.notify_all()
        for subscriber in subscribers:
            subscriber(event)
        return event

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        try:
            self._file.write(event.to_json() + "\n")
            self._file.flush()
        except OSError as error:  # a full disk must not stop the safe state from being reached
            self.write_error = f"{self.path}: {error.strerror}"
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def mark(self) -> int:
        """The sequence number that the next event will get."""
        with self._changed:
            return len(self._events)

    def since(self, mark: int = 0, *, until: int | None = None) -> list[Event]:
        """The events from `mark` on, up to but not including `until`."""
        with self._changed:
            return self._events[mark:until]

    def wait_for(self, wanted: Callable[[Event], bool], timeout_s: float, *, since: int = 0) -> Event | None:
        """The first event from `since` on that `wanted` accepts, or None after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        position = since
        with self._changed:
            while True:
                while position < len(self._events):
                    event = self._events[position]
                    position += 1
                    if wanted(event):
                        return event
                left = deadline - time.monotonic()
                waited = left > 0 and self._changed.wait(left)
                if not waited and position >= len(self._events):
                    return None

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event from now on, in the appending thread; returns how to end that."""
        with self._changed:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._changed:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    def close(self) -> None:
        """Close the file; later events stay in memory only."""
        with self._changed:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __enter__(self) -> Timeline:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def read(path: Path) -> Iterator[Event]:
    """The events of a `timeline.jsonl`, in order.

    A last line cut short (the controller was killed while writing) ends the stream silently; a broken line
    before that raises TimelineError.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        number = 0
        while line := lines.readline(MAX_LINE_BYTES):
            number += 1
            complete = line.endswith("\n")
            try:
                raw = json.loads(line)
                event = Event(
                    int(raw["seq"]),
                    int(raw["t_ns"]),
                    str(raw["source"]),
                    str(raw["kind"]),
                    str(raw["name"]),
                    dict(raw["data"]),
                )
            except (ValueError, KeyError, TypeError) as error:
                if not complete and not lines.read(1):
                    return
                raise TimelineError(f"{path}:{number}: not an event: {error}") from error
            yield event
