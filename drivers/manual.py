"""ControlPilot, Contactor, CardReader: a human is a driver too.

The operator at the terminal is asked to do what a board would do, and to read what it would measure. For a
lab that has a pilot box with knobs, or a real car, and no board yet.
"""

from __future__ import annotations

import re
import select
import sys
import time
from collections.abc import Callable
from typing import ClassVar

from drivers.base import Identity, LimitExceeded, Trace
from drivers.card_reader import CardReader
from drivers.contactor import Contactor
from drivers.control_pilot import ControlPilot, PilotReading, PilotState
from drivers.pilot_protocol import PilotProtocolError, parse_measurement

Ask = Callable[[str, float], str | None]
"""(question, seconds to wait) -> what the operator typed, without the line end; None when nothing came in
time.
"""

_TOKEN = re.compile(r"[A-Za-z0-9:._-]{1,36}")
_REFUSALS = {"n", "no", "abort", "stop"}


def ask_on_terminal(question: str, timeout_s: float) -> str | None:
    """Put the question on standard error and wait for a line on standard input."""
    print(f"\n>>> {question}", file=sys.stderr, flush=True)
    deadline = time.monotonic() + timeout_s
    ready, _, _ = select.select([sys.stdin], [], [], max(0.0, deadline - time.monotonic()))
    if not ready:
        return None
    line = sys.stdin.readline(200)
    return None if line == "" else line.strip()


class ManualPilot(ControlPilot, Contactor, CardReader):
    """The operator. `resource` is free text that tells them which box is meant."""

    vendor: ClassVar[str] = "the operator"
    model: ClassVar[str] = "manual pilot box"
    verified_on: ClassVar[str | None] = None
    watchdog_s = None

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        trace: Trace | None = None,
        timeout_s: float = 120.0,
        ask: Ask = ask_on_terminal,
    ) -> None:
        super().__init__(resource, name=name, trace=trace)
        self._timeout_s = self._within("timeout_s", timeout_s, 1, 3600)
        self._ask = ask
        self._closed = False

    def open(self) -> None:
        if self._ask is ask_on_terminal and not sys.stdin.isatty():
            raise self._not_found("there is no terminal at which an operator could be asked")
        self._do("is the pilot box in state A and the contactor open?")

    def close(self) -> None:
        """There is nothing to let go of."""

    def identify(self) -> Identity:
        return Identity(self.vendor, self.model)

    def set_state(self, state: PilotState) -> None:
        if state not in ("A", "B", "C", "D"):
            raise LimitExceeded(f"{self.name} ({self.model}): pilot state {state!r} is not one of A, B, C, D")
        self._do(f"set the pilot to state {state}")

    def measure(self) -> PilotReading:
        """The operator reads the scope: state, high V, low V, duty %, frequency Hz, parted by blanks."""
        question = (
            "type what the pilot shows: state high_v low_v duty_percent frequency_hz (B 9.0 -12.0 5.0 1000)"
        )
        answer = self._answer(question)
        try:
            return parse_measurement("MEAS " + " ".join(answer.split()))
        except PilotProtocolError as error:
            raise self._lost(question, f"that is no measurement: {error}") from error

    def set_proximity_ohm(self, ohm: float | None) -> None:
        if ohm is None:
            self._do("open the proximity line")
        else:
            self._do(f"put {self._within('proximity_ohm', ohm, 10, 100_000):g} ohm on the proximity line")

    def close_contactor(self) -> None:
        self._do("close the vehicle's contactor")
        self._closed = True

    def open_contactor(self) -> None:
        self._do("open the vehicle's contactor")
        self._closed = False

    def is_closed(self) -> bool:
        """What the operator last confirmed."""
        return self._closed

    def present(self, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise LimitExceeded(
                f"{self.name} ({self.model}): {token!r} is not an RFID token of 1 to 36 characters"
            )
        self._do(f"hold the RFID card {token} against the reader")

    def keep_alive(self) -> None:
        """An operator is not asked three times a second whether they are still there."""

    def make_safe(self) -> None:
        self._do("SAFE STATE: open the vehicle's contactor and set the pilot to state A")
        self._closed = False

    def _do(self, what: str) -> None:
        answer = self._answer(f"{self.resource}: {what} (Enter when done, n when it cannot be done)")
        if answer.lower() in _REFUSALS:
            raise self._refused(what, "the operator says that it cannot be done")

    def _answer(self, question: str) -> str:
        with self._lock:
            answer = self._ask(question, self._timeout_s)
            if answer is None:
                raise self._lost(question, f"the operator did not answer within {self._timeout_s:g} s")
            self._note(question, answer)
            return answer
