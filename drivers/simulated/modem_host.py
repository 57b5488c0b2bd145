"""The Ethernet side of a simulated modem: its host comes over a tunnel, or sits on an interface.

On an interface the host's end must not leave checksums and segmentation to hardware that is not there:
`ethtool -K IF tx off` on it, where more than management messages shall pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable

from bench.slac.port import HEADER_BYTES, MAX_FRAME_BYTES

MAX_UNSENT_BYTES = 1_000_000

_LENGTH = struct.Struct(">H")
_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_PROMISC = 1
_PACKET_IGNORE_OUTGOING = 23
_FRAMES_A_TURN = 64


class HostLink(ABC):
    """Where the modem's host is. `on_frame` hears every whole frame from it; `dropped` counts those that
    the host did not take in time.
    """

    def __init__(self) -> None:
        self.on_frame: Callable[[bytes], None] = lambda _frame: None
        self.dropped = 0

    @property
    @abstractmethod
    def resource(self) -> str:
        """What the host opens, or the interface at which the modem is."""

    @abstractmethod
    async def start(self) -> None:
        """Be there for the host (at the same place again when it was cut). Raises OSError."""

    @abstractmethod
    def send(self, frame: bytes) -> None:
        """A frame to the host; lost when none is there."""

    @abstractmethod
    def close(self) -> None:
        """Cut the link."""


class TunnelHost(HostLink):
    """A TCP port on the loopback; one host at a time. Whole frames, each behind its length (2 bytes)."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def resource(self) -> str:
        return f"tunnel:127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def send(self, frame: bytes) -> None:
        writer = self._writer
        if writer is None:
            return
        if writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.dropped += 1
            return
        writer.write(_LENGTH.pack(len(frame)) + frame)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                if length > MAX_FRAME_BYTES:
                    return  # no Ethernet frame: the host has lost count
                frame = await reader.readexactly(length)
                if length >= HEADER_BYTES:
                    self.on_frame(frame)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the host has gone
        finally:
            self._writer = None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class InterfaceHost(HostLink):
    """An interface of this host, as a rule one end of a veth pair whose other end is the host's."""

    def __init__(self, interface: str) -> None:
        super().__init__()
        self._interface = interface
        self._socket: socket.socket | None = None

    @property
    def resource(self) -> str:
        return self._interface

    async def start(self) -> None:
        try:
            index = socket.if_nametoindex(self._interface)
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except OSError as error:
            raise OSError(f"modem at interface {self._interface!r}: {error.strerror or error}") from error
        try:
            sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            everything = struct.pack("=iHH8s", index, _PACKET_MR_PROMISC, 0, b"")
            sock.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, everything)
            sock.bind((self._interface, _ETH_P_ALL))
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock.fileno(), self._take)

    def send(self, frame: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(frame)
        except OSError:  # full, down, or longer than the interface takes: a wire loses such a frame, too
            self.dropped += 1

    def close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            asyncio.get_running_loop().remove_reader(sock.fileno())
            sock.close()

    def _take(self) -> None:
        for _ in range(_FRAMES_A_TURN):
            if self._socket is None:
                return
            try:
                frame = self._socket.recv(MAX_FRAME_BYTES)
            except BlockingIOError:
                return
            except OSError:  # the interface is down: it tells again when it is up
                self.dropped += 1
                return
            self.on_frame(frame)
