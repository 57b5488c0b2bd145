"""The untyped view of a message: elements, attributes and text, as XML has them.

Typed classes cannot say everything that a non-strict stream can carry (a foreign element in an xs:any, an
unknown
attribute, children in the wrong order). A :class:`Node` can, and may stand wherever a typed value may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    """An element. ``children`` are Nodes and text, ``attributes`` maps (uri, local name) to text."""

    uri: str
    name: str
    attributes: dict[tuple[str, str], str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All character data directly inside this element, joined."""
        return "".join(c for c in self.children if isinstance(c, str))

    def elements(self) -> Iterator[Node]:
        """The child elements in order."""
        return (c for c in self.children if isinstance(c, Node))
