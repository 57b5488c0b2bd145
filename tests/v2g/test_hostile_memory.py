"""Decoding takes less memory than ``codec`` states, whatever the bytes are."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable

import pytest

from bench.exi import grammar as g
from bench.exi.bits import BitWriter
from bench.exi.node import Node
from bench.v2g import codec
from bench.v2g.messages.xmldsig import XMLDSIG

FOREIGN = Node("u", "n")
MANY = 15_000


def xmldsig(name: str, children: list[Node | str]) -> bytes:
    return codec.encode(Node(XMLDSIG, name, {}, children), "xmldsig", deviations=True)


def nested(depth: int) -> bytes:
    """Objects in Objects, deeper than is accepted: written by hand, a level at a time."""
    known = codec._set("xmldsig").grammars
    sink = BitWriter()
    sink.bits(0x80, 8)
    roots = [d.name for d in known.document]
    sink.bits(roots.index("Object"), len(roots).bit_length())
    state = g.state_of(known.type_grammar(known.globals[XMLDSIG, "Object"].type).start)
    code = next(i for i, e in enumerate(state.events) if e.kind == g.SE_ANY)
    uri = known.uris.index(XMLDSIG) + 1
    names = known.local_names[XMLDSIG]
    for _ in range(depth):
        sink.bits(code, state.width)
        sink.bits(uri, len(known.uris).bit_length())
        sink.unsigned(0)
        sink.bits(names.index("Object"), (len(names) - 1).bit_length())
    return sink.getvalue()


def hits(count: int, text: str) -> bytes:
    """One literal and many hits of it, all in the mixed content of an Object."""
    known = codec._set("xmldsig").grammars
    sink = BitWriter()
    sink.bits(0x80, 8)
    roots = [d.name for d in known.document]
    sink.bits(roots.index("Object"), len(roots).bit_length())
    state = g.state_of(known.type_grammar(known.globals[XMLDSIG, "Object"].type).start)
    for number in range(count):
        code = next(i for i, e in enumerate(state.events) if e.kind == g.CH_MIXED)
        sink.bits(code, state.width)
        sink.unsigned(0 if number else len(text) + 2)
        if not number:
            sink.characters(text)
        following = state.events[code].next
        assert following is not None
        state = g.state_of(following)
    sink.bits(next(i for i, e in enumerate(state.events) if e.kind == g.EE), state.width)
    return sink.getvalue()


def lengths(after: str) -> bytes:
    """A stream that announces some 34 thousand million characters, and more after that."""
    return bytes.fromhex(after) + b"\xff\xff\xff\xff\x7f" * 12_000


HOSTILE: dict[str, Callable[[], tuple[str, bytes]]] = {
    "announced lengths": lambda: ("iso2", lengths("80980040")),
    "an integer without end": lambda: ("xmldsig", lengths("80")),
    "foreign elements": lambda: ("xmldsig", xmldsig("Object", [FOREIGN] * MANY)),
    "small elements": lambda: ("xmldsig", xmldsig("X509Data", [Node(XMLDSIG, "X509SKI")] * MANY)),
    "small records": lambda: (
        "xmldsig",
        xmldsig("Transforms", [Node(XMLDSIG, "Transform", {("", "Algorithm"): ""})] * MANY),
    ),
    "texts": lambda: ("xmldsig", xmldsig("KeyInfo", [Node(XMLDSIG, "KeyName", {}, ["ab"])] * MANY)),
    "nesting": lambda: ("xmldsig", nested(5000)),
    "string table hits": lambda: ("xmldsig", hits(1500, "\U0001f600" * 1300)),
    "hits of short strings": lambda: ("xmldsig", hits(60_000, "abcdefghij" * 3)),
    "more hits than allowed": lambda: ("xmldsig", hits(3000, "x" * 5000)),
    "zeros": lambda: ("iso20-common", b"\x80" + bytes(65_000)),
    "ones": lambda: ("din", b"\x80" + b"\xff" * 65_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_stays_below_what_is_stated(name: str) -> None:
    schema, data = HOSTILE[name]()
    # What a set keeps for all streams (its grammars) is made before.
    with contextlib.suppress(codec.DecodeError):
        codec.decode(schema, data[:40])
    tracemalloc.start()
    try:
        with contextlib.suppress(codec.DecodeError):
            codec.decode(schema, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < codec.MEMORY_BYTES + codec.MEMORY_FACTOR * len(data)


def test_limits_are_told() -> None:
    with pytest.raises(codec.DecodeError, match="at most 64 nested elements"):
        codec.decode("xmldsig", nested(100))
    with pytest.raises(codec.DecodeError, match="at most 2000000 characters from the string table"):
        codec.decode("xmldsig", hits(3000, "x" * 5000))
    with pytest.raises(codec.DecodeError, match=r"at most \d+ events"):
        codec.decode("xmldsig", hits(210_000, "a"))


def test_many_pieces_of_text_are_one() -> None:
    read = codec.decode("xmldsig", hits(5000, "ab"))
    assert read.content == ["ab" * 5000]
