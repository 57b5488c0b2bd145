"""EXI codec of the V2G message sets: bytes, typed messages, XML and JSON.

    message = codec.decode("iso2", data)
    data = codec.encode(message)
    codec.to_xml(message), codec.from_xml("iso2", text), codec.to_json(message)

Sources: W3C EXI 1.0 (bit-packed, non-strict, default fidelity), ISO 15118-2:2014 clause 7.9, DIN SPEC 70121
clause 8, ISO 15118-20:2022 clause 7.

    CodecError
      DecodeError        schema, path, bit, expected
      ValidationError    path, reason
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from bench.exi.bits import BitReader
from bench.exi.compiler import NotPlain, Plan
from bench.exi.convert import Converter, is_deviant
from bench.exi.declare import MessageSet, Named, Record
from bench.exi.errors import CodecError, DecodeError, ValidationError
from bench.exi.finding import Finding
from bench.exi.grammar import LARGE_BOUND, Grammars
from bench.exi.node import Node
from bench.exi.reader import Production, Reader
from bench.exi.writer import Writer
from bench.exi.xmltext import parse_xml, write_xml

__all__ = [
    "SCHEMAS",
    "CodecError",
    "DecodeError",
    "Finding",
    "Named",
    "Node",
    "ValidationError",
    "decode",
    "encode",
    "from_xml",
    "productions",
    "schema_of",
    "to_dict",
    "to_json",
    "to_xml",
]

_MODULES = {
    "sap": "sap",
    "din": "din",
    "iso2": "iso2",
    "iso20-common": "iso20.common",
    "iso20-ac": "iso20.ac",
    "iso20-dc": "iso20.dc",
    "iso20-acdp": "iso20.acdp",
    "iso20-wpt": "iso20.wpt",
    "iso20-ac-der-iec": "iso20.ac_der_iec",
    "iso20-ac-der-sae": "iso20.ac_der_sae",
    "xmldsig": "xmldsig",
}
_NAMESPACES = {
    "urn:iso:15118:2:2010:AppProtocol": "sap",
    "urn:din:70121:2012:": "din",
    "urn:iso:15118:2:2013:": "iso2",
    "urn:iso:std:iso:15118:-20:CommonMessages": "iso20-common",
    "urn:iso:std:iso:15118:-20:ACDP": "iso20-acdp",
    "urn:iso:std:iso:15118:-20:AC-DER-IEC": "iso20-ac-der-iec",
    "urn:iso:std:iso:15118:-20:AC-DER-SAE": "iso20-ac-der-sae",
    "urn:iso:std:iso:15118:-20:AC": "iso20-ac",
    "urn:iso:std:iso:15118:-20:DC": "iso20-dc",
    "urn:iso:std:iso:15118:-20:WPT": "iso20-wpt",
    "http://www.w3.org/2000/09/xmldsig#": "iso2",
}
"""Start of a namespace -> the set an element of it is taken for; types common to all of ISO 15118-20 are in
none."""
SCHEMAS: tuple[str, ...] = tuple(_MODULES)
"""Names of the message sets this codec knows."""

_ROOT_PACKAGE = "bench.v2g.messages"
FAST_LIMIT = 65_536
"""Longest stream (bytes) that is handed to the compiled decoder; outside lists its cost grows with the square
of the length."""
MEMORY_BYTES = 64 * 2**20
MEMORY_FACTOR = 1024
"""Decoding a stream of n bytes takes less than MEMORY_BYTES + MEMORY_FACTOR * n bytes, whatever they are."""


class _Set:
    """A message set with everything derived from it, made on demand."""

    def __init__(self, message_set: MessageSet) -> None:
        self.set = message_set
        self.grammars = Grammars(message_set)
        self.converter = Converter(self.grammars)
        self.plan = Plan(self.grammars, self.converter.bare_root)
        self.grammars.compiled = self.plan.decoder
        self._loose: Grammars | None = None

    @property
    def loose(self) -> Grammars:
        """The grammars of encoders that take large bounds for unbounded."""
        if self._loose is None:
            self._loose = Grammars(self.set, unbounded_from=LARGE_BOUND)
            # Small records hold no arrays, so they are the same to both.
            self._loose.compiled = self.plan.decoder
        return self._loose


_sets: dict[str, _Set] = {}


def _set(schema: str) -> _Set:
    found = _sets.get(schema)
    if found is None:
        if schema not in _MODULES:
            raise CodecError(f"unknown schema {schema!r}; known: {', '.join(_MODULES)}")
        module = importlib.import_module(f"{_ROOT_PACKAGE}.{_MODULES[schema]}")
        found = _sets[schema] = _Set(module.SET)
    return found


_schema_of_class: dict[Any, str] = {}


def _schema_of(message: Any) -> str:
    """The message set of a message, by its class or its namespace."""
    kind: Any = type(message)
    cached = _schema_of_class.get(kind)
    if cached is not None:
        return cached
    if isinstance(message, Named) and isinstance(message.value, Record):
        return _schema_of(message.value)
    if isinstance(message, Named | Node):
        for start, name in _NAMESPACES.items():
            if message.uri.startswith(start):
                return name
        raise CodecError(f"{message.name}: give the schema")
    if not isinstance(message, Record):
        raise CodecError(f"{kind.__name__} is not a message")
    module = kind._plain.__module__
    for name, part in _MODULES.items():
        if module == f"{_ROOT_PACKAGE}.{part}" or module.startswith(f"{_ROOT_PACKAGE}.{part}."):
            _schema_of_class[kind] = name
            return name
    raise CodecError(f"{kind.__name__} belongs to no message set of its own; give the schema")


def decode(
    schema: str, data: bytes, fragment: bool = False, *, findings: list[str] | list[Finding] | None = None
) -> Any:
    """The message in an EXI stream.

    ``schema`` is one of :data:`SCHEMAS`; ``fragment`` selects the fragment grammar (signed elements,
    SignedInfo).
    Returns a typed message; a root whose name does not follow from its class comes as ``Named(name, value,
    uri)``.
    What is odd but readable (trailing bytes, deviating dialects, schema-invalid content) is appended to
    ``findings``, each a :class:`Finding`: text with name, schema, path and bit. Raises DecodeError.

    Memory and time are bounded whatever the bytes are: a length is believed only as far as bits are left, a
    value costs no more than the stream that holds it, string table hits add at most 2,000,000 characters
    (tables.MAX_TEXT), elements nest at most 64 deep, and a stream of n bytes has at most 4,000 + 5/8 n events
    (reader.MAX_EVENTS). Decoding takes less than MEMORY_BYTES + MEMORY_FACTOR * len(data) bytes.
    """
    known = _sets.get(schema) or _set(schema)
    if len(data) <= FAST_LIMIT:
        try:
            message, left = known.plan.decode(data, fragment)
        except NotPlain:
            pass
        else:
            # Bits behind the end may mean that an array ended in another dialect; the general way finds out.
            if left < 8 and not data[-1] & ((1 << left) - 1):
                return message
    return _decode_any(known, bytes(data), fragment, findings)


def _decode_any(
    known: _Set, data: bytes, fragment: bool, findings: list[str] | list[Finding] | None = None
) -> Any:
    noted: list[str] | list[Finding] = [] if findings is None else findings
    start = _header(known.set.name, data, noted)
    reader = Reader(known.grammars, data, start)
    message, error = _attempt(known, reader, fragment)
    deviant = reader.odd_at is not None and is_deviant(message)
    # Where no array is full, the other dialect would read the same.
    if reader.filled_at is not None and (error is not None or deviant or _rest(reader)):
        other = Reader(known.loose, data, start)
        candidate, failed = _attempt(known, other, fragment)
        sound = failed is None and not _rest(other) and (other.odd_at is None or not is_deviant(candidate))
        if sound and (error is not None or candidate != message):
            path, bit = reader.filled_at
            text = "a full array ends as if it were unbounded"
            noted.append(Finding(text, "array-as-unbounded", known.set.name, path, bit))
            reader, message, error, deviant = other, candidate, None, False
    if error is not None:
        try:
            raise error
        finally:
            del error  # it knows this frame: a cycle that would keep all that was read
    for found in reader.findings:
        noted.append(found)
    if deviant:
        path, bit = reader.odd_at or ("", start)
        noted.append(
            Finding("content that the schema does not allow", "not-of-schema", known.set.name, path, bit)
        )
    position = reader.source.position
    left = len(data) * 8 - position
    if left >= 8:
        text = f"{left // 8} trailing byte(s) after the message"
        noted.append(Finding(text, "trailing-bytes", known.set.name, "", position))
    return message


def _attempt(known: _Set, reader: Reader, fragment: bool) -> tuple[Any, DecodeError | None]:
    """The message, or why there is none."""
    try:
        return known.converter.from_node(reader.read(fragment)), None
    except DecodeError as error:
        return None, error


def _rest(reader: Reader) -> bool:
    """Whether anything but padding follows what was read."""
    source = reader.source
    left = source.end - source.position
    return left >= 8 or bool(left and source.data[-1] & ((1 << left) - 1))


def _header(schema: str, data: bytes, findings: list[str] | list[Finding]) -> int:
    """Checks cookie and header; returns the position of the body in bits (EXI 1.0, clause 5)."""
    start = 0
    if data[:4] == b"$EXI":
        findings.append(Finding("EXI cookie in front of the header", "exi-cookie", schema))
        start = 32
    if len(data) * 8 < start + 8:
        raise DecodeError(schema, "", start, "an EXI header, the stream ends here")
    source = BitReader(data, start)
    if source.bits(2) != 0b10:
        raise DecodeError(schema, "", start, f"an EXI header (80), not {data[start // 8]:02x}")
    if source.bits(1):
        raise DecodeError(
            schema, "", start + 2, f"an EXI header without options (80), not {data[start // 8]:02x}"
        )
    if data[start // 8] != 0x80:
        text = f"header {data[start // 8]:02x} instead of 80"
        findings.append(Finding(text, "exi-header", schema, "", start))
    source.bits(1)
    while source.bits(4) == 0b1111:
        if source.end - source.position < 4:
            raise DecodeError(schema, "", source.position, "an EXI version")
    return source.position


def encode(
    message: Any,
    schema: str | None = None,
    fragment: bool = False,
    *,
    deviations: bool = False,
    empty_as_end: bool = False,
) -> bytes:
    """The EXI stream of a message.

    ``schema`` is found from the message's class if left out. ``deviations=True`` encodes schema-invalid
    content as a
    non-strict encoder does (undeclared events, untyped values); otherwise it raises ValidationError.
    ``empty_as_end=True`` writes empty strings and binaries as EXIficient does, as an undeclared end of
    element; the
    default, a value of length zero, is read by every known stack. Raises CodecError.
    """
    known = _set(schema if schema is not None else _schema_of(message))
    if not empty_as_end:
        try:
            return known.plan.encode(message, fragment)
        except NotPlain:
            pass
    try:
        if not deviations:
            known.converter.check(message)
        node = known.converter.to_node(message)
        return Writer(known.grammars, empty_as_end=empty_as_end, strict=not deviations).write(node, fragment)
    except ValidationError as exc:
        raise ValidationError(exc.path, exc.reason, known.set.name) from exc
    except (RecursionError, ValueError, TypeError, AttributeError) as exc:
        raise CodecError(f"{type(message).__name__} cannot be encoded: {exc}") from exc


def from_xml(schema: str, text: str | bytes, fragment: bool = False) -> Any:
    """The message of an XML text. Content that the schema does not allow is kept, and refused by
    :func:`encode` unless
    deviations are allowed. ``fragment`` is accepted for symmetry. Raises ValidationError on XML that is not
    well-formed.
    """
    del fragment
    known = _set(schema)
    try:
        return known.converter.from_node(parse_xml(text))
    except ValidationError as exc:
        raise ValidationError(exc.path, exc.reason, schema) from exc


def productions(schema: str, data: bytes, fragment: bool = False) -> list[Production]:
    """Every event code of a stream, in order: where it stands and how many of its values mean something.

    Raises DecodeError.
    """
    known = _set(schema)
    found: list[Production] = []
    Reader(known.grammars, data, _header(schema, data, []), found).read(fragment)
    return found


def schema_of(message: Any) -> str:
    """The message set that a message is encoded with, by its class or namespace. Raises CodecError."""
    return _schema_of(message)


def to_xml(message: Any, schema: str | None = None, *, indent: bool = False) -> str:
    """The XML text of a message, one line unless ``indent``."""
    known = _set(schema if schema is not None else _schema_of(message))
    return write_xml(known.converter.to_node(message), known.set.prefixes, indent=indent)


def to_dict(message: Any) -> Any:
    """The message as plain JSON-able data: bytes as hexadecimal, absent fields left out, one key per message
    name."""
    from bench.v2g.display import plain

    return plain(message)


def to_json(message: Any) -> str:
    """The message for people: quantities with units, certificates by subject, issuer, serial number and
    validity."""
    from bench.v2g.display import readable

    return json.dumps(readable(message), indent=2, ensure_ascii=False)
