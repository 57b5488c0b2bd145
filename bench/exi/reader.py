"""Reads any stream of a message set into Nodes: every event, declared or not (EXI 1.0, clauses 6 and 8).

This is the exact and tolerant way in. Streams of valid messages take the compiled way (compiler.py) instead.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from bench.exi import grammar as g
from bench.exi.bits import BitReader, Malformed
from bench.exi.errors import DecodeError
from bench.exi.finding import Finding
from bench.exi.leaves import ODD, STRING, Leaf, leaf_of
from bench.exi.node import Node
from bench.exi.tables import StringTables
from bench.exi.values import Binary, Boolean, Enumeration, Integer, Simple, String
from bench.exi.words import allowed

MAX_DEPTH = 64
"""Deepest nesting accepted; the deepest valid V2G message has about ten levels."""
MAX_EVENTS = 4_000
"""Most events accepted in a stream, and five more for every eight bytes of it. Values and small records (see
leaves.py) count as one. A full SalesTariff of 1,024 entries, the densest there is, has 0.6 a byte."""


MAX_FINDINGS = 100
"""Most tolerances noted of one stream."""


MAX_NAME = 80
"""Longest name of an element shown in a path; the longest in the schemas has 54 letters."""


def joined(children: list[Any]) -> list[Any]:
    """The children with neighbouring texts in one."""
    made: list[Any] = []
    texts: list[str] = []
    for child in children:
        if child.__class__ is str:
            texts.append(child)
            continue
        if texts:
            made.append("".join(texts))
            texts.clear()
        made.append(child)
    return [*made, "".join(texts)] if texts else made


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
    """Reads one stream. ``path`` is where it is, for errors; ``filled_at`` path and
    bit where the first large array was full.

    Children that are read in one step are :class:`Leaf` in the Nodes; the Converter knows them. With
    ``productions``, a list, every event code is read by itself and noted in it.
    """

    def __init__(
        self, grammars: g.Grammars, data: bytes, position: int, productions: list[Production] | None = None
    ) -> None:
        self.grammars, self.source = grammars, BitReader(data, position)
        self.tables = StringTables(grammars, self.string_table_hit)
        self.path: list[str] = []
        self.builtins: dict[g.QName, BuiltIn] = {}
        self.events, self.most_events = 0, MAX_EVENTS + len(data) * 5 // 8
        self.filled_at: tuple[str, int] | None = None
        self.findings: list[Finding] = []
        self.odd_at: tuple[str, int] | None = None
        """Path and bit of the first event that the schema does not declare, or number out of its bounds."""
        self.productions = productions

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

    def odd(self, bit: int) -> None:
        """Notes what the schema does not allow, the first time."""
        if self.odd_at is None:
            self.odd_at = self.where(), bit

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
                root = roots[code]
                node = self.element(root.uri, root.name, self.grammars.type_grammar(root.type))
            else:
                self.odd(start)
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

    def child(self, decl: g.ElementDecl) -> Node | Leaf:
        """A declared element whose start was read: in one step where that goes."""
        if self.productions is None:
            read = decl.leaf
            if read is None:
                read = decl.leaf = leaf_of(self.grammars, decl) or False
            if read is STRING:
                return self.string(decl)
            if read:
                source = self.source
                start = source.position
                try:
                    return Leaf(decl, read(source))
                except ODD:
                    source.position = start
        grammar = decl.grammar
        if grammar is None:
            grammar = decl.grammar = self.grammars.type_grammar(decl.type)
        return self.element(decl.uri, decl.name, grammar)

    def string(self, decl: g.ElementDecl) -> Node | Leaf:
        """An element of a string type. What has entered the string tables is not read again."""
        source = self.source
        start = source.position
        if start >= source.end or source.bits(1):
            source.position = start
            return self.element(decl.uri, decl.name, self.grammars.type_grammar(decl.type))
        self.path.append(decl.name)
        value = self.tables.read_string(source, decl.qname)
        start = source.position
        if not source.bits(1):
            self.path.pop()
            return Leaf(decl, value)
        source.position = start
        node = Node(decl.uri, decl.name, {}, [value] if value else [])
        grammar = self.grammars.type_grammar(decl.type)
        after = g.state_of(grammar.start).events[0].next
        assert after is not None
        self.content(node, grammar, g.state_of(after))
        self.path.pop()
        node.children = joined(node.children)
        return node

    def wildcard(self) -> Node:
        """An element of any name."""
        uri, name = self.tables.read_qname(self.source)
        return self.element(uri, name, self.global_grammar((uri, name)))

    def global_grammar(self, qname: g.QName) -> g.TypeGrammar | None:
        """The grammar of a global element."""
        decl = self.grammars.globals.get(qname)
        return None if decl is None else self.grammars.type_grammar(decl.type)

    def element(self, uri: str, name: str, grammar: g.TypeGrammar | None) -> Node:
        """An element whose start was read; without a grammar it has the built-in one."""
        if len(self.path) >= MAX_DEPTH:
            raise self.fail(f"at most {MAX_DEPTH} nested elements")
        self.path.append(name)
        node = Node(uri, name)
        if grammar is None:
            self.built_in(node)
        else:
            self.content(node, grammar, grammar.start.state or g.state_of(grammar.start))
        self.path.pop()
        if len(node.children) > 1 and any(child.__class__ is str for child in node.children):
            node.children = joined(node.children)
        return node

    def too_many(self) -> DecodeError:
        """The error for a stream that never ends."""
        return self.fail(f"at most {self.most_events} events")

    def content(self, node: Node, grammar: g.TypeGrammar, state: g.State) -> None:
        """The rest of an element of a known type, to its end."""
        source, owner = self.source, (node.uri, node.name)
        children: list[Any] = node.children
        while True:
            self.events += 1
            if self.events > self.most_events:
                raise self.too_many()
            start = source.position
            code = source.bits(state.width)
            if self.productions is not None:
                self.produced(start, state.width, state.size + 1)
            if code < state.size:
                event = state.events[code]
                kind = event.kind
                if kind == g.SE:
                    children.append(self.child(event.data))
                    if event.fills and self.filled_at is None:
                        self.filled_at = self.where(), source.position
                elif kind == g.EE:
                    return
                elif kind == g.CH:
                    value = read_simple(source, event.data, self.tables, owner)
                    if isinstance(event.data, Integer) and event.data.problem(int(value)):
                        self.odd(start)
                    self.add_text(node, value)
                elif kind == g.CH_MIXED:
                    self.add_text(node, self.tables.read_string(source, owner))
                elif kind == g.AT:
                    uri, name, simple = event.data
                    value = read_simple(source, simple, self.tables, (uri, name))
                    if isinstance(simple, Integer) and simple.problem(int(value)):
                        self.odd(start)
                    self.add_attribute(node, (uri, name), value)
                elif kind == g.AT_ANY:
                    qname = self.tables.read_qname(source)
                    if qname[0] == g.XSI and qname[1] in ("type", "nil"):
                        raise self.fail("xsi:type and xsi:nil as events of their own")
                    self.add_attribute(node, qname, self.tables.read_string(source, qname))
                else:
                    children.append(self.wildcard())
                assert event.next is not None
                state = event.next.state or g.state_of(event.next)
                continue
            if code > state.size:
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
        if kind == "EE":
            typed = next((e.data for e in state.events if e.kind == g.CH), None)
            if node.children or typed is None:
                self.odd(start - state.width)
                return None
            text = "an empty value is an end of element"
            self.find("empty-as-end", text, start - state.width, breach=False)
            if not isinstance(typed, String | Binary):
                self.odd(start - state.width)
            return None
        self.odd(start - state.width)
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
            self.events += 1
            if self.events > self.most_events:
                raise self.too_many()
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
                        grammar = self.grammars.type_grammar(target)
                        self.content(node, grammar, g.state_of(grammar.start))
                        return
                elif data == (g.XSI, "nil"):
                    self.add_attribute(node, data, "true" if source.bits(1) else "false")
                else:
                    self.add_attribute(node, data, self.tables.read_string(source, data))
            elif kind == g.SE:
                if data is None:
                    data = self.tables.read_qname(source)
                    learned.learn(inner, kind, data)
                node.children.append(self.element(data[0], data[1], self.global_grammar(data)))
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


@cache
def _second_level(has_end: bool, kind: int) -> list[str]:
    events = [] if has_end else ["EE"]
    if kind == g.FIRST:
        events += ["TYPE", "NIL"]
    if kind != g.INNER:
        events += ["AT", "AT_UNTYPED"]
    return [*events, "SE", "CH"]


def second_level(state: g.State) -> list[str]:
    """The undeclared events of a state in code order (8.5.4.4.1)."""
    return _second_level(state.has_end, state.kind)
