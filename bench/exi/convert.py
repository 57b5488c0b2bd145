"""Between typed messages and Nodes, and the checks of a message against its schema."""

from __future__ import annotations

from typing import Any

from bench.exi import grammar as g
from bench.exi.declare import Child, Named, Record, RecordMeta, Sequence, Spec, deviant
from bench.exi.errors import CodecError, ValidationError
from bench.exi.leaves import Leaf
from bench.exi.node import Node
from bench.exi.values import Integer, Simple


class _Table:
    """What the children and attributes of a class are.

    ``fields`` and ``attributes`` by name; ``heads`` are names among ``fields`` that belong to substitution
    groups, ``loose`` the types of children without a field.
    """

    __slots__ = ("attributes", "content", "fields", "heads", "initial", "loose", "text")

    def __init__(self, grammars: g.Grammars, cls: Any) -> None:
        specs: list[Spec] = list(cls._fields.values())
        self.initial = [(s.name, s.kind == "element" and s.repeated) for s in specs if s.kind != "content"]
        self.attributes = {(s.uri, s.name): s for s in specs if s.kind == "attribute"}
        self.text = next((s for s in specs if s.kind == "text"), None)
        self.content = next((s.name for s in specs if s.kind == "content"), None)
        self.fields: dict[g.QName, Spec] = {}
        self.heads: set[g.QName] = set()
        for spec in specs:
            if spec.kind == "element" and spec.head:
                members = {(c._ns, c.__name__): spec for c in grammars.substitutes(spec.type)}
                self.heads.update(members)
                self.fields.update(members)
            elif spec.kind == "element":
                self.heads.discard((spec.uri, spec.name))
                self.fields[spec.uri, spec.name] = spec
        self.loose = {(cls._ns, c.name): c.type for c in _children(cls._content)}


