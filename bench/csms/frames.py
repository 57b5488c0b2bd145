"""OCPP-J frames: the arrays [type, id, ...] that carry calls and answers.

Source: OCPP 1.6J section 4, OCPP 2.0.1 part 4 sections 4.1 and 4.2, OCPP 2.1 part 4 (CALLRESULTERROR and
SEND). The parser knows every version's frame types; which of them a link accepts is the link's decision. What
arrives is hostile: `parse` either returns a Frame or raises FrameError, whatever the text.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NoReturn

MAX_ID_CHARACTERS = 36
"""Longest message id (part 4, 4.1.4)."""
MAX_DEPTH = 64
"""Deepest nesting of arrays and objects taken; the schemas need less than a dozen."""
UNREADABLE_ID = "-1"
"""The id that answers a frame whose own id cannot be read (2.0.1 part 4, 4.2.3)."""


class FrameType(IntEnum):
    """First element of a frame."""

    CALL = 2
    CALLRESULT = 3
    CALLERROR = 4
    CALLRESULTERROR = 5
    SEND = 6


class FrameError(Exception):
    """A text that is not an OCPP frame.

    `code` is the CALLERROR code that 2.0.1 part 4, 4.3 gives it, `frame_id` the id where one could be read.
    """

    def __init__(self, code: str, text: str, frame_id: str = UNREADABLE_ID) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.frame_id = frame_id


@dataclass(frozen=True, slots=True)
class Frame:
    """One parsed frame; `problems` are deviations that do not keep it from being understood (a too long
    id)."""

    type: FrameType
    id: str
    action: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    code: str | None = None
    description: str = ""
    problems: tuple[str, ...] = ()


_ARITY = {
    FrameType.CALL: 4,
    FrameType.CALLRESULT: 3,
    FrameType.CALLERROR: 5,
    FrameType.CALLRESULTERROR: 5,
    FrameType.SEND: 4,
}


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _depth_exceeded(text: str) -> bool:
    """True when brackets nest deeper than MAX_DEPTH; brackets inside texts count too, which only errs if
    absurd."""
    depth = 0
    in_text = escaped = False
    for character in text:
        if in_text:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_text = False
        elif character == '"':
            in_text = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif character in "]}":
            depth -= 1
    return False


def parse(raw: str) -> Frame:
    """Return the frame in `raw`; raises FrameError, and nothing else, when it is none."""
    # The walk over the text is only worth its time where that many brackets exist at all.
    if raw.count("[") + raw.count("{") > MAX_DEPTH and _depth_exceeded(raw):
        raise FrameError("RpcFrameworkError", f"nested deeper than {MAX_DEPTH}")
    try:
        array = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FrameError("RpcFrameworkError", f"not JSON: {error}") from None
    if not isinstance(array, list):
        raise FrameError("RpcFrameworkError", "not a JSON array")
    if len(array) < 2:
        raise FrameError("RpcFrameworkError", f"an array of {len(array)} elements")
    number, frame_id, *rest = array
    if not isinstance(frame_id, str):
        raise FrameError("RpcFrameworkError", "the message id is not a text")
    short_id = frame_id[:MAX_ID_CHARACTERS]
    if isinstance(number, bool) or not isinstance(number, int) or number not in _ARITY:
        raise FrameError("MessageTypeNotSupported", f"message type {str(number)[:40]} is unknown", short_id)
    kind = FrameType(number)
    if len(array) != _ARITY[kind]:
        text = f"a {kind.name} of {len(array)} elements instead of {_ARITY[kind]}"
        raise FrameError("RpcFrameworkError", text, short_id)
    return _frame(kind, frame_id, rest)


def _frame(kind: FrameType, frame_id: str, rest: list[Any]) -> Frame:
    problems = []
    if len(frame_id) > MAX_ID_CHARACTERS:
        problems.append(
            f"message id of {len(frame_id)} characters, at most {MAX_ID_CHARACTERS} (part 4, 4.1.4)"
        )
    elif not frame_id:
        problems.append("empty message id (part 4, 4.1.4)")
    if kind in (FrameType.CALL, FrameType.SEND):
        action, payload = rest
        if not isinstance(action, str):
            raise FrameError("RpcFrameworkError", "the action is not a text", frame_id[:MAX_ID_CHARACTERS])
        if not isinstance(payload, dict):
            raise FrameError(
                "RpcFrameworkError", "the payload is not an object", frame_id[:MAX_ID_CHARACTERS]
            )
        return Frame(kind, frame_id, action[:200], payload, problems=tuple(problems))
    if kind is FrameType.CALLRESULT:
        (payload,) = rest
        if not isinstance(payload, dict):
            raise FrameError(
                "RpcFrameworkError", "the payload is not an object", frame_id[:MAX_ID_CHARACTERS]
            )
        return Frame(kind, frame_id, None, payload, problems=tuple(problems))
    code, description, details = rest
    if not (isinstance(code, str) and isinstance(description, str) and isinstance(details, dict)):
        text = f"a {kind.name} has a code, a description and an object"
        raise FrameError("RpcFrameworkError", text, frame_id[:MAX_ID_CHARACTERS])
    if len(description) > 255:
        problems.append(f"error description of {len(description)} characters, at most 255")
    return Frame(kind, frame_id, None, details, code, description, tuple(problems))


def _dump(array: list[Any]) -> str:
    return json.dumps(array, separators=(",", ":"), ensure_ascii=False)


def new_id() -> str:
    """Return a message id never used before: a UUID, 36 characters (part 4, 4.1.4)."""
    return str(uuid.uuid4())


def call(frame_id: str, action: str, payload: dict[str, Any]) -> str:
    """Text of a CALL; raises TypeError or ValueError when `payload` is no JSON."""
    return _dump([FrameType.CALL, frame_id, action, payload])


def result(frame_id: str, payload: dict[str, Any]) -> str:
    """Text of a CALLRESULT; raises TypeError or ValueError when `payload` is no JSON."""
    return _dump([FrameType.CALLRESULT, frame_id, payload])


def error(frame_id: str, code: str, description: str = "", details: dict[str, Any] | None = None) -> str:
    """Text of a CALLERROR; the description is cut to the 255 characters that part 4 allows."""
    return _dump([FrameType.CALLERROR, frame_id, code, description[:255], details or {}])
