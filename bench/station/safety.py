"""The way to the safe state, however a run ends, and the signals that lead there."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from bench.station.instruments import Instruments
from drivers import AcLoad, Contactor, ControlPilot, DcSink, DriverError, PlcModem

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 20.0
"""One Ctrl-C is enough: for this long after it further ones are ignored, so that an impatient user does not
interrupt the writing of the report.
"""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came; handled like Ctrl-C everywhere, so that reports are written on the way out."""


def make_safe(instruments: Instruments) -> list[str]:
    """Sink and load off, contactor open, pilot A, modem out of the charger's network. Every step is tried;
    returns what failed, one line each.
    """
    problems: list[str] = []

    def attempt(step: Callable[[], None]) -> None:
        try:
            step()
        except DriverError as error:
            problems.append(str(error))

    sink, load = instruments.find(DcSink), instruments.find(AcLoad)
    contactor, pilot = instruments.find(Contactor), instruments.find(ControlPilot)
    if sink is not None:
        attempt(sink.make_safe)
    if load is not None:
        attempt(load.make_safe)
    if contactor is not None:
        attempt(contactor.open_contactor)
    if pilot is not None:
        attempt(lambda: pilot.set_state("A"))
        attempt(pilot.make_safe)
    modem = instruments.find(PlcModem)
    if modem is not None:
        attempt(modem.make_safe)
    return problems


class _Latch:
    """When the first signal was acted on; shared by guards within each other."""

    def __init__(self) -> None:
        self._since: float | None = None

    def first(self) -> bool:
        """Whether a signal that comes now is to be acted on; from then on others wait."""
        now = time.monotonic()
        if self._since is not None and now - self._since < PATIENCE_S:
            return False
        self._since = now
        return True


class SignalGuard:
    """Turns SIGTERM, SIGHUP and SIGINT into an exception in the main thread, unless the safe state is
    being made. Guards may be installed within each other; the signals of one run count together.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._held = 0
        self._pending: int | None = None
        self._latch = _Latch()

    def install(self) -> None:
        """Take over the signals; only the main thread can, elsewhere nothing happens."""
        if threading.current_thread() is threading.main_thread() and not self._before:
            for number in SIGNALS:
                # A shell without job control starts `plugbench run &` with SIGINT ignored. A bench must be
                # stoppable all the same; only nohup's wish, to outlive the terminal, is respected.
                if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                before = self._before[number] = signal.signal(number, self._handle)
                outer = getattr(before, "__self__", None)
                if isinstance(outer, SignalGuard):
                    self._latch = outer._latch

    def restore(self) -> None:
        """Give the signals back."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
            self._before.clear()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._held:
            self._pending = number
            return
        self._raise(number)

    def _raise(self, number: int) -> None:
        if not self._latch.first():
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated(f"ended by {signal.Signals(number).name}")

    def __enter__(self) -> SignalGuard:
        """Within it, signals wait: the safe state is not to be interrupted by an impatient second Ctrl-C."""
        self._held += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self._held -= 1
        if not self._held and self._pending is not None and exc[0] is None:
            number, self._pending = self._pending, None
            self._raise(number)
