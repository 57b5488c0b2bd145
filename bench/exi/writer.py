"""Writes Nodes as EXI, as a non-strict encoder does: what the schema does not allow goes out as undeclared
events."""

from __future__ import annotations

from typing import Any

from bench.exi import grammar as g
from bench.exi.bits import BitWriter
from bench.exi.errors import ValidationError
from bench.exi.node import Node
from bench.exi.reader import BUILT_IN_START, MAX_DEPTH, second_level
from bench.exi.tables import StringTables
from bench.exi.values import Binary, Boolean, Enumeration, Integer, Simple
from bench.exi.words import allowed


def write_simple(sink: BitWriter, simple: Simple, text: str, *, strict: bool = False) -> bool:
    """Writes a typed value; False, and nothing written, when ``text`` is not one.

    Unless ``strict``, an integer out of bounds is written too where a varint carries it, as non-strict
    encoders do.
    """
    try:
        value = simple.parse(text) if strict else simple.parse_any(text)
    except ValueError:
        return False
    if isinstance(simple, Boolean):
        sink.bits(int(value), 1)
    elif isinstance(simple, Integer):
        if simple.bits is not None:
            sink.bits(value - (simple.low or 0), simple.bits)
        elif simple.signed:
            sink.signed(value)
        else:
            sink.unsigned(value)
    elif isinstance(simple, Enumeration):
        sink.bits(simple.values.index(value), simple.bits)
    elif isinstance(simple, Binary):
        sink.unsigned(len(value))
        sink.octets(value)
    else:
        write_string(sink, value)
    return True


def write_string(sink: BitWriter, text: str) -> None:
    """A string literal: length plus two, code points."""
    sink.unsigned(len(text) + 2)
    sink.characters(text)


