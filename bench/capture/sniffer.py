"""The PLC sniffer: what goes over the wire between car and charger, in a pcapng file, as it happens.

Where raw capture is permitted (CAP_NET_RAW) every IPv6 and HomePlug frame of the interface is taken from an
AF_PACKET socket with the kernel's stamp. Where it is not, the EV's own socket payloads are written as
synthesized frames (`SocketTap`). `Sniffer.method` and `Sniffer.reason` say which, so that a report never
shows one as the other.
"""

from __future__ import annotations

import ctypes
import os
import queue
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from bench.capture import frames
from bench.capture.frames import Flow
from bench.capture.pcapng import PcapngWriter, secrets_first

Method = Literal["af_packet", "socket_tap"]

_ETH_P_ALL = 0x0003
_ETHERTYPE_IPV6 = 0x86DD
_ETHERTYPE_HOMEPLUG = 0x88E1
_ETHERTYPE_VLAN = 0x8100
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_OUTGOING = 4
_RECEIVE_BUFFER = 64 * 1024 * 1024
_MAX_FRAME = 65_550
_MAX_QUEUED = 50_000
_MAX_KEY_LOG = 1_000_000

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


class SocketTap(Tap):
    """Queues socket payloads (bounded; `dropped` counts the rest) and writes them as frames from its own
    thread.

    scapy builds the frames. The thread holds the payloads back until scapy is loaded or `stop` is called,
    because importing it beside a running handshake would cost the handshake a second of shared processor
    time.
    """

    def __init__(self, writer: PcapngWriter, interface: int) -> None:
        self._writer = writer
        self._interface = interface
        self._queue: queue.Queue[_Item | None] = queue.Queue(_MAX_QUEUED)
        self._sequences: dict[tuple[Flow, bool], int] = {}
        self._may_build = threading.Event()
        self._thread = threading.Thread(target=self._run, name="socket-tap", daemon=True)
        self.dropped = 0
        self.error = ""
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


def frame_filter() -> bytes:
    """Classic BPF program that passes IPv6 and HomePlug frames, tagged or not (struct sock_filter array)."""
    load_half, jump_equal, give = 0x28, 0x15, 0x06

    def step(code: int, true: int, false: int, value: int) -> bytes:
        return struct.pack("=HBBI", code, true, false, value)

    return b"".join(
        (
            step(load_half, 0, 0, 12),
            step(jump_equal, 4, 0, _ETHERTYPE_IPV6),
            step(jump_equal, 3, 0, _ETHERTYPE_HOMEPLUG),
            step(jump_equal, 0, 3, _ETHERTYPE_VLAN),
            step(load_half, 0, 0, 16),
            step(jump_equal, 0, 2, _ETHERTYPE_IPV6),
            step(give, 0, 0, _MAX_FRAME),
            step(give, 0, 0, 0),
            step(jump_equal, 0, 1, _ETHERTYPE_HOMEPLUG),
            step(give, 0, 0, _MAX_FRAME),
            step(give, 0, 0, 0),
        )
    )


def open_raw_socket(interface: str) -> socket.socket:
    """An AF_PACKET socket on `interface` with filter, kernel stamps and a large buffer.

    Raises PermissionError without CAP_NET_RAW and OSError when there is no such interface.
    """
    # Protocol 0 at first: nothing is received before the filter is in place.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        program = ctypes.create_string_buffer(frame_filter())
        steps = (len(program) - 1) // 8
        descriptor = struct.pack(
            "HL" if ctypes.sizeof(ctypes.c_void_p) == 8 else "HI", steps, ctypes.addressof(program)
        )
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, descriptor)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        sock.bind((interface, _ETH_P_ALL))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


class Sniffer:
    """Captures one interface into a pcapng file from `start` to `stop`.

    `method` is "af_packet" or "socket_tap", `reason` why; `tap` takes socket payloads (and ignores them with
    a raw capture). `packets` and `dropped` count; `error` is the first thing that went wrong while running,
    "" if nothing. `keylog` is a TLS key log file whose lines go into the capture as they appear.
    """

    def __init__(
        self, interface: str, path: Path, *, keylog: Path | None = None, method: Method | None = None
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
        self._writer: PcapngWriter | None = None
        self._socket: socket.socket | None = None
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
        raw: socket.socket | None = None
        if self._wanted == "socket_tap":
            self.reason = "asked for"
        else:
            try:
                raw = open_raw_socket(self.interface)
            except OSError as error:
                if self._wanted == "af_packet":
                    raise
                cause = "needs CAP_NET_RAW" if isinstance(error, PermissionError) else str(error)
                self.reason = f"raw capture on {self.interface} not possible: {cause}"
        try:
            self._writer = PcapngWriter(self.path)
        except OSError:
            if raw is not None:
                raw.close()
            raise
        if raw is None:
            description = "synthesized from the EV's socket payloads (TLS content in clear)"
            number = self._writer.add_interface(self.interface, description=description)
            self.tap = SocketTap(self._writer, number)
            return self
        self.method, self.reason = "af_packet", f"raw socket on {self.interface}"
        self._writer.add_interface(self.interface, description="captured")
        self._socket = raw
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._capture, name="sniffer", daemon=True)
        self._thread.start()
        return self

    def _capture(self) -> None:
        assert self._socket is not None and self._wake is not None and self._writer is not None
        poller = select.poll()
        poller.register(self._socket.fileno(), select.POLLIN)
        poller.register(self._wake[0], select.POLLIN)
        stopping_at: float | None = None
        try:
            while True:
                ready = dict(poller.poll(None if stopping_at is None else 0))
                if self._wake[0] in ready and stopping_at is None:
                    stopping_at = time.monotonic() + 2.0
                    poller.unregister(self._wake[0])
                if self._socket.fileno() in ready:
                    self._take()
                # After the call to stop, what is in the buffer still belongs to the capture.
                elif stopping_at is not None:
                    return
                if stopping_at is not None and time.monotonic() > stopping_at:
                    return
        except OSError as error:
            self.error = f"capture on {self.interface} ended: {error}"

    def _take(self) -> None:
        assert self._socket is not None and self._writer is not None
        try:
            data, ancillary, _, address = self._socket.recvmsg(_MAX_FRAME, 64)
        except BlockingIOError:
            return
        # On loopback every frame passes twice, out and in.
        if address[2] == _PACKET_OUTGOING and self.interface == "lo":
            return
        t_ns = time.time_ns()
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(value) >= 16:
                seconds, nanoseconds = struct.unpack("qq", value[:16])
                t_ns = seconds * 1_000_000_000 + nanoseconds
        self._copy_key_log()
        self._writer.packet(data, t_ns)

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

    def stop(self) -> None:
        """End the capture, write what is pending and close the file; may be called twice."""
        if self._thread is not None and self._wake is not None:
            os.write(self._wake[1], b"x")
            self._thread.join(timeout=5)
            for end in self._wake:
                os.close(end)
            self._thread = self._wake = None
        if self._socket is not None:
            self.dropped += _kernel_drops(self._socket)
            self._socket.close()
            self._socket = None
        if isinstance(self.tap, SocketTap):
            tap, self.tap = self.tap, Tap()
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


def _kernel_drops(sock: socket.socket) -> int:
    """Frames the kernel could not queue since the last call."""
    try:
        return int(struct.unpack_from("II", sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1])
    except OSError:
        return 0
