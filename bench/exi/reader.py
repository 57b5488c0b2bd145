"""Reads any stream of a message set into Nodes: every event, declared or not (EXI 1.0, clauses 6 and 8).

This is the exact and tolerant way in. Streams of valid messages take the compiled way (compiler.py) instead.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from bench.exi import grammar as g
from bench.exi.bits import BitReader, Malformed
from bench.exi.errors import DecodeError
from bench.exi.finding import Finding
from bench.exi.node import Node
from bench.exi.tables import StringTables
from bench.exi.values import STRING, Binary, Boolean, Enumeration, Integer, Simple
from bench.exi.words import allowed

MAX_DEPTH = 64
"""Deepest nesting accepted; the deepest valid V2G message has about ten levels."""
MAX_EVENTS = 200_000
"""Most events accepted in one stream: zero-width events could otherwise repeat without end."""


MAX_FINDINGS = 100
"""Most tolerances noted of one stream."""


MAX_NAME = 80
"""Longest name of an element shown in a path; the longest in the schemas has 54 letters."""


def joined(children: list[Node | str]) -> list[Node | str]:
    """The children with neighbouring texts in one."""
    made: list[Node | str] = []
    for texts, group in itertools.groupby(children, key=lambda child: isinstance(child, str)):
        found = list(group)
        made += ["".join(map(str, found))] if texts else found
    return made


class Production(NamedTuple):
    """An event code in the element at ``path``: ``known`` of the values of ``width`` bits mean something."""

    path: str
    bit: int
    width: int
    known: int


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
        start = source.position
        index = source.bits(simple.bits)
        if index >= len(simple.values):
            source.position = start
            raise Malformed(f"an index below {len(simple.values)} of {simple.name}, not {index}")
        return str(simple.values[index])
    if isinstance(simple, Binary):
        return simple.format(source.octets(source.unsigned()))
    return tables.read_string(source, owner)


class Reader:
    """Reads one stream. ``path`` is where it is, for errors; ``widest`` the most children an element had."""

    def __init__(self, grammars: g.Grammars, data: bytes, position: int) -> None:
        self.grammars, self.source = grammars, BitReader(data, position)
        self.tables = StringTables(grammars, self.string_table_hit)
        self.path: list[str] = []
        self.builtins: dict[g.QName, BuiltIn] = {}
        self.events = self.widest = 0
        self.findings: list[Finding] = []
        self.undeclared_at: tuple[str, int] | None = None
        """Path and bit of the first event that the schema does not declare."""
        self.productions: list[Production] | None = None
        """Give it a list to have every event code noted in it."""

    def fail(self, expected: str) -> DecodeError:
        """The error for here and now."""
        return DecodeError(self.grammars.set.name, self.where(), self.source.position, expected)

    def where(self) -> str:
        """The path of this element; names that the stream brought along may be of any length."""
        return "/".join(n if len(n) <= MAX_NAME else f"{n[: MAX_NAME - 3]}..." for n in self.path)

    def find(self, name: str, text: str, bit: int, *, breach: bool = True) -> None:
        """Notes a tolerance, at this element."""
        if len(self.findings) < MAX_FINDINGS:
            schema, path = self.grammars.set.name, self.where()
            self.findings.append(Finding(text, name, schema, path, bit, breach=breach))

    def string_table_hit(self) -> None:
        """Called by the string tables."""
        self.find("string-table-hit", "a value is a string table hit", self.source.position, breach=False)

    def produced(self, bit: int, width: int, known: int) -> None:
        """Notes an event code, if asked to."""
        if self.productions is not None:
            self.productions.append(Production(self.where(), bit, width, known))

    def read(self, fragment: bool) -> Node:
        """The root element of a document or the one element of a fragment."""
        try:
            roots = self.grammars.fragment if fragment else self.grammars.document
            # A fragment's SE(*) and ED come after the declared elements, a document's SE(*) only.
            count = len(roots) + (2 if fragment else 1)
            start, width = self.source.position, (count - 1).bit_length()
            code = self.source.bits(width)
            self.produced(start, width, len(roots) + 1)
            if code > len(roots):
                self.source.position = start
                raise self.fail(f"a root element; code {code} is none of the {len(roots)}")
            if code < len(roots):
                node = self.element(roots[code].uri, roots[code].name, roots[code].type)
            else:
                node = self.wildcard()
            if fragment:
                start = self.source.position
                code = self.source.bits(width)
                if code < count - 1:
                    self.source.position = start
                    raise self.fail("the end of the fragment")
                # Beyond the last event there is nothing else to mean, and EXIficient takes it for the end.
                if code >= count:
                    text = f"the fragment ends with code {code} instead of {count - 1}"
                    self.find("fragment-end", text, start)
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
            self.content(node, self.grammars.type_grammar(kind))
        self.path.pop()
        if len(node.children) > 1:
            node.children = joined(node.children)
        return node

    def count(self) -> None:
        """Guards against streams that never end."""
        self.events += 1
        if self.events > MAX_EVENTS:
            raise self.fail(f"at most {MAX_EVENTS} events")

    def content(self, node: Node, grammar: g.TypeGrammar) -> None:
        """The rest of an element of a known type, to its end."""
        source, owner = self.source, (node.uri, node.name)
        state = g.state_of(grammar.start)
        while True:
            self.count()
            start = source.position
            code = source.bits(state.width)
            self.produced(start, state.width, len(state.events) + 1)
            if code < len(state.events):
                event = state.events[code]
                kind = event.kind
                if kind == g.EE:
                    return
                if kind == g.SE:
                    node.children.append(self.element(event.data.uri, event.data.name, event.data.type))
                    self.widest = max(self.widest, len(node.children))
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
                source.position = start
                raise self.fail(f"{allowed(state.events)}; event code {code} means nothing here")
            following = self.undeclared(node, state, grammar)
            if following is None:
                return
            state, grammar = following

    def undeclared(
        self, node: Node, state: g.State, grammar: g.TypeGrammar
    ) -> tuple[g.State, g.TypeGrammar] | None:
        """A second-level event; returns state and type after it, or None at the element's end."""
        source, owner = self.source, (node.uri, node.name)
        events = second_level(state)
        start = source.position
        code = source.bits((len(events) - 1).bit_length())
        if code >= len(events):
            source.position = start
            raise self.fail(f"{allowed(state.events)}; second event code {code} means nothing here")
        kind = events[code]
        if kind == "EE" and not node.children and any(e.kind == g.CH for e in state.events):
            text = "an empty value is an end of element"
            self.find("empty-as-end", text, start - state.width, breach=False)
            return None
        self.undeclared_at = self.undeclared_at or (self.where(), start - state.width)
        if kind == "EE":
            return None
        after = g.state_of(state.content) if state.kind != g.INNER and state.content is not None else state
        if kind == "TYPE":
            qname = self.tables.read_qname(source)
            self.add_attribute(node, (g.XSI, "type"), f"{{{qname[0]}}}{qname[1]}")
            target = self.grammars.types.get(qname)
            if target is None:
                return state, grammar
            grammar = self.grammars.type_grammar(target)
            return g.state_of(grammar.start), grammar
        if kind == "NIL":
            value = source.bits(1)
            self.add_attribute(node, (g.XSI, "nil"), "true" if value else "false")
            return g.state_of(grammar.empty) if value else state, grammar
        if kind == "AT":
            qname = self.tables.read_qname(source)
            self.add_attribute(node, qname, self.tables.read_string(source, qname))
            return state, grammar
        if kind == "AT_UNTYPED":
            index = source.bits(len(state.attributes).bit_length())
            if index < len(state.attributes):
                uri, name, _ = state.attributes[index].data
                self.add_attribute(node, (uri, name), self.tables.read_string(source, (uri, name)))
                following = state.attributes[index].next
                assert following is not None
                return g.state_of(following), grammar
            if index > len(state.attributes):
                raise self.fail("an attribute")
            qname = self.tables.read_qname(source)
            self.add_attribute(node, qname, self.tables.read_string(source, qname))
            return state, grammar
        if kind == "SE":
            node.children.append(self.wildcard())
            return after, grammar
        self.add_text(node, self.tables.read_string(source, owner))
        return after, grammar

    def add_text(self, node: Node, value: str) -> None:
        """Text joins text before it, at the end of the element: a stream may hold it in many pieces."""
        if value:
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
                        self.content(node, self.grammars.type_grammar(target))
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
