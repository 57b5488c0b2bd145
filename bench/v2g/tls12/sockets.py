"""The client's engine on a connected socket, used as an `ssl.SSLSocket` is."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from datetime import datetime
from typing import Any

from bench.pki.validate import Purpose
from bench.v2g import tls
from bench.v2g.tls12 import messages
from bench.v2g.tls12.client import ClientContext, ClientEngine

_RECEIVE_BYTES = 65_536


class TlsSocket(socket.socket):
    """A connected socket that has become a TLS connection; takes over the descriptor of the plain one.

    As with `ssl.SSLSocket`, a `send` that raised BlockingIOError must be repeated with the same data.
    """

    def __init__(self, sock: socket.socket, context: ClientContext) -> None:
        timeout = sock.gettimeout()
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.settimeout(timeout)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.engine: ClientEngine = context.wrap_bio(self._incoming, self._outgoing)
        self._unsent = b""
        self._accepted = 0

    def do_handshake(self) -> None:
        """Go on with the handshake. Raises ssl.SSLWantReadError, BlockingIOError, OSError."""
        while True:
            try:
                self.engine.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            else:
                self._flush()
                return

    def recv(self, size: int, flags: int = 0) -> bytes:
        """At most `size` bytes of content, b"" after close_notify. Raises BlockingIOError, ssl.SSLEOFError,
        OSError.
        """
        while True:
            try:
                return self.engine.read(size)
            except ssl.SSLWantReadError:
                self.say_last_words()
                self._feed()
            except ssl.SSLError:
                self.say_last_words()
                raise

    def send(self, data: Any, flags: int = 0) -> int:
        """Send all of `data`; how much that was. Raises BlockingIOError, OSError."""
        if not self._accepted:
            self._accepted = self.engine.write(memoryview(data).cast("B"))
        self._flush()
        sent, self._accepted = self._accepted, 0
        return sent

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As `send`; for a socket that may block."""
        self.send(data)

    def unwrap(self) -> None:
        """Say close_notify; the peer's is not waited for. Raises OSError."""
        self.engine.unwrap()
        self._flush()

    def say_last_words(self) -> None:
        """Send what the engine has to say of itself (an alert), as far as the socket takes it now."""
        with contextlib.suppress(OSError):
            self._flush()

    @property
    def has_unsent(self) -> bool:
        """True when the socket's send buffer was full."""
        return bool(self._unsent)

    def _flush(self) -> None:
        self._unsent += self._outgoing.read()
        while self._unsent:
            self._unsent = self._unsent[super().send(self._unsent) :]

    def _feed(self) -> None:
        if data := super().recv(_RECEIVE_BYTES):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def connect(
    sock: socket.socket,
    context: ClientContext,
    *,
    timeout_s: float = 10.0,
    purpose: Purpose = "secc",
    at: datetime | None = None,
) -> tuple[TlsSocket, tls.TlsInfo]:
    """Do the client handshake on a connected socket, exactly as `tls.connect` does with OpenSSL.

    Raises `tls.TlsFailure`; `sock` is closed then.
    """
    started = time.monotonic()
    wrapped = TlsSocket(sock, context)
    engine = wrapped.engine
    record = tls.HandshakeRecord()
    try:
        _handshake(wrapped, started + timeout_s)
    except OSError as error:
        wrapped.say_last_words()
        wrapped.close()
        record.certificate_message = engine.certificate_message
        record.alert_received, record.alert_sent = engine.alert_received, engine.alert_sent
        raise tls.failure(record, error, time.monotonic() - started) from error
    record.certificate_message = engine.certificate_message
    record.alert_received = engine.alert_received
    info = tls.judged(
        record,
        version="TLSv1.2",
        cipher=messages.SUITE_NAMES[engine.suite],
        duration_s=time.monotonic() - started,
        roots=context.trusted_roots,
        purpose=purpose,
        at=at,
    )
    return wrapped, info


def _handshake(wrapped: TlsSocket, deadline: float) -> None:
    # One deadline for the whole handshake: see bench.v2g.tls.
    wrapped.setblocking(False)
    poller = select.poll()
    while True:
        try:
            wrapped.do_handshake()
        except BlockingIOError:
            remaining = deadline - time.monotonic()
            poller.register(wrapped.fileno(), select.POLLOUT if wrapped.has_unsent else select.POLLIN)
            if remaining <= 0 or not poller.poll(remaining * 1000):
                raise TimeoutError("no answer in time") from None
        else:
            return
