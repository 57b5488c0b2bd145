"""The content of a class as a flat list of items, which is what the compiled codec can do.

Attributes, then element fields in order (or one choice among them), then the end. A class with a particle
tree of its
own is plain only while all that the tree holds is absent; the end then has the code that the grammar gives
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.exi import grammar as g
from bench.exi.declare import Choice, Spec

ATTRIBUTE, ELEMENT, HEAD, CHOICE, TEXT, END = range(6)


@dataclass
class Item:
    """One item. ``codes`` is how many event codes it takes, ``offset`` where its own starts among them."""

    kind: int
    spec: Spec | None = None
    codes: int = 1
    optional: bool = False
    offset: int = 0
    specs: list[Spec] = field(default_factory=list)
    classes: list[Any] = field(default_factory=list)
    absent: list[Spec] = field(default_factory=list)


def layout_of(grammars: g.Grammars, cls: Any) -> list[Item] | None:
    """The items of a class, or None when it cannot be compiled."""
    specs = list(cls._fields.values())
    attributes = sorted((s for s in specs if s.kind == "attribute"), key=lambda s: (s.name, s.uri))
    items = [Item(ATTRIBUTE, s, optional=s.optional) for s in attributes]
    text = next((s for s in specs if s.kind == "text"), None)
    if text is not None:
        return [*items, Item(TEXT, text), Item(END)]
    elements = [s for s in specs if s.kind == "element"]
    tree = cls._content
    if isinstance(tree, Choice) and tree.min == tree.max == 1 and all(isinstance(i, str) for i in tree.items):
        chosen = [cls._fields[name] for name in tree.items]
        return [*items, Item(CHOICE, codes=len(chosen), specs=chosen), Item(END)]
    if tree is not None or cls._mixed:
        end = _end_of_tree(grammars, cls, [s for s in specs if s.kind in ("element", "content")])
        return None if end is None else [*items, end]
    for spec in elements:
        if spec.choice:
            if spec.repeated or spec.head:
                return None
            last = items[-1] if items else None
            if last is None or last.kind != CHOICE or last.specs[0].choice != spec.choice:
                items.append(Item(CHOICE, codes=0, optional=spec.choice_optional))
            items[-1].specs.append(spec)
            items[-1].codes += 1
        elif spec.head:
            if spec.repeated:
                return None
            kind: Any = spec.type
            classes: list[Any] = grammars.substitutes(kind)
            items.append(Item(HEAD, spec, len(classes), spec.optional, classes=classes))
        else:
            items.append(Item(ELEMENT, spec, optional=spec.optional))
    return [*items, Item(END)]


def _end_of_tree(grammars: g.Grammars, cls: Any, absent: list[Spec]) -> Item | None:
    if any(not s.optional for s in absent):
        return None
    place = grammars._content(cls)
    state = g.state_of(place)
    for code, event in enumerate(state.events):
        if event.kind == g.EE:
            return Item(END, codes=len(state.events), offset=code, absent=absent)
    return None


def productions(items: list[Item], index: int) -> int:
    """How many events may come next at ``index``."""
    total = 0
    for item in items[index:]:
        total += item.codes
        if not item.optional:
            break
    return total
