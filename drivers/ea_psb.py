"""DcSink: EA Elektro-Automatik PSB 10000, a bidirectional supply that plays the battery, over SCPI.

`VOLT` is the battery's voltage, `SINK:CURR` the highest current that it takes; the source side is set to 0
A, so that it never feeds the charger. The series can watch its interface (setting on the device: interface
monitoring, DC output off after a time of silence); `monitoring_s` in the bench file states what was set
there, since the command for it is not public.
"""

from __future__ import annotations

from typing import ClassVar

from drivers.base import Trace
from drivers.dc_sink import DcReading, DcSink
from drivers.scpi import ScpiDriver, parse_number


def _volts(text: str) -> float:
    return parse_number(text, "V")


def _amperes(text: str) -> float:
    return parse_number(text, "A")


class EaPsb(ScpiDriver, DcSink):
    """An EA-PSB 10000 as sink, within its own ratings `max_voltage_v` and `max_current_a`."""

    vendor: ClassVar[str] = "EA Elektro-Automatik"
    model: ClassVar[str] = "PSB 10000"
    verified_on: ClassVar[str | None] = None

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        trace: Trace | None = None,
        timeout_s: float = 2.0,
        max_voltage_v: float = 1000.0,
        max_current_a: float = 40.0,
        monitoring_s: float = 1.5,
    ) -> None:
        super().__init__(resource, name=name, trace=trace, timeout_s=timeout_s)
        self.max_voltage_v = self._within("max_voltage_v", max_voltage_v, 1, 2000)
        self.max_current_a = self._within("max_current_a", max_current_a, 0.1, 2000)
        self.watchdog_s = self._within("monitoring_s", monitoring_s, 0.5, 36)

    def _prepare(self) -> None:
        self._set("SYST:LOCK ON")
        self._set("OUTP OFF")
        self._set("CURR 0")  # the source side: the battery never feeds the charger

    def set_voltage(self, voltage_v: float) -> None:
        self._set(f"VOLT {self._within('voltage_v', voltage_v, 0, self.max_voltage_v):.2f}")

    def set_current_limit(self, current_a: float) -> None:
        self._set(f"SINK:CURR {self._within('current_a', current_a, 0, self.max_current_a):.2f}")

    def output(self, on: bool) -> None:
        self._set("OUTP ON" if on else "OUTP OFF")

    def measure(self) -> DcReading:
        with self._lock:
            voltage_v = self._parsed("MEAS:VOLT?", _volts, self._query("MEAS:VOLT?"))
            # the series reports a current into the box as negative
            current_a = -self._parsed("MEAS:CURR?", _amperes, self._query("MEAS:CURR?"))
        current_a += 0.0  # -0.0 becomes 0.0
        return DcReading(voltage_v, current_a, voltage_v * current_a)

    def make_safe(self) -> None:
        self._set("OUTP OFF")

    def close(self) -> None:
        """Let go of the remote control as well, so that the front panel works again."""
        with self._lock:
            try:
                self._link.write("SYST:LOCK OFF")
                self._note("SYST:LOCK OFF")
            except OSError as error:
                self._note("SYST:LOCK OFF", error=str(error))
            super().close()
