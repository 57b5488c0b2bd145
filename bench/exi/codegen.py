"""What the generators of compiled decoders and encoders share (see compiler.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.exi.layout import ATTRIBUTE, ELEMENT, END, HEAD, TEXT, Item
from bench.exi.values import Enumeration

if TYPE_CHECKING:
    from bench.exi.compiler import Plan


class NotPlain(Exception):  # noqa: N818  # a signal, caught in every case
    """The message or stream needs the general way."""


MAX_INLINE = 24
"""Classes with at most this many fields are expanded in place, unless they hold lists."""


def more_octets(value: int, left: int, first: int) -> tuple[int, int]:
    """The rest of a varint whose first octet has its top bit set: (value, bits left)."""
    result, shift = first & 127, 7
    while True:
        left -= 8
        octet = value >> left & 255
        result |= (octet & 127) << shift
        if octet < 128:
            return result, left
        shift += 7
        if shift > 12_000:
            raise NotPlain


def append_varint(value: int, number: int) -> int:
    """Appends a varint."""
    while number > 127:
        value = value << 8 | number & 127 | 128
        number >>= 7
    return value << 8 | number


LONG = 1 << 4096
"""An integer greater than this is kept apart while a list is written: a step costs as much as it is long."""


def joined(done: int, more: int) -> int:
    """The bits of ``more`` behind those of ``done``, 0 for none; both have a leading one."""
    if not done:
        return more
    width = more.bit_length() - 1
    return done << width | more ^ (1 << width)


class Emitter:
    """Source lines, constants and fresh names; ``pending`` collects what will move in one operation."""

    def __init__(self, plan: Plan, cls: Any) -> None:
        self.plan, self.cls = plan, cls
        self.lines: list[str] = []
        self.level = 1
        self.names: dict[str, Any] = {"NotPlain": NotPlain}
        self.counter = 0
        self.pending: list[tuple[int, int | str]] = []
        self.post: list[str] = []

    def later(self, line: str) -> None:
        """A line that needs what is pending: it follows the next flush."""
        self.post.append(line)

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.level + line)

    def fresh(self, stem: str = "v") -> str:
        self.counter += 1
        return f"{stem}{self.counter}"

    def constant(self, value: Any, stem: str) -> str:
        for name, known in self.names.items():
            if known is value:
                return name
        name = self.fresh(stem)
        self.names[name] = value
        return name

    def const(self, width: int, value: int) -> None:
        if width:
            self.pending.append((width, value))

    def inlinable(self, kind: Any) -> list[Item] | None:
        items: list[Item] | None = self.plan.layout(kind)
        if items is None or len(items) > MAX_INLINE or kind._abstract:
            return None
        plain = all(i.kind in (ATTRIBUTE, ELEMENT, HEAD, TEXT, END) and not i.absent for i in items)
        return items if plain and not any(i.spec is not None and i.spec.repeated for i in items) else None

    def compile(self, header: str) -> Any:
        source = "\n".join([header, *self.lines, ""])
        space: dict[str, Any] = dict(self.names)
        exec(compile(source, f"<exi {self.cls.__name__}>", "exec"), space)  # noqa: S102  # made from the declaration
        return space["run"]


_cached_members: dict[Any, list[Any]] = {}
_cached_codes: dict[Any, dict[Any, int]] = {}


def members(kind: Enumeration) -> list[Any]:
    """The members of an enumeration by code."""
    return _cached_members.setdefault(kind.members, kind.values)


def codes(kind: Enumeration) -> dict[Any, int]:
    """The codes of an enumeration by value."""
    return _cached_codes.setdefault(kind.members, {m.value: i for i, m in enumerate(kind.values)})


def refuse(*_: Any) -> Any:
    """Stands for a decoder or encoder of what cannot be compiled."""
    raise NotPlain
