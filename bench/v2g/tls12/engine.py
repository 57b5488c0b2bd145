"""What both sides of a TLS 1.2 connection have in common, without a socket: records, alerts, handshake flow.

An `Engine` is used as an `ssl.SSLObject` is: bytes of the peer are written to its `incoming` MemoryBIO, bytes
for the peer read from `outgoing`, and a call that needs more raises `ssl.SSLWantReadError`.
"""

from __future__ import annotations

import hashlib
import ssl
from abc import ABC, abstractmethod
from collections.abc import Generator
from pathlib import Path

from bench.v2g.tls import alert_name
from bench.v2g.tls12 import messages
from bench.v2g.tls12.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER,
    MAX_CONTENT,
    MAX_RECORD,
    TLS_1_2,
    AlertReceived,
    Protection,
    Refusal,
    Secrets,
    finished,
)

MAX_MESSAGE = 200_000
MAX_WARNINGS = 16
_WARNING, _FATAL = 1, 2
_CLOSE_NOTIFY = 0
_NO_RENEGOTIATION = 100
_ALERTS = {alert_name(code): code for code in range(256)}
_FIRST_RECORD_VERSIONS = range(0x0300, 0x0304)

Message = tuple[int, bytes]
"""Type and body of a handshake message."""
Handshake = Generator[None, Message, None]


