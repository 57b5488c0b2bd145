"""Simulated twin of a Yokogawa WT power analyzer, with the accuracy that it states and repeatable noise."""

from __future__ import annotations

import random
import re

from drivers.simulated.scpi_server import ScpiError, ScpiServer, parameter
from drivers.simulated.world import World

_ITEM = re.compile(r"NUM:NORM:ITEM([1-9]|1\d)")
_FUNCTIONS = {"UDC", "IDC", "URMS", "IRMS", "P", "WH"}
_VOLT_RANGES = (15.0, 30.0, 60.0, 150.0, 300.0, 600.0, 1000.0)
_AMP_RANGES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
_ACCEPTED = {"COMM:HEAD": {"OFF"}, "NUM:FORM": {"ASCII"}, "INP:VOLT:AUTO": {"ON"}, "INP:CURR:AUTO": {"ON"}}


def _fitting(ranges: tuple[float, ...], value: float) -> float:
    return next((limit for limit in ranges if abs(value) <= limit), ranges[-1])


class AnalyzerTwin(ScpiServer):
    """Reads the world at the connector. One gain error a device, plus noise that stays within the stated
    accuracy.
    """

    idn = "YOKOGAWA,WT333E,SIM-0001,F1.04"
    error_query = "STAT:ERR?"
    reading_percent = 0.1
    range_percent = 0.05

    def __init__(self, world: World, seed: int = 1) -> None:
        super().__init__()
        self._world = world
        self._random = random.Random(seed)
        self._gain = 1.0 + self._random.uniform(-0.3, 0.3) * self.reading_percent / 100
        self._items = ["URMS,1", "IRMS,1", "P,1", "WH,1"]
        self._count = 4
        self._integration = "RESET"
        self._energy_wh = {"dc": 0.0, "ac": 0.0}
        self._from_wh = {"dc": 0.0, "ac": 0.0}

    def execute(self, header: str, parameters: str) -> str | None:
        if header in _ACCEPTED:
            if parameters.upper() not in _ACCEPTED[header]:
                raise ScpiError(131, "Invalid suffix")
            return None
        if header == "NUM:NORM:NUM":
            self._count = int(parameter(parameters, 1, 16))
            return None
        if item := _ITEM.fullmatch(header):
            self._set_item(int(item.group(1)), parameters.upper())
            return None
        if header == "NUM:NORM:VAL?":
            return ",".join(self._value(item) for item in self._items[: self._count])
        return self._integrate(header)

    def _set_item(self, number: int, item: str) -> None:
        function, _, element = item.partition(",")
        if function not in _FUNCTIONS or element not in ("1", "SIGMA") or number > 16:
            raise ScpiError(131, "Invalid suffix")
        while len(self._items) < number:
            self._items.append("NONE,1")
        self._items[number - 1] = item

    def _integrate(self, header: str) -> str | None:
        if header == "INTEG:STAT?":
            return self._integration
        if header == "INTEG:START":
            if self._integration == "START":
                raise ScpiError(843, "Attempted to start integration while it runs")
            self._from_wh = self._true_wh()
            self._integration = "START"
        elif header == "INTEG:STOP":
            self._energy_wh = self._read_wh()
            if self._integration == "START":
                self._integration = "STOP"
        elif header == "INTEG:RESET":
            if self._integration == "START":
                raise ScpiError(844, "Attempted to reset integration while it runs")
            self._energy_wh = {"dc": 0.0, "ac": 0.0}
            self._integration = "RESET"
        else:
            raise ScpiError(113, "Undefined header")
        return None

    def _true_wh(self) -> dict[str, float]:
        self._world.look()
        return {"dc": self._world.dc_energy_wh, "ac": self._world.ac_energy_wh}

    def _read_wh(self) -> dict[str, float]:
        if self._integration != "START":
            return self._energy_wh
        now = self._true_wh()
        return {
            kind: self._energy_wh[kind] + (now[kind] - self._from_wh[kind]) * self._gain
            for kind in ("dc", "ac")
        }

    def _noisy(self, value: float, ranges: tuple[float, ...]) -> float:
        noise = _fitting(ranges, value) * self.range_percent / 100
        return value * self._gain + max(-noise, min(noise, self._random.gauss(0.0, noise / 4)))

    def _value(self, item: str) -> str:
        function, _, element = item.partition(",")
        flow = self._world.look()
        alternating = function.endswith("RMS") or element == "SIGMA"
        if function == "WH":
            if self._integration == "RESET":
                return "NAN"
            value = self._read_wh()["ac" if alternating else "dc"]
            return f"{value:.7E}"
        if function in ("UDC", "URMS"):
            value = self._noisy(flow.ac_voltage_v if alternating else flow.dc_voltage_v, _VOLT_RANGES)
        elif function in ("IDC", "IRMS"):
            value = self._noisy(flow.ac_current_a[0] if alternating else flow.dc_current_a, _AMP_RANGES)
        elif function == "P":
            true_w = flow.ac_power_w if alternating else flow.dc_power_w
            value = self._noisy(true_w, (abs(true_w) or 1.0,))
        else:
            return "NAN"
        return f"{value:.5E}"
