"""The OCA's JSON schemas, compiled at first use.

The files are those that the `ocpp` package carries. `jsonschema-rs` validates in some microseconds, so that
every frame of a bench can be checked, both ways.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import jsonschema_rs

Version = Literal["1.6", "2.0.1", "2.1"]
_FOLDERS: Mapping[str, str] = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
SUBPROTOCOLS: Mapping[str, str] = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
"""WebSocket subprotocol of each version (part 4, 3.2)."""

# Which CALLERROR code a broken schema keyword stands for (2.0.1 part 4, table 8). The name of the first was
# spelled differently in 1.6; 2.x spells it FormatViolation.
_CODES: Mapping[str, str] = {
    "type": "TypeConstraintViolation",
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
    "additionalProperties": "FormatViolation",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """What a payload breaks: the CALLERROR code for it and a text with the path of the field."""

    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class UnknownActionError(KeyError):
    """The version has no such action."""


@cache
def actions(version: str) -> frozenset[str]:
    """Names of the actions of a version; raises UnknownActionError for a version that is not known."""
    folder = _FOLDERS.get(version)
    if folder is None:
        raise UnknownActionError(version)
    names = set()
    for file in (resources.files("ocpp") / folder / "schemas").iterdir():
        if file.name.endswith(".json"):
            names.add(file.name.removesuffix(".json").removesuffix("Request").removesuffix("Response"))
    return frozenset(names)


@cache
def _validator(version: str, action: str, response: bool) -> Any | None:
    # 1.6 names a request's schema by the action alone, and so does 2.1 for what wants no answer (SEND).
    endings = ("Response",) if response else ("Request", "")
    for ending in endings:
        file = resources.files("ocpp") / _FOLDERS[version] / "schemas" / f"{action}{ending}.json"
        if file.is_file():
            schema = json.loads(file.read_text(encoding="utf-8-sig"))
            return jsonschema_rs.validator_for(schema, validate_formats=True)
    return None


def check(version: str, action: str, payload: dict[str, Any], *, response: bool = False) -> Violation | None:
    """Return what `payload` breaks in the schema of the action, or None.

    Raises UnknownActionError when the version has no such action (the caller answers NotImplemented).
    """
    if action not in actions(version):  # before the cache: a peer must not be able to fill it with names
        raise UnknownActionError(action)
    validator = _validator(version, action, response)
    if validator is None:
        return Violation("FormatViolation", f"{action} has no {'answer' if response else 'request'}")
    try:
        first = next(iter(validator.iter_errors(payload)), None)
    except (
        ValueError
    ) as error:  # an integer beyond 64 bits, a lone surrogate: JSON that no JSON library shares
        return Violation("FormatViolation", str(error)[:200])
    if first is None:
        return None
    path = ".".join(str(each) for each in first.instance_path) or "payload"
    code = _CODES.get(first.kind.name, "PropertyConstraintViolation")
    return Violation(code, f"{path}: {first.message[:200]}")
