"""The EV's V2G connection: TCP or TLS over IPv6, V2GTP framing, arrival stamps. Synchronous, like a car.

Source: ISO 15118-2:2014 clauses 7.7 (TCP, TLS) and 7.8 (V2GTP).
"""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import ssl
import struct
import time
from collections import deque
from types import TracebackType

from bench.v2g import ports, tls, v2gtp
from bench.v2g.tls12 import client, sockets

_RECEIVE_BYTES = 65_536
DEFAULT_TIMEOUT_S = 5.0

ClientContext = tls.ClientContext | client.ClientContext
"""A context of OpenSSL, or one of `bench.v2g.tls12` where static ECDH is offered."""


class TransportError(Exception):
    """The connection cannot be made or used."""


class ConnectionClosed(TransportError):  # noqa: N818 - an outcome that tests wait for
    """The peer closed (or reset) the connection; `t_ns` is when that was seen (monotonic)."""

    def __init__(self, text: str, t_ns: int) -> None:
        super().__init__(text)
        self.t_ns = t_ns


class ReceiveTimeout(TransportError):  # noqa: N818 - as above
    """No complete message arrived in time; `waited_s` is how long was waited, `pending` the bytes of a
    part.
    """

    def __init__(self, waited_s: float, pending: int = 0) -> None:
        part = f" ({pending} bytes of an incomplete one)" if pending else ""
        super().__init__(f"no message within {waited_s:.3f} s{part}")
        self.waited_s = waited_s
        self.pending = pending


def socket_address(address: str, port: int, interface: str | None) -> tuple[str, int, int, int]:
    """IPv6 socket address; a link-local address gets the scope of `interface`. Raises TransportError."""
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
        scope = 0
        if parsed.is_link_local:
            scope = socket.if_nametoindex(interface or address.partition("%")[2])
    except (ValueError, OSError) as error:
        raise TransportError(f"cannot reach {address!r} on interface {interface!r} ({error})") from error
    return str(parsed), port, 0, scope


