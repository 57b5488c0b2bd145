"""Scripts for `plugbench csms serve`: behaviours and registries in a TOML file.

```toml
[contracts]
accept = ["DEPBXC123456789"]
block = []                        # also: revoke, cancel, forget
[tokens]
accept = ["04E5D8227B"]
block = []
[provisioning]
mood = "normal"                   # down, refuse, too-large; slow with delay_s
delay_s = 6.0
[[on]]
action = "Authorize"
do = "reject"                     # reject, delay, error, malformed, drop, answer
times = 1                         # optional: only the next so many
# reject: status, certificate_status   delay: delay_s   error: code, description   malformed: text
# answer: payload = {...}, merge = true|false
```
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.csms.behaviour import Answer, Behaviour, Delay, Drop, Error, Malformed, Reject
from bench.csms.schemas import actions

if TYPE_CHECKING:
    from bench.csms.server import Csms

MAX_SCRIPT_BYTES = 1_000_000
MAX_DELAY_S = 3600.0


class ScriptError(ValueError):
    """A script that cannot be used: one line with the file and the place."""


def _number(item: Mapping[str, Any], key: str) -> float:
    value = item.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_DELAY_S:
        raise ScriptError(f"{key} must be a number of seconds, 0 to {MAX_DELAY_S:g}")
    return float(value)


def _text(item: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = item.get(key, default)
    if not isinstance(value, str):
        raise ScriptError(f"{key} must be a text")
    return value


def _optional(item: Mapping[str, Any], key: str) -> str | None:
    return _text(item, key) if key in item else None


def _answer(item: Mapping[str, Any]) -> Answer:
    payload, merge = item.get("payload", {}), item.get("merge", False)
    if not isinstance(payload, dict) or not isinstance(merge, bool):
        raise ScriptError("answer takes payload = {...} and merge = true or false")
    return Answer(payload, merge)


_MAKERS: dict[str, tuple[Callable[[Mapping[str, Any]], Behaviour], frozenset[str]]] = {
    "reject": (
        lambda item: Reject(_optional(item, "status"), _optional(item, "certificate_status")),
        frozenset({"status", "certificate_status"}),
    ),
    "delay": (lambda item: Delay(_number(item, "delay_s")), frozenset({"delay_s"})),
    "error": (
        lambda item: Error(_text(item, "code", "InternalError"), _text(item, "description", "")),
        frozenset({"code", "description"}),
    ),
    "malformed": (lambda item: Malformed(_text(item, "text", Malformed().text)), frozenset({"text"})),
    "drop": (lambda item: Drop(), frozenset()),
    "answer": (_answer, frozenset({"payload", "merge"})),
}
_LISTS: dict[str, tuple[str, ...]] = {
    "contracts": ("accept", "block", "revoke", "cancel", "forget"),
    "tokens": ("accept", "block"),
}
_MOODS = ("normal", "down", "refuse", "too-large", "slow")


def load(path: Path) -> dict[str, Any]:
    """Read a script file; raises ScriptError."""
    try:
        if path.stat().st_size > MAX_SCRIPT_BYTES:
            raise ScriptError(f"{path}: larger than {MAX_SCRIPT_BYTES} bytes")
        script: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: not TOML: {error}") from error
    return script


def apply(script: Mapping[str, Any], csms: Csms) -> None:
    """Put a script on a CSMS; raises ScriptError (then nothing, or a part of it, is in force)."""
    unknown = sorted(set(script) - {"on", "provisioning", *_LISTS})
    if unknown:
        raise ScriptError(f"unknown table {unknown[0]!r}; on, contracts, tokens and provisioning exist")
    for table, verbs in _LISTS.items():
        registry = csms.contracts if table == "contracts" else csms.tokens
        content = script.get(table, {})
        if not isinstance(content, dict) or set(content) - set(verbs):
            raise ScriptError(f"[{table}] takes {', '.join(verbs)}")
        for verb, names in content.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ScriptError(f"[{table}] {verb} must be a list of texts")
            for name in names:
                getattr(registry, verb)(name)
    _provisioning(script.get("provisioning", {}), csms)
    entries = script.get("on", [])
    if not isinstance(entries, list):
        raise ScriptError("[[on]] must be a list of tables")
    for number, item in enumerate(entries, 1):
        try:
            _on(item, csms)
        except ScriptError as error:
            raise ScriptError(f"[[on]] number {number}: {error}") from None


def _provisioning(content: Any, csms: Csms) -> None:
    if not isinstance(content, dict) or set(content) - {"mood", "delay_s"}:
        raise ScriptError("[provisioning] takes mood and delay_s")
    mood = content.get("mood", "normal")
    if mood not in _MOODS:
        raise ScriptError(f"[provisioning] mood must be one of {', '.join(_MOODS)}")
    if mood == "slow":
        csms.provisioning.slow(_number(content, "delay_s"))
    else:
        getattr(csms.provisioning, mood.replace("-", "_"))()


def _on(item: Any, csms: Csms) -> None:
    if not isinstance(item, dict):
        raise ScriptError("must be a table")
    action, verb, times = item.get("action"), item.get("do"), item.get("times")
    if action not in actions(csms.version):
        raise ScriptError(f"OCPP {csms.version} has no action {action!r}")
    if verb not in _MAKERS:
        raise ScriptError(f"do must be one of {', '.join(_MAKERS)}, not {verb!r}")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise ScriptError("times must be a whole number, 1 or more")
    make, keys = _MAKERS[verb]
    unknown = sorted(set(item) - keys - {"action", "do", "times"})
    if unknown:
        raise ScriptError(f"{verb} does not take {unknown[0]!r}")
    csms.on(action, make(item), times)
