"""`expect`: what a case states about the charger.

```python
expect(answer.ResponseCode, "ResponseCode").to_be_one_of("FAILED_CertificateRevoked", "FAILED")
expect.refused(answer, "FAILED_CertificateExpired")
expect.no_energy_delivered()
authorize = expect.backend_saw("Authorize", where=lambda p: p.idToken.type == "eMAID", within_s=5)
transaction = expect.transaction(ended=True, id_token=emaid)
with expect.session_may_end() as ending:
    session.send_next()
```

Each statement becomes one `expect` event with actual and expected; one that does not hold raises
ExpectationFailed (verdict `fail`). What the bench cannot tell (no sample from the analyzer) raises
BenchTrouble (verdict `error`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bench.plan import power
from bench.plan.verdict import BenchTrouble, ExpectationFailed, Inconclusive, is_a, one_line
from bench.rules.transactions import energy_register_wh, is_transaction_event, transaction_id, transactions
from bench.timeline import Event, Timeline, now_ns

MAX_TEXT = 300
SAMPLE_WAIT_S = 3.0
"""How long to wait for the next sample of the analyzer before the bench counts as broken."""


class Expectation:
    """One value about which something is expected; `what` names it in the report."""

    def __init__(self, record: Callable[[str, bool, object, object], None], value: Any, what: str) -> None:
        self._record, self.value, self.what = record, value, what

    def to_be(self, expected: object) -> None:
        """The value equals `expected`."""
        self._record(self.what, _plain(self.value) == _plain(expected), self.value, expected)

    def not_to_be(self, unwanted: object) -> None:
        """The value is anything but `unwanted`."""
        self._record(self.what, _plain(self.value) != _plain(unwanted), self.value, f"not {_show(unwanted)}")

    def to_be_one_of(self, *allowed: object) -> None:
        """The value equals one of `allowed`."""
        fine = any(_plain(self.value) == _plain(one) for one in allowed)
        self._record(self.what, fine, self.value, "one of " + ", ".join(map(_show, allowed)))

    def to_be_between(self, low: float, high: float) -> None:
        """The number is at least `low` and at most `high`; a missing value is not."""
        fine = self.value is not None and low <= self.value <= high
        self._record(self.what, fine, self.value, f"{low:g} to {high:g}")

    def to_start_with(self, prefix: str) -> None:
        """The text begins with `prefix`: `expect(code).to_start_with("FAILED")`."""
        self._record(self.what, str(_plain(self.value)).startswith(prefix), self.value, f"{prefix}...")

    def to_contain(self, part: object) -> None:
        """The text, list or mapping contains `part`; a missing value does not."""
        fine = self.value is not None and part in self.value
        self._record(self.what, fine, self.value, f"contains {_show(part)}")

    def to_be_present(self) -> None:
        """The value is there: neither None nor empty."""
        self._record(
            self.what, self.value is not None and self.value not in ("", [], b""), self.value, "present"
        )

    def __eq__(self, expected: object) -> bool:
        self.to_be(expected)
        return True

    def __ne__(self, unwanted: object) -> bool:
        self.not_to_be(unwanted)
        return True

    __hash__ = None  # type: ignore[assignment]


@dataclass(slots=True)
class Ending:
    """How a session ended inside `expect.session_may_end()`; `reason` is None when it went on."""

    reason: str | None = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """An OCPP transaction as the backend saw it: payloads of its TransactionEvents in order of arrival."""

    id: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def _of(self, kind: str) -> dict[str, Any] | None:
        return next((event for event in self.events if event.get("eventType") == kind), None)

    @property
    def started(self) -> dict[str, Any] | None:
        """The Started event, None when there is none."""
        return self._of("Started")

    @property
    def ended(self) -> dict[str, Any] | None:
        """The Ended event, None while it runs."""
        return self._of("Ended")

    @property
    def id_token(self) -> dict[str, Any] | None:
        """The first idToken that any of its events carries: `{"idToken": ..., "type": ...}`."""
        return next((event["idToken"] for event in self.events if event.get("idToken")), None)

    @property
    def stopped_reason(self) -> str | None:
        """`stoppedReason` of the Ended event."""
        ended = self.ended or {}
        return (ended.get("transactionInfo") or {}).get("stoppedReason")

    @property
    def energy_wh(self) -> float | None:
        """Last less first reading of the energy register, in Wh; None with fewer than two readings."""
        register = [value for event in self.events for value in energy_register_wh(event)]
        return register[-1] - register[0] if len(register) > 1 else None


class Expect:
    """The `expect` of a plan. `since` is the timeline mark at which the case began."""

    def __init__(self, timeline: Timeline, *, since: int = 0, csms: Any = None) -> None:
        self.timeline, self.since, self._csms = timeline, since, csms

    def __call__(self, value: Any, what: str = "value") -> Expectation:
        """Begin a statement about `value`; `what` names it in the report ("ResponseCode of
        PaymentDetailsRes").
        """
        return Expectation(self.record, value, what)

    def record(self, text: str, fine: bool, actual: object, expected: object) -> None:
        """Write one `expect` event; raises ExpectationFailed when it does not hold."""
        data = {"outcome": "pass" if fine else "fail", "actual": _show(actual), "expected": _show(expected)}
        self.timeline.append("plan", "expect", text, data)
        if not fine:
            raise ExpectationFailed(f"{text}: {data['actual']}, expected {data['expected']}")

    def that(self, fine: bool, text: str, actual: object = "", expected: object = "") -> None:
        """A statement that none of the others makes: `text` says what must hold, `fine` whether it does."""
        self.record(
            text, bool(fine), actual if actual != "" else bool(fine), expected if expected != "" else True
        )

    # -- answers
    # -----------------------------------------------------------------------------------------------

    def accepted(self, answer: Any, what: str = "") -> None:
        """The response has an OK code."""
        code, name = _code(answer), what or _name(answer)
        self.record(f"{name} is accepted", code.startswith("OK"), code, "OK...")

    def refused(self, answer: Any, *codes: str) -> None:
        """The response is a refusal; with `codes`, one of these (plain `FAILED` must be named to be
        accepted).
        """
        code = _code(answer)
        fine = code in codes if codes else code.upper().startswith("FAILED")
        self.record(
            f"{_name(answer)} is a refusal",
            fine,
            code,
            "one of " + ", ".join(codes) if codes else "FAILED...",
        )

    def answered(self, session: Any, what: str = "") -> Any:
        """Send the pending request of `session` and return the response; no answer or a closed connection is
        a fail.
        """
        pending = what or _name(getattr(session, "pending", None))
        with self.session_may_end() as ending:
            answer = session.send_next()
        _must_be_sent(ending)
        self.record(f"{pending} is answered", ending.reason is None, ending.reason or "answered", "an answer")
        return answer

    def refused_or_closed(self, session: Any, *codes: str) -> Any:
        """Send the pending request: a refusal (see `refused`) or the end of the connection; returns the
        response or None.

        For requests that a charger need not understand. A timeout, where the charger neither answers nor
        closes, fails.
        """
        with self.session_may_end() as ending:
            answer = session.send_next()
        _must_be_sent(ending)
        if ending.error is None:
            self.refused(answer, *codes)
            return answer
        closed = not is_a(ending.error, "bench.ev", "ChargerTimeout")
        self.record("the charger refuses or closes", closed, ending.reason, "FAILED... or connection closed")
        return None

    @contextmanager
    def session_may_end(self) -> Iterator[Ending]:
        """Within this the session may end in any way (no answer, closed, refused): the case itself looks at
        it.

        Without it, `SessionEnded` out of `until`, `through` or `charge` means `inconclusive`, out of
        `send_next` `fail`.
        """
        ending = Ending()
        try:
            yield ending
        except Exception as error:
            if not is_a(error, "bench.ev", "SessionEnded"):
                raise
            ending.reason, ending.error = one_line(str(error)), error

    # -- power
    # -------------------------------------------------------------------------------------------------

    def no_energy_delivered(self, max_wh: float = 0.5) -> float:
        """The analyzer counted at most `max_wh` since the case began; returns the energy in Wh."""
        energy_wh = self.energy_wh()
        self.record(
            "no energy is delivered", energy_wh <= max_wh, f"{energy_wh:.3f} Wh", f"at most {max_wh:g} Wh"
        )
        return energy_wh

    def energy_delivered(self, min_wh: float) -> float:
        """The analyzer counted at least `min_wh` since the case began; returns the energy in Wh."""
        energy_wh = self.energy_wh()
        self.record(
            "energy is delivered", energy_wh >= min_wh, f"{energy_wh:.3f} Wh", f"at least {min_wh:g} Wh"
        )
        return energy_wh

    def energy_wh(self) -> float:
        """Energy through the connector since the case began, up to a sample taken after this call, in Wh."""
        self.next_sample()
        return power.energy_wh(power.samples(self.timeline.since(self.since)))

    def next_sample(
        self, wanted: Callable[[power.Sample], bool] | None = None, within_s: float = SAMPLE_WAIT_S
    ) -> power.Sample:
        """The next sample of the analyzer (the next that `wanted` accepts).

        Raises BenchTrouble when the analyzer gives no sample at all within `within_s`, and ExpectationFailed
        when it gives samples, but none that is wanted.
        """
        start, begun_ns = self.timeline.mark(), now_ns()

        def fits(event: Event) -> bool:
            # What was measured before this call, and written after it, is not the next sample.
            fresh = event.kind == "power" and event.t_ns >= begun_ns
            return fresh and (wanted is None or wanted(power.samples([event])[0]))

        event = self.timeline.wait_for(fits, within_s, since=start)
        if event is not None:
            return power.samples([event])[0]
        seen = power.samples(self.timeline.since(start))
        if not seen:
            raise BenchTrouble(f"the power analyzer gave no sample within {within_s:g} s")
        last = seen[-1]
        raise ExpectationFailed(
            f"no sample as wanted within {within_s:g} s; last {last.voltage_v:.1f} V, {last.current_a:.1f} A"
        )

    def voltage_below(self, voltage_v: float, within_s: float) -> float:
        """The voltage at the connector falls below `voltage_v` within `within_s` from now; returns how long
        it took.
        """
        text, wanted = "voltage at the connector", f"below {voltage_v:g} V within {within_s:g} s"
        begin = time.monotonic()
        try:
            sample = self.next_sample(lambda one: abs(one.voltage_v) < voltage_v, max(within_s, 0.5))
        except ExpectationFailed as error:
            self.record(text, False, str(error), wanted)
            raise
        self.record(text, True, f"{sample.voltage_v:.1f} V", wanted)
        return time.monotonic() - begin

    # -- backend
    # -----------------------------------------------------------------------------------------------

    def backend_saw(
        self,
        action: str,
        *,
        where: Callable[[Any], bool] | None = None,
        within_s: float = 5.0,
        what: str = "",
    ) -> Any:
        """The charger sent `action` (one that `where` accepts) since the case began, or does so within
        `within_s`.

        Returns the Payload; a charger that does not is a fail.
        """
        text = what or f"the backend receives {action}"
        try:
            payload = self._csms.wait_for(
                action, where=where or (lambda payload: True), timeout_s=within_s, since=self.since
            )
        except Exception as error:
            if not is_a(error, "bench.csms", "CsmsTimeout"):
                raise
            others = len(self._csms.seen(action, since=self.since))
            self.record(text, False, f"{others} {action}, none of them as expected", f"within {within_s:g} s")
            raise ExpectationFailed(text) from error
        self.record(text, True, "received", f"within {within_s:g} s")
        return payload

    def backend_did_not_see(self, action: str, *, where: Callable[[Any], bool] | None = None) -> None:
        """The charger has not sent `action` (one that `where` accepts) since the case began."""
        seen = [
            payload
            for payload in self._csms.seen(action, since=self.since)
            if where is None or where(payload)
        ]
        self.record(f"the backend does not receive {action}", not seen, f"{len(seen)} received", "none")

    def transaction(
        self,
        *,
        ended: bool = True,
        id_token: str | None = None,
        token_type: str | None = None,
        within_s: float = 5.0,
    ) -> Transaction:
        """The charger reports one transaction since the case began: started, and ended when `ended`.

        `id_token` and `token_type` are those that it must carry. Waits up to `within_s`. Returns the
        transaction.
        """
        wanted = "Ended" if ended else "Started"
        begin = self.since

        def begun(event: Event) -> bool:
            return is_transaction_event(event) and event.data["payload"].get("eventType") == "Started"

        first = self.timeline.wait_for(begun, within_s, since=begin)
        self.record("a transaction is started", first is not None, first is not None, True)
        if first is None:
            raise ExpectationFailed("a transaction is started")
        name = transaction_id(first)
        if ended:
            last = self.timeline.wait_for(
                lambda event: (
                    is_transaction_event(event)
                    and transaction_id(event) == name
                    and event.data["payload"].get("eventType") == wanted
                ),
                within_s,
                since=begin,
            )
            self.record("the transaction is ended", last is not None, last is not None, True)
        mine = transactions(self.timeline.since(begin)).get(name, [])
        found = Transaction(name, [event.data["payload"] for event in mine])
        token = found.id_token or {}
        if id_token is not None:
            self.record(
                "idToken of the transaction", token.get("idToken") == id_token, token.get("idToken"), id_token
            )
        if token_type is not None:
            self.record(
                "token type of the transaction",
                token.get("type") == token_type,
                token.get("type"),
                token_type,
            )
        return found

    def no_transaction_with_energy(self) -> None:
        """No transaction since the case began reports energy (more than 0.5 Wh)."""
        for name, events in transactions(self.timeline.since(self.since)).items():
            energy = Transaction(name, [event.data["payload"] for event in events]).energy_wh or 0.0
            self.record(
                f"transaction {name} reports no energy", energy <= 0.5, f"{energy:g} Wh", "at most 0.5 Wh"
            )


def _must_be_sent(ending: Ending) -> None:
    """A request that the car would not send, for what came before it, was not under test."""
    if ending.error is not None and is_a(ending.error, "bench.ev", "CarGaveUp"):
        raise Inconclusive(str(ending.reason)) from ending.error


def _code(answer: Any) -> str:
    return str(_plain(getattr(answer, "ResponseCode", None)) or "no response code")


def _name(body: Any) -> str:
    return "request" if body is None else type(body).__name__.removesuffix("Type")


def _plain(value: Any) -> Any:
    # Enum members of the message sets compare by what stands on the wire.
    return value.value if isinstance(value, Enum) else value


def _show(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        value = bytes(value).hex()
    text = value if isinstance(value, str) else str(_plain(value))
    return one_line(text, MAX_TEXT)
