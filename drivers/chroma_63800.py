"""AcLoad: Chroma 63800 AC/DC loads, one box a phase, over SCPI.

The resource lists one VISA resource a phase, L1 first, parted by commas. The dialect is the one seen in
public code (`LOAD:MODE CURR`, `CURR`, `LOAD ON`, `MEAS:VOLT?;CURR?;POW?`); nobody has run this driver on
hardware yet. The box has no watchdog of its own on record: a real bench puts a contactor that falls open
in front of it.
"""

from __future__ import annotations

from typing import ClassVar

from drivers.ac_load import AcLoad, AcReading
from drivers.base import DriverError, Identity, LimitExceeded, Trace
from drivers.scpi import ScpiDriver, parse_numbers


def _voltage_current_power(text: str) -> list[float]:
    return parse_numbers(text, 3, ";")


class _OnePhase(ScpiDriver):
    """The box of one phase."""

    vendor: ClassVar[str] = "Chroma"
    model: ClassVar[str] = "63800"

    def _prepare(self) -> None:
        self._set("LOAD OFF")
        self._set("LOAD:MODE CURR")

    def set_current(self, current_a: float) -> None:
        self._set(f"CURR {current_a:.2f}")

    def switch(self, on: bool) -> None:
        self._set("LOAD ON" if on else "LOAD OFF")

    def measure(self) -> list[float]:
        command = "MEAS:VOLT?;CURR?;POW?"
        return self._parsed(command, _voltage_current_power, self._query(command))

    def make_safe(self) -> None:
        self._set("LOAD OFF")


class Chroma63800(AcLoad):
    """Up to three 63800 loads in star."""

    vendor: ClassVar[str] = "Chroma"
    model: ClassVar[str] = "63800"
    verified_on: ClassVar[str | None] = None

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        trace: Trace | None = None,
        timeout_s: float = 2.0,
        max_current_a: float = 36.0,
        monitoring_s: float = 1.5,
    ) -> None:
        super().__init__(resource, name=name, trace=trace)
        places = [place.strip() for place in resource.split(",")]
        if not 1 <= len(places) <= 3 or not all(places):
            raise LimitExceeded(
                f"{name} ({self.model}): the resource must name one to three boxes, not {resource!r}"
            )
        self._phases = [
            _OnePhase(place, name=f"{name}.L{number}", trace=trace, timeout_s=timeout_s)
            for number, place in enumerate(places, 1)
        ]
        for phase in self._phases:
            phase._hush = self._hush  # who is quiet here is quiet on every phase
        self.max_current_a = self._within("max_current_a", max_current_a, 0.1, 1000)
        self.watchdog_s = self._within("monitoring_s", monitoring_s, 0.5, 36)

    def open(self) -> None:
        with self._lock:
            try:
                for phase in self._phases:
                    phase.open()
            except DriverError:
                self.close()
                raise

    def close(self) -> None:
        for phase in self._phases:
            phase.close()

    def identify(self) -> Identity:
        return self._phases[0].identify()

    def set_current(self, current_a: float, phases: int = 3) -> None:
        current_a = self._within("current_a", current_a, 0, self.max_current_a)
        if phases not in range(1, len(self._phases) + 1):
            raise LimitExceeded(
                f"{self.name} ({self.model}): {phases!r} phases, but {len(self._phases)} are wired"
            )
        with self._lock:
            for number, phase in enumerate(self._phases, 1):
                phase.set_current(current_a if number <= phases else 0.0)

    def output(self, on: bool) -> None:
        with self._lock:
            for phase in self._phases:
                phase.switch(on)

    def measure(self) -> AcReading:
        with self._lock:
            readings = [phase.measure() for phase in self._phases]
        loaded = [reading for reading in readings if reading[1] > 0.05] or readings
        return AcReading(
            sum(reading[0] for reading in loaded) / len(loaded),
            sum(reading[1] for reading in loaded) / len(loaded),
            sum(reading[2] for reading in readings),
        )

    def keep_alive(self) -> None:
        for phase in self._phases:
            phase.keep_alive()

    def make_safe(self) -> None:
        """Every phase is tried, even after one failed."""
        _make_all_safe(self._phases)


def _make_all_safe(drivers: list[_OnePhase]) -> None:
    first: DriverError | None = None
    for driver in drivers:
        try:
            driver.make_safe()
        except DriverError as error:
            first = first or error
    if first is not None:
        raise first
