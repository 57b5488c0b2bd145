"""SECC discovery protocol: where does the charger listen, and with TLS or without?

Source: ISO 15118-2:2014 clause 7.10.1: request and response over UDP, to the link-local all-nodes address
ff02::1 port 15118 ([V2G2-139]), at least 250 ms a request ([V2G2-159]), at most 50 requests ([V2G2-161]).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.v2g import ports, v2gtp

PORT = 15118
MULTICAST = "ff02::1"
SECURITY_TLS = 0x00
SECURITY_NONE = 0x10
TRANSPORT_TCP = 0x00
TRANSPORT_UDP = 0x10
MAX_ATTEMPTS = 1000

_REQUEST_LENGTH = 2
_RESPONSE = struct.Struct(">16sHBB")
_MAX_DATAGRAM = 2048
_MAX_FINDINGS = 100
_MAX_DATAGRAMS_PER_ATTEMPT = 64
_SO_BINDTODEVICE = 25
_SIOCGIFFLAGS = 0x8913
_IFF_LOOPBACK = 0x8
_IFF_MULTICAST = 0x1000


class SdpError(ValueError):
    """A datagram that is no valid SDP message, or an interface that cannot carry SDP."""


@dataclass(frozen=True)
class SdpRequest:
    """What the EV asks for: security 0x00 TLS or 0x10 none, transport 0x00 TCP (table 15)."""

    security: int = SECURITY_TLS
    transport: int = TRANSPORT_TCP


@dataclass(frozen=True)
class SdpResponse:
    """Where the SECC listens: IPv6 address, TCP port, security and transport as in the request (table 17)."""

    address: str
    port: int
    security: int = SECURITY_TLS
    transport: int = TRANSPORT_TCP

    @property
    def tls(self) -> bool:
        """True when the SECC offers TLS."""
        return self.security == SECURITY_TLS


@dataclass(frozen=True)
class Finding:
    """An answer that was not accepted, or was with a remark; `raw` are at most 64 of its bytes."""

    code: str
    text: str
    source: str
    raw: bytes


@dataclass
class SdpResult:
    """Outcome of `discover`; `response` is None when nobody answered. Durations in seconds from the first
    request.
    """

    response: SdpResponse | None
    attempts: int
    duration_s: float
    destination: str
    raw: bytes = b""
    note: str = ""
    findings: list[Finding] = field(default_factory=list)
    source: str = ""


def encode_request(request: SdpRequest) -> bytes:
    """Datagram of a request; raises SdpError when a value does not fit a byte."""
    try:
        payload = bytes((request.security, request.transport))
    except ValueError as error:
        raise SdpError(f"security and transport are bytes ({error})") from error
    return v2gtp.pack(v2gtp.PAYLOAD_SDP_REQUEST, payload)


def decode_request(data: bytes) -> SdpRequest:
    """Parse a request; raises SdpError. Unknown security and transport values are kept: refusing is the
    SECC's part.
    """
    payload = _payload(data, v2gtp.PAYLOAD_SDP_REQUEST, _REQUEST_LENGTH)
    return SdpRequest(payload[0], payload[1])


def encode_response(response: SdpResponse) -> bytes:
    """Datagram of a response; raises SdpError when a value does not fit its field."""
    try:
        address = ipaddress.IPv6Address(response.address.partition("%")[0]).packed
        payload = _RESPONSE.pack(address, response.port, response.security, response.transport)
    except (ValueError, struct.error) as error:
        raise SdpError(f"response cannot be encoded ({error})") from error
    return v2gtp.pack(v2gtp.PAYLOAD_SDP_RESPONSE, payload)


def decode_response(data: bytes) -> SdpResponse:
    """Parse a response; raises SdpError for anything but a well-formed one with defined values."""
    payload = _payload(data, v2gtp.PAYLOAD_SDP_RESPONSE, _RESPONSE.size)
    address, port, security, transport = _RESPONSE.unpack(payload)
    if security not in (SECURITY_TLS, SECURITY_NONE):
        raise SdpError(f"security 0x{security:02x} is not defined")
    if transport != TRANSPORT_TCP:
        raise SdpError(f"transport 0x{transport:02x} is not TCP")
    parsed = ipaddress.IPv6Address(address)
    if port == 0 or parsed.is_unspecified or parsed.is_multicast:
        raise SdpError(f"[{parsed}]:{port} is no address to connect to")
    return SdpResponse(str(parsed), port, security, transport)


def _payload(data: bytes, payload_type: int, length: int) -> bytes:
    try:
        kind, payload = v2gtp.unpack(data)
    except v2gtp.V2GTPError as error:
        raise SdpError(str(error)) from error
    if kind != payload_type:
        raise SdpError(f"payload type 0x{kind:04x} instead of 0x{payload_type:04x}")
    if len(payload) != length:
        raise SdpError(f"payload of {len(payload)} bytes instead of {length}")
    return payload


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except (OSError, ValueError) as error:
        raise SdpError(f"no network interface {interface!r}") from error


def carries_multicast(interface: str) -> bool:
    """True when IPv6 multicast can be used on the interface: up to its flags, and not loopback. Raises
    SdpError.
    """
    _index(interface)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFFLAGS, struct.pack("16sH14x", interface.encode(), 0))
        except OSError as error:
            raise SdpError(f"interface {interface!r} cannot be asked for its flags ({error})") from error
    flags = int(struct.unpack_from("16xH", answer)[0])
    return bool(flags & _IFF_MULTICAST) and not flags & _IFF_LOOPBACK


def has_link_local(interface: str) -> bool:
    """True when the interface has an IPv6 link-local address (as SDP needs, [V2G2-139])."""
    try:
        lines = Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    return any(line.startswith("fe80") and line.split()[-1] == interface for line in lines)


def open_sdp_socket(interface: str, port: int = PORT) -> socket.socket:
    """Server socket of a charger: joined to ff02::1 on `interface`; on loopback bound to ::1.

    Several chargers on one host take different interfaces or ports. Raises SdpError for the interface and
    OSError (address in use, no permission) for the port.
    """
    index = _index(interface)
    multicast = carries_multicast(interface)
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        if not multicast:
            sock.bind(("::1", port))
            return sock
        # Chargers on different interfaces share the port; the device binding keeps their datagrams apart.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Without the privilege the socket still works; it may hear its neighbours.
        with contextlib.suppress(PermissionError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode() + b"\0")
        sock.bind(("::", port))
        group = socket.inet_pton(socket.AF_INET6, MULTICAST) + struct.pack("@I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    except OSError:
        sock.close()
        raise
    return sock


EventHook = Callable[[str, dict[str, object]], None]


def discover(
    interface: str,
    *,
    tls: bool = True,
    port: int = PORT,
    timeout_s: float = 0.25,
    attempts: int = 50,
    destination: str | None = None,
    on_event: EventHook | None = None,
    request: bytes | None = None,
) -> SdpResult:
    """Ask for a charger until one answers, `timeout_s` a request, at most `attempts` requests.

    Sends to `destination`, or to ff02::1, or to ::1 where the interface carries no multicast (`note` says
    so). Malformed answers and answers from another port are not accepted and listed in `findings`; a second,
    different answer that has already arrived is listed too. `request` replaces the datagram sent.
    `on_event(kind, data)` is called with "request", "response" and "finding". Raises SdpError when nothing
    can be sent on the interface.
    """
    index = _index(interface)
    attempts = max(1, min(attempts, MAX_ATTEMPTS))
    note = ""
    if destination is None:
        destination = MULTICAST
        if not carries_multicast(interface):
            destination = "::1"
            note = f"{interface} carries no IPv6 multicast: request sent to ::1 instead of {MULTICAST}"
    datagram = (
        request if request is not None else encode_request(SdpRequest(SECURITY_TLS if tls else SECURITY_NONE))
    )
    search = _Search(interface, index, destination, port=port, note=note, on_event=on_event)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        try:
            ports.bind_dynamic(sock)
        except OSError as error:
            raise SdpError(f"no port to ask from: {error.strerror}") from error
        return search.run(sock, datagram, timeout_s, attempts)


class _Search:
    """One run of `discover`."""

    def __init__(
        self,
        interface: str,
        index: int,
        destination: str,
        *,
        port: int,
        note: str,
        on_event: EventHook | None,
    ) -> None:
        address = ipaddress.IPv6Address(destination.partition("%")[0])
        scoped = address.is_link_local or address.is_multicast
        self._interface = interface
        self._target = (str(address), port, 0, index if scoped else 0)
        self._port = port
        self._on_event = on_event
        self._result = SdpResult(
            None, 0, 0.0, f"{address}%{interface}" if scoped else str(address), note=note
        )

    def run(self, sock: socket.socket, datagram: bytes, timeout_s: float, attempts: int) -> SdpResult:
        started = time.monotonic()
        result = self._result
        for attempt in range(1, attempts + 1):
            result.attempts = attempt
            self._send(sock, datagram)
            self._emit("request", attempt=attempt, destination=result.destination, raw=datagram.hex())
            if self._listen(sock, time.monotonic() + timeout_s):
                break
        result.duration_s = time.monotonic() - started
        return result

    def _send(self, sock: socket.socket, datagram: bytes) -> None:
        try:
            sock.sendto(datagram, self._target)
        except ConnectionRefusedError:
            # The ICMP answer to an earlier request: nobody listens yet. This one may not have left, so again.
            try:
                sock.sendto(datagram, self._target)
            except ConnectionRefusedError:
                return
        except BlockingIOError:
            return
        except OSError as error:
            hint = ""
            if error.errno in (errno.EADDRNOTAVAIL, errno.ENETUNREACH) and not has_link_local(
                self._interface
            ):
                hint = "; the interface has no IPv6 link-local address"
            text = f"SDP request cannot be sent on {self._interface!r}: {error.strerror}{hint}"
            raise SdpError(text) from error

    def _listen(self, sock: socket.socket, deadline: float) -> bool:
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN)
        for _ in range(_MAX_DATAGRAMS_PER_ATTEMPT):
            remaining = deadline - time.monotonic()
            # Once there is an answer, only look at what has arrived already: a second charger, or a spoofer.
            wait_s = 0.0 if self._result.response is not None else max(0.0, remaining)
            if not poller.poll(wait_s * 1000):
                break
            try:
                data, source = sock.recvfrom(_MAX_DATAGRAM)
            except (BlockingIOError, ConnectionRefusedError):
                continue
            self._judge(data, source)
        else:
            # A flood: wait the rest of the time without reading, so that the request rate holds.
            if self._result.response is None:
                select.poll().poll(max(0.0, deadline - time.monotonic()) * 1000)
        return self._result.response is not None

    def _judge(self, data: bytes, source: tuple[str, int, int, int]) -> None:
        sender = f"[{source[0]}]:{source[1]}"
        try:
            response = decode_response(data)
        except SdpError as error:
            self._find("malformed", str(error), sender, data)
            return
        if source[1] != self._port:
            self._find("foreign-port", f"answer from port {source[1]} instead of {self._port}", sender, data)
            return
        result = self._result
        if result.response is not None:
            if response != result.response:
                self._find("second-answer", f"[{response.address}]:{response.port} as well", sender, data)
            return
        if ipaddress.IPv6Address(source[0].partition("%")[0]) != ipaddress.IPv6Address(response.address):
            self._find("other-address", f"sender names {response.address} as the SECC", sender, data)
        result.response, result.raw, result.source = response, data, sender
        self._emit(
            "response",
            address=response.address,
            port=response.port,
            security=response.security,
            transport=response.transport,
            source=sender,
            raw=data.hex(),
        )

    def _find(self, code: str, text: str, sender: str, data: bytes) -> None:
        if len(self._result.findings) < _MAX_FINDINGS:
            finding = Finding(code, text, sender, data[:64])
            self._result.findings.append(finding)
            self._emit("finding", code=code, text=text, source=sender, raw=finding.raw.hex())

    def _emit(self, kind: str, **data: object) -> None:
        if self._on_event is not None:
            self._on_event(kind, data)
