"""Strict reading of TOML: every key is known, of the right type, within its bounds; errors are one clear
line.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.station.errors import BenchFileError

MAX_FILE_BYTES = 256 * 1024
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

    def __init__(self, file: Path, path: str, raw: dict[str, Any]) -> None:
        self.file = file
        self.path = path
        self._raw = raw
        self._known: set[str] = set()

    def error(self, key: str, what: str) -> BenchFileError:
        """The error to raise for a key of this table."""
        where = f"{self.path}.{key}" if self.path and key else key or self.path
        return BenchFileError(f"{self.file}: {where}: {what}")

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

    def _absent(self, key: str, kind: str) -> BenchFileError:
        close = difflib.get_close_matches(key, [each for each in self._raw if each not in self._known], n=1)
        hint = f"; is {close[0]!r} meant to be it?" if close else ""
        return self.error(key, f"is missing; give it {kind}{hint}")

    def text(self, key: str, default: Any = _MISSING, *, choices: Iterable[str] = ()) -> str:
        """A text, not empty unless the default is, one of `choices` when there are any."""
        value = self._get(key, default, "a text")
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.error(key, f"must be a text, not {value!r}")
        allowed = list(choices)
        if allowed and value not in allowed:
            raise self.error(key, f"{value!r} is not known{near_match(value, allowed)}")
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

    def texts(self, key: str, default: Any = _MISSING, *, choices: Iterable[str] = ()) -> tuple[str, ...]:
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
        return Table(self.file, self._path_of(key), value)

    def _path_of(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def finish(self) -> None:
        """Refuse keys that nobody asked for."""
        for key in self._raw:
            if key not in self._known:
                raise self.error(key, f"is not a key that is known here{near_match(key, self._known)}")


def read_toml(path: Path) -> tuple[Table, str, str]:
    """The root table, the text and its SHA-256. Raises BenchFileError."""
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BenchFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise BenchFileError(f"{path}: larger than {MAX_FILE_BYTES} bytes, not a bench or charger file")
    try:
        text = data.decode("utf-8")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise BenchFileError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BenchFileError(f"{path}: not TOML: {error}") from error
    return Table(path, "", raw), text, hashlib.sha256(data).hexdigest()
