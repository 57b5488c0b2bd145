"""PowerAnalyzer: Yokogawa WT300E, WT500, WT1800 over a TCP socket.

Dialect: `:NUMERIC` group with four items read in one answer, so that voltage, current, power and energy
belong to the same measurement. A missing value is `NAN`. Element 1 is the connector's DC or phase L1; sums
are `SIGMA`.
"""

from __future__ import annotations

from typing import ClassVar

from drivers.base import LimitExceeded, Trace
from drivers.power_analyzer import Accuracy, PowerAnalyzer, PowerMode, PowerReading
from drivers.scpi import ScpiDriver, ScpiParseError, parse_number, parse_numbers

_ITEMS = {
    "dc": ("UDC,1", "IDC,1", "P,1", "WH,1"),
    "ac": ("URMS,1", "IRMS,1", "P,SIGMA", "WH,SIGMA"),
}


def _energy(text: str) -> float:
    """Energy is NAN before the first integration: that is no energy yet."""
    return 0.0 if text.strip().upper() == "NAN" else parse_number(text)


def _integration_state(text: str) -> str:
    word = text.strip().upper()[:4]
    if word not in {"RES", "RESE", "STAR", "STOP", "TIM", "TIME", "ERR", "ERRO", "READ"}:
        raise ScpiParseError(f"{text[:40]!r} is not an integration state")
    return word


class YokogawaWt(ScpiDriver, PowerAnalyzer):
    """A WT power analyzer, element 1 in DC or elements 1 to 3 in AC."""

    vendor: ClassVar[str] = "Yokogawa"
    model: ClassVar[str] = "WT series"
    verified_on: ClassVar[str | None] = None
    error_query = ":STAT:ERR?"
    retry_after_timeout = True

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        trace: Trace | None = None,
        timeout_s: float = 2.0,
        reading_percent: float = 0.1,
        range_percent: float = 0.05,
    ) -> None:
        super().__init__(resource, name=name, trace=trace, timeout_s=timeout_s)
        self.accuracy = Accuracy(
            self._within("reading_percent", reading_percent, 0, 10),
            self._within("range_percent", range_percent, 0, 10),
        )
        self._mode: PowerMode = "dc"

    def _prepare(self) -> None:
        self._set(":COMM:HEAD OFF")
        self._set(":NUM:FORM ASCII")
        self._set(":INP:VOLT:AUTO ON")
        self._set(":INP:CURR:AUTO ON")
        self.set_mode(self._mode)

    def set_mode(self, mode: PowerMode) -> None:
        """As in PowerAnalyzer; DC and AC have registers of energy of their own, so a running integration
        starts anew.
        """
        items = _ITEMS.get(mode)
        if items is None:
            raise LimitExceeded(f"{self.name} ({self.model}): mode {mode!r} is neither 'dc' nor 'ac'")
        with self._lock:
            chosen = ";".join(f"ITEM{number} {item}" for number, item in enumerate(items, 1))
            changes = mode != self._mode
            self._set(f":NUM:NORM:NUM {len(items)};{chosen}")
            self._mode = mode
            if changes and self.integration_state() == "STAR":
                self.integrate_reset()
                self.integrate_start()

    def measure(self) -> PowerReading:
        with self._lock:
            command = ":NUM:NORM:VAL?"
            answer = self._query(command)
            return self._parsed(command, self._reading, answer)

    def _reading(self, answer: str) -> PowerReading:
        head, _, energy = answer.strip().rpartition(",")
        voltage_v, current_a, power_w = parse_numbers(head, 3)
        return PowerReading(voltage_v, current_a, power_w, self._mode, _energy(energy))

    def integrate_reset(self) -> None:
        with self._lock:
            if self.integration_state() in ("STAR", "READ"):
                self._set(":INTEG:STOP")
            self._set(":INTEG:RESET")

    def integrate_start(self) -> None:
        self._set(":INTEG:START")

    def integrate_stop(self) -> None:
        self._set(":INTEG:STOP")

    def integration_state(self) -> str:
        """RESE(t), STAR(t), STOP, TIM(eup), READ(y) or ERR(or), cut to four letters. Raises
        InstrumentLost.
        """
        command = ":INTEG:STAT?"
        return self._parsed(command, _integration_state, self._query(command))

    def energy_wh(self) -> float:
        energy = self.measure().energy_wh
        return 0.0 if energy is None else energy

    def make_safe(self) -> None:
        """It only listens: there is nothing to switch off."""
