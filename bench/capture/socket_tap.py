"""Where raw capture is not permitted: the EV's own socket payloads, written as synthesized frames."""

from __future__ import annotations

import queue
import struct
import threading
from dataclasses import dataclass
from typing import Literal

from bench.capture import frames
from bench.capture.frames import Flow
from bench.capture.pcapng import PcapngWriter

_MAX_QUEUED = 50_000

_SYN, _SYN_ACK, _ACK, _DATA, _FIN = "S", "SA", "A", "PA", "FA"


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing for the tap to write, as the hot path left it."""

    kind: Literal["udp", "open", "data", "close"]
    flow: Flow
    t_ns: int
    payload: bytes = b""
    outgoing: bool = True


class Tap:
    """Takes what the EV's sockets carry. This one does nothing: with a raw capture the frames are there
    already.

    All stamps are monotonic nanoseconds; every call returns at once.
    """

    def udp(self, flow: Flow, payload: bytes, t_ns: int, *, outgoing: bool) -> None:
        """A datagram was sent (`outgoing`) or received."""

    def tcp_open(self, flow: Flow, t_ns: int) -> None:
        """A TCP connection was made by the local side."""

    def tcp_data(self, flow: Flow, payload: bytes, t_ns: int, *, outgoing: bool) -> None:
        """Bytes were sent or received on a connection; with TLS these are the plain ones."""

    def tcp_close(self, flow: Flow, t_ns: int, *, outgoing: bool = True) -> None:
        """The connection was closed, by the local side when `outgoing`."""

    def ethernet(self, frame: bytes, t_ns: int) -> None:
        """A whole Ethernet frame that went over no interface of this host (a tunnel to a simulated modem)."""


class FrameTap(Tap):
    """Writes the frames of a tunnel beside what is captured from an interface; `error` is "" or why not."""

    def __init__(self, writer: PcapngWriter) -> None:
        self._writer = writer
        self._tunnel: int | None = None
        self.dropped = 0
        self.error = ""

    def ethernet(self, frame: bytes, t_ns: int) -> None:
        """See `Tap.ethernet`. Called by one thread at a time."""
        try:
            if self._tunnel is None:
                self._tunnel = self._writer.add_interface("plc", description="frames to and from the modem")
            self._writer.packet_monotonic(frame, t_ns, interface=self._tunnel)
        except (OSError, ValueError) as error:
            self.error = self.error or f"frame not written: {error}"
            self.dropped += 1


class SocketTap(FrameTap):
    """Queues socket payloads (bounded; `dropped` counts the rest) and writes them as frames from its own
    thread.

    scapy builds the frames. The thread holds the payloads back until scapy is loaded or `stop` is called,
    because importing it beside a running handshake would cost the handshake a second of shared processor
    time.
    """

    def __init__(self, writer: PcapngWriter, interface: int) -> None:
        super().__init__(writer)
        self._interface = interface
        self._queue: queue.Queue[_Item | None] = queue.Queue(_MAX_QUEUED)
        self._sequences: dict[tuple[Flow, bool], int] = {}
        self._may_build = threading.Event()
        self._thread = threading.Thread(target=self._run, name="socket-tap", daemon=True)
        if frames.scapy_loaded():
            self._may_build.set()
        self._thread.start()

    def prepare(self) -> None:
        """Load scapy now (about a second), so that frames are written as they happen: call it before the
        session.
        """
        frames.load_scapy()
        self._may_build.set()

    def udp(self, flow: Flow, payload: bytes, t_ns: int, *, outgoing: bool) -> None:
        """See `Tap.udp`."""
        self._put(_Item("udp", flow, t_ns, payload, outgoing))

    def tcp_open(self, flow: Flow, t_ns: int) -> None:
        """See `Tap.tcp_open`."""
        self._put(_Item("open", flow, t_ns))

    def tcp_data(self, flow: Flow, payload: bytes, t_ns: int, *, outgoing: bool) -> None:
        """See `Tap.tcp_data`."""
        self._put(_Item("data", flow, t_ns, payload, outgoing))

    def tcp_close(self, flow: Flow, t_ns: int, *, outgoing: bool = True) -> None:
        """See `Tap.tcp_close`."""
        self._put(_Item("close", flow, t_ns, b"", outgoing))

    def stop(self, timeout_s: float = 30.0) -> None:
        """Write what is queued and end the thread."""
        self._may_build.set()
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            self.error = self.error or "the writer of synthesized frames does not keep up"
        self._thread.join(timeout_s)

    def _put(self, item: _Item) -> None:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.dropped += 1

    def _run(self) -> None:
        self._may_build.wait()
        while (item := self._queue.get()) is not None:
            if self.error:
                self.dropped += 1
                continue
            try:
                self._write(item)
            except (OSError, ValueError, struct.error) as error:
                self.error = f"frame not written: {error}"
                self.dropped += 1

    def _write(self, item: _Item) -> None:
        if item.kind == "udp":
            self._emit(frames.udp_frame(item.flow, item.payload, outgoing=item.outgoing), item.t_ns)
        elif item.kind == "open":
            self._sequences[item.flow, True] = self._sequences[item.flow, False] = 0
            for flags, outgoing in ((_SYN, True), (_SYN_ACK, False), (_ACK, True)):
                self._segment(item, flags, outgoing=outgoing)
        elif item.kind == "data":
            for start in range(0, len(item.payload), frames.MAX_SEGMENT):
                part = item.payload[start : start + frames.MAX_SEGMENT]
                self._segment(item, _DATA, outgoing=item.outgoing, payload=part)
        else:
            self._segment(item, _FIN, outgoing=item.outgoing)
            self._segment(item, _FIN, outgoing=not item.outgoing)
            self._segment(item, _ACK, outgoing=item.outgoing)

    def _segment(self, item: _Item, flags: str, *, outgoing: bool, payload: bytes = b"") -> None:
        own = self._sequences.get((item.flow, outgoing), 1)
        other = self._sequences.get((item.flow, not outgoing), 1)
        frame = frames.tcp_frame(
            item.flow,
            payload,
            outgoing=outgoing,
            flags=flags,
            sequence=own,
            acknowledged=0 if flags == _SYN else other,
        )
        self._emit(frame, item.t_ns)
        # SYN and FIN take one number of the sequence space (RFC 9293 3.4).
        self._sequences[item.flow, outgoing] = own + len(payload) + (1 if "S" in flags or "F" in flags else 0)

    def _emit(self, frame: bytes, t_ns: int) -> None:
        self._writer.packet_monotonic(frame, t_ns, interface=self._interface)
