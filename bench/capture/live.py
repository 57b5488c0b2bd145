"""Live decoding: what a `Sniffer` captures, as items and on the timeline while it happens.

    decoder = LiveDecoder(timeline)
    with decoder, Sniffer("eth1", path, listener=decoder):
        ...

The capture thread only hands over; decoding has a thread and a bounded queue of its own, so that a slow
decoder never costs a frame of the capture: what it cannot take is left to the capture file, and counted.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol

from bench.capture import layers
from bench.capture.decode import Decoder
from bench.capture.events import SOURCE, EventMaker
from bench.capture.files import Packet
from bench.capture.items import Item
from bench.capture.keylog import KeyLog
from bench.capture.packet_ring import Frame
from bench.capture.pcapng import clock_offset_ns

MAX_QUEUED_BYTES = 256 * 1024 * 1024
# What a queued frame costs beside its data.
_FRAME_OVERHEAD = 200

_Job = tuple[int, Sequence[Frame]] | bytes | None


class Appends(Protocol):
    """Where events go: a `Timeline`, or a `TimelineFile`, which keeps nothing in memory."""

    def append(
        self, source: str, kind: str, name: str, data: dict[str, Any], *, t_ns: int | None = None
    ) -> object:
        """See `Timeline.append`."""


class LiveDecoder:
    """A `Listener` that decodes. Items go to `on_item`, events (source "sniffer") to `timeline`; `on_batch`
    is called when what was there is done, some 50 times a second at most (to flush, say).

    `decoded`: frames read so far. `skipped`: frames that the queue had no room for. `items`: how many were
    found. `lag_s`, `worst_lag_s`: how long after its capture the last frame of a batch was read, and the
    longest of that. `error`: the first thing that went wrong, "" if nothing.
    """

    def __init__(
        self,
        timeline: Appends | None = None,
        *,
        keylog: KeyLog | None = None,
        on_item: Callable[[Item], None] | None = None,
        on_batch: Callable[[], None] | None = None,
    ) -> None:
        self.decoded = 0
        self.skipped = 0
        self.items = 0
        self.lag_s = 0.0
        self.worst_lag_s = 0.0
        self.error = ""
        self._timeline = timeline
        self._on_item = on_item
        self._on_batch = on_batch
        self._decoder = Decoder(keylog)
        self._events = EventMaker()
        self._number = 0
        self._lost = 0
        self._queued_bytes = 0
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="live-decoder", daemon=True)
        self._thread.start()

    # --- the capture thread's side

    def frames(self, batch: Sequence[Frame]) -> None:
        """See `Listener.frames`."""
        first = self._number + 1
        # Frame numbers are those in the capture file, read here or not.
        self._number += len(batch)
        size = sum(len(each.data) for each in batch) + _FRAME_OVERHEAD * len(batch)
        with self._lock:
            fits = self._queued_bytes + size <= MAX_QUEUED_BYTES
            if fits:
                self._queued_bytes += size
        if fits:
            self._queue.put((first, batch))
        else:
            if not self.skipped:
                self._tell("frames not decoded", "decoding does not keep up; the capture file has them")
            self.skipped += len(batch)

    def key_log(self, lines: bytes) -> None:
        """See `Listener.key_log`."""
        self._queue.put(lines)

    def lost(self, count: int, t_ns: int) -> None:
        """See `Listener.lost`."""
        self._lost += count
        text = f"{count} frames lost before they could be captured, {self._lost} in all"
        self._tell("frames lost", text, count=count, total=self._lost)

    def _tell(self, name: str, text: str, **data: int) -> None:
        if self._timeline is not None:
            self._timeline.append(SOURCE, "capture", name, {"text": text, **data})

    # --- the decoder's side

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            if isinstance(job, bytes):
                self._decoder.keylog.add(job)
            else:
                self._batch(*job)
                if self._on_batch is not None:
                    self._on_batch()
        self._emit(self._decoder.finish())
        if self._on_batch is not None:
            self._on_batch()

    def _batch(self, first: int, batch: Sequence[Frame]) -> None:
        size = _FRAME_OVERHEAD * len(batch)
        feed = self._decoder.feed
        for number, (t_ns, data, length) in enumerate(batch, first):
            size += len(data)
            try:
                items = feed(Packet(number, t_ns, layers.ETHERNET, data, length > len(data)))
            except Exception as error:
                # The decoder must not raise for anything from the wire; if it does, that is a fault of ours,
                # which must be seen, but not end a capture that cannot be repeated.
                self.error = self.error or f"frame {number} not decoded: {type(error).__name__}: {error}"
                continue
            if items:
                self._emit(items)
        self.decoded += len(batch)
        self.lag_s = (time.time_ns() - batch[-1].t_ns) / 1e9
        self.worst_lag_s = max(self.worst_lag_s, self.lag_s)
        with self._lock:
            self._queued_bytes -= size

    def _emit(self, items: Sequence[Item]) -> None:
        self.items += len(items)
        offset_ns = clock_offset_ns() if self._timeline is not None else 0
        for item in items:
            if self._timeline is not None:
                for t_ns, kind, name, data in self._events.events(item):
                    self._timeline.append(SOURCE, kind, name, data, t_ns=t_ns - offset_ns)
            if self._on_item is not None:
                self._on_item(item)

    def stop(self, timeout_s: float = 60.0) -> None:
        """Read what is queued and end; call it after the sniffer's `stop`. May be called twice."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                self.error = self.error or f"decoding did not end within {timeout_s:g} s"

    def __enter__(self) -> LiveDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
