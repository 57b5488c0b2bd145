"""Reads any stream of a message set into Nodes: every event, declared or not (EXI 1.0, clauses 6 and 8).

This is the exact and tolerant way in. Streams of valid messages take the compiled way (compiler.py) instead.
"""

from __future__ import annotations

from typing import Any

from bench.exi import grammar as g
from bench.exi.bits import BitReader, Malformed
from bench.exi.errors import DecodeError
from bench.exi.node import Node
from bench.exi.tables import StringTables
from bench.exi.values import STRING, Binary, Boolean, Enumeration, Integer, Simple

MAX_DEPTH = 64
"""Deepest nesting accepted; the deepest valid V2G message has about ten levels."""
MAX_EVENTS = 200_000
"""Most events accepted in one stream: zero-width events could otherwise repeat without end."""


class BuiltIn:
    """The grammar an undeclared element has until xsi:type tells otherwise (8.4.3); it learns what it
    meets."""

    def __init__(self) -> None:
        self.start: list[tuple[int, Any]] = []
        self.inner: list[tuple[int, Any]] = [(g.EE, None)]

    def learn(self, inner: bool, kind: int, data: Any) -> None:
        """Puts a production in front of those known, unless it is known already."""
        known = self.inner if inner else self.start
        if (kind, data) not in known:
            known.insert(0, (kind, data))


def read_simple(source: BitReader, simple: Simple, tables: StringTables, owner: g.QName) -> str:
    """The XML text of a typed value."""
    if isinstance(simple, Boolean):
        return "true" if source.bits(1) else "false"
    if isinstance(simple, Integer):
        if simple.bits is not None:
            low = simple.low or 0
            value = source.bits(simple.bits) + low
        else:
            value = source.signed() if simple.signed else source.unsigned()
        if value.bit_length() > 12_000:
            raise Malformed("an integer of sensible size")
        return str(value)
    if isinstance(simple, Enumeration):
        index = source.bits(simple.bits)
        if index >= len(simple.values):
            raise Malformed(f"an index below {len(simple.values)} of {simple.name}")
        return str(simple.values[index])
    if isinstance(simple, Binary):
        return simple.format(source.octets(source.unsigned()))
    return tables.read_string(source, owner)


