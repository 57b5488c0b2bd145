"""V2GTP messages out of one direction of a byte stream that may begin in the middle, and may have gaps.

Unlike `bench.v2g.v2gtp.Parser`, which judges a live peer, this one goes on after what it cannot read: it
looks for the next header.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from bench.v2g.v2gtp import DEFAULT_MAX_PAYLOAD, HEADER_LENGTH

_header = struct.Struct(">HHI").unpack_from
_VERSION = 0x01FE
_EXI_START = 0x80


class Piece(NamedTuple):
    """What a stream held: a message (``kind`` is its payload type), or bytes that are none (``kind`` -1, with
    the reason in ``problem``). ``frame``, ``t_ns``: the packet that completed it.
    """

    kind: int
    payload: bytes
    frame: int
    t_ns: int
    problem: str = ""


def begins_v2gtp(data: bytes) -> bool:
    """Whether a whole V2GTP header stands at the beginning, with a payload type and a length that can be."""
    if len(data) < HEADER_LENGTH:
        return False
    version, kind, length = _header(data)
    return version == _VERSION and _known(kind) and length <= DEFAULT_MAX_PAYLOAD


def _known(kind: int) -> bool:
    """EXI (0x8001 to 0x8006, 0x81xx) or SDP (0x9000 to 0x9003)."""
    return 0x8001 <= kind <= 0x8006 or kind >> 8 == 0x81 or 0x9000 <= kind <= 0x9003


class Splitter:
    """Cuts one direction of a stream into messages. ``synced``: False while looking for a header."""

    def __init__(self, *, synced: bool = True) -> None:
        self.synced = synced
        self._buffer = bytearray()
        self._frame = 0  # the latest of the packets that the buffer's bytes came with
        self._t_ns = 0
        self._skipped = 0

    @property
    def pending(self) -> int:
        """Bytes of an incomplete message."""
        return len(self._buffer)

    def feed(self, data: bytes, frame: int, t_ns: int) -> list[Piece]:
        """The pieces that are complete with `data`."""
        buffer = self._buffer
        if not buffer and self.synced and len(data) >= HEADER_LENGTH:
            version, kind, length = _header(data)
            if version == _VERSION and length == len(data) - HEADER_LENGTH and length <= DEFAULT_MAX_PAYLOAD:
                return [Piece(kind, data[HEADER_LENGTH:], frame, t_ns)]
        # A segment that was late completes a message, yet the frame of one sent after it may be lower.
        if not buffer or frame > self._frame:
            self._frame, self._t_ns = frame, t_ns
        buffer += data
        pieces: list[Piece] = []
        position = 0
        while True:
            if not self.synced:
                position = self._search(position, pieces, frame, t_ns)
                if not self.synced:
                    break
            if len(buffer) - position < HEADER_LENGTH:
                # The first bytes tell already when it is no header.
                if not b"\x01\xfe".startswith(buffer[position : position + 2]):
                    self.synced = False
                    continue
                break
            version, kind, length = _header(buffer, position)
            if version != _VERSION or length > DEFAULT_MAX_PAYLOAD:
                self.synced = False
                continue
            end = position + HEADER_LENGTH + length
            if end > len(buffer):
                break
            pieces.append(Piece(kind, bytes(buffer[position + HEADER_LENGTH : end]), self._frame, self._t_ns))
            self._frame, self._t_ns = frame, t_ns
            position = end
        del buffer[:position]
        return pieces

    def _search(self, position: int, pieces: list[Piece], frame: int, t_ns: int) -> int:
        """The position of the next header; what is passed over becomes a piece once the header is there."""
        buffer = self._buffer
        at = position
        while True:
            # The first position of a stream that has just lost its way is no header.
            at = buffer.find(b"\x01\xfe", at)
            if at < 0 or len(buffer) - at <= HEADER_LENGTH:
                keep = at if at >= 0 else len(buffer) - (1 if buffer.endswith(b"\x01") else 0)
                self._skipped += keep - position
                return keep
            _, kind, length = _header(buffer, at)
            exi = buffer[at + HEADER_LENGTH] == _EXI_START or kind >= 0x9000
            if _known(kind) and length <= DEFAULT_MAX_PAYLOAD and exi:
                break
            at += 1
        self.synced = True
        self._skipped += at - position
        if self._skipped:
            text = f"{self._skipped} bytes that are no V2GTP message"
            pieces.append(Piece(-1, b"", frame, t_ns, text))
            self._skipped = 0
        self._frame, self._t_ns = frame, t_ns
        return at

    def gap(self, frame: int, t_ns: int) -> list[Piece]:
        """Bytes of the stream are lost: a begun message is given up, the next header is looked for."""
        pieces = self.end(frame, t_ns)
        self.synced = False
        return pieces

    def end(self, frame: int, t_ns: int) -> list[Piece]:
        """The stream ends (or breaks off) here: what is left over."""
        buffer = self._buffer
        text = ""
        if self._skipped or (buffer and not self.synced):
            text = f"{self._skipped + len(buffer)} bytes that are no V2GTP message"
        elif len(buffer) >= HEADER_LENGTH:
            _, kind, length = _header(buffer)
            there = len(buffer) - HEADER_LENGTH
            text = f"a message of {length} bytes, type 0x{kind:04x}, of which {there} are there"
        elif buffer:
            text = f"{len(buffer)} bytes of a header"
        payload = bytes(buffer)
        buffer.clear()
        self._skipped = 0
        return [Piece(-1, payload, frame, t_ns, text)] if text else []
