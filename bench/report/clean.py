"""Coercion of untrusted JSON values: what a charger or backend sent may be anything, the report must stay
readable.

Escaping for HTML is left to the templates (autoescape). What is handled here is what escaping cannot mend:
control and bidirectional-override characters, lone surrogates (not encodable as UTF-8), NaN, and values of an
unexpected type.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

MAX_TEXT = 200_000
"""Longest text kept from one field, in characters."""

# Control characters but tab and newline, bidi overrides and isolates, zero-width characters, surrogates and
# non-characters.
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff0-\uffff]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Return `value` as text that can be shown and encoded; None is "".

    Unfit characters become visible stand-ins; text beyond `limit` characters is cut with a note of how much
    is missing.
    """
    if value is None:
        return ""
    shown = value if isinstance(value, str) else str(value)
    if len(shown) > limit:
        shown = f"{shown[:limit]} … ({len(shown) - limit} more characters left out)"
    return _UNFIT.sub(_visible, shown.replace("\r\n", "\n"))


def number(value: object) -> float | None:
    """Return a finite float, or None for anything that is none (a bool is none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def whole(value: object) -> int | None:
    """Return an int, or None."""
    result = number(value)
    return None if result is None else int(result)


def moment(value: object) -> datetime | None:
    """Return a point in time (ISO 8601, UTC where it has no zone), or None."""
    try:
        found = datetime.fromisoformat(text(value, 100))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def mapping(value: object) -> dict[str, Any]:
    """Return a dict, empty when `value` is none."""
    return value if isinstance(value, dict) else {}


def records(value: object) -> list[dict[str, Any]]:
    """Return the dicts of a list, empty when `value` is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """Return a list of texts; a single text becomes a list of one."""
    if isinstance(value, str):
        return [text(value)]
    return [text(each) for each in value] if isinstance(value, list | tuple) else []


class Fields(dict[str, Any]):
    """A dict whose missing keys are None, so that a template can name a field that an older run.json
    lacks."""

    def __missing__(self, key: str) -> None:
        return None


def fields(value: object) -> Fields:
    """Return a dict as `Fields`, empty when `value` is none."""
    return Fields(mapping(value))