class Reader:
    """Reads one stream. ``path`` is where it is, for errors."""

    def __init__(self, grammars: g.Grammars, data: bytes, position: int) -> None:
        self.grammars, self.source = grammars, BitReader(data, position)
        self.tables = StringTables(grammars)
        self.path: list[str] = []
        self.builtins: dict[g.QName, BuiltIn] = {}
        self.events = 0
        self.findings: list[str] = []

    def fail(self, expected: str) -> DecodeError:
        """The error for here and now."""
        return DecodeError(self.grammars.set.name, "/".join(self.path), self.source.position, expected)

    def read(self, fragment: bool) -> Node:
        """The root element of a document or the one element of a fragment."""
        try:
            roots = self.grammars.fragment if fragment else self.grammars.document
            # A fragment's SE(*) and ED come after the declared elements, a document's SE(*) only.
            count = len(roots) + (2 if fragment else 1)
            code = self.source.bits((count - 1).bit_length())
            if code > len(roots):
                raise self.fail("a root element")
            if code < len(roots):
                node = self.element(roots[code].uri, roots[code].name, roots[code].type)
            else:
                node = self.wildcard()
            if fragment:
                width = (count - 1).bit_length()
                code = self.source.bits(width)
                if code < count - 1:
                    raise self.fail("the end of the fragment")
                # Beyond the last event there is nothing else to mean, and EXIficient takes it for the end.
                if code >= count:
                    self.findings.append(f"the fragment ends with code {code} instead of {count - 1}")
            return node
        except Malformed as exc:
            raise self.fail(str(exc.args[0])) from exc

    def wildcard(self) -> Node:
        """An element of any name."""
        uri, name = self.tables.read_qname(self.source)
        decl = self.grammars.globals.get((uri, name))
        return self.element(uri, name, decl.type if decl is not None else None)

    def element(self, uri: str, name: str, kind: Any) -> Node:
        """An element whose start was read; ``kind`` None has the built-in grammar."""
        if len(self.path) >= MAX_DEPTH:
            raise self.fail(f"at most {MAX_DEPTH} nested elements")
        self.path.append(name)
        node = Node(uri, name)
        if kind is None:
            self.built_in(node)
        else:
            self.content(node, g.state_of(self.grammars.type_grammar(kind).start))
        self.path.pop()
        return node

    def count(self) -> None:
        """Guards against streams that never end."""
        self.events += 1
        if self.events > MAX_EVENTS:
            raise self.fail(f"at most {MAX_EVENTS} events")

    def content(self, node: Node, state: g.State) -> None:
        """The rest of an element from ``state`` to its end."""
        source, owner = self.source, (node.uri, node.name)
        while True:
            self.count()
            code = source.bits(state.width)
            if code < len(state.events):
                event = state.events[code]
                kind = event.kind
                if kind == g.EE:
                    return
                if kind == g.SE:
                    node.children.append(self.element(event.data.uri, event.data.name, event.data.type))
                elif kind == g.CH:
                    self.add_text(node, read_simple(source, event.data, self.tables, owner))
                elif kind == g.CH_MIXED:
                    self.add_text(node, self.tables.read_string(source, owner))
                elif kind == g.AT:
                    uri, name, simple = event.data
                    value = read_simple(source, simple, self.tables, (uri, name))
                    self.add_attribute(node, (uri, name), value)
                elif kind == g.AT_ANY:
                    qname = self.tables.read_qname(source)
                    if qname[0] == g.XSI and qname[1] in ("type", "nil"):
                        raise self.fail("xsi:type and xsi:nil as events of their own")
                    self.add_attribute(node, qname, self.tables.read_string(source, qname))
                else:
                    node.children.append(self.wildcard())
                assert event.next is not None
                state = g.state_of(event.next)
                continue
            if code > len(state.events):
                raise self.fail(f"an event code of at most {len(state.events)}")
            following = self.undeclared(node, state)
            if following is None:
                return
            state = following

    def undeclared(self, node: Node, state: g.State) -> g.State | None:
        """A second-level event; returns the state after it, or None at the element's end."""
        source, owner = self.source, (node.uri, node.name)
        events = second_level(state)
        code = source.bits((len(events) - 1).bit_length())
        if code >= len(events):
            raise self.fail("an undeclared event")
        kind = events[code]
        if kind == "EE":
            return None
        after = g.state_of(state.content) if state.kind != g.INNER and state.content is not None else state
        if kind == "TYPE":
            qname = self.tables.read_qname(source)
            self.add_attribute(node, (g.XSI, "type"), f"{{{qname[0]}}}{qname[1]}")
            target = self.grammars.types.get(qname)
            return state if target is None else g.state_of(self.grammars.type_grammar(target).start)
        if kind == "NIL":
            value = source.bits(1)
            self.add_attribute(node, (g.XSI, "nil"), "true" if value else "false")
            return g.state_of(self.empty_of(node)) if value else state
        if kind == "AT":
            qname = self.tables.read_qname(source)
            self.add_attribute(node, qname, self.tables.read_string(source, qname))
            return state
        if kind == "AT_UNTYPED":
            index = source.bits(len(state.attributes).bit_length())
            if index < len(state.attributes):
                uri, name, _ = state.attributes[index].data
                self.add_attribute(node, (uri, name), self.tables.read_string(source, (uri, name)))
                following = state.attributes[index].next
                assert following is not None
                return g.state_of(following)
            if index > len(state.attributes):
                raise self.fail("an attribute")
            qname = self.tables.read_qname(source)
            self.add_attribute(node, qname, self.tables.read_string(source, qname))
            return state
        if kind == "SE":
            node.children.append(self.wildcard())
            return after
        self.add_text(node, self.tables.read_string(source, owner))
        return after

    def empty_of(self, node: Node) -> Any:
        """The grammar of an element after xsi:nil="true": that of its type without content."""
        declared = self.grammars.candidates((node.uri, node.name))
        kind = declared[0].type if declared else g.ANY_TYPE
        return self.grammars.type_grammar(kind).empty

    def add_text(self, node: Node, value: str) -> None:
        """Text joins text before it."""
        if value and node.children and isinstance(node.children[-1], str):
            node.children[-1] += value
        elif value:
            node.children.append(value)

    def add_attribute(self, node: Node, qname: g.QName, value: str) -> None:
        """An attribute may come once only."""
        if qname in node.attributes:
            raise self.fail(f"attribute {qname[1]} once only")
        node.attributes[qname] = value

    def built_in(self, node: Node) -> None:
        """An element that no schema declares."""
        source, owner = self.source, (node.uri, node.name)
        learned = self.builtins.setdefault(owner, BuiltIn())
        inner = False
        while True:
            self.count()
            known = learned.inner if inner else learned.start
            code = source.bits(len(known).bit_length())
            if code > len(known):
                raise self.fail(f"an event code of at most {len(known)}")
            if code < len(known):
                kind, data = known[code]
            else:
                kind, data = self.new_event(inner)
            if kind == g.EE:
                if not inner:
                    learned.learn(inner, kind, None)
                return
            if kind == g.AT:
                if data is None:
                    data = self.tables.read_qname(source)
                    learned.learn(inner, kind, data)
                if data == (g.XSI, "type"):
                    qname = self.tables.read_qname(source)
                    # anyType is what the writer adds by itself; it says nothing about the message.
                    if qname != (g.XSD, "anyType"):
                        self.add_attribute(node, data, f"{{{qname[0]}}}{qname[1]}")
                    target = self.grammars.types.get(qname)
                    if target is not None:
                        self.content(node, g.state_of(self.grammars.type_grammar(target).start))
                        return
                elif data == (g.XSI, "nil"):
                    self.add_attribute(node, data, "true" if source.bits(1) else "false")
                else:
                    self.add_attribute(node, data, self.tables.read_string(source, data))
            elif kind == g.SE:
                if data is None:
                    data = self.tables.read_qname(source)
                    learned.learn(inner, kind, data)
                decl = self.grammars.globals.get(data)
                node.children.append(self.element(data[0], data[1], decl.type if decl is not None else None))
                inner = True
            else:
                learned.learn(inner, kind, None)
                self.add_text(node, self.tables.read_string(source, owner))
                inner = True

    def new_event(self, inner: bool) -> tuple[int, Any]:
        """A second-level event of a built-in grammar."""
        events = BUILT_IN_INNER if inner else BUILT_IN_START
        code = self.source.bits((len(events) - 1).bit_length())
        return events[code], None


BUILT_IN_START = (g.EE, g.AT, g.SE, g.CH_MIXED)
BUILT_IN_INNER = (g.SE, g.CH_MIXED)


def second_level(state: g.State) -> list[str]:
    """The undeclared events of a state in code order (8.5.4.4.1)."""
    events = [] if state.has_end else ["EE"]
    if state.kind == g.FIRST:
        events += ["TYPE", "NIL"]
    if state.kind != g.INNER:
        events += ["AT", "AT_UNTYPED"]
    return [*events, "SE", "CH"]


__all__ = ["STRING", "BuiltIn", "Reader", "read_simple", "second_level"]
