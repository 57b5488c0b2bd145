"""A received payload with attribute access, for plans: `p.idToken.type`, absent fields are None."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class Payload(Mapping[str, Any]):
    """Read-only view of a payload.

    Fields are attributes in the schema's camelCase; what is absent is None, at any depth as far as objects
    go. Objects inside are Payloads, arrays are lists. A field called `values` is reached as `p["values"]`.
    `raw` is the plain dict, `t_ns` the monotonic stamp of the frame, `seq` the number of its event in the
    timeline, `problem` what was wrong with the frame or None, `ocpp_action` its action.
    """

    __slots__ = ("ocpp_action", "problem", "raw", "seq", "t_ns")

    def __init__(
        self,
        raw: Mapping[str, Any],
        *,
        ocpp_action: str = "",
        t_ns: int = 0,
        seq: int = 0,
        problem: str | None = None,
    ) -> None:
        self.raw = dict(raw)
        self.ocpp_action = ocpp_action
        self.t_ns = t_ns
        self.seq = seq
        self.problem = problem

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._wrap(self.raw.get(name))

    def __getitem__(self, name: str) -> Any:
        return self._wrap(self.raw[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __bool__(self) -> bool:
        return True  # an empty payload is still a payload that was received

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Payload):
            return self.raw == other.raw
        return self.raw == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Payload({self.ocpp_action}{' ' if self.ocpp_action else ''}{self.raw!r})"

    def _wrap(self, value: Any) -> Any:
        if isinstance(value, dict):
            return Payload(value, t_ns=self.t_ns, seq=self.seq)
        if isinstance(value, list):
            return [self._wrap(each) for each in value]
        return value
