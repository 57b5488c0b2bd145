"""Reading a TOML table strictly: every key checked, none left over, one line for each mistake."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Any, Final

from bench.ev.errors import ProfileError

_REQUIRED: Final = object()
MAX_POINTS = 1000


class Table:
    """A TOML table being read. `where` names the file; `prefix` the table in it ("battery.")."""

    def __init__(self, raw: dict[str, Any], where: str, prefix: str = "") -> None:
        self._raw, self._where, self._prefix = raw, where, prefix
        self._asked: set[str] = set()

    def error(self, key: str, what: str, remedy: str) -> ProfileError:
        """The error for `key`, ready to raise."""
        return ProfileError(f"{self._where}: {self._prefix}{key}: {what}; {remedy}")

    def finish(self) -> None:
        """Raise ProfileError when a key was never asked for."""
        for key in self._raw:
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, 1)
                remedy = (
                    f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(self._asked))}"
                )
                raise self.error(key, "unknown key", remedy)

    def _get(self, key: str, default: Any, wanted: str) -> Any:
        self._asked.add(key)
        if key in self._raw:
            return self._raw[key]
        if default is _REQUIRED:
            raise self.error(key, "missing", f"write {wanted}")
        return default

    def number(self, key: str, low: float, high: float, *, default: Any = _REQUIRED) -> float:
        """A finite number within [low, high]."""
        wanted = f"a number from {low:g} to {high:g}"
        value = self._get(key, default, wanted)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(key, f"{value!r} is no number", f"write {wanted}")
        if not low <= value <= high:
            raise self.error(key, f"{value:g} is out of range", f"write {wanted}")
        return float(value)

    def integer(self, key: str, low: int, high: int, *, default: Any = _REQUIRED) -> int:
        """A whole number within [low, high]."""
        wanted = f"a whole number from {low} to {high}"
        value = self._get(key, default, wanted)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.error(key, f"{value!r} does not fit", f"write {wanted}")
        return value

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """Like `integer`, None where the key is absent."""
        self._asked.add(key)
        return self.integer(key, low, high) if key in self._raw else None

    def text(self, key: str, *, max_length: int, default: Any = _REQUIRED) -> str:
        """A text of at most `max_length` characters."""
        value = self._get(key, default, f"a text of at most {max_length} characters")
        if not isinstance(value, str) or len(value) > max_length:
            raise self.error(key, "not a text of that length", f"write at most {max_length} characters")
        return value

    def boolean(self, key: str, *, default: Any = _REQUIRED) -> bool:
        """true or false."""
        value = self._get(key, default, "true or false")
        if not isinstance(value, bool):
            raise self.error(key, f"{value!r} is neither true nor false", "write true or false")
        return value

    def choice(self, key: str, allowed: Sequence[str], *, default: Any = _REQUIRED) -> str:
        """One of the `allowed` texts."""
        wanted = f"one of {', '.join(allowed)}"
        value = self._get(key, default, wanted)
        if value not in allowed:
            raise self.error(key, f"{value!r} is not known", f"write {wanted}")
        return str(value)

    def points(self, key: str) -> list[tuple[float, float]]:
        """A curve: at least two [x, y] pairs of finite numbers."""
        wanted = "at least two pairs, as [[0, 320], [100, 400]]"
        value = self._get(key, _REQUIRED, wanted)
        if not isinstance(value, list) or not 2 <= len(value) <= MAX_POINTS:
            raise self.error(key, "not a curve", f"write {wanted}")
        points = []
        for pair in value:
            good = isinstance(pair, list) and len(pair) == 2
            if not good or not all(type(x) in (int, float) and math.isfinite(x) for x in pair):
                raise self.error(key, f"{pair!r} is no pair of numbers", f"write {wanted}")
            points.append((float(pair[0]), float(pair[1])))
        return points

    def table(self, key: str) -> Table:
        """The table `key`, which must be there."""
        value = self._get(key, _REQUIRED, f"a table [{self._prefix}{key}]")
        if not isinstance(value, dict):
            raise self.error(key, "not a table", f"write [{self._prefix}{key}]")
        return Table(value, self._where, f"{self._prefix}{key}.")

    def optional_table(self, key: str) -> Table | None:
        """The table `key` or None."""
        self._asked.add(key)
        return self.table(key) if key in self._raw else None

    def tables(self, key: str) -> list[Table]:
        """The array of tables `key` (at most 20), empty where it is absent."""
        value = self._get(key, [], "")
        if (
            not isinstance(value, list)
            or len(value) > 20
            or not all(isinstance(each, dict) for each in value)
        ):
            raise self.error(key, "not an array of at most 20 tables", f"write [[{self._prefix}{key}]]")
        return [Table(each, self._where, f"{self._prefix}{key}[{n}].") for n, each in enumerate(value)]