class Converter:
    """Conversions of one message set."""

    def __init__(self, grammars: g.Grammars) -> None:
        self.grammars = grammars
        self._tables: dict[Any, _Table] = {}
        self._roots: dict[Any, g.QName | None] = {}

    # Roots

    def bare_root(self, cls: Any) -> g.QName | None:
        """The element that a bare instance of a class stands for; None when there are several."""
        if cls not in self._roots:
            found: g.QName | None = None
            if cls._element and self.grammars.globals.get((cls._ns, cls.__name__)) is not None:
                found = (cls._ns, cls.__name__)
            else:
                names = [d for d in self.grammars.fragment if d.type is cls]
                names += [
                    d
                    for d in self.grammars.fragment
                    if d.type is g.RELAXED
                    and any(c.type is cls for c in self.grammars.candidates((d.uri, d.name)))
                ]
                preferred = [d for d in names if d.name == cls._default_element] or names
                if len(preferred) == 1:
                    found = (preferred[0].uri, preferred[0].name)
            self._roots[cls] = found
        return self._roots[cls]

    def root_name(self, message: Any) -> g.QName:
        """The root element of a message. Raises CodecError when it does not follow from the message."""
        if isinstance(message, Node):
            return message.uri, message.name
        if isinstance(message, Named):
            if message.uri:
                return message.uri, message.name
            names = [d for d in self.grammars.fragment if d.name == message.name]
            if len(names) != 1:
                raise CodecError(f"{message.name}: {'give the namespace' if names else 'no such element'}")
            return names[0].uri, names[0].name
        if not isinstance(message, Record):
            raise CodecError(f"{type(message).__name__} is not a message")
        kind: Any = type(message)
        found = self.bare_root(kind._plain)
        if found is None:
            names = [d for d in self.grammars.fragment if d.type is kind._plain]
            choice = ", ".join(d.name for d in names) or "none"
            raise CodecError(
                f"{kind.__name__} is not an element by itself; wrap it in Named (elements: {choice})"
            )
        return found

    # Message to Node

    def to_node(self, message: Any) -> Node:
        """The Node of a root message."""
        uri, name = self.root_name(message)
        value = message.value if isinstance(message, Named) else message
        kind = None
        if not isinstance(value, Record | Node):
            simple = [d.type for d in self.grammars.candidates((uri, name)) if isinstance(d.type, Simple)]
            kind = simple[0] if simple else None
        return self._element(value, uri, name, kind)

    def _element(self, value: Any, uri: str, name: str, kind: Any) -> Node:
        if isinstance(value, Node):
            return value
        if isinstance(value, Named):
            return self._element(value.value, value.uri or uri, value.name, kind)
        if isinstance(value, Record):
            extra = getattr(value, "_node", None)
            return (
                self._record(value, uri, name)
                if extra is None
                else Node(uri, name, extra.attributes, extra.children)
            )
        text = kind.format(value) if isinstance(kind, Simple) else str(value)
        return Node(uri, name, {}, [text] if text else [])

    def _record(self, value: Any, uri: str, name: str) -> Node:
        node = Node(uri, name)
        for key, spec in value._fields.items():
            item = getattr(value, key, None)
            if item is None:
                continue
            if spec.kind == "attribute":
                node.attributes[spec.uri, key] = spec.type.format(item)
            elif spec.kind == "text":
                text = spec.type.format(item)
                if text:
                    node.children.append(text)
            elif spec.kind == "content":
                node.children += [self._content_item(value, c) for c in item]
            else:
                # A list in a field for one element, or one value in a field for a list, is a deviation that
                # can be sent.
                for one in item if isinstance(item, list | tuple) else [item]:
                    node.children.append(self._element(one, *self._child_name(spec, one), spec.type))
        return node

    def _own_outline(self, value: Any) -> Any:
        """The outline of the Node that :meth:`_record` would make, without making what is in it."""
        attributes: set[g.QName] = set()
        kinds: list[Any] = []
        for key, spec in value._fields.items():
            item = getattr(value, key)
            if item is None:
                continue
            if spec.kind == "element":
                items = item if isinstance(item, list) else [item]
                kinds += [_name_of(one, self._child_name(spec, one)) for one in items]
            elif spec.kind == "attribute":
                attributes.add((spec.uri, key))
            elif spec.kind == "content":
                own = type(value)._ns
                for one in item:
                    kind: Any = type(one)
                    default = (kind._ns, kind.__name__) if isinstance(one, Record) else (own, "")
                    kinds.append("text" if isinstance(one, str) else _name_of(one, default))
            elif spec.type.format(item):
                kinds.append("text")
        return attributes, kinds

    def _child_name(self, spec: Spec, value: Any) -> g.QName:
        if spec.head:
            kind: Any = type(value)
            if isinstance(value, Record) and kind._element:
                return kind._ns, kind.__name__
        return spec.uri, spec.name

    def _content_item(self, owner: Any, item: Any) -> Node | str:
        if isinstance(item, str | Node):
            return item
        if isinstance(item, Named):
            uri = item.uri or type(owner)._ns
            kind = self._table(type(owner)._plain).loose.get((uri, item.name))
            decl = self.grammars.globals.get((uri, item.name))
            return self._element(item.value, uri, item.name, kind or (decl.type if decl else None))
        if isinstance(item, Record):
            cls: Any = type(item)
            return self._element(item, cls._ns, cls.__name__, None)
        raise CodecError(f"{type(owner).__name__}.content cannot hold {type(item).__name__}")

    # Node to message

    def from_node(self, node: Node) -> Any:
        """The message of a root Node: a Record, or Named where the element's name does not follow from the
        class."""
        qname = (node.uri, node.name)
        declared = self.grammars.candidates(qname)
        if not declared:
            return self._spread(node)
        if qname in self.grammars.globals:
            declared = [self.grammars.globals[qname]]
        values = [self._value(node, d.type) for d in declared]
        value = values[0]
        if len(values) > 1:
            value = next((v for v in values if not is_deviant(v)), value)
        if isinstance(value, Record):
            kind: Any = type(value)
            return value if self.bare_root(kind._plain) == qname else Named(node.name, value, node.uri)
        return value if isinstance(value, Node) else Named(node.name, value, node.uri)

    def _value(self, node: Node | Leaf, kind: Any) -> Any:
        if isinstance(node, Leaf):
            if node.decl.type is kind:
                return node.value
            node = self._spread(node)
        if isinstance(kind, Simple):
            if node.attributes or any(not isinstance(c, str) for c in node.children):
                return self._spread(node)
            return parse_leniently(kind, node.text)
        if isinstance(kind, RecordMeta):
            return self._from_record(node, kind)
        return self._spread(node)

    def _spread(self, node: Node | Leaf) -> Node:
        """The Node with Nodes for the Leaves in it."""
        if isinstance(node, Leaf):
            return self._element(node.value, node.decl.uri, node.decl.name, node.decl.type)
        node.children = [c if isinstance(c, str) else self._spread(c) for c in node.children]
        return node

    def _table(self, cls: Any) -> _Table:
        found = self._tables.get(cls)
        if found is None:
            found = self._tables[cls] = _Table(self.grammars, cls)
        return found

    def _from_record(self, node: Node, cls: Any) -> Any:
        table = self._table(cls)
        values: dict[str, Any] = {}
        content: list[Any] = []
        text: str | None = None
        regular = True
        for qname, raw in node.attributes.items():
            attribute = table.attributes.get(qname)
            if attribute is not None:
                values[attribute.name] = parse_leniently(attribute.type, raw)
            else:
                regular = False
        children: list[str | Node | Leaf] = node.children  # type: ignore[assignment]
        for child in children:
            if isinstance(child, str):
                if table.text is not None:
                    text = (text or "") + child
                elif table.content is not None:
                    content.append(child)
                else:
                    regular = False
                continue
            qname = child.decl.qname if isinstance(child, Leaf) else (child.uri, child.name)
            spec = table.fields.get(qname)
            if spec is not None:
                kind = spec.type
                if qname in table.heads:
                    kind = self.grammars.globals[qname].type
                if isinstance(child, Leaf) and child.decl.type is kind:
                    item = child.value
                else:
                    item = self._value(child, kind)
                if spec.max != 1:
                    values.setdefault(spec.name, []).append(item)
                elif spec.name in values:
                    regular = False
                else:
                    values[spec.name] = item
            elif table.content is not None:
                content.append(self._loose(child, qname, table.loose))
            else:
                regular = False
        made = self._make(cls, table, values, content, text)
        if regular and self._own_outline(made) == _outline(node):
            return made
        special = deviant(cls)
        odd = special.__new__(special)
        for key in cls._fields:
            setattr(odd, key, getattr(made, key))
        odd._node = Node(node.uri, node.name, dict(node.attributes), self._spread(node).children)
        return odd

    def _make(
        self, cls: Any, table: _Table, values: dict[str, Any], content: list[Any], text: str | None
    ) -> Any:
        made = cls.__new__(cls)
        for key, repeated in table.initial:
            setattr(made, key, values.get(key, [] if repeated else None))
        if table.content is not None:
            setattr(made, table.content, content)
        if table.text is not None:
            setattr(made, table.text.name, parse_leniently(table.text.type, text or ""))
        return made

    def _loose(self, child: Node | Leaf, qname: g.QName, loose: dict[g.QName, Any]) -> Any:
        decl = self.grammars.globals.get(qname)
        kind = loose.get(qname) or (decl.type if decl is not None else None)
        if kind is None:
            return self._spread(child)
        value = self._value(child, kind)
        cls: Any = type(value)
        if isinstance(value, Record) and cls._element and (cls._ns, cls.__name__) == qname:
            return value
        return value if isinstance(value, Node) else Named(qname[1], value, qname[0])

    # Validation

    def check(self, message: Any) -> None:
        """Raises ValidationError for the first value that its simple type or class does not allow."""
        if isinstance(message, Node):
            return
        _, name = self.root_name(message)
        value = message.value if isinstance(message, Named) else message
        kinds = [d.type for d in self.grammars.candidates(self.root_name(message))]
        own: Any = type(value)
        kind = (
            own._plain
            if isinstance(value, Record)
            else next((k for k in kinds if isinstance(k, Simple)), None)
        )
        self._check(value, kind, name)

    def _check(self, value: Any, kind: Any, path: str) -> None:
        if isinstance(value, Node):
            return
        if isinstance(kind, Simple):
            problem = kind.problem(value)
            if problem:
                # A length says by itself what it is instead.
                said = problem if ", not " in problem else f"{problem}, not {_short(value)}"
                raise ValidationError(path, said)
            return
        if not isinstance(value, Record) or (isinstance(kind, RecordMeta) and not isinstance(value, kind)):
            wanted = kind.__name__ if isinstance(kind, RecordMeta) else "a message"
            raise ValidationError(path, f"must be {wanted}, not {_short(value)}")
        cls: Any = type(value)
        if cls._abstract:
            raise ValidationError(path, f"{cls.__name__} is abstract")
        for key, spec in cls._fields.items():
            item = getattr(value, key, None)
            here = f"{path}/{self._child_name(spec, item)[1]}"
            if spec.kind == "content":
                continue
            if item is None:
                if not spec.optional:
                    raise ValidationError(here, "is required")
            elif spec.repeated:
                self._check_list(item, spec, here)
            else:
                self._check(item, spec.type, here)

    def _check_list(self, items: Any, spec: Spec, path: str) -> None:
        if not isinstance(items, list | tuple):
            raise ValidationError(path, f"must be a list, not {_short(items)}")
        if len(items) < spec.min or (spec.max > 0 and len(items) > spec.max):
            most = spec.max if spec.max > 0 else "any number of"
            raise ValidationError(path, f"must have {spec.min} to {most} items, not {len(items)}")
        for index, item in enumerate(items):
            self._check(item, spec.type, f"{path}[{index}]")


