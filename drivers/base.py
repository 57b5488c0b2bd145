"""What every driver is: identity, life cycle, safe state, watchdog, trace, and the errors it may raise.

Errors, all of them the bench's fault and never the charger's (verdict `error`):

    DriverError
    +-- InstrumentNotFound   nobody answered when the instrument was opened
    +-- InstrumentLost       an opened instrument fell silent, hung up or answered nonsense
    +-- InstrumentRefused    the instrument answered, and said no
    +-- LimitExceeded        a command beyond the bench's or the instrument's limits; it was not sent
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

Trace = Callable[[str, dict[str, Any]], None]
"""Called with (command, {"sent", "received", "error"}) for every exchange on the wire."""


class DriverError(Exception):
    """An instrument could not do what was asked; the text is one line that names the instrument and the
    cause.
    """


class InstrumentNotFound(DriverError):  # noqa: N818
    """Nobody answered at the resource when the instrument was opened."""


class InstrumentLost(DriverError):  # noqa: N818
    """An instrument that had answered fell silent, hung up, or answered something that makes no sense."""


class InstrumentRefused(DriverError):  # noqa: N818
    """The instrument answered that it will not do this."""


class LimitExceeded(DriverError):  # noqa: N818
    """The command lies beyond a limit and has not been sent."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answered: as the instrument itself reports it; empty text where it does not."""

    vendor: str
    model: str
    serial: str = ""
    firmware: str = ""


class Driver(ABC):
    """One instrument on one wire.

    `resource` says where it is (VISA resource, `host:port`, serial device); `name` is its name in the
    bench file, used in every error; `trace` hears every exchange. Methods may be called from several
    threads (plan, sampler, keep-alive): a driver holds `_lock` for the time of one exchange.
    """

    vendor: ClassVar[str]
    model: ClassVar[str]
    """Model or series, as the vendor writes it."""
    verified_on: ClassVar[str | None] = None
    """Model, firmware and date of the hardware that someone ran this driver against; None until someone
    did.
    """
    watchdog_s: float | None = None
    """The box returns to its safe state by itself when it hears nothing for this long; None: it has no
    such thing.
    """

    def __init__(self, resource: str, *, name: str, trace: Trace | None = None) -> None:
        self.resource = resource
        self.name = name
        self._trace = trace
        self._lock = threading.RLock()
        self._hush = threading.local()

    @abstractmethod
    def open(self) -> None:
        """Connect and make sure that the instrument answers. Raises InstrumentNotFound."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the wire. Never raises; may be called twice."""

    @abstractmethod
    def identify(self) -> Identity:
        """Who is there. Raises InstrumentLost."""

    @abstractmethod
    def make_safe(self) -> None:
        """Take the instrument to the state in which it can do no harm. Raises DriverError when that fails."""

    @abstractmethod
    def keep_alive(self) -> None:
        """Feed the box's watchdog and make sure that it still answers. Raises InstrumentLost."""

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Within it, this thread's exchanges are traced only when they fail.

        For polling (sampler, keep-alive), whose readings are events of their own: thousands of identical
        questions would bury the commands that changed something.
        """
        before = getattr(self._hush, "on", False)
        self._hush.on = True
        try:
            yield
        finally:
            self._hush.on = before

    def _note(self, sent: str, received: str | None = None, error: str | None = None) -> None:
        if self._trace is not None and (error is not None or not getattr(self._hush, "on", False)):
            self._trace(sent, {"sent": sent, "received": received, "error": error})

    def _lost(self, sent: str, why: str) -> InstrumentLost:
        """Record a failed exchange and return the error to raise."""
        self._note(sent, error=why)
        return InstrumentLost(f"{self.name} ({self.model} at {self.resource}): {why} (command {sent!r})")

    def _refused(self, sent: str, why: str) -> InstrumentRefused:
        self._note(sent, error=why)
        return InstrumentRefused(f"{self.name} ({self.model} at {self.resource}): refused {sent!r}: {why}")

    def _not_found(self, why: str) -> InstrumentNotFound:
        self._note("open", error=why)
        return InstrumentNotFound(f"{self.name} ({self.model} at {self.resource}): {why}")

    def _within(self, quantity: str, value: float, low: float, high: float) -> float:
        """The value as a float, or LimitExceeded: never silently cut, since that would alter a test's
        limits.
        """
        number = float(value)
        if not math.isfinite(number) or not low <= number <= high:
            raise LimitExceeded(
                f"{self.name} ({self.model}): {quantity} {value!r} is not within {low:g} .. {high:g}"
            )
        return number