class Writer:
    """Writes one stream.

    ``empty_as_end`` writes an empty value as EXIficient does, an undeclared EE without characters; otherwise
    it is a
    value of length zero, which every known decoder accepts. ``strict`` raises ValidationError where the
    schema leaves
    no event for what there is to write.
    """

    def __init__(self, grammars: g.Grammars, *, empty_as_end: bool = False, strict: bool = False) -> None:
        self.strict = strict
        self.grammars, self.sink, self.empty_as_end = grammars, BitWriter(), empty_as_end
        self.tables = StringTables(grammars)
        self.learned: set[g.QName] = set()
        self.path: list[str] = []

    def write(self, root: Node, fragment: bool) -> bytes:
        """Header, root element, end."""
        self.sink.bits(0x80, 8)
        roots = self.grammars.fragment if fragment else self.grammars.document
        count = len(roots) + (2 if fragment else 1)
        width = (count - 1).bit_length()
        for code, decl in enumerate(roots):
            if (decl.uri, decl.name) == (root.uri, root.name):
                self.sink.bits(code, width)
                self.element(root, decl.type)
                break
        else:
            if self.strict:
                raise ValidationError(root.name, f"no element of {self.grammars.set.name} has this name")
            self.sink.bits(len(roots), width)
            self.wildcard(root)
        if fragment:
            self.sink.bits(count - 1, width)
        return self.sink.getvalue()

    def wildcard(self, node: Node) -> None:
        """An element by name, after SE(*)."""
        self.tables.write_qname(self.sink, node.uri, node.name)
        decl = self.grammars.globals.get((node.uri, node.name))
        self.element(node, decl.type if decl is not None else None)

    def element(self, node: Node, kind: Any) -> None:
        """Attributes, content and end of an element."""
        if len(self.path) >= MAX_DEPTH:
            raise ValidationError("/".join(self.path), f"nested deeper than {MAX_DEPTH}")
        self.path.append(node.name)
        if kind is None:
            self.built_in(node)
        else:
            self.declared(
                node, g.state_of(self.grammars.type_grammar(kind).start), kind, dict(node.attributes)
            )
        self.path.pop()

    def declared(self, node: Node, state: g.State, kind: Any, attributes: dict[g.QName, str]) -> None:
        """The rest of an element of a known type."""
        sink = self.sink
        target = attributes.pop((g.XSI, "type"), None)
        if target is not None:
            qname = split_qname(target)
            self.escape(state, "TYPE")
            self.tables.write_qname(sink, *qname)
            kind = self.grammars.types.get(qname, kind)
            state = g.state_of(self.grammars.type_grammar(kind).start)
        nil = attributes.pop((g.XSI, "nil"), None)
        if nil is not None:
            self.escape(state, "NIL")
            sink.bits(int(nil in ("true", "1")), 1)
            if nil in ("true", "1"):
                state = g.state_of(self.grammars.type_grammar(kind).empty)
        for qname, text in sorted(attributes.items(), key=lambda item: (item[0][1], item[0][0])):
            state = self.attribute(state, qname, text)
        children = list(node.children)
        if not children and not self.empty_as_end:
            state = self.empty_value(state)
        for child in children:
            state = self.child(node, state, child)
        for code, event in enumerate(state.events):
            if event.kind == g.EE:
                sink.bits(code, state.width)
                return
        self.escape(state, "EE")

    def empty_value(self, state: g.State) -> g.State:
        """An element of simple type without text holds the empty value, if its type has one."""
        for code, event in enumerate(state.events):
            if event.kind == g.CH and not isinstance(event.data, Boolean | Integer | Enumeration):
                self.sink.bits(code, state.width)
                write_simple(self.sink, event.data, "")
                assert event.next is not None
                return g.state_of(event.next)
        return state

    def escape(self, state: g.State, event: str, named: str = "") -> None:
        """The code of an undeclared event; ``named`` is what an error adds to it."""
        if self.strict and not (event == "EE" and self.empty_as_end):
            what = f"{_WORDS[event]}{named}"
            raise ValidationError(
                "/".join(self.path), f"{what} is not allowed here; expected {allowed(state.events)}"
            )
        self.sink.bits(len(state.events), state.width)
        events = second_level(state)
        if event not in events:
            raise ValidationError("/".join(self.path), f"no event for {event} here")
        self.sink.bits(events.index(event), (len(events) - 1).bit_length())

    def attribute(self, state: g.State, qname: g.QName, text: str) -> g.State:
        """An attribute, declared or not; returns the state after it."""
        for code, event in enumerate(state.events):
            if event.kind == g.AT and event.data[:2] == qname:
                probe = BitWriter()
                assert event.next is not None
                if write_simple(probe, event.data[2], text, strict=self.strict):
                    self.sink.bits(code, state.width)
                    write_simple(self.sink, event.data[2], text)
                else:
                    self.escape(state, "AT_UNTYPED", f" {text[:40]!r}")
                    index = state.attributes.index(event)
                    self.sink.bits(index, len(state.attributes).bit_length())
                    write_string(self.sink, text)
                return g.state_of(event.next)
        for code, event in enumerate(state.events):
            if event.kind == g.AT_ANY:
                self.sink.bits(code, state.width)
                break
        else:
            self.escape(state, "AT", f" {qname[1]}")
        self.tables.write_qname(self.sink, *qname)
        write_string(self.sink, text)
        return state

    def child(self, node: Node, state: g.State, child: Node | str) -> g.State:
        """One child; returns the state after it."""
        after = g.state_of(state.content) if state.kind != g.INNER and state.content is not None else state
        if isinstance(child, str):
            return self.text(state, child, after)
        for code, event in enumerate(state.events):
            if event.kind == g.SE and (event.data.uri, event.data.name) == (child.uri, child.name):
                self.sink.bits(code, state.width)
                self.element(child, event.data.type)
                assert event.next is not None
                return g.state_of(event.next)
        for code, event in enumerate(state.events):
            if event.kind == g.SE_ANY:
                self.sink.bits(code, state.width)
                self.wildcard(child)
                assert event.next is not None
                return g.state_of(event.next)
        self.escape(state, "SE", f" {child.name}")
        self.wildcard(child)
        return after

    def text(self, state: g.State, text: str, after: g.State) -> g.State:
        """Characters, typed where the schema says so and the text allows it."""
        if not text and self.empty_as_end:
            return state
        for code, event in enumerate(state.events):
            if event.kind in (g.CH, g.CH_MIXED):
                assert event.next is not None
                probe = BitWriter()
                if event.kind == g.CH_MIXED or write_simple(probe, event.data, text, strict=self.strict):
                    self.sink.bits(code, state.width)
                    write_simple(self.sink, event.data, text)
                    return g.state_of(event.next)
        if not text:
            return state
        self.escape(state, "CH", f" {text[:40]!r}")
        write_string(self.sink, text)
        return after

    def built_in(self, node: Node) -> None:
        """An undeclared element: it is given xsi:type, by default anyType, and continues with that type's
        grammar."""
        attributes = dict(node.attributes)
        target = split_qname(attributes.pop((g.XSI, "type"), f"{{{g.XSD}}}anyType"))
        kind = self.grammars.types.get(target)
        if kind is None:
            raise ValidationError("/".join(self.path), f"xsi:type {target[1]} is not a type of the schema")
        # The grammar learns xsi:type the first time, which adds a code; EXIficient still sends the generic
        # event.
        qname = (node.uri, node.name)
        self.sink.bits(int(qname in self.learned), int(qname in self.learned))
        self.learned.add(qname)
        self.sink.bits(BUILT_IN_START.index(g.AT), (len(BUILT_IN_START) - 1).bit_length())
        self.tables.write_qname(self.sink, g.XSI, "type")
        self.tables.write_qname(self.sink, *target)
        self.declared(node, g.state_of(self.grammars.type_grammar(kind).start), kind, attributes)


_WORDS = {
    "EE": "the end of the element",
    "TYPE": "xsi:type",
    "NIL": "xsi:nil",
    "AT": "attribute",
    "AT_UNTYPED": "the attribute value",
    "SE": "element",
    "CH": "text",
}


def split_qname(text: str) -> g.QName:
    """("uri", "name") of "{uri}name"."""
    uri, _, name = text[1:].rpartition("}") if text.startswith("{") else ("", "", text)
    return uri, name


__all__ = ["Writer", "split_qname", "write_simple", "write_string"]
