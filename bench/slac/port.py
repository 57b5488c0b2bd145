"""Where a host's management frames leave and arrive: an interface, or a tunnel to the simulated line.

A PLC modem is a bridge: whatever its host puts on the Ethernet side with ethertype 0x88E1 is for the modem or
for the powerline behind it. `open_port` opens either kind; above it nobody knows which one it is.
"""

from __future__ import annotations

import ctypes
import errno
import math
import re
import secrets
import select
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType

from bench.slac.mme import ETHERTYPE, MAX_VLAN_TAGS, VLAN_TYPES, mac_text

HEADER_BYTES = 14
MAX_FRAME_BYTES = 1526
"""Header, two tags, 1500 bytes; the check sequence is the hardware's (IEEE 802.3, 3.2.7)."""
CONNECT_S = 5.0

_TUNNEL = re.compile(r"tunnel:(\[[^\]]+\]|[^:\s]+):(\d{1,5})")
_LENGTH = struct.Struct(">H")

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_SO_ATTACH_FILTER = 26
_SO_TIMESTAMPNS = 35
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_UNICAST = 3
_PACKET_AUXDATA = 8
_TP_STATUS_VLAN_VALID = 0x10
_TP_STATUS_VLAN_TPID_VALID = 0x40
_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata (packet(7))


class PortError(OSError):
    """The port cannot be opened or has broken; the text is one line that names the port and the cause."""


class PortPermissionError(PortError, PermissionError):
    """Raw Ethernet is not permitted to this process."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole Ethernet frame, without check sequence, and when it came (monotonic nanoseconds)."""

    frame: bytes
    t_ns: int


class EthernetPort(ABC):
    """One end of an Ethernet link on which HomePlug frames pass. Sending is safe from several threads."""

    mac: bytes
    """The host's own address: 6 bytes."""
    name: str
    """What an error and a report call it: the interface, or the tunnel's resource."""

    @abstractmethod
    def send(self, frame: bytes) -> int:
        """Send a whole frame as it is; the moment before it left (monotonic ns). Raises PortError."""

    @abstractmethod
    def receive(self, timeout_s: float) -> Received | None:
        """The next frame of ethertype 0x88E1, tagged or not, or None when none came within `timeout_s` (0:
        what is there already). Own frames never come back; frames for other stations may. Raises PortError.
        """

    @abstractmethod
    def fileno(self) -> int:
        """For select: readable when `receive(0)` may have something."""

    @abstractmethod
    def close(self) -> None:
        """Let go; may be called twice."""

    def __enter__(self) -> EthernetPort:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_port(resource: str, *, mac: bytes | None = None) -> EthernetPort:
    """The port that a resource names: `tunnel:HOST:PORT` for the simulated powerline, else an interface.

    `mac` is the host's address on it; by default that of the interface, on a tunnel a random one. Raises
    PortError, and its subclass PortPermissionError where raw Ethernet is not permitted.
    """
    if mac is not None and (len(mac) != 6 or mac[0] & 1):
        raise PortError(f"{mac_text(mac)!r} is no station address: 6 bytes, the group bit clear")
    if not resource.startswith("tunnel:"):
        return RawPort(resource, mac)
    if not (place := _TUNNEL.fullmatch(resource)) or not 0 < int(place[2]) < 65536:
        raise PortError(f"{resource!r} is no tunnel: tunnel:HOST:PORT")
    return TunnelPort(place[1].strip("[]"), int(place[2]), mac)


def ethertype(frame: bytes) -> int | None:
    """The ethertype behind the tags, or None for a frame that is too short to have one."""
    for offset in range(HEADER_BYTES - 2, HEADER_BYTES + 4 * MAX_VLAN_TAGS, 4):
        if len(frame) < offset + 2:
            return None
        found = int.from_bytes(frame[offset : offset + 2], "big")
        if found not in VLAN_TYPES:
            return found
    return None


