"""V2GTP, the transport framing of SDP and V2G messages: an 8-byte header and a payload.

Source: ISO 15118-2:2014 clause 7.8.3 and table 9 ([V2G2-083] ... [V2G2-096]); ISO 15118-20:2022 clause 7.8.3
adds payload types. Header: version, inverse version, payload type (16 bit), payload length (32 bit),
big-endian.
"""

from __future__ import annotations

import struct

VERSION = 0x01
INVERSE_VERSION = 0xFE
HEADER_LENGTH = 8

PAYLOAD_V2G_EXI = 0x8001
"""ISO 15118-2 and DIN 70121 messages; in ISO 15118-20 the supportedAppProtocol messages only."""
PAYLOAD_ISO20_MAIN = 0x8002
PAYLOAD_ISO20_AC = 0x8003
PAYLOAD_ISO20_DC = 0x8004
PAYLOAD_ISO20_ACDP = 0x8005
PAYLOAD_ISO20_WPT = 0x8006
PAYLOAD_SDP_REQUEST = 0x9000
PAYLOAD_SDP_RESPONSE = 0x9001

DEFAULT_MAX_PAYLOAD = 65_536
"""Bytes; the largest message of a Plug and Charge session is some 10 kB."""

_HEADER = struct.Struct(">BBHI")


class V2GTPError(ValueError):
    """A header that is not V2GTP, or a payload above the limit; `header` holds the 8 bytes."""

    def __init__(self, text: str, header: bytes = b"") -> None:
        super().__init__(text)
        self.header = header


def pack(
    payload_type: int,
    payload: bytes,
    *,
    version: int = VERSION,
    inverse: int = INVERSE_VERSION,
    length: int | None = None,
) -> bytes:
    """Frame a payload; `version`, `inverse` and `length` (bytes) can be set wrong on purpose.

    Raises V2GTPError when a value does not fit its field.
    """
    try:
        header = _HEADER.pack(version, inverse, payload_type, len(payload) if length is None else length)
    except struct.error as error:
        raise V2GTPError(f"header value does not fit its field ({error})") from error
    return header + payload


class Parser:
    """Incremental parser of one direction of a V2GTP stream; holds at most one message of `max_payload`
    bytes.

    A stream has no way back after a bad header: the parser then stays in error (`error`), keeps nothing more,
    and every further `feed` raises.
    """

    def __init__(self, max_payload: int = DEFAULT_MAX_PAYLOAD) -> None:
        self._max_payload = max_payload
        self._buffer = bytearray()
        self.error: V2GTPError | None = None

    @property
    def pending(self) -> int:
        """Bytes of an incomplete message held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes, return the messages completed by them as (payload type, payload).

        Raises V2GTPError for a bad header. Messages complete before the bad header are returned first; the
        error is then in `error` and raised by the next call.
        """
        if self.error is not None:
            raise self.error
        self._buffer += data
        messages: list[tuple[int, bytes]] = []
        position = 0
        while len(self._buffer) - position >= HEADER_LENGTH:
            try:
                payload_type, length = self._header(position)
            except V2GTPError as error:
                self.error = error
                self._buffer.clear()
                if messages:
                    return messages
                raise
            end = position + HEADER_LENGTH + length
            if end > len(self._buffer):
                break
            messages.append((payload_type, bytes(self._buffer[position + HEADER_LENGTH : end])))
            position = end
        del self._buffer[:position]
        return messages

    def _header(self, position: int) -> tuple[int, int]:
        version, inverse, payload_type, length = _HEADER.unpack_from(self._buffer, position)
        raw = bytes(self._buffer[position : position + HEADER_LENGTH])
        if version != VERSION or inverse != INVERSE_VERSION:
            raise V2GTPError(
                f"version 0x{version:02x} and inverse 0x{inverse:02x} instead of 0x01 and 0xfe", raw
            )
        if length > self._max_payload:
            raise V2GTPError(f"payload of {length} bytes announced, the limit is {self._max_payload}", raw)
        return payload_type, length


def unpack(data: bytes, max_payload: int = DEFAULT_MAX_PAYLOAD) -> tuple[int, bytes]:
    """Parse a datagram that must hold exactly one message (SDP); raises V2GTPError."""
    if len(data) < HEADER_LENGTH:
        raise V2GTPError(f"{len(data)} bytes are shorter than a header", data)
    version, inverse, payload_type, length = _HEADER.unpack_from(data)
    header = data[:HEADER_LENGTH]
    if version != VERSION or inverse != INVERSE_VERSION:
        raise V2GTPError(
            f"version 0x{version:02x} and inverse 0x{inverse:02x} instead of 0x01 and 0xfe", header
        )
    if length > max_payload or length != len(data) - HEADER_LENGTH:
        raise V2GTPError(f"{length} bytes announced, {len(data) - HEADER_LENGTH} sent", header)
    return payload_type, data[HEADER_LENGTH:]
