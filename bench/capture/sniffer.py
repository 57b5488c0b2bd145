"""The PLC sniffer: what goes over the wire between car and charger, in a pcapng file, as it happens.

Where raw capture is permitted (CAP_NET_RAW) every IPv6 and HomePlug frame of the interface is taken from the
kernel's receive ring with the kernel's stamp, be it the bench's own traffic or that of others (a tap between
a car and a charger). Where it is not, the EV's own socket payloads are written as synthesized frames
(`SocketTap`). `Sniffer.method` and `Sniffer.reason` say which, so that a report never shows one as the other.

Frames that the kernel had to drop are counted while it happens, told to `on_lost`, marked in the file (a
comment at the next packet, and the interface statistics at its end): a capture that is not whole says so.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from bench.capture.packet_ring import Frame, PacketRing
from bench.capture.pcapng import PcapngWriter, secrets_first
from bench.capture.socket_tap import FrameTap, SocketTap, Tap

__all__ = ["Listener", "Sniffer", "SocketTap", "Tap"]

Method = Literal["af_packet", "socket_tap"]

_MAX_KEY_LOG = 1_000_000
_LOOK_AROUND_S = 0.2
_STOP_S = 2.0


class Listener(Protocol):
    """Gets what is captured, in order, from the capture thread: every call must return at once."""

    def frames(self, batch: Sequence[Frame]) -> None:
        """Frames as they came."""

    def key_log(self, lines: bytes) -> None:
        """Whole new lines of the TLS key log."""

    def lost(self, count: int, t_ns: int) -> None:
        """`count` frames before `t_ns` (since the epoch) were dropped by the kernel."""


class Sniffer:
    """Captures one interface into a pcapng file from `start` to `stop`.

    `method` is "af_packet" or "socket_tap", `reason` why; `tap` takes socket payloads (and ignores them with
    a raw capture) and the frames of a tunnel. `packets` and `dropped` count while it runs; `error` is the
    first thing that went wrong, "" if nothing. `keylog` is a TLS key log file whose lines go into the capture
    as they appear. `listener` gets the frames too (raw capture only). `on_lost(count)` is called from the
    capture thread when frames were lost.
    """

    def __init__(
        self,
        interface: str,
        path: Path,
        *,
        keylog: Path | None = None,
        method: Method | None = None,
        listener: Listener | None = None,
        on_lost: Callable[[int], None] | None = None,
    ) -> None:
        self.interface = interface
        self.path = path
        self.method: Method = "socket_tap"
        self.reason = "not started"
        self.dropped = 0
        self.error = ""
        self.tap: Tap = Tap()
        self._wanted = method
        self._keylog = keylog
        self._keylog_read = 0
        self._listener = listener
        self._on_lost = on_lost
        self._lost_before_next = 0
        self._writer: PcapngWriter | None = None
        self._ring: PacketRing | None = None
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] | None = None

    @property
    def packets(self) -> int:
        """Packets written so far."""
        return self._writer.packets if self._writer is not None else 0

    def start(self) -> Sniffer:
        """Open the file and begin; falls back to the tap when raw capture is not possible.

        Raises OSError when the file cannot be made, or when `method="af_packet"` was asked for and is not
        possible.
        """
        ring: PacketRing | None = None
        if self._wanted == "socket_tap":
            self.reason = "asked for"
        else:
            try:
                ring = PacketRing(self.interface)
            except OSError as error:
                if self._wanted == "af_packet":
                    raise
                cause = "needs CAP_NET_RAW" if isinstance(error, PermissionError) else str(error)
                self.reason = f"raw capture on {self.interface} not possible: {cause}"
        try:
            self._writer = PcapngWriter(self.path)
        except OSError:
            if ring is not None:
                ring.close()
            raise
        if ring is None:
            description = "synthesized from the EV's socket payloads (TLS content in clear)"
            number = self._writer.add_interface(self.interface, description=description)
            self.tap = SocketTap(self._writer, number)
            return self
        self.tap = FrameTap(self._writer)
        self.method, self.reason = "af_packet", f"raw socket on {self.interface}"
        self._writer.add_interface(self.interface, description="captured")
        self._ring = ring
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._capture, name="sniffer", daemon=True)
        self._thread.start()
        return self

    def _capture(self) -> None:
        assert self._ring is not None and self._wake is not None and self._writer is not None
        poller = select.poll()
        poller.register(self._ring.fileno(), select.POLLIN)
        poller.register(self._wake[0], select.POLLIN)
        stopping_at: float | None = None
        look_at = 0.0
        try:
            while True:
                # The last block is handed over 20 ms after its first frame; wait for it at the end.
                ready = dict(poller.poll(_LOOK_AROUND_S * 1000 if stopping_at is None else 50))
                if self._wake[0] in ready and stopping_at is None:
                    stopping_at = time.monotonic() + _STOP_S
                    poller.unregister(self._wake[0])
                taken = self._take() if self._ring.fileno() in ready else 0
                now = time.monotonic()
                if now >= look_at or stopping_at is not None:
                    look_at = now + _LOOK_AROUND_S
                    self._look_around()
                # After the call to stop, what is in the ring still belongs to the capture.
                if stopping_at is not None and ((taken == 0 and ready == {}) or now > stopping_at):
                    return
        except OSError as error:
            self.error = self.error or f"capture on {self.interface} ended: {error}"

    def _take(self) -> int:
        assert self._ring is not None and self._writer is not None
        try:
            batch = self._ring.take()
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise
            # It may come up again, and is then captured as before.
            self.error = self.error or f"{self.interface} went down while it was captured"
            return 0
        if batch:
            self._copy_key_log()
            comment = ""
            if self._lost_before_next:
                comment = f"{self._lost_before_next} frames before this one were lost"
                self._lost_before_next = 0
            self._writer.packets_at_once(batch, comment=comment)
            if self._listener is not None:
                self._listener.frames(batch)
        return len(batch)

    def _look_around(self) -> None:
        """What does not come with a frame: new secrets, and frames that the kernel had no room for."""
        self._copy_key_log()
        if self._ring is not None and (lost := self._ring.count_lost()):
            self.dropped += lost
            self._lost_before_next += lost
            if self._listener is not None:
                self._listener.lost(lost, time.time_ns())
            if self._on_lost is not None:
                self._on_lost(lost)

    def _copy_key_log(self) -> None:
        """Add the lines that are new in the key log file."""
        if self._keylog is None or self._writer is None:
            return
        try:
            if self._keylog.stat().st_size <= self._keylog_read:
                return
            with self._keylog.open("rb") as file:
                file.seek(self._keylog_read)
                data = file.read(_MAX_KEY_LOG)
        except OSError:
            return  # Not there yet: the file is made with the first handshake.
        whole = data[: data.rfind(b"\n") + 1]
        self._keylog_read += len(whole)
        self._writer.secrets(whole)
        if whole and self._listener is not None:
            self._listener.key_log(whole)

    def stop(self) -> None:
        """End the capture, write what is pending and close the file; may be called twice."""
        if self._thread is not None and self._wake is not None:
            os.write(self._wake[1], b"x")
            self._thread.join(timeout=5)
            for end in self._wake:
                os.close(end)
            self._thread = self._wake = None
        if self._ring is not None:
            self._look_around()
            if self._writer is not None:
                self._writer.statistics(
                    received=self._ring.received, dropped=self._ring.lost, t_ns=time.time_ns()
                )
            self._ring.close()
            self._ring = None
        if isinstance(self.tap, FrameTap):
            tap, self.tap = self.tap, Tap()
            if isinstance(tap, SocketTap):
                tap.stop()
            self.dropped += tap.dropped
            self.error = self.error or tap.error
        if self._writer is not None:
            self._copy_key_log()
            self._writer.close()
            if self._keylog_read:
                secrets_first(self.path)
                self._keylog_read = 0
                self._keylog = None

    def __enter__(self) -> Sniffer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