class RawPort(EthernetPort):
    """An interface of this host, by an AF_PACKET socket that passes HomePlug frames of others only."""

    def __init__(self, interface: str, mac: bytes | None = None) -> None:
        self.name = interface
        try:
            index = socket.if_nametoindex(interface)
        except (OSError, ValueError) as error:
            known = ", ".join(name for _, name in socket.if_nameindex())
            raise PortError(f"there is no interface {interface!r} on this host (it has {known})") from error
        try:
            # protocol 0 at first: nothing is received before the filter is in place
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise PortPermissionError(
                f"raw Ethernet on {interface} needs CAP_NET_RAW: run as root, or"
                " `setcap cap_net_raw+ep` the Python interpreter"
            ) from error
        try:
            _attach(self._socket, _homeplug_filter())
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._socket.bind((interface, _ETH_P_ALL))
            self._socket.setblocking(False)
            own = bytes(self._socket.getsockname()[4])[:6]
            self.mac = own if mac is None else mac
            if self.mac != own:  # the interface must accept what is sent to the other address, too
                member = struct.pack("=iHH8s", index, _PACKET_MR_UNICAST, 6, self.mac)
                self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, member)
        except OSError as error:
            self._socket.close()
            raise self._broken(error) from error
        if len(self.mac) != 6:
            self._socket.close()
            raise PortError(f"{interface} is no Ethernet interface")

    def send(self, frame: bytes) -> int:
        t_ns = time.monotonic_ns()
        try:
            self._socket.send(frame)
        except OSError as error:
            raise self._broken(error) from error
        return t_ns

    def receive(self, timeout_s: float) -> Received | None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                frame, ancillary, _, _ = self._socket.recvmsg(MAX_FRAME_BYTES, 128)
            except BlockingIOError:
                if not self._wait(deadline - time.monotonic()):
                    return None
                continue
            except OSError as error:
                raise self._broken(error) from error
            return _as_it_was(frame, ancillary)

    def _wait(self, left_s: float) -> bool:
        try:
            return left_s > 0 and _ready(self._socket, select.POLLIN, left_s)
        except (OSError, ValueError) as error:
            raise PortError(f"{self.name}: the port is closed") from error

    def _broken(self, error: OSError) -> PortError:
        if error.errno == errno.ENETDOWN:
            return PortError(f"{self.name} is down: `ip link set {self.name} up`")
        return PortError(f"{self.name}: {error.strerror or error}")

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


