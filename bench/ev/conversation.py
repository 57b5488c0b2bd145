"""A conversation with the charger: requests go out with their deviations, answers come in and are kept."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from bench.ev.errors import PlanMistake, SessionEnded
from bench.ev.faults import Fault, Outgoing
from bench.ev.iso2 import flow, signing
from bench.ev.iso2.state import NEW_SESSION, SessionState
from bench.ev.options import SessionOptions
from bench.ev.protocols import PROTOCOLS
from bench.ev.wire import Received, Schema, Wire

if TYPE_CHECKING:
    from bench.ev.vehicle import Vehicle

MAX_HISTORY = 100_000
EXTRA_ANSWER_S = 1.0
"""How long the answers to repeated copies of a message are waited for."""


@dataclass(frozen=True)
class Exchange:
    """A request and its answer (bodies). `t_ns` is when the answer came, `sent_ns` when the request had gone
    out.
    """

    name: str
    request: Any
    response: Any
    rtt_s: float
    t_ns: int
    sent_ns: int
    header: Any = None
    response_exi: bytes = b""
    invalid: str | None = None
    """Where the response leaves the schema, None where it does not."""


class Conversation:
    """Sends requests and takes answers; knows nothing of their order, which is `Session`'s part."""

    def __init__(self, options: SessionOptions, state: SessionState, *, wire: Wire, vehicle: Vehicle) -> None:
        self.options, self.state, self.wire, self.vehicle = options, state, wire, vehicle
        self._sent_ns = 0
        self.protocol = PROTOCOLS[options.protocol]
        self._schema: Schema = self.protocol.name
        self._faults: dict[str, list[tuple[int | None, Fault]]] = {}
        self._sent: Counter[str] = Counter()
        self._sent_at: dict[str, float] = {}
        self._wake = threading.Event()
        self.history: list[Exchange] = []
        self.responses: dict[str, Any] = {}
        """The last response body of each name."""
        self.extra_responses: list[Any] = []
        """Answers to repeated copies of a message (`faults.repeat`)."""
        self.ended: str | None = None
        """Why the session is over, or None while it is not."""
        self._pending: Any = None

    def deviate(self, name: str, *faults: Fault, when: int | None = None) -> Self:
        """Let `faults` act on request `name`: on its `when`-th sending (1 is the first), or on all. Returns
        self.
        """
        self._known(name)
        self._faults.setdefault(name, []).extend((when, fault) for fault in faults)
        return self

    def _known(self, name: str) -> None:
        rows = self.protocol.rows
        if name not in rows:
            raise PlanMistake(f"{name!r} is no request of {self.protocol.title}; known: {', '.join(rows)}")

    def _last_name(self) -> str | None:
        return self.history[-1].name if self.history else None

    def _last_code(self) -> str | None:
        code = getattr(self.history[-1].response, "ResponseCode", None) if self.history else None
        return str(code) if code is not None else None

    def rest(self, duration_s: float) -> None:
        """Let time pass without a word; a session that is closed meanwhile wakes up."""
        if duration_s > 0:
            self._wake.wait(duration_s)

    def _pace(self, name: str) -> None:
        """Hold the interval between two requests of one kind; a car does not hammer."""
        last = self._sent_at.get(name)
        if last is not None:
            pace = self.state.profile.pace
            interval_s = pace.charge_loop_s if name in flow.LOOP else pace.ongoing_loop_s
            self.rest(last + interval_s - time.monotonic())
        self._sent_at[name] = time.monotonic()

    def _transmit(self, name: str, body: Any, extra: Sequence[Fault] = ()) -> Outgoing:
        """Sign, spoil, encode and write."""
        self._sent[name] += 1
        nth = self._sent[name]
        faults = [f for when, f in self._faults.get(name, ()) if when is None or when == nth] + list(extra)
        kinds = self.protocol.messages
        schema: Schema = "sap" if name == flow.FIRST else self.protocol.name
        header = None if schema == "sap" else kinds.MessageHeader(SessionID=self._header_session_id(name))
        out = Outgoing(name, body, header, notes=[fault.note for fault in faults])
        for fault in faults:
            if fault.stage == "message":
                fault.apply(out)
        if out.sign and header is not None:
            key = signing.key_for(self.state, type(out.body).__name__, out.body)
            if key is not None:
                header.Signature = signing.sign(out.body, key)
        for fault in faults:
            if fault.stage == "signed":
                fault.apply(out)
        if header is None and type(out.body).__module__.endswith(".sap"):
            message = out.body
        else:
            schema = self.protocol.name
            out.header = header or kinds.MessageHeader(SessionID=self._header_session_id(name))
            message = kinds.V2G_Message(Header=out.header, Body=kinds.Body(BodyElement=out.body))
        out.delay_s = max(0.0, out.delay_s)
        self._sent_ns = self.wire.send(out, schema, faults, message)
        self._schema = schema
        return out

    def _header_session_id(self, name: str) -> bytes:
        if name == "SessionSetupReq" and self.state.session_id == NEW_SESSION:
            return self.state.resume_session_id or NEW_SESSION
        return self.state.session_id

    def _exchange(self, name: str, body: Any, extra: Sequence[Fault] = ()) -> Received:
        self.vehicle.check()
        try:
            out = self._transmit(name, body, extra)
            limit_s, patience_s = self._patience(name)
            received = self.wire.receive(name, self._schema, self._sent_ns, limit_s, patience_s)
        except SessionEnded as error:
            raise self._end(error.reason, error) from error
        for _ in range(out.copies - 1):
            try:
                again = self.wire.receive(name, self._schema, self._sent_ns, EXTRA_ANSWER_S, EXTRA_ANSWER_S)
            except SessionEnded:
                break  # a charger that answers once, or closes, is judged by the case
            self.extra_responses.append(again.body)
        self.responses[received.name] = received.body
        if len(self.history) >= MAX_HISTORY:
            del self.history[1000 : MAX_HISTORY // 2]  # keeps the handshake and the recent past
        self.history.append(
            Exchange(
                name,
                out.body,
                received.body,
                (received.t_ns - self._sent_ns) / 1e9,
                received.t_ns,
                self._sent_ns,
                received.header,
                received.exi,
                received.invalid,
            )
        )
        return received

    def _patience(self, name: str) -> tuple[float, float]:
        """Message timeout, and how long the car really waits."""
        limit_s = self.protocol.message_timeout_s(name) if name in self.protocol.rows else 2.0
        if self.options.receive_patience_s is not None:
            return limit_s, self.options.receive_patience_s
        if name == "CurrentDemandReq":
            return limit_s, max(limit_s, self.state.profile.pace.current_demand_patience_s)
        return limit_s, limit_s

    def _end(self, reason: str, error: SessionEnded | None = None) -> SessionEnded:
        """The session is over: power off, and the error to raise for it."""
        if self.ended is None:
            self.ended = reason
            self.wire.event("step", "session ended", reason=reason)
            self.vehicle.stop_power()
        self.state.started = False
        self._pending = None
        if error is not None:
            self.wire.close()
            error.response_code = error.response_code or self._last_code()
            return error
        return SessionEnded(reason, self._last_name(), self._last_code())
