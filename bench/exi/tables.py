"""String tables: URIs, local names and values seen so far (EXI 1.0, clause 7.3)."""

from __future__ import annotations

from collections.abc import Callable

from bench.exi.bits import BitReader, BitWriter, Malformed
from bench.exi.grammar import Grammars, QName

MAX_TEXT = 2_000_000
"""Most characters accepted in one stream: a hit costs few bits and may stand for a long string, again and
again."""


class StringTables:
    """The partitions of one stream. Values are tracked for reading only: the writer never sends hits."""

    def __init__(self, grammars: Grammars, on_hit: Callable[[], None] | None = None) -> None:
        self._grammars, self._on_hit = grammars, on_hit
        self.uris = list(grammars.uris)
        self._locals: dict[str, list[str]] = {}
        self.values: list[str] = []
        self._budget = MAX_TEXT
        self.local_values: dict[QName, list[str]] = {}

    def _partition(self, uri: str) -> list[str]:
        if uri not in self._locals:
            self._locals[uri] = list(self._grammars.local_names.get(uri, ()))
        return self._locals[uri]

    def read_qname(self, source: BitReader) -> QName:
        """A URI and a local name, each a hit or a literal."""
        code = source.bits(len(self.uris).bit_length())
        if code == 0:
            uri = source.characters(source.unsigned())
            self.uris.append(uri)
        elif code > len(self.uris):
            raise Malformed("a known URI")
        else:
            uri = self.uris[code - 1]
        names = self._partition(uri)
        length = source.unsigned()
        if length:
            name = source.characters(length - 1)
            names.append(name)
            return uri, name
        index = source.bits((len(names) - 1).bit_length()) if names else 0
        if index >= len(names):
            raise Malformed("a known local name")
        return uri, names[index]

    def write_qname(self, sink: BitWriter, uri: str, name: str) -> None:
        """The counterpart of :meth:`read_qname`."""
        width = len(self.uris).bit_length()
        if uri in self.uris:
            sink.bits(self.uris.index(uri) + 1, width)
        else:
            sink.bits(0, width)
            sink.unsigned(len(uri))
            sink.characters(uri)
            self.uris.append(uri)
        names = self._partition(uri)
        if name in names:
            sink.unsigned(0)
            sink.bits(names.index(name), (len(names) - 1).bit_length())
        else:
            sink.unsigned(len(name) + 1)
            sink.characters(name)
            names.append(name)

    def read_string(self, source: BitReader, owner: QName) -> str:
        """A string value of the element or attribute ``owner``: local hit, global hit or literal."""
        length = source.unsigned()
        if length > 1:
            value = source.characters(length - 2)
            if value:
                self.values.append(value)
                self.local_values.setdefault(owner, []).append(value)
            return value
        known = self.values if length else self.local_values.get(owner, [])
        index = source.bits((len(known) - 1).bit_length()) if known else 0
        if index >= len(known):
            raise Malformed("a string seen before")
        if self._on_hit is not None:
            self._on_hit()
        self._budget -= len(known[index])
        if self._budget < 0:
            raise Malformed(f"at most {MAX_TEXT} characters from the string table")
        return known[index]