class Engine(ABC):
    """One side of one connection. `alert_received` and `alert_sent` are the last alerts of each direction;
    `suite` is the number of the suite agreed on.
    """

    _my_label: bytes
    _peer_label: bytes

    def __init__(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, keylog: Path | None = None) -> None:
        self._incoming, self._outgoing, self._keylog = incoming, outgoing, keylog
        self.alert_received: str | None = None
        self.alert_sent: str | None = None
        self.suite = 0
        self.established = False
        self._raw = bytearray()
        self._messages = bytearray()
        self._content = bytearray()
        self._transcript = hashlib.sha256()
        self._before_last = self._transcript
        """The transcript before the message that came last, for the check of Finished."""
        self._read: Protection | None = None
        self._write: Protection | None = None
        self._next_read: Protection | None = None
        self._next_write: Protection | None = None
        self._master = b""
        self._warnings = 0
        self._ended: ssl.SSLError | None = None
        self._peer_closed = False
        self._closed = False
        self._flow: Handshake | None = None

    @abstractmethod
    def _handshake(self) -> Handshake:
        """The handshake of this side from its first message to the peer's Finished and the answer to it: it
        sends, and yields for the next message.
        """

    # --- as ssl.SSLObject ---

    def do_handshake(self) -> None:
        """Go on with the handshake. Raises ssl.SSLWantReadError until done, ssl.SSLError if it fails."""
        if self._flow is None:
            self._flow = self._handshake()
            next(self._flow)
        while not self.established:
            self._pump()
            if self._peer_closed:
                raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "closed during the handshake")

    def read(self, size: int) -> bytes:
        """At most `size` bytes of content, b"" after the peer's close_notify. Raises ssl.SSLWantReadError,
        ssl.SSLEOFError (the peer closed without a word), ssl.SSLError.
        """
        while not self._content and not self._peer_closed:
            self._pump()
        data = bytes(self._content[:size])
        del self._content[:size]
        return data

    def write(self, data: bytes | memoryview) -> int:
        """Encrypt all of `data`; how much that was. Raises ssl.SSLError."""
        if self._ended is not None or not self.established or self._closed:
            raise self._ended or ssl.SSLError(ssl.SSL_ERROR_SSL, "the connection is not open")
        self._send(APPLICATION_DATA, bytes(data))
        return len(data)

    def unwrap(self) -> None:
        """Say close_notify, once; does not wait for the peer's."""
        if self._ended is None and not self._closed:
            self._closed = True
            self._alert(_WARNING, _CLOSE_NOTIFY)

    # --- out ---

    def _send(self, kind: int, content: bytes) -> None:
        for start in range(0, len(content), MAX_CONTENT):
            piece = content[start : start + MAX_CONTENT]
            fragment = self._write.seal(kind, piece) if self._write is not None else piece
            self._outgoing.write(HEADER.pack(kind, TLS_1_2, len(fragment)) + fragment)

    def _say(self, kind: int, body: bytes) -> None:
        """Send a handshake message."""
        message = bytes([kind]) + messages.block(body, 3)
        self._transcript.update(message)
        self._send(HANDSHAKE, message)

    def _alert(self, level: int, code: int) -> None:
        self.alert_sent = alert_name(code)
        self._send(ALERT, bytes([level, code]))

    # --- in ---

    def _pump(self) -> None:
        """Take in one record. Raises ssl.SSLWantReadError, ssl.SSLEOFError, ssl.SSLError; a Refusal has been
        said to the peer then, and the connection is over.
        """
        if self._ended is not None:
            raise self._ended
        try:
            kind, content = self._record()
            self._take(kind, content)
        except Refusal as refusal:
            self._alert(_FATAL, _ALERTS[refusal.alert])
            self._ended = refusal
            raise

    def _record(self) -> tuple[int, bytes]:
        self._raw += self._incoming.read()
        if len(self._raw) >= HEADER.size:
            kind, version, length = HEADER.unpack_from(self._raw)
            self._check_header(kind, version, length)
            end = HEADER.size + length
            if len(self._raw) >= end:
                fragment = bytes(self._raw[HEADER.size : end])
                del self._raw[:end]
                if self._read is not None:
                    return kind, self._read.open(kind, fragment)
                if length > MAX_CONTENT:
                    raise Refusal("record_overflow", "a record that is too long")
                return kind, fragment
        if self._incoming.eof:
            self._ended = ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "closed without close_notify")
            raise self._ended
        raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "more is needed")

    def _check_header(self, kind: int, version: int, length: int) -> None:
        if not CHANGE_CIPHER_SPEC <= kind <= APPLICATION_DATA:
            raise Refusal("unexpected_message", f"a record of the unknown type {kind}")
        # The record of a first ClientHello may carry an older version (RFC 5246 appendix E.1).
        if version != TLS_1_2 and (self.suite or version not in _FIRST_RECORD_VERSIONS):
            raise Refusal("protocol_version", f"a record of version {version:#06x}")
        if length > MAX_RECORD:
            raise Refusal("record_overflow", "a record that is too long")

    def _take(self, kind: int, content: bytes) -> None:
        if kind == APPLICATION_DATA:
            if not self.established:
                raise Refusal("unexpected_message", "content before the end of the handshake")
            self._content += content
        elif kind == ALERT:
            self._take_alert(content)
        elif kind == CHANGE_CIPHER_SPEC:
            if content != b"\x01" or self._next_read is None or self._messages:
                raise Refusal("unexpected_message", "ChangeCipherSpec out of place")
            self._read, self._next_read = self._next_read, None
        else:
            if not content:
                raise Refusal("unexpected_message", "an empty handshake record")
            self._messages += content
            self._take_messages()

    def _take_alert(self, content: bytes) -> None:
        if len(content) != 2:
            raise Refusal("decode_error", "an alert of another length than 2")
        level, code = content
        self.alert_received = alert_name(code)
        if code == _CLOSE_NOTIFY:
            self._peer_closed = True
        elif level == _WARNING:
            self._warn()
        else:
            self._ended = AlertReceived(self.alert_received)
            raise self._ended

    def _warn(self) -> None:
        self._warnings += 1
        if self._warnings > MAX_WARNINGS:
            raise Refusal("unexpected_message", "too many warnings")

    def _take_messages(self) -> None:
        while len(self._messages) >= 4:
            end = 4 + int.from_bytes(self._messages[1:4], "big")
            if end > MAX_MESSAGE:
                raise Refusal("decode_error", "a handshake message that is too long")
            if len(self._messages) < end:
                return
            message = bytes(self._messages[:end])
            del self._messages[:end]
            self._take_message(message[0], message)

    def _take_message(self, kind: int, message: bytes) -> None:
        if kind == messages.HELLO_REQUEST and not self.established:
            return  # never part of the transcript, and nothing to do in the middle of a handshake
        if self.established:
            if kind not in (messages.HELLO_REQUEST, messages.CLIENT_HELLO):
                raise Refusal("unexpected_message", f"handshake message {kind} after the handshake")
            self._warn()
            self._alert(_WARNING, _NO_RENEGOTIATION)
            return
        self._before_last = self._transcript.copy()
        self._transcript.update(message)
        assert self._flow is not None
        try:
            self._flow.send((kind, message[4:]))
        except StopIteration:
            self.established = True

    # --- steps of both handshakes ---

    def _agree(self, secrets: Secrets, *, encrypt_then_mac: bool) -> tuple[Protection, Protection]:
        """Make the keys, and log them; protections of client and server."""
        self._master = secrets.master()
        if self._keylog is not None:
            with self._keylog.open("a", encoding="ascii") as file:
                file.write(f"CLIENT_RANDOM {secrets.client_random.hex()} {self._master.hex()}\n")
        return secrets.protections(self._master, encrypt_then_mac=encrypt_then_mac)

    def _say_finished(self) -> None:
        self._send(CHANGE_CIPHER_SPEC, b"\x01")
        self._write = self._next_write
        self._say(messages.FINISHED, finished(self._master, self._my_label, self._transcript))

    def _check_finished(self, body: bytes) -> None:
        if self._read is None:
            raise Refusal("unexpected_message", "Finished before ChangeCipherSpec")
        if body != finished(self._master, self._peer_label, self._before_last):
            raise Refusal("decrypt_error", "Finished does not fit the handshake")


def expect(message: Message, kind: int) -> bytes:
    """The body of the message, which must be of this type; raises Refusal."""
    if message[0] != kind:
        raise Refusal("unexpected_message", f"handshake message {message[0]} instead of {kind}")
    return message[1]
