"""Strict reading of TOML: every key is known, of the right type, within its bounds; an error is one line.

    table, text, sha256 = read_toml(path, BenchFileError)
    name = table.text("name", max_length=60)
    table.finish()

The error is of the type that the reader of the file gives: a bench file and an EV profile are not wrong in
the same way.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
import math
import tomllib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

MAX_FILE_BYTES = 256 * 1024
MAX_POINTS = 1000
MAX_TABLES = 20
_MISSING = object()


def near_match(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, else the list of what is known."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(words)}" if words else ""


class Table:
    """A TOML table that is read key by key; `finish` refuses what nobody asked for."""

    def __init__(
        self, file: Path, path: str, raw: dict[str, Any], error_type: Callable[[str], Exception]
    ) -> None:
        self.file = file
        self.path = path
        self._raw = raw
        self._error_type = error_type
        self._known: set[str] = set()

    def error(self, key: str, what: str) -> Exception:
        """The error to raise for a key of this table."""
        where = f"{self.path}.{key}" if self.path and key else key or self.path
        return self._error_type(f"{self.file}: {where}: {what}")

    def __contains__(self, key: str) -> bool:
        return key in self._raw

    def keys(self) -> list[str]:
        """The keys that the file has."""
        return list(self._raw)

    def raw(self, key: str) -> Any:
        """A value as it is, without a check of its type."""
        self._known.add(key)
        return self._raw[key]

    def _get(self, key: str, default: Any, kind: str) -> Any:
        self._known.add(key)
        value = self._raw.get(key, _MISSING)
        if value is not _MISSING:
            return value
        if default is _MISSING:
            raise self._absent(key, kind)
        return default

    def _absent(self, key: str, kind: str) -> Exception:
        close = difflib.get_close_matches(key, [each for each in self._raw if each not in self._known], n=1)
        hint = f"; is {close[0]!r} meant to be it?" if close else ""
        return self.error(key, f"is missing; give it {kind}{hint}")

    def text(
        self,
        key: str,
        default: Any = _MISSING,
        *,
        choices: Collection[str] = (),
        max_length: int = MAX_FILE_BYTES,
    ) -> str:
        """A text, not empty unless the default is, of at most `max_length` characters, one of `choices` when
        there are any.
        """
        value = self._get(key, default, f"one of {', '.join(choices)}" if choices else "a text")
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.error(key, f"must be a text, not {value!r}")
        if len(value) > max_length:
            raise self.error(key, f"is too long; write at most {max_length} characters")
        if choices and value not in choices:
            raise self.error(key, f"{value!r} is not known{near_match(value, choices)}")
        return value

    def flag(self, key: str, default: Any = _MISSING) -> bool:
        """true or false."""
        value = self._get(key, default, "true or false")
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def number(self, key: str, low: float, high: float, default: Any = _MISSING) -> float:
        """A number within `low` .. `high`."""
        value = self._get(key, default, f"a number from {low:g} to {high:g}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(key, f"must be a number from {low:g} to {high:g}, not {value!r}")
        if not low <= value <= high:
            raise self.error(key, f"{value:g} makes no sense; it must lie within {low:g} and {high:g}")
        return float(value)

    def integer(self, key: str, low: int, high: int, default: Any = _MISSING) -> int:
        """A whole number within `low` .. `high`."""
        value = self._get(key, default, f"a whole number from {low} to {high}")
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, f"must be a whole number from {low} to {high}, not {value!r}")
        if not low <= value <= high:
            raise self.error(key, f"{value} makes no sense; it must lie within {low} and {high}")
        return value

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """Like `integer`, None where the key is absent."""
        self._known.add(key)
        return self.integer(key, low, high) if key in self._raw else None

    def date(self, key: str, default: str | None = None) -> str | None:
        """A TOML date or an ISO text, as ISO text."""
        value = self._get(key, default, "a date such as 2026-01-31")
        if value is None:
            return None
        if isinstance(value, datetime.datetime):
            return value.date().isoformat()
        if isinstance(value, datetime.date):
            return value.isoformat()
        try:
            return datetime.date.fromisoformat(value).isoformat()
        except (TypeError, ValueError):
            raise self.error(key, f"must be a date such as 2026-01-31, not {value!r}") from None

    def texts(self, key: str, default: Any = _MISSING, *, choices: Collection[str] = ()) -> tuple[str, ...]:
        """A list of texts, each of `choices` when there are any."""
        value = self._get(key, default, "a list of texts")
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise self.error(key, f"must be a list of texts, not {value!r}")
        allowed = list(choices)
        for each in value:
            if allowed and each not in allowed:
                raise self.error(key, f"{each!r} is not known{near_match(each, allowed)}")
        return tuple(value)

    def table(self, key: str, *, needed: bool = False) -> Table:
        """A table within this one; an empty one when it is absent and not needed."""
        value = self._get(key, _MISSING if needed else {}, f"a table [{self._path_of(key)}]")
        if not isinstance(value, dict):
            raise self.error(key, f"must be a table [{self._path_of(key)}], not {value!r}")
        return self._inner(self._path_of(key), value)

    def optional_table(self, key: str) -> Table | None:
        """A table within this one, None when it is absent."""
        self._known.add(key)
        return self.table(key) if key in self._raw else None

    def tables(self, key: str) -> list[Table]:
        """An array of tables (at most `MAX_TABLES`), empty when it is absent."""
        value = self._get(key, [], "")
        good = isinstance(value, list) and len(value) <= MAX_TABLES
        if not good or not all(isinstance(each, dict) for each in value):
            raise self.error(
                key, f"is no array of at most {MAX_TABLES} tables; write [[{self._path_of(key)}]]"
            )
        return [self._inner(f"{self._path_of(key)}[{n}]", each) for n, each in enumerate(value)]

    def points(self, key: str) -> list[tuple[float, float]]:
        """A curve: two to `MAX_POINTS` pairs of finite numbers."""
        wanted = "at least two pairs, as [[0, 320], [100, 400]]"
        value = self._get(key, _MISSING, wanted)
        if not isinstance(value, list) or not 2 <= len(value) <= MAX_POINTS:
            raise self.error(key, f"is no curve; write {wanted}")
        points = []
        for pair in value:
            good = isinstance(pair, list) and len(pair) == 2
            if not good or not all(type(x) in (int, float) and math.isfinite(x) for x in pair):
                raise self.error(key, f"{pair!r} is no pair of numbers; write {wanted}")
            points.append((float(pair[0]), float(pair[1])))
        return points

    def _inner(self, path: str, raw: dict[str, Any]) -> Table:
        return Table(self.file, path, raw, self._error_type)

    def _path_of(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def finish(self) -> None:
        """Refuse keys that nobody asked for."""
        for key in self._raw:
            if key not in self._known:
                raise self.error(key, f"is not a key that is known here{near_match(key, self._known)}")


def read_toml(path: Path, error_type: Callable[[str], Exception]) -> tuple[Table, str, str]:
    """The root table, the text and its SHA-256. Raises what `error_type` makes of one line of text."""
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise error_type(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise error_type(f"{path}: larger than {MAX_FILE_BYTES} bytes, that is more than such a file has")
    try:
        text = data.decode("utf-8")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise error_type(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise error_type(f"{path}: not TOML: {error}") from error
    return Table(path, "", raw, error_type), text, hashlib.sha256(data).hexdigest()
