"""Schema-informed grammars of a message set, built from its declaration (EXI 1.0, clause 8.5).

A :class:`State` lists the events that may come next in the order of their codes. States are made when first
reached:
a bounded repetition unrolls to maxOccurs copies, and most of them are never visited.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from bench.exi.declare import UNBOUNDED, Child, Choice, MessageSet, RecordMeta, Sequence, Spec, Wildcard
from bench.exi.values import Simple

XML_NS = "http://www.w3.org/XML/1998/namespace"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"

XSD_TYPES = (
    "ENTITIES",
    "ENTITY",
    "ID",
    "IDREF",
    "IDREFS",
    "NCName",
    "NMTOKEN",
    "NMTOKENS",
    "NOTATION",
    "Name",
    "QName",
    "anySimpleType",
    "anyType",
    "anyURI",
    "base64Binary",
    "boolean",
    "byte",
    "date",
    "dateTime",
    "decimal",
    "double",
    "duration",
    "float",
    "gDay",
    "gMonth",
    "gMonthDay",
    "gYear",
    "gYearMonth",
    "hexBinary",
    "int",
    "integer",
    "language",
    "long",
    "negativeInteger",
    "nonNegativeInteger",
    "nonPositiveInteger",
    "normalizedString",
    "positiveInteger",
    "short",
    "string",
    "time",
    "token",
    "unsignedByte",
    "unsignedInt",
    "unsignedLong",
    "unsignedShort",
)
"""The types of XML Schema: the initial local names of its namespace."""

# Kinds of event, in the order in which the specification sorts them (8.5.4.3).
AT, AT_ANY, SE, SE_ANY, EE, CH, CH_MIXED = range(7)

LARGE_BOUND = 9
"""maxOccurs from which the EXIficient jar that Josev ships treats a bound as unbounded (seen: 16, 20, 24,
not 8)."""

# Kinds of state: which undeclared events it has on the second level (8.5.4.4.1).
FIRST, START, INNER = range(3)

QName = tuple[str, str]


class ElementDecl:
    """An element: name and type. ``type`` is a Simple, a Record class, ANY_TYPE or RELAXED."""

    __slots__ = ("grammar", "leaf", "name", "qname", "spec", "type", "uri")

    def __init__(self, uri: str, name: str, type: Any, spec: Spec | None = None) -> None:
        self.uri, self.name, self.type, self.spec = uri, name, type, spec
        self.qname: QName = (uri, name)
        self.grammar: TypeGrammar | None = None
        """The grammar of its type, once the reader has asked for it."""
        self.leaf: Any = None
        """How the reader reads it in one step, once it has been asked for (leaves.py)."""


class _Special:
    def __init__(self, name: str) -> None:
        self.name = name


ANY_TYPE = _Special("anyType")
"""The type of an element that no schema declares, once xsi:type has said so."""
RELAXED = _Special("relaxed element fragment")
"""The grammar of a fragment element whose name has several types (8.5.3)."""


class Event:
    """One production: ``data`` is the ElementDecl, the attribute's (uri, name, Simple), or the Simple of a
    CH. ``fills`` tells the last item of a large array, behind which the dialects part."""

    __slots__ = ("data", "fills", "kind", "next")

    def __init__(self, kind: int, data: Any, next: _Place | None) -> None:
        self.kind, self.data, self.next, self.fills = kind, data, next, False


class _Place:
    """A place between particles: what can follow, directly or by way of other places."""

    __slots__ = ("events", "final", "others", "phase", "state", "text", "text_next")

    def __init__(self, phase: int = INNER) -> None:
        self.events: list[tuple[tuple[Any, ...], Event]] = []
        self.others: list[_Place] = []
        self.final = False
        self.phase = phase
        self.text: Simple | None = None
        self.text_next: _Place | None = None
        self.state: State | None = None


class State:
    """The declared events of a grammar position in code order, the kind of state, and where undeclared
    content leads."""

    __slots__ = ("attributes", "content", "events", "has_end", "kind", "size", "width")

    def __init__(self, events: list[Event], kind: int, content: _Place | None) -> None:
        self.events, self.kind, self.size = events, kind, len(events)
        self.has_end = any(e.kind == EE for e in events)
        self.width = len(events).bit_length()
        self.attributes = [e for e in events if e.kind == AT]
        self.content = content


def state_of(place: _Place, mixed: bool = False) -> State:
    """The state of a place, made at first use."""
    if place.state is None:
        found: dict[int, tuple[tuple[Any, ...], Event]] = {}
        seen: set[int] = set()
        todo = [place]
        final = False
        while todo:
            here = todo.pop()
            if id(here) in seen:
                continue
            seen.add(id(here))
            todo += here.others
            final = final or here.final
            for key, event in here.events:
                found.setdefault(id(event), (key, event))
        if final:
            end = Event(EE, None, None)
            found[id(end)] = ((EE,), end)
        if place.text is not None:
            typed = Event(CH_MIXED, place.text, place.text_next or place)
            found[id(typed)] = ((CH_MIXED,), typed)
        ordered = sorted(found.values(), key=lambda pair: pair[0])
        place.state = State([event for _, event in ordered], place.phase, place.text_next)
    return place.state


class TypeGrammar:
    """The grammar of one type: ``start`` and, for xsi:nil, ``empty``."""

    def __init__(self, start: _Place, empty: _Place) -> None:
        self.start, self.empty = start, empty


class Grammars:
    """All grammars of a message set, with its names sorted as event codes and string tables need them."""

    def __init__(self, message_set: MessageSet, *, unbounded_from: int | None = None) -> None:
        message_set.collect()
        self.unbounded_from = unbounded_from
        self.set = message_set
        self.compiled: Callable[[Any], Any] | None = None
        """Class -> compiled decoder; what the reader takes for small records, if it is there."""
        self._types: dict[Any, TypeGrammar] = {}
        self._by_qname: dict[QName, list[ElementDecl]] = {}
        self.globals: dict[QName, ElementDecl] = {}
        self.attributes: set[QName] = set()
        self.members: dict[RecordMeta, list[RecordMeta]] = {}
        for cls in message_set.classes:
            if cls._element:
                self._global(ElementDecl(cls._ns, cls.__name__, cls))
                if cls._head is not None:
                    self.members.setdefault(cls._head, []).append(cls)
        for (uri, name), simple in message_set.simple.items():
            self._global(ElementDecl(uri, name, simple))
        for cls in message_set.classes:
            for spec in cls._fields.values():
                if spec.kind == "element" and (spec.uri, spec.name) not in self.globals:
                    self._note(ElementDecl(spec.uri, spec.name, spec.type, spec))
                elif spec.kind == "attribute":
                    self.attributes.add((spec.uri, spec.name))
            for child in _children(cls._content):
                if (cls._ns, child.name) not in self.globals:
                    self._note(ElementDecl(cls._ns, child.name, child.type))

    def _global(self, decl: ElementDecl) -> None:
        self.globals[decl.uri, decl.name] = decl
        self._note(decl)

    def _note(self, decl: ElementDecl) -> None:
        same = self._by_qname.setdefault((decl.uri, decl.name), [])
        if all(d.type is not decl.type and d.type != decl.type for d in same):
            same.append(decl)

    @cached_property
    def document(self) -> list[ElementDecl]:
        """Global elements in code order; SE(*) follows."""
        return [self.globals[q] for q in _sorted(self.globals)]

    @cached_property
    def fragment(self) -> list[ElementDecl]:
        """Every element in code order; SE(*) and ED follow. A name with several types gets the relaxed
        grammar."""
        return [
            same[0] if len(same) == 1 else ElementDecl(same[0].uri, same[0].name, RELAXED)
            for same in (self._by_qname[q] for q in _sorted(self._by_qname))
        ]

    def candidates(self, qname: QName) -> list[ElementDecl]:
        """The declarations of a name: more than one when its type depends on where it stands."""
        return self._by_qname.get(qname, [])

    @cached_property
    def uris(self) -> list[str]:
        """The initial URI partition of the string table (7.3.1)."""
        used = {uri for uri, _ in self.names} - {"", XML_NS, XSI, XSD}
        return ["", XML_NS, XSI, XSD, *sorted(used)]

    @cached_property
    def names(self) -> set[QName]:
        """Every name the schemas declare: elements, attributes and types."""
        found = set(self._by_qname) | self.attributes | set(self.types)
        found |= {(XML_NS, n) for n in ("base", "id", "lang", "space")}
        found |= {(XSI, "nil"), (XSI, "type")} | {(XSD, n) for n in XSD_TYPES}
        return found

    @cached_property
    def local_names(self) -> dict[str, list[str]]:
        """The initial local-name partitions by URI."""
        return {uri: sorted(n for u, n in self.names if u == uri) for uri in self.uris}

    @cached_property
    def types(self) -> dict[QName, Any]:
        """Named types, for xsi:type and for the string table."""
        found: dict[QName, Any] = dict(self.set.type_names())
        found[XSD, "anyType"] = ANY_TYPE
        return found

    def type_grammar(self, kind: Any) -> TypeGrammar:
        """The grammar of a type, made at first use."""
        if kind not in self._types:
            self._types[kind] = self._build(kind)
        return self._types[kind]

    def _build(self, kind: Any) -> TypeGrammar:
        if kind is ANY_TYPE:
            return self._any_type()
        if kind is RELAXED:
            return self._relaxed()
        if isinstance(kind, Simple):
            content = _simple_content(kind)
            return TypeGrammar(_attributes([], content, FIRST), _attributes([], _end(), FIRST))
        specs = sorted(
            (s for s in kind._fields.values() if s.kind == "attribute"), key=lambda s: (s.name, s.uri)
        )
        text = next((s for s in kind._fields.values() if s.kind == "text"), None)
        content = _simple_content(text.type) if text is not None else self._content(kind)
        return TypeGrammar(_attributes(specs, content, FIRST), _attributes(specs, _end(), FIRST))

    def _content(self, kind: RecordMeta) -> _Place:
        end = _end()
        particle = particle_of(kind)
        start = _Builder(self, kind).build(particle, end)
        if kind._mixed:
            _mark_mixed(start)
        return start

    def _any_type(self) -> TypeGrammar:
        from bench.exi.values import STRING

        inner = _Place()
        inner.final = True
        inner.text = inner_text = STRING
        inner.events.append(((SE_ANY,), Event(SE_ANY, None, inner)))
        first = _Place(FIRST)
        first.final, first.text, first.text_next = True, inner_text, inner
        first.events = [((AT_ANY,), Event(AT_ANY, None, first)), ((SE_ANY,), Event(SE_ANY, None, inner))]
        return TypeGrammar(first, _attributes([], _end(), FIRST))

    def _relaxed(self) -> TypeGrammar:
        from bench.exi.values import STRING

        inner = _Place()
        inner.final, inner.text = True, STRING
        for index, decl in enumerate(self.fragment):
            inner.events.append(((SE, index), Event(SE, decl, inner)))
        inner.events.append(((SE_ANY,), Event(SE_ANY, None, inner)))
        first = _Place(FIRST)
        first.final, first.text, first.text_next = True, STRING, inner
        first.events = list(inner.events)
        for uri, name in _sorted(self.attributes):
            first.events.append(((AT, name, uri), Event(AT, (uri, name, STRING), first)))
        first.events.append(((AT_ANY,), Event(AT_ANY, None, first)))
        return TypeGrammar(first, _attributes([], _end(), FIRST))

    def substitutes(self, head: RecordMeta) -> list[RecordMeta]:
        """An abstract head and its members, in code order."""
        return sorted([head, *self.members.get(head, [])], key=lambda c: (c.__name__, c._ns))


def _sorted(names: Any) -> list[QName]:
    return sorted(names, key=lambda q: (q[1], q[0]))


def _children(particle: Any) -> list[Child]:
    if isinstance(particle, Child):
        return [particle]
    if isinstance(particle, Sequence):
        return [c for item in particle.items for c in _children(item)]
    return []


def particle_of(kind: RecordMeta) -> Sequence:
    """The particle tree of a class: its own, or the sequence of its element fields."""
    if kind._content is not None:
        own: Sequence = kind._content
        return own
    items: list[Any] = []
    for name, spec in kind._fields.items():
        if spec.kind != "element":
            continue
        if not spec.choice:
            items.append(name)
        elif (
            items and isinstance(items[-1], Choice) and kind._fields[items[-1].items[0]].choice == spec.choice
        ):
            items[-1].items += (name,)
        else:
            items.append(Choice(name, min=0 if spec.choice_optional else 1))
    return Sequence(*items)


def _end() -> _Place:
    place = _Place()
    place.final = True
    return place


def _simple_content(simple: Simple) -> _Place:
    place = _Place()
    place.events.append(((CH,), Event(CH, simple, _end())))
    return place


def _attributes(specs: list[Spec], content: _Place, phase: int) -> _Place:
    """Attributes come first, each optional one may be skipped; undeclared content leads to a copy of
    ``content``."""
    start_tag = _Place(START)
    start_tag.others.append(content)
    start_tag.text, start_tag.text_next = content.text, content
    current = start_tag
    for spec in reversed(specs):
        place = _Place(START)
        place.events.append(((AT, spec.name, spec.uri), Event(AT, (spec.uri, spec.name, spec.type), current)))
        place.text_next = content
        if spec.optional:
            place.others.append(current)
            place.text = content.text
        current = place
    first = _Place(phase)
    first.others.append(current)
    first.text, first.text_next = current.text, content
    return first


def _mark_mixed(start: _Place) -> None:
    from bench.exi.values import STRING

    todo, seen = [start], set()
    while todo:
        place = todo.pop()
        if id(place) in seen:
            continue
        seen.add(id(place))
        place.text = STRING
        todo += place.others
        todo += [e.next for _, e in place.events if e.next is not None]


class _Builder:
    """Turns a particle tree into places, from its end to its start."""

    def __init__(self, grammars: Grammars, kind: RecordMeta) -> None:
        self.grammars, self.kind, self.order = grammars, kind, 0

    def build(self, particle: Any, after: _Place) -> _Place:
        if isinstance(particle, str):
            spec = self.kind._fields[particle]
            # In a particle tree or a choice a field stands for one occurrence: what is optional there is the
            # group.
            low = spec.min if self.kind._content is None and not spec.choice else 1
            decls = self._declarations(spec)
            return self._repeat(lambda nxt, o: _element(decls, o, nxt), low, spec.max, after)
        if isinstance(particle, Wildcard):
            return self._repeat(_wildcard, particle.min, particle.max, after)
        if isinstance(particle, Child):
            uri = self.kind._ns
            decl = self.grammars.globals.get((uri, particle.name)) or ElementDecl(
                uri, particle.name, particle.type
            )
            return self._repeat(lambda nxt, o: _element([decl], o, nxt), particle.min, particle.max, after)
        return self._repeat(lambda nxt, o: self._group(particle, nxt, o), particle.min, particle.max, after)

    def _group(self, group: Sequence, after: _Place, order: int) -> _Place:
        self.order = order
        if isinstance(group, Choice):
            place = _Place()
            place.others = [self.build(item, after) for item in group.items]
            return place
        # Built backwards, but numbered forwards: each item keeps a range of order numbers to itself.
        starts = []
        for item in group.items:
            starts.append(self.order)
            self.order += _size(item)
        stop = self.order
        for item, number in zip(reversed(group.items), reversed(starts), strict=True):
            self.order = number
            after = self.build(item, after)
        self.order = stop
        return after

    def _repeat(self, make: Any, low: int, high: int, after: _Place) -> _Place:
        order = self.order
        current = after
        limit = self.grammars.unbounded_from
        if limit is not None and high >= limit:
            high = UNBOUNDED
        if high == UNBOUNDED:
            loop = _Place()
            loop.others = [make(loop, order), after]
            current = loop
            copies = low
        else:
            for _ in range(high - low):
                optional = _Place()
                item = make(current, order)
                if current is after and high >= LARGE_BOUND:
                    for _, event in item.events:
                        event.fills = True
                optional.others = [item, after]
                current = optional
            copies = low
        for _ in range(copies):
            current = make(current, order)
        self.order = max(self.order, order + 1)
        return current

    def _declarations(self, spec: Spec) -> list[ElementDecl]:
        if spec.head:
            return [ElementDecl(c._ns, c.__name__, c, spec) for c in self.grammars.substitutes(spec.type)]
        return [ElementDecl(spec.uri, spec.name, spec.type, spec)]


def _size(item: Any) -> int:
    return sum(_size(i) for i in item.items) + 1 if isinstance(item, Sequence) else 1


def _element(decls: list[ElementDecl], order: int, after: _Place) -> _Place:
    place = _Place()
    place.events = [((SE, order, index), Event(SE, decl, after)) for index, decl in enumerate(decls)]
    return place


def _wildcard(after: _Place, order: int) -> _Place:
    place = _Place()
    place.events.append(((SE_ANY, order), Event(SE_ANY, None, after)))
    return place