class V2GConnection:
    """A connection to a charger; `tls` tells about the handshake (None without TLS).

    `opened_ns`: monotonic stamp of the TCP connection. Not for use by several threads at once.
    """

    def __init__(self, sock: socket.socket, *, max_payload: int = v2gtp.DEFAULT_MAX_PAYLOAD) -> None:
        self._socket = sock
        self._parser = v2gtp.Parser(max_payload)
        self._ready: deque[tuple[int, bytes, int]] = deque()
        self._closed: ConnectionClosed | None = None
        self.tls: tls.TlsInfo | None = None
        self.opened_ns = time.monotonic_ns()
        sock.setblocking(False)

    @classmethod
    def open(
        cls,
        address: str,
        port: int,
        interface: str | None = None,
        tls_context: ClientContext | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        *,
        max_payload: int = v2gtp.DEFAULT_MAX_PAYLOAD,
    ) -> V2GConnection:
        """Connect, and do the TLS handshake when a context is given; `timeout_s` bounds each of the two.

        Raises TransportError when TCP fails and `tls.TlsFailure` when TLS does.
        """
        target = socket_address(address, port, interface)
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout_s)
            ports.bind_dynamic(sock)
            sock.connect(target)
            # A car's request must leave at once: performance times are measured from it.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, OverflowError) as error:
            sock.close()
            raise TransportError(f"no TCP connection to [{address}]:{port} ({error})") from error
        opened_ns = time.monotonic_ns()
        info = None
        if isinstance(tls_context, client.ClientContext):
            sock, info = sockets.connect(sock, tls_context, timeout_s=timeout_s)
        elif tls_context is not None:
            sock, info = tls.connect(sock, tls_context, timeout_s=timeout_s)
        connection = cls(sock, max_payload=max_payload)
        connection.opened_ns = opened_ns
        connection.tls = info
        return connection

    @property
    def local_address(self) -> tuple[str, int]:
        """Own IPv6 address and TCP port."""
        name = self._socket.getsockname()
        return str(name[0]), int(name[1])

    @property
    def socket(self) -> socket.socket:
        """The socket (an SSLSocket or a `sockets.TlsSocket` with TLS), for tests below V2GTP."""
        return self._socket

    def send(
        self,
        payload_type: int,
        payload: bytes,
        *,
        raw: bytes | None = None,
        segments: int = 1,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> int:
        """Send one message and return the monotonic stamp (ns) right after the last byte was handed over.

        `raw` replaces the whole frame, header included. The frame leaves in one write unless `segments` asks
        for more pieces (with TLS: records). Raises ConnectionClosed or TransportError.
        """
        frame = raw if raw is not None else v2gtp.pack(payload_type, payload)
        pieces = max(1, min(segments, len(frame)))
        size = -(-len(frame) // pieces) if frame else 0
        deadline = time.monotonic() + timeout_s
        for start in range(0, len(frame), size or 1):
            self._write(frame[start : start + size], deadline)
        return time.monotonic_ns()

    def _write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            try:
                sent = self._socket.send(view)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT, deadline, "send buffer stayed full")
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, deadline, "TLS wanted to read before it could send")
            except OSError as error:
                raise self._broken(error) from error
            else:
                view = view[sent:]

    def _wait(self, events: int, deadline: float, text: str) -> None:
        poller = select.poll()
        poller.register(self._socket.fileno(), events)
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not poller.poll(remaining * 1000):
            raise TransportError(text)

    def receive(self, timeout_s: float) -> tuple[int, bytes, int]:
        """Wait for the next message: (payload type, payload, monotonic stamp in ns of its last byte's
        arrival).

        Raises ReceiveTimeout, ConnectionClosed, `v2gtp.V2GTPError` (a stream that is no V2GTP; it stays
        broken), or TransportError.
        """
        started = time.monotonic()
        deadline = started + timeout_s
        while not self._ready:
            if self._parser.error is not None:
                raise self._parser.error
            if not self._fill(deadline):
                raise ReceiveTimeout(time.monotonic() - started, self._parser.pending)
        return self._ready.popleft()

    def _fill(self, deadline: float) -> bool:
        """Read once what is there, or wait for it; False when the deadline passed."""
        if self._closed is not None:
            raise self._closed
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return self._poll_in(deadline)
        except ssl.SSLWantWriteError:
            self._wait(select.POLLOUT, deadline, "TLS wanted to write before it could read")
            return True
        except OSError as error:
            raise self._broken(error) from error
        t_ns = time.monotonic_ns()
        if not data:
            self._closed = ConnectionClosed("the peer closed the connection", t_ns)
            raise self._closed
        self._ready.extend((*message, t_ns) for message in self._parser.feed(data))
        return True

    def _poll_in(self, deadline: float) -> bool:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        poller = select.poll()
        poller.register(self._socket.fileno(), select.POLLIN)
        return bool(poller.poll(remaining * 1000))

    def _broken(self, error: OSError) -> TransportError:
        t_ns = time.monotonic_ns()
        closed = isinstance(error, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if closed:
            self._closed = ConnectionClosed(f"the connection was closed ({error})", t_ns)
            return self._closed
        return TransportError(f"connection failed ({error})")

    def wait_closed(self, timeout_s: float) -> int | None:
        """Wait until the peer closes; the monotonic stamp (ns) of that, or None when it did not in time.

        Messages that arrive meanwhile stay available to `receive`; bytes that are no V2GTP are thrown away.
        """
        deadline = time.monotonic() + timeout_s
        while self._closed is None:
            try:
                if not self._fill(deadline):
                    return None
            except ConnectionClosed as closed:
                return closed.t_ns
            except v2gtp.V2GTPError:
                continue
            except TransportError:
                # A TLS alert or record error ends the connection as well as a FIN does.
                return time.monotonic_ns()
        return self._closed.t_ns

    def close(self) -> None:
        """Close (TLS: with close_notify, without waiting for the answer); may be called twice."""
        if isinstance(self._socket, ssl.SSLSocket | sockets.TlsSocket) and self._socket.fileno() >= 0:
            # The peer's close_notify is not waited for, and a dead connection cannot be closed politely.
            with contextlib.suppress(OSError, ValueError):
                self._socket.unwrap()
        self._socket.close()

    def abort(self) -> None:
        """Close with a TCP reset, as a car that loses power would not even do: a test stimulus."""
        linger = struct.pack("ii", 1, 0)
        if self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()

    def __enter__(self) -> V2GConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
