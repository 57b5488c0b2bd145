"""Elements that are read in one step: a value of simple type, or a small record without text.

Most of a long message is made of these. Whatever is odd about one (an undeclared event, a value out of
bounds, the end of the stream) raises one of :data:`ODD`; reader.py then reads it event by event, which finds
out what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.exi.bits import BitReader, Malformed
from bench.exi.codegen import NotPlain
from bench.exi.declare import RecordMeta
from bench.exi.grammar import ElementDecl, Grammars
from bench.exi.layout import layout_of
from bench.exi.values import Binary, Boolean, Enumeration, Integer, Simple, String

Read = Callable[[BitReader], Any]
"""Reads the content and the end of an element."""
ODD = (Malformed, NotPlain, ValueError, KeyError, IndexError, OverflowError)
STRING = "string"
WINDOW = 96
"""Bytes given to the compiled decoder of a small record: shifts of the whole stream would cost more than the
record."""


class Leaf:
    """An element that was read as its declaration has it, with its typed value."""

    __slots__ = ("decl", "value")

    def __init__(self, decl: ElementDecl, value: Any) -> None:
        self.decl, self.value = decl, value


def value_reader(kind: Simple) -> Read | None:
    """The reader of a simple type; None for strings, which need the string tables."""
    if isinstance(kind, Boolean):
        return _fixed(1, [False, True])
    if isinstance(kind, Enumeration):
        return _fixed(kind.bits, kind.values)
    if isinstance(kind, Integer) and kind.bits is not None:
        assert kind.low is not None
        assert kind.high is not None
        return _fixed(kind.bits, range(kind.low, kind.high + 1))
    if isinstance(kind, Integer):
        return _varint(kind)
    if isinstance(kind, Binary):
        return _octets
    return None


def _fixed(width: int, values: Any) -> Read:
    """Values by their code: read with the event codes around them, which are 0."""
    whole, around = width + 2, 1 << width + 1 | 1

    def read(source: BitReader) -> Any:
        raw = source.bits(whole)
        if raw & around:
            raise NotPlain
        return values[raw >> 1]

    return read


def _varint(kind: Integer) -> Read:
    signed, low, high = kind.signed, kind.low, kind.high

    def read(source: BitReader) -> int:
        if source.bits(1):
            raise NotPlain
        value = source.signed() if signed else source.unsigned()
        if (low is not None and value < low) or (high is not None and value > high) or source.bits(1):
            raise NotPlain
        if value.bit_length() > 64 and (low is None or high is None):
            raise NotPlain
        return value

    return read


def _octets(source: BitReader) -> bytes:
    if source.bits(1):
        raise NotPlain
    value = source.octets(source.unsigned())
    if source.bits(1):
        raise NotPlain
    return value


def record_reader(decode: Callable[[int, int], tuple[Any, int]]) -> Read:
    """The reader of a record by its compiled decoder."""

    def read(source: BitReader) -> Any:
        start = source.position
        octets = source.data[start >> 3 : (start >> 3) + WINDOW]
        value, left = decode(int.from_bytes(octets), len(octets) * 8 - (start & 7))
        source.position = (start & ~7) + len(octets) * 8 - left
        return value

    return read


def leaf_of(grammars: Grammars, decl: ElementDecl) -> Read | str | None:
    """The reader of an element in one step; STRING for a string, None where there is none."""
    kind = decl.type
    if isinstance(kind, String):
        return STRING
    if isinstance(kind, Simple):
        return value_reader(kind)
    if grammars.compiled is None or not is_small(kind, lambda cls: layout_of(grammars, cls)):
        return None
    return record_reader(grammars.compiled(kind))


def is_small(kind: Any, layout: Callable[[RecordMeta], Any], depth: int = 0) -> bool:
    """Whether an element of this type takes a few bytes and leaves nothing in the string tables."""
    if isinstance(kind, Simple):
        return not isinstance(kind, String | Binary) and not (isinstance(kind, Integer) and kind.high is None)
    if not isinstance(kind, RecordMeta) or kind._abstract or depth > 4:
        return False
    items = layout(kind)
    if items is None or any(item.absent for item in items):
        return False
    for item in items:
        specs = item.specs or ([item.spec] if item.spec is not None else [])
        if item.classes or any(s.repeated or not is_small(s.type, layout, depth + 1) for s in specs):
            return False
    return True
