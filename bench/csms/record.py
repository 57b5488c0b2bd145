"""The recorder: every frame, raw and with its stamp, to `ocpp.jsonl` and to the timeline, as it happens.

A line of `ocpp.jsonl` is `{"t": ISO 8601 UTC, "mono_ns": int, "cp": station id, "link": int, "dir": "open" |
"rx" | "tx" | "close" | "failed", ...}`; rx and tx have `raw` (the text, byte for byte as UTF-8 allows) and
`problem`.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from bench.timeline import Event, Timeline, now_ns

MAX_RAW_CHARACTERS = 256 * 1024
"""Text kept of one frame; a longer one (only a scripted answer can be) is cut in the record and says so."""


class RecordError(Exception):
    """The record file cannot be opened."""


class Recorder:
    """Writes frames and link events; thread-safe; a full disk sets `write_error` and recording goes on in
    memory."""

    def __init__(self, timeline: Timeline, path: Path | None = None) -> None:
        self.timeline = timeline
        self.path = path
        self.write_error: str | None = None
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8", errors="backslashreplace")
            except OSError as error:
                raise RecordError(f"{path}: the record cannot be written: {error.strerror}") from error

    def frame(
        self,
        direction: str,
        charger: str,
        link: int,
        raw: str,
        *,
        t_ns: int,
        kind: str,
        action: str,
        frame_id: str | None,
        payload: dict[str, Any] | None,
        problem: str | None = None,
    ) -> Event:
        """Record one frame; `direction` is rx (from the charger) or tx."""
        kept = raw
        if len(raw) > MAX_RAW_CHARACTERS:
            kept = raw[:MAX_RAW_CHARACTERS]
            problem = f"{problem + '; ' if problem else ''}cut in the record, {len(raw)} characters"
            payload = None
        self._line(
            {"mono_ns": t_ns, "cp": charger, "link": link, "dir": direction, "raw": kept, "problem": problem}
        )
        data = {
            "dir": direction,
            "type": kind,
            "id": frame_id,
            "payload": payload,
            "raw": kept,
            "link": link,
            "charger": charger,
            "problem": problem,
        }
        return self.timeline.append("csms", "ocpp", action, data, t_ns=t_ns)

    def link(
        self,
        name: str,
        charger: str | None,
        link: int | None,
        reason: str | None,
        security_profile: int,
        **more: Any,
    ) -> Event:
        """Record `connected`, `closed` or `handshake-failed`; `more` goes into the event as it is."""
        stamp = now_ns()
        direction = {"connected": "open", "closed": "close"}.get(name, "failed")
        self._line(
            {"mono_ns": stamp, "cp": charger, "link": link, "dir": direction, "reason": reason, **more}
        )
        data = {
            "charger": charger,
            "link": link,
            "reason": reason,
            "security_profile": security_profile,
            **more,
        }
        return self.timeline.append("csms", "ocpp-link", name, data, t_ns=stamp)

    def _line(self, fields: dict[str, Any]) -> None:
        # The wall time belongs to the moment of the stamp, which for a busy loop is a little ago.
        wall_s = time.time() - (now_ns() - fields["mono_ns"]) / 1e9
        line = json.dumps(
            {"t": datetime.fromtimestamp(wall_s, UTC).isoformat(), **fields}, ensure_ascii=False
        )
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(line + "\n")
                self._file.flush()
            except OSError as error:
                self.write_error = f"{self.path}: {error.strerror}"
                self._file = None

    def close(self) -> None:
        """Close the file; later frames reach the timeline only."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
