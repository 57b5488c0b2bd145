"""What a declaration says of a field: unit and remark from the docstring of its class, limits from its type.

The docstring of a class of messages notes a field as "``EVMaximumPowerLimit``: W." (several as "``Power``,
``_L2``, ``_L3``: W."); a note that starts with a unit gives the unit of the field. ``help()`` and ``__doc__``
of a class show all fields with type, limits and unit, made from the declaration when they are asked for.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from bench.exi.values import Binary, Enumeration, Integer, String

UNITS = frozenset(["W", "s", "Wh", "V", "var", "%", "A", "Hz", "varh", "VA", "S", "days"])
"""Words that are a unit when a note starts with them."""
SINCE_1970 = "s since 1970-01-01"
"""How the note of a point in time starts."""
_NOTE = re.compile(
    r"^[ ]*``(\w+)``((?:, ``\w+``)*): ((?:.|\n)*?)(?=\n\s*``\w+``[,:]|\n\s*\n|\s*\Z)", re.MULTILINE
)


def written(cls: type) -> str:
    """The docstring of a class as it stands in the source."""
    own: str | None = cls.__dict__.get("__doc__")
    return own or ""


@cache
def notes(cls: type) -> dict[str, str]:
    """Field name -> note, of the fields that the class itself declares."""
    found = {}
    for match in _NOTE.finditer(written(cls)):
        text = " ".join(match[3].split()).removesuffix(".")
        found[match[1]] = text
        for other in re.findall(r"``(\w+)``", match[2]):
            found[match[1] + other if other.startswith("_") else other] = text
    return found


def note(spec: Any) -> str:
    """The note of a field, "" where it has none."""
    return notes(spec.owner).get(spec.name, "") if spec.owner is not None else ""


def unit(spec: Any) -> str:
    """The unit of a field ("W"), "" where it has none or is a point in time."""
    text = note(spec)
    word = re.split(r"[ ,;:]", text, maxsplit=1)[0]
    return word if word in UNITS and not text.startswith(SINCE_1970) else ""


def limits(kind: Any) -> str:
    """The limits of a simple type in words, "" where it has none that its name does not tell."""
    if isinstance(kind, Integer):
        return kind.range_text()
    if isinstance(kind, Enumeration):
        return f"one of {', '.join(kind.values)}"
    if isinstance(kind, String | Binary) and (kind.max_length is not None or kind.min_length):
        of = "characters" if isinstance(kind, String) else "bytes"
        if kind.max_length is None:
            return f"at least {kind.min_length} {of}"
        if kind.min_length == kind.max_length:
            return f"exactly {kind.min_length} {of}"
        return f"{kind.min_length} to {kind.max_length} {of}"
    return ""


def line(spec: Any) -> str:
    """A field in one line: "Multiplier: unitMultiplierType, -3 to 3"."""
    kind = spec.type
    shown = getattr(kind, "__name__", None) or getattr(kind, "name", "") or "any content"
    parts = [shown, limits(kind), unit(spec)]
    if spec.kind == "attribute":
        parts.append("attribute")
    if spec.kind == "element" and spec.repeated:
        parts.append(f"{spec.min} to {spec.max} of them" if spec.max > 0 else f"{spec.min} or more of them")
    elif spec.optional:
        parts.append("optional")
    return f"{spec.name}: {', '.join(p for p in parts if p)}"


def documentation(cls: Any) -> str:
    """The docstring of a class with a list of all its fields, those it inherits included."""
    head = written(cls)
    if not cls._fields:
        return head
    fields = "\n".join(f"        {line(spec)}" for spec in cls._fields.values())
    return f"{head.rstrip()}\n\n    Fields:\n{fields}\n    "
