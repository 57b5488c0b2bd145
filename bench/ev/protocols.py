"""The protocols that the EV speaks: of each its name on the wire, its messages and its table of requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.ev.din import flow as din_flow
from bench.ev.iso2 import flow as iso2_flow
from bench.ev.iso2.state import SessionState
from bench.ev.profile import DIN_NAMESPACE, ISO2_NAMESPACE, OfferedProtocol
from bench.v2g import timers
from bench.v2g.messages import din, iso2

ProtocolName = Literal["iso2", "din"]


@dataclass(frozen=True)
class Protocol:
    """One protocol. `messages` is the module of its message set; `name` is the codec's schema, too."""

    name: ProtocolName
    title: str
    namespace: str
    messages: Any
    rows: Mapping[str, iso2_flow.Row]
    note_sent: Callable[[SessionState, Any], None]

    def message_timeout_s(self, request: str) -> float:
        """V2G_EVCC_Msg_Timeout of `request`. Raises KeyError for what is no request."""
        return timers.message_timeout(self.name, request).value

    def offer(self) -> OfferedProtocol:
        """What supportedAppProtocolReq says for a car that speaks nothing else."""
        return OfferedProtocol(self.namespace, 2, 0, 1, 1)


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "iso2": Protocol("iso2", "ISO 15118-2", ISO2_NAMESPACE, iso2, iso2_flow.ROWS, iso2_flow.note_sent),
    "din": Protocol("din", "DIN SPEC 70121", DIN_NAMESPACE, din, din_flow.ROWS, din_flow.note_sent),
}
