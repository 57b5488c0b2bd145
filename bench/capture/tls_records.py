"""The TLS record layer and the handshake messages within it, put together from pieces of a TCP stream.

Source: RFC 5246 (6.2.1, 7.4), RFC 8446 (5.1, 4). Memory is bounded whatever comes: a record by its greatest
length, a handshake message by MAX_MESSAGE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench.capture.tls_names import APPLICATION_DATA, CHANGE_CIPHER_SPEC, known_handshake

HEADER = 5
MAX_FRAGMENT = 2**14 + 2048
MAX_MESSAGE = 256 * 1024
# The shortest record there can be: an alert, or one byte of content with its tag.
MIN_RECORD = HEADER + 2
# Type 20 to 23, version 3.0 to 3.4, a length.
_START = re.compile(rb"(?=[\x14-\x17]\x03[\x00-\x04]..)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as on the wire; `frame` and `t_ns` are those of the packet that completed it."""

    kind: int
    version: int
    fragment: bytes
    frame: int
    t_ns: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Bytes that gave no record. `records` lost: exactly that many, or None when nobody knows."""

    text: str
    records: int | None
    frame: int
    t_ns: int


def _plausible(kind: int, major: int, minor: int, length: int) -> bool:
    known = CHANGE_CIPHER_SPEC <= kind <= APPLICATION_DATA
    return known and major == 3 and minor <= 4 and 0 < length <= MAX_FRAGMENT


class RecordBuffer:
    """Cuts one direction of a stream into records. After lost bytes it goes on at the next record header."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0  # Bytes still to come of a record of which a part was lost.
        self._searching = False
        self._frame = 0
        self._t_ns = 0

    def feed(self, data: bytes, frame: int, t_ns: int) -> Iterator[Record | Lost]:
        """The records that are complete with `data`."""
        self._frame, self._t_ns = frame, t_ns
        if self._skip:
            dropped = min(self._skip, len(data))
            self._skip -= dropped
            data = data[dropped:]
        self._buffer += data
        while True:
            if self._searching and not self._find():
                return
            if len(self._buffer) < HEADER:
                return
            kind, major, minor = self._buffer[0], self._buffer[1], self._buffer[2]
            length = self._buffer[3] << 8 | self._buffer[4]
            # An empty plain record is allowed, if pointless (RFC 5246 6.2.1).
            if not _plausible(kind, major, minor, length or 1):
                self._searching = True
                yield Lost("no TLS record where one should begin", None, frame, t_ns)
                continue
            if len(self._buffer) < HEADER + length:
                return
            fragment = bytes(self._buffer[HEADER : HEADER + length])
            del self._buffer[: HEADER + length]
            yield Record(kind, major << 8 | minor, fragment, frame, t_ns)

    def gap(self, count: int) -> Lost:
        """`count` bytes of the stream were lost here (0 or less: nobody knows how many)."""
        begun, skip = bytes(self._buffer), self._skip
        self._buffer.clear()
        self._skip = 0
        text = f"{count} bytes of the stream are missing" if count > 0 else "a part of the stream is missing"
        if count > 0 and not self._searching:
            if skip:
                # The record was counted as lost already; only what lies behind it is new.
                if count <= skip:
                    self._skip = skip - count
                    return self._lost(text, 0)
            elif len(begun) >= HEADER:
                rest = HEADER + (begun[3] << 8 | begun[4]) - len(begun)
                if count <= rest:
                    self._skip = rest - count
                    return self._lost(text, 1)
        self._searching = True
        return self._lost(text, None)

    def _lost(self, text: str, records: int | None) -> Lost:
        return Lost(text, records, self._frame, self._t_ns)

    def unfinished(self) -> int:
        """How many bytes wait for the rest of their record."""
        return len(self._buffer)

    @property
    def last(self) -> tuple[int, int]:
        """Frame and time of the last bytes that came."""
        return self._frame, self._t_ns

    def _find(self) -> bool:
        """Drop what stands before the next header; True when one was found."""
        data = bytes(self._buffer)
        for start in _START.finditer(data):
            at = start.start()
            length = data[at + 3] << 8 | data[at + 4]
            behind = data[at + HEADER + length : at + HEADER + length + HEADER]
            # A header by chance, within ciphertext, is told by what stands behind it.
            if 0 < length <= MAX_FRAGMENT and (len(behind) < HEADER or _START.match(behind)):
                del self._buffer[:at]
                self._searching = False
                return True
        del self._buffer[: max(0, len(data) - HEADER + 1)]
        return False


@dataclass(frozen=True, slots=True)
class Message:
    """One handshake message without its header; `too_long` when its body was passed over for its size."""

    kind: int
    body: bytes
    too_long: bool = False


class HandshakeBuffer:
    """Puts handshake messages of one direction together from the content of records."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0

    def feed(self, content: bytes) -> Iterator[Message]:
        """The messages that are complete with `content`."""
        if self._skip:
            dropped = min(self._skip, len(content))
            self._skip -= dropped
            content = content[dropped:]
        self._buffer += content
        while len(self._buffer) >= 4:
            kind, length = self._buffer[0], int.from_bytes(self._buffer[1:4], "big")
            if length > MAX_MESSAGE:
                self._skip = max(0, 4 + length - len(self._buffer))
                del self._buffer[: 4 + length]
                yield Message(kind, b"", too_long=True)
                continue
            if len(self._buffer) < 4 + length:
                return
            body = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield Message(kind, body)

    @property
    def begun(self) -> bool:
        """True within a message, of which the rest is still to come."""
        return bool(self._buffer or self._skip)

    def clear(self) -> None:
        """Forget a message of which a part is lost."""
        self._buffer.clear()
        self._skip = 0


def looks_like_handshake(content: bytes) -> bool:
    """True when plain handshake messages could begin here; ciphertext mostly does not look like it."""
    return len(content) >= 4 and known_handshake(content[0]) and content[1] <= MAX_MESSAGE >> 16