class TunnelPort(EthernetPort):
    """Whole frames over TCP, each behind its length (2 bytes, big-endian): the wire of the simulated line."""

    def __init__(self, host: str, port: int, mac: bytes | None = None) -> None:
        self.name = f"tunnel:{host}:{port}"
        # locally administered (IEEE 802, 8.4): no real station has it
        self.mac = mac if mac is not None else bytes([0x02]) + secrets.token_bytes(5)
        try:
            self._socket = socket.create_connection((host, port), CONNECT_S)
        except OSError as error:
            raise PortError(f"{self.name}: nobody listens there: {error.strerror or error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._sending = threading.Lock()  # two frames must not be woven into each other
        self._partial = b""

    def send(self, frame: bytes) -> int:
        if len(frame) > MAX_FRAME_BYTES:
            raise PortError(f"{self.name}: a frame of {len(frame)} bytes is too long for Ethernet")
        left = memoryview(_LENGTH.pack(len(frame)) + frame)
        with self._sending:
            t_ns = time.monotonic_ns()
            while left:
                try:
                    left = left[self._socket.send(left) :]
                except BlockingIOError as error:
                    if not _ready(self._socket, select.POLLOUT, CONNECT_S):
                        raise PortError(f"{self.name}: the simulated powerline takes no more") from error
                except OSError as error:
                    raise PortError(f"{self.name}: {error.strerror or error}") from error
        return t_ns

    def receive(self, timeout_s: float) -> Received | None:
        deadline = time.monotonic() + timeout_s
        while True:
            frame = self._take()
            if frame is not None:
                if ethertype(frame) == ETHERTYPE:
                    return Received(frame, time.monotonic_ns())
            elif not self._wait(deadline - time.monotonic()):
                return None

    def _take(self) -> bytes | None:
        """A whole frame when it has come. Not a byte beyond it is read, so that `fileno` tells the truth."""
        while True:
            missing = _LENGTH.size - len(self._partial)
            if missing <= 0:
                (length,) = _LENGTH.unpack_from(self._partial)
                if length > MAX_FRAME_BYTES:
                    raise PortError(
                        f"{self.name}: a frame of {length} bytes is announced; no Ethernet has it"
                    )
                missing += length
                if missing == 0:
                    frame, self._partial = self._partial[_LENGTH.size :], b""
                    return frame
            try:
                data = self._socket.recv(missing)
            except BlockingIOError:
                return None
            except OSError as error:
                raise PortError(f"{self.name}: {error.strerror or error}") from error
            if not data:
                raise PortError(f"{self.name}: the simulated powerline hung up")
            self._partial += data

    def _wait(self, left_s: float) -> bool:
        try:
            return left_s > 0 and _ready(self._socket, select.POLLIN, left_s)
        except (OSError, ValueError) as error:
            raise PortError(f"{self.name}: the port is closed") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


def _ready(sock: socket.socket, what: int, timeout_s: float) -> bool:
    poller = select.poll()  # unlike select(), no limit on the number of the descriptor
    poller.register(sock.fileno(), what)
    return bool(poller.poll(math.ceil(timeout_s * 1000)))


def _homeplug_filter() -> bytes:
    """Classic BPF (struct sock_filter array): what others sent, ethertype 0x88E1, behind at most one tag
    besides the one that the kernel takes off.
    """
    load_byte, load_half, jump_equal, give = 0x30, 0x28, 0x15, 0x06
    packet_type, outgoing = 0xFFFFF000 + 4, 4  # SKF_AD_OFF + SKF_AD_PKTTYPE, PACKET_OUTGOING

    def step(code: int, true: int, false: int, value: int) -> bytes:
        return struct.pack("=HBBI", code, true, false, value)

    customer, service, old = VLAN_TYPES
    return b"".join(
        (
            step(load_byte, 0, 0, packet_type),
            step(jump_equal, 8, 0, outgoing),
            step(load_half, 0, 0, 12),
            step(jump_equal, 5, 0, ETHERTYPE),
            step(jump_equal, 2, 0, customer),
            step(jump_equal, 1, 0, service),
            step(jump_equal, 0, 3, old),
            step(load_half, 0, 0, 16),
            step(jump_equal, 0, 1, ETHERTYPE),
            step(give, 0, 0, 0xFFFF),
            step(give, 0, 0, 0),
        )
    )


def _attach(sock: socket.socket, program: bytes) -> None:
    held = ctypes.create_string_buffer(program, len(program))
    native = "HL" if ctypes.sizeof(ctypes.c_void_p) == 8 else "HI"
    descriptor = struct.pack(native, len(program) // 8, ctypes.addressof(held))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, descriptor)


def _as_it_was(frame: bytes, ancillary: list[tuple[int, int, bytes]]) -> Received:
    """The frame with the tag that the kernel had taken off, and its stamp on the monotonic clock."""
    wall_ns, t_ns = time.time_ns(), time.monotonic_ns()
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(value) >= 16:
            seconds, nanoseconds = struct.unpack_from("qq", value)
            age_ns = wall_ns - (seconds * 1_000_000_000 + nanoseconds)
            # a wall clock that was set in between must not move the stamp out of the past second
            t_ns -= min(max(age_ns, 0), 1_000_000_000)
        elif level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(value) >= _AUXDATA.size:
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack_from(value)
            if status & _TP_STATUS_VLAN_VALID:
                kind_of_tag = tpid if status & _TP_STATUS_VLAN_TPID_VALID else VLAN_TYPES[0]
                frame = frame[:12] + struct.pack(">HH", kind_of_tag, tci) + frame[12:]
    return Received(frame, t_ns)
