"""Simple types: which Python value they hold, which facets bind it, and how it reads as XML text.

A simple type object is a plain description; the grammar, the typed classes, validation, XML and the bit
codec all
read the same object. Bits per type follow EXI 1.0 clause 7.1: an integer whose range spans at most 4096
values is an
n-bit offset, one that cannot be negative is an unsigned varint, any other a sign bit and a varint; an
enumeration is
an index in schema order; binary and strings are length-prefixed.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

BOUNDED_RANGE = 4096
"""Widest integer range (number of values) that is sent as an n-bit offset (EXI 1.0, 7.1.5)."""

_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_XML_SPACE = " \t\r\n"
MAX_INTEGER_DIGITS = 4000
"""Longest decimal literal accepted for an unbounded integer: Python refuses longer ones by default."""


@dataclass(frozen=True)
class Simple:
    """A simple type. ``name`` is the schema's name for it, used in messages to people only."""

    name: str = field(default="", compare=False)

    def problem(self, value: object) -> str | None:
        """Why ``value`` is not of this type, as a phrase, or None when it is valid."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """The Python value of an XML text. Raises ValueError when the text is outside the lexical space.

        Facets that change no bits (lengths) are not looked at here; see :meth:`problem`.
        """
        raise NotImplementedError

    def parse_any(self, text: str) -> Any:
        """The Python value of a text that the typed representation can carry, in or out of bounds."""
        return self.parse(text)

    def format(self, value: Any) -> str:
        """The canonical XML text of a value; any other object is shown as ``str(value)`` (a deviation)."""
        raise NotImplementedError

    def encodable(self, value: Any) -> bool:
        """Whether the typed representation can carry ``value``, whatever the length facets say."""
        return self.problem(value) is None


@dataclass(frozen=True)
class Boolean(Simple):
    """xs:boolean as one bit; holds ``bool``."""

    def problem(self, value: object) -> str | None:
        return None if isinstance(value, bool) else "must be true or false"

    def parse(self, text: str) -> bool:
        word = text.strip(_XML_SPACE)
        if word in ("true", "1"):
            return True
        if word in ("false", "0"):
            return False
        raise ValueError(f"{text!r} is not a boolean")

    def format(self, value: Any) -> str:
        return ("true" if value else "false") if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Integer(Simple):
    """An integer type, inclusive bounds; ``None`` is unbounded. Holds ``int``."""

    low: int | None = None
    high: int | None = None

    @cached_property
    def bits(self) -> int | None:
        """Width of the n-bit form, or None when the type is sent as a varint."""
        if self.low is None or self.high is None or self.high - self.low >= BOUNDED_RANGE:
            return None
        return (self.high - self.low).bit_length()

    @property
    def signed(self) -> bool:
        """Whether the varint form starts with a sign bit."""
        return self.low is None or self.low < 0

    def problem(self, value: object) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return "must be an integer"
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            return f"must be {self.range_text()}"
        return None

    def range_text(self) -> str:
        """The allowed range, for people."""
        if self.low is None and self.high is None:
            return "any integer"
        if self.high is None:
            return f"at least {self.low}"
        return f"{self.low} to {self.high}"

    def encodable(self, value: Any) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.problem(value) is None

    def parse(self, text: str) -> int:
        value = _integer(text)
        if self.problem(value) is not None:
            raise ValueError(f"{value} must be {self.range_text()}")
        return value

    def parse_any(self, text: str) -> int:
        if self.bits is not None:
            return self.parse(text)
        value = _integer(text)
        if value < 0 and not self.signed:
            raise ValueError(f"{value} is negative")
        return value

    def format(self, value: Any) -> str:
        return str(int(value)) if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _integer(text: str) -> int:
    word = text.strip(_XML_SPACE)
    if not _INTEGER.match(word) or len(word) > MAX_INTEGER_DIGITS:
        raise ValueError(f"{text[:40]!r} is not an integer")
    return int(word)


@dataclass(frozen=True)
class String(Simple):
    """A string with length facets in characters. Holds ``str``."""

    min_length: int = 0
    max_length: int | None = None

    def problem(self, value: object) -> str | None:
        if not isinstance(value, str):
            return "must be a string"
        return _length_problem(len(value), self.min_length, self.max_length, "characters")

    def encodable(self, value: Any) -> bool:
        return isinstance(value, str)

    def parse(self, text: str) -> str:
        return text

    def format(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class Binary(Simple):
    """hexBinary (``hexadecimal=True``) or base64Binary with length facets in bytes. Holds ``bytes``."""

    hexadecimal: bool = False
    min_length: int = 0
    max_length: int | None = None

    def problem(self, value: object) -> str | None:
        if not isinstance(value, bytes | bytearray):
            return "must be hexadecimal bytes" if self.hexadecimal else "must be base64 bytes"
        return _length_problem(len(value), self.min_length, self.max_length, "bytes")

    def encodable(self, value: Any) -> bool:
        return isinstance(value, bytes | bytearray)

    def parse(self, text: str) -> bytes:
        word = text.strip(_XML_SPACE)
        try:
            if self.hexadecimal:
                if any(c in _XML_SPACE for c in word):
                    raise ValueError("space inside hexBinary")
                return bytes.fromhex(word)
            return base64.b64decode("".join(word.split()), validate=True)
        except (ValueError, binascii.Error) as exc:
            kind = "hexBinary" if self.hexadecimal else "base64Binary"
            raise ValueError(f"{text[:40]!r} is not {kind}") from exc

    def format(self, value: Any) -> str:
        if not isinstance(value, bytes | bytearray):
            return str(value)
        return value.hex().upper() if self.hexadecimal else base64.b64encode(value).decode("ascii")


def _length_problem(length: int, low: int, high: int | None, unit: str) -> str | None:
    if length < low or (high is not None and length > high):
        bounds = (
            f"exactly {low}" if low == high else f"at least {low}" if high is None else f"{low} to {high}"
        )
        return f"must be {bounds} {unit} long, not {length}"
    return None


@dataclass(frozen=True)
class Enumeration(Simple):
    """An enumerated string type; ``members`` is a StrEnum whose definition order is the schema's order."""

    members: type[enum.StrEnum] = enum.StrEnum

    @cached_property
    def values(self) -> list[enum.StrEnum]:
        """The members in schema order: position is the code."""
        return list(self.members)

    @cached_property
    def bits(self) -> int:
        """Width of the index: ceil(log2(number of members))."""
        return (len(self.values) - 1).bit_length()

    def problem(self, value: object) -> str | None:
        if isinstance(value, str) and value in self.members._value2member_map_:
            return None
        return f"must be one of {', '.join(m.value for m in self.values)}"

    def parse(self, text: str) -> enum.StrEnum:
        return self.members(text.strip(_XML_SPACE))

    def format(self, value: Any) -> str:
        return str(value)


BOOLEAN = Boolean("boolean")
BYTE = Integer("byte", -128, 127)
SHORT = Integer("short", -(2**15), 2**15 - 1)
INT = Integer("int", -(2**31), 2**31 - 1)
LONG = Integer("long", -(2**63), 2**63 - 1)
UNSIGNED_BYTE = Integer("unsignedByte", 0, 2**8 - 1)
UNSIGNED_SHORT = Integer("unsignedShort", 0, 2**16 - 1)
UNSIGNED_INT = Integer("unsignedInt", 0, 2**32 - 1)
UNSIGNED_LONG = Integer("unsignedLong", 0, 2**64 - 1)
INTEGER = Integer("integer")
STRING = String("string")
ANY_URI = String("anyURI")
ID = String("ID")
IDREF = String("IDREF")
BASE64 = Binary("base64Binary")
HEX = Binary("hexBinary", hexadecimal=True)

BUILTIN: tuple[Simple, ...] = tuple(v for v in list(globals().values()) if isinstance(v, Simple))
"""The types of XML Schema itself: their names belong to no message set."""
