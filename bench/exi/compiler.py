"""Compiles the grammar of each class to Python functions for plain messages: valid, and without foreign
content.

Generated code reads and writes one big integer. A decoder takes it with the number of bits left, an encoder
appends
to one whose leading one bit (the header's) marks the start; neighbouring codes and fixed-width values move
in one
operation. Whatever is not plain raises :class:`NotPlain` and is done again, exactly, by reader.py or
writer.py; the
generated code therefore never has to explain an error or know a deviation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from bench.exi import grammar as g
from bench.exi.codegen import NotPlain, refuse
from bench.exi.declare import Named, RecordMeta
from bench.exi.decodegen import DecodeEmitter
from bench.exi.encodegen import EncodeEmitter
from bench.exi.grammar import ElementDecl, Grammars
from bench.exi.layout import layout_of

__all__ = ["NotPlain", "Plan"]

_FAILURES = (NotPlain, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError)
"""What generated code runs into when a message is not plain: a negative shift, an unknown enumeration value,
..."""


class Plan:
    """The compiled codec of a message set; functions are generated when first used."""

    def __init__(self, grammars: Grammars, bare_root: Callable[[Any], g.QName | None]) -> None:
        self.grammars = grammars
        self._bare_root = bare_root
        self._decoders: dict[Any, Any] = {}
        self._encoders: dict[Any, Any] = {}
        self._sides: dict[bool, _Roots] = {}
        self._lock = threading.RLock()

    def _roots(self, fragment: bool) -> _Roots:
        found = self._sides.get(fragment)
        if found is None:
            found = self._sides[fragment] = _Roots(self, fragment)
        return found

    def decode(self, data: bytes, fragment: bool) -> tuple[Any, int]:
        """Message and number of bits left over. Raises NotPlain."""
        roots = self._sides.get(fragment) or self._roots(fragment)
        try:
            value = int.from_bytes(data, "big")
            left = len(data) * 8 - 8 - roots.width
            start = value >> left
            code = start & roots.mask
            if start >> roots.width != 0x80:
                raise NotPlain
            decoder = roots.decoders[code]
            message, left = decoder(value, left)
            if fragment:
                left -= roots.width
                if value >> left & roots.mask != roots.end:
                    raise NotPlain
            wrap = roots.wrap[code]
            return (message if wrap is None else Named(wrap[1], message, wrap[0])), left
        except _FAILURES as exc:
            raise NotPlain from exc

    def encode(self, message: Any, fragment: bool) -> bytes:
        """The stream of a message. Raises NotPlain."""
        roots = self._sides.get(fragment) or self._roots(fragment)
        try:
            if type(message) is Named:
                code, encoder = roots.named(message)
                message = message.value
            else:
                code, encoder = roots.encoders.get(type(message)) or roots.encoder(type(message))
            value: int = encoder(message, 0x80 << roots.width | code)
            if fragment:
                value = value << roots.width | roots.end
            length = value.bit_length()
            pad = -length & 7
            return (value << pad).to_bytes((length + pad) >> 3, "big")
        except _FAILURES as exc:
            raise NotPlain from exc

    def decoder(self, cls: Any) -> Any:
        """The function (integer, bits left) -> (message, bits left) of a class."""
        with self._lock:
            if cls not in self._decoders:
                self._decoders[cls] = DecodeEmitter(self, cls).function()
            return self._decoders[cls]

    def encoder(self, cls: Any) -> Any:
        """The function (message, integer) -> integer of a class."""
        with self._lock:
            if cls not in self._encoders:
                self._encoders[cls] = EncodeEmitter(self, cls).function()
            return self._encoders[cls]

    def layout(self, cls: RecordMeta) -> Any:
        """The order of a class's content, or None when only the reader and the writer can do it."""
        return layout_of(self.grammars, cls)

    def lazy_decoders(self, classes: list[Any]) -> list[Any]:
        """A decoder a class, each compiled at its first call; None in ``classes`` is refused."""
        table: list[Any] = []

        def late(index: int, cls: Any) -> Any:
            def first(value: int, left: int) -> Any:
                table[index] = self.decoder(cls)
                return table[index](value, left)

            return first

        for index, cls in enumerate(classes):
            table.append(refuse if cls is None or cls._abstract else late(index, cls))
        return table

    def lazy_encoders(self, classes: list[Any]) -> dict[Any, Any]:
        """Class -> [code, encoder], each compiled at its first call."""
        table: dict[Any, Any] = {}

        def late(entry: list[Any], cls: Any) -> Any:
            def first(message: Any, value: int) -> Any:
                entry[1] = self.encoder(cls)
                return entry[1](message, value)

            return first

        for index, cls in enumerate(classes):
            if cls is not None and not cls._abstract:
                entry: list[Any] = [index, None]
                entry[1] = late(entry, cls)
                table[cls] = entry
        return table


class _Roots:
    """Root elements of documents or fragments."""

    def __init__(self, plan: Plan, fragment: bool) -> None:
        self.plan = plan
        self.declared: list[ElementDecl] = plan.grammars.fragment if fragment else plan.grammars.document
        count = len(self.declared) + (2 if fragment else 1)
        self.width = (count - 1).bit_length()
        self.mask, self.end = (1 << self.width) - 1, count - 1
        classes = [d.type if isinstance(d.type, RecordMeta) else None for d in self.declared]
        self.decoders = plan.lazy_decoders(classes)
        self.wrap: list[g.QName | None] = [
            None if c is None or plan._bare_root(c) == (d.uri, d.name) else (d.uri, d.name)
            for c, d in zip(classes, self.declared, strict=True)
        ]
        self.codes = {
            (d.uri, d.name): (i, c) for i, (d, c) in enumerate(zip(self.declared, classes, strict=True))
        }
        self.encoders: dict[Any, tuple[int, Any]] = {}

    def encoder(self, cls: Any) -> tuple[int, Any]:
        """Root code and encoder of a class that stands for an element by itself."""
        qname = self.plan._bare_root(cls) if isinstance(cls, RecordMeta) and cls._plain is cls else None
        if qname is None:
            raise NotPlain
        code, kind = self.codes[qname]
        if kind is None or kind is not cls or kind._abstract:
            raise NotPlain
        self.encoders[cls] = code, self.plan.encoder(cls)
        return self.encoders[cls]

    def named(self, message: Named) -> tuple[int, Any]:
        """Root code and encoder of a named value."""
        code, kind = self.codes[message.uri, message.name]
        if kind is None or type(message.value) is not kind:
            raise NotPlain
        return code, self.plan.encoder(kind)
