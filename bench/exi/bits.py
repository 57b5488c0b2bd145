"""Reading and writing of bit-packed EXI primitives (EXI 1.0, clause 7.1).

Both ends work bit by bit position, never allocate for a length that the stream cannot hold, and raise
:class:`EndOfStream` or :class:`Malformed` on hostile input.
"""

from __future__ import annotations

MAX_VARINT_OCTETS = 1714
"""Longest unsigned varint accepted, some 12,000 bits: far more than any serial number has, and so few digits
(3,614) that Python still writes the number into the text of an error."""


class Malformed(Exception):  # noqa: N818  # never leaves the reader
    """A value that no encoder writes. ``args[0]`` says what was expected."""


class EndOfStream(Malformed):
    """The stream ends inside a value."""


class BitReader:
    """A position in a byte string. ``position`` and ``end`` count bits."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data, self.position, self.end = data, position, len(data) * 8

    def bits(self, width: int) -> int:
        """The next ``width`` bits as an unsigned integer."""
        start = self.position
        stop = start + width
        if stop > self.end:
            raise EndOfStream(f"{width} more bits, {self.end - start} are left")
        self.position = stop
        return int.from_bytes(self.data[start >> 3 : (stop + 7) >> 3]) >> (-stop & 7) & ((1 << width) - 1)

    def unsigned(self) -> int:
        """A varint: seven bits an octet, least significant first, top bit set when more follow."""
        octet = self.bits(8)
        if octet < 0x80:
            return octet
        value, shift = octet & 0x7F, 7
        while True:
            octet = self.bits(8)
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                return value
            shift += 7
            if shift > 7 * MAX_VARINT_OCTETS:
                raise Malformed("an integer of sensible size")

    def signed(self) -> int:
        """A sign bit and a varint; a negative number is stored as its magnitude less one."""
        negative = self.bits(1)
        value = self.unsigned()
        return -value - 1 if negative else value

    def octets(self, count: int) -> bytes:
        """``count`` bytes, which need not be aligned."""
        if count * 8 > self.end - self.position:
            raise EndOfStream(f"{count} bytes, {(self.end - self.position) // 8} are left")
        return self.bits(count * 8).to_bytes(count, "big")

    def characters(self, count: int) -> str:
        """``count`` characters, a varint code point each."""
        if count * 8 > self.end - self.position:
            raise EndOfStream(f"{count} characters, {(self.end - self.position) // 8} bytes are left")
        start = self.position
        plain = self.octets(count)
        if plain.isascii():
            return plain.decode("ascii")
        self.position = start
        found: list[str] = []
        used = point = shift = 0
        for place, octet in enumerate(self.octets(min(3 * count, (self.end - start) >> 3)), 1):
            point |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
                    break
                found.append(chr(point))
                used = place
                if len(found) == count:
                    break
                point = shift = 0
            elif shift > 7 * MAX_VARINT_OCTETS:
                break
        # What is left, one by one: it is malformed, cut off, or written longer than it need be.
        self.position = start + 8 * used
        for _ in range(count - len(found)):
            point = self.unsigned()
            if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
                raise Malformed("a Unicode code point")
            found.append(chr(point))
        return "".join(found)


class BitWriter:
    """Bits gathered in one integer; a leading one marks where they start."""

    __slots__ = ("done", "value")

    def __init__(self) -> None:
        self.value, self.done = 1, b""

    def bits(self, value: int, width: int) -> None:
        """Appends ``width`` bits."""
        self.value = self.value << width | value
        if self.value.bit_length() > 4096:
            self._flush()

    def _flush(self) -> None:
        count = self.value.bit_length() - 1
        keep = count & 7
        whole = (self.value >> keep) ^ (1 << (count - keep))
        self.done += whole.to_bytes((count - keep) >> 3, "big")
        self.value = (1 << keep) | (self.value & ((1 << keep) - 1))

    def unsigned(self, value: int) -> None:
        """Appends a varint."""
        while value > 0x7F:
            self.bits(value & 0x7F | 0x80, 8)
            value >>= 7
        self.bits(value, 8)

    def signed(self, value: int) -> None:
        """Appends a sign bit and a varint."""
        self.bits(int(value < 0), 1)
        self.unsigned(-value - 1 if value < 0 else value)

    def octets(self, value: bytes) -> None:
        """Appends bytes."""
        self.bits(int.from_bytes(value, "big"), len(value) * 8)

    def characters(self, value: str) -> None:
        """Appends code points."""
        if value.isascii():
            self.octets(value.encode("ascii"))
            return
        for character in value:
            self.unsigned(ord(character))

    def getvalue(self) -> bytes:
        """All that was written, padded with zero bits to a whole byte."""
        pad = -(self.value.bit_length() - 1) % 8
        self.bits(0, pad)
        self._flush()
        return self.done
