"""What a script makes the backend do instead of (or before) its conforming answer.

`csms.on("Authorize", Delay(2.0))`, `csms.on("Authorize", Reject(), times=1)`: one line, undone by
`csms.reset_behaviour()`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Behaviour:
    """Base of the behaviours; itself the conforming answer."""


@dataclass(frozen=True)
class Reject(Behaviour):
    """A negative answer of the action's own kind.

    Authorize: idTokenInfo.status `status` ("Invalid") and, for a contract, certificateStatus
    `certificate_status`. Other actions: `status` is put where the conforming answer has its status
    ("Rejected", or "Failed" for Get15118EVCertificate and GetCertificateStatus).
    """

    status: str | None = None
    certificate_status: str | None = None


@dataclass(frozen=True)
class Delay(Behaviour):
    """The conforming answer, `delay_s` seconds late."""

    delay_s: float


@dataclass(frozen=True)
class Error(Behaviour):
    """A CALLERROR with this code (2.0.1 part 4, 4.3)."""

    code: str = "InternalError"
    description: str = ""


@dataclass(frozen=True)
class Malformed(Behaviour):
    """This text instead of a frame; `{id}` in it becomes the id of the call."""

    text: str = '[3,"{id}",'


@dataclass(frozen=True)
class Drop(Behaviour):
    """No answer at all."""


@dataclass(frozen=True)
class Answer(Behaviour):
    """This payload instead of the conforming one; it need not fit the schema.

    With `merge`, its fields replace those of the conforming answer and the rest stays.
    """

    payload: Mapping[str, Any] = field(default_factory=dict)
    merge: bool = False


class Behaviours:
    """Which behaviour applies to which action, in the order they were asked for; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table: dict[str, list[tuple[Behaviour, int | None]]] = {}

    def set(self, action: str, behaviour: Behaviour, times: int | None = None) -> None:
        """Apply `behaviour` to the next `times` calls of `action` (to all, when None).

        Behaviours with `times` queue up one after the other; one without replaces what was there.
        Raises ValueError when `times` is less than 1.
        """
        if times is not None and times < 1:
            raise ValueError(f"times={times}: at least 1")
        with self._lock:
            queue = self._table.setdefault(action, [])
            if times is None:
                queue.clear()
            queue.append((behaviour, times))

    def take(self, action: str) -> Behaviour:
        """Return the behaviour for this call of `action` and count it."""
        with self._lock:
            queue = self._table.get(action)
            if not queue:
                return Behaviour()
            # An unlimited behaviour asked for first gives way to counted ones asked for later.
            index = next((i for i, (_, left) in enumerate(queue) if left is not None), 0)
            behaviour, left = queue[index]
            if left is not None:
                if left <= 1:
                    del queue[index]
                else:
                    queue[index] = (behaviour, left - 1)
            return behaviour

    def clear(self) -> None:
        """Back to conforming answers."""
        with self._lock:
            self._table.clear()


_NEGATIVE: Mapping[str, str] = {"Get15118EVCertificate": "Failed", "GetCertificateStatus": "Failed"}


def rejected(action: str, conforming: Mapping[str, Any], how: Reject) -> dict[str, Any]:
    """Turn the conforming answer of `action` into a negative one."""
    answer = dict(conforming)
    if "idTokenInfo" in answer or action == "Authorize":
        answer["idTokenInfo"] = {"status": how.status or "Invalid"}
        if how.certificate_status is not None:
            answer["certificateStatus"] = how.certificate_status
    elif "status" in answer:
        answer["status"] = how.status or _NEGATIVE.get(action, "Rejected")
    return answer
