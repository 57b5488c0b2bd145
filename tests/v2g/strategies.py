"""Hypothesis strategies for valid messages of every message set, derived from the declarations."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from bench.exi.declare import Child, Choice, Named, RecordMeta, Sequence
from bench.exi.node import Node
from bench.exi.values import Binary, Boolean, Enumeration, Integer, String
from bench.v2g import codec
from bench.v2g.messages import xmldsig

MOST_ITEMS = 3


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Valid values of a simple type."""
    if isinstance(kind, Boolean):
        return st.booleans()
    if isinstance(kind, Integer):
        return st.integers(kind.low, kind.high)
    if isinstance(kind, Enumeration):
        return st.sampled_from(kind.values)
    if isinstance(kind, Binary):
        return st.binary(
            min_size=kind.min_length, max_size=min(kind.max_length or 40, max(40, kind.min_length))
        )
    assert isinstance(kind, String)
    letters = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))
    return st.text(letters, min_size=kind.min_length, max_size=min(kind.max_length or 30, 30))


def roots(schema: str) -> list[Any]:
    """The classes of the messages of a set: its concrete global elements, xmldsig's left out."""
    known = codec._set(schema).grammars
    kinds = [d.type for d in known.document if isinstance(d.type, RecordMeta)]
    found = [k for k in kinds if not k._abstract and (schema == "xmldsig" or k._ns != xmldsig.XMLDSIG)]
    return [k for k in found if k.__name__ == "V2G_Message"] or found


@cache
def messages(schema: str) -> st.SearchStrategy[Any]:
    """Valid messages of a set."""
    return st.sampled_from(roots(schema)).flatmap(lambda cls: records(cls, schema))


def _later(cls: Any, schema: str) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: records(cls, schema))


@cache
def records(cls: Any, schema: str) -> st.SearchStrategy[Any]:
    """Valid messages of a class, as the grammars of ``schema`` allow."""
    grammars = codec._set(schema).grammars
    if cls._content is not None:
        return particles(cls, schema)
    fields: dict[str, Any] = {}
    choices: dict[str, list[str | None]] = {}
    for key, spec in cls._fields.items():
        if spec.head:
            members = [c for c in grammars.substitutes(spec.type) if not c._abstract]
            one: Any = st.sampled_from(members).flatmap(lambda c: records(c, schema)) if members else None
        elif isinstance(spec.type, RecordMeta):
            one = _later(spec.type, schema)
        else:
            one = values(spec.type)
        if spec.choice:
            choices.setdefault(spec.choice, []).append(key)
            if spec.choice_optional and None not in choices[spec.choice]:
                choices[spec.choice].append(None)
            fields[key] = one
        elif spec.repeated:
            most = min(spec.max if spec.max > 0 else MOST_ITEMS, max(MOST_ITEMS, spec.min))
            fields[key] = st.lists(one, min_size=spec.min, max_size=most)
        else:
            fields[key] = st.none() | one if spec.optional else one
    if not choices:
        return st.builds(cls, **fields)
    chosen = st.tuples(*(st.sampled_from(names) for names in choices.values()))
    grouped = {k for names in choices.values() for k in names if k}

    def build(picked: tuple[str | None, ...]) -> st.SearchStrategy[Any]:
        return st.builds(cls, **{k: f for k, f in fields.items() if k not in grouped or k in picked})

    return chosen.flatmap(build)


FOREIGN = Node(
    "urn:example:any", "Thing", {("", "kind"): "a"}, [Node("urn:example:any", "Inner", {}, ["text"])]
)
"""What may stand where a schema allows any element."""


def particles(cls: Any, schema: str) -> st.SearchStrategy[Any]:
    """Valid messages of a class whose content is more than a sequence of fields."""

    def of(kind: Any) -> st.SearchStrategy[Any]:
        return _later(kind, schema) if isinstance(kind, RecordMeta) else values(kind)

    @st.composite
    def content(draw: st.DrawFn, item: Any, fields: dict[str, Any], children: list[Any]) -> None:
        if isinstance(item, str):
            fields[item] = draw(of(cls._fields[item].type))
        elif isinstance(item, Child):
            value = draw(of(item.type))
            kind = item.type
            plain = isinstance(kind, RecordMeta) and kind._element and kind.__name__ == item.name
            children.append(value if plain else Named(item.name, value, cls._ns))
        elif isinstance(item, Sequence):
            most = max(item.min, 2 if item.max < 0 else min(item.max, 2))
            for _ in range(draw(st.integers(item.min, most))):
                if isinstance(item, Choice):
                    draw(content(draw(st.sampled_from(item.items)), fields, children))
                else:
                    for one in item.items:
                        draw(content(one, fields, children))
        else:
            children += [FOREIGN] * draw(st.integers(item.min, max(item.min, min(abs(item.max), 2))))

    @st.composite
    def whole(draw: st.DrawFn) -> Any:
        fields: dict[str, Any] = {}
        children: list[Any] = []
        draw(content(cls._content, fields, children))
        for key, spec in cls._fields.items():
            if spec.kind == "content":
                fields[key] = children
            elif spec.kind == "attribute":
                fields[key] = draw(st.none() | of(spec.type) if spec.optional else of(spec.type))
        return cls(**fields)

    return whole()


def leaves(record: Any) -> list[tuple[Any, str]]:
    """Every field of a message and of the messages in it, as (owner, name)."""
    found = []
    for key, spec in record._fields.items():
        found.append((record, key))
        item = getattr(record, key)
        for one in item if isinstance(item, list) else [item]:
            if isinstance(type(one), RecordMeta) and spec.kind == "element":
                found += leaves(one)
    return found