def is_deviant(value: Any) -> bool:
    """Whether anything in a message could not be put into typed fields, or has a value its type does not
    allow."""
    if isinstance(value, Node):
        return True
    if isinstance(value, Named):
        return is_deviant(value.value)
    if not isinstance(value, Record):
        return False
    if getattr(value, "_node", None) is not None or not _choices_kept(value):
        return True
    for key, spec in value._fields.items():
        item = getattr(value, key, None)
        if item is None:
            if not spec.optional:
                return True
        elif spec.kind == "content":
            continue
        elif isinstance(spec.type, Simple):
            if any(not spec.type.encodable(one) for one in (item if spec.repeated else [item])):
                return True
        elif any(is_deviant(one) for one in (item if spec.repeated else [item])):
            return True
    return False


def _choices_kept(value: Record) -> bool:
    """Whether one field of each choice is set, or none where it may be left out."""
    present: dict[tuple[str, bool], int] = {}
    for key, spec in value._fields.items():
        if spec.choice:
            group = spec.choice, spec.choice_optional
            present[group] = present.get(group, 0) + (getattr(value, key, None) is not None)
    return all(count == 1 or (count == 0 and optional) for (_, optional), count in present.items())


def parse_leniently(kind: Simple, text: str) -> Any:
    """The typed value of a text; an integer out of range as int, anything else that does not parse as the
    text."""
    try:
        return kind.parse(text)
    except ValueError:
        if isinstance(kind, Integer):
            try:
                return Integer().parse(text)
            except ValueError:
                return text
        return text


def _children(particle: Any) -> list[Child]:
    if isinstance(particle, Child):
        return [particle]
    if isinstance(particle, Sequence):
        return [c for item in particle.items for c in _children(item)]
    return []


def _name_of(value: Any, default: g.QName) -> g.QName:
    """The element name that a value has in the place where ``default`` is declared."""
    while isinstance(value, Named):
        default, value = (value.uri or default[0], value.name), value.value
    return (value.uri, value.name) if isinstance(value, Node) else default


def _outline(node: Node) -> Any:
    """Which attributes a Node has, and what stands in it in which order."""
    children: list[str | Node | Leaf] = node.children  # type: ignore[assignment]
    kinds = [
        "text" if isinstance(c, str) else c.decl.qname if isinstance(c, Leaf) else (c.uri, c.name)
        for c in children
    ]
    return set(node.attributes), kinds


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
