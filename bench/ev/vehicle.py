"""The car's power side: pilot, contactor, battery stand-in (DC sink) and AC load, each an instrument or
absent.

The capabilities are taken by their shape, so that any driver of `drivers/` fits, and a test double too. Every
command is one event on the timeline. What a bench lacks raises MissingPower when a step needs it, except in a
vehicle made with `Vehicle.without_power()`, which goes through the motions for tests of the protocol alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from bench.ev.errors import BenchBroke, MissingPower
from bench.timeline import Timeline

PilotState = Literal["A", "B", "C", "D"]
VOLTAGE_STEP_V = 0.5
"""The battery stand-in is set anew when the battery moved by this much: each command costs a round trip."""


class Pilot(Protocol):
    """Vehicle side of the control pilot (IEC 61851-1 annex A)."""

    def set_state(self, state: PilotState) -> Any:
        """Switch the resistors to `state`."""

    def measure(self) -> Any:
        """A reading with state, high_v, low_v, duty_percent."""


class ContactorSwitch(Protocol):
    """The car's DC contactor."""

    def close_contactor(self) -> Any:
        """Connect inlet and battery."""

    def open_contactor(self) -> Any:
        """Disconnect inlet and battery."""


class Sink(Protocol):
    """A DC sink that holds a voltage, as a battery does."""

    def set_voltage(self, voltage_v: float) -> Any:
        """Voltage to hold."""

    def set_current_limit(self, current_a: float) -> Any:
        """Most current to take."""

    def output(self, on: bool) -> Any:
        """Switch on or off."""

    def measure(self) -> Any:
        """A reading with voltage_v, current_a."""


class Load(Protocol):
    """An AC load, the on-board charger's stand-in."""

    def set_current(self, current_a: float, phases: int = 3) -> Any:
        """Current to draw on each of `phases`."""

    def output(self, on: bool) -> Any:
        """Switch on or off."""

    def measure(self) -> Any:
        """A reading with power_w."""


class VoltageReader(Protocol):
    """Something that sees the voltage at the inlet (a power analyzer)."""

    def measure(self) -> Any:
        """A reading with voltage_v."""


class Vehicle:
    """The instruments that stand for a car.

    `inlet` measures the voltage in front of the contactor; without it the car believes EVSEPresentVoltage.
    `health` tells why the bench broke, or None while it is whole.
    """

    def __init__(
        self,
        pilot: Pilot | None = None,
        contactor: ContactorSwitch | None = None,
        dc_sink: Sink | None = None,
        ac_load: Load | None = None,
        *,
        inlet: VoltageReader | None = None,
        powerless: bool = False,
        health: Callable[[], str | None] | None = None,
    ) -> None:
        self.pilot, self.contactor, self.dc_sink, self.ac_load = pilot, contactor, dc_sink, ac_load
        self.inlet = inlet
        self.powerless = powerless
        self._health = health
        self.timeline: Timeline | None = None
        self.pilot_state: PilotState = "A"
        self.contactor_closed = False
        self._sink_on = False
        self._sink_voltage_v: float | None = None
        self._sink_limit_a: float | None = None
        self._load: tuple[float, int] | None = None

    @classmethod
    def without_power(cls, pilot: Pilot | None = None) -> Vehicle:
        """A vehicle for tests of the protocol alone: what is absent is skipped instead of refused."""
        return cls(pilot, powerless=True)

    def _event(self, kind: str, name: str, **data: Any) -> None:
        if self.timeline is not None:
            self.timeline.append("ev", kind, name, data)

    def _missing(self, capability: str, step: str) -> None:
        if not self.powerless:
            raise MissingPower(capability, step)

    def check(self) -> None:
        """Raise BenchBroke when an instrument was lost: a charge must not go on unwatched."""
        cause = None if self._health is None else self._health()
        if cause is not None:
            raise BenchBroke(cause)

    def set_pilot(self, state: PilotState, step: str) -> None:
        """Go to pilot `state`; does nothing when the car is there already."""
        if state == self.pilot_state:
            return
        if self.pilot is None:
            self._missing("ControlPilot", step)
        else:
            self.pilot.set_state(state)
        self.pilot_state = state
        self._event("pilot", "set", state=state, simulated=self.pilot is None)

    def measure_pilot(self) -> Any:
        """The pilot as it is now (None without a pilot instrument), also as an event."""
        if self.pilot is None:
            return None
        reading = self.pilot.measure()
        self._event(
            "pilot",
            "measured",
            **{
                key: getattr(reading, key, None)
                for key in ("state", "duty_percent", "high_v", "low_v", "frequency_hz")
            },
        )
        return reading

    def close_contactor(self, step: str) -> None:
        """Connect the battery. Raises MissingPower."""
        if self.contactor_closed:
            return
        if self.contactor is None:
            self._missing("Contactor", step)
        else:
            self.contactor.close_contactor()
        self.contactor_closed = True
        self._event("contactor", "close")

    def open_contactor(self) -> None:
        """Disconnect the battery; does nothing when it is open already."""
        if not self.contactor_closed:
            return
        if self.contactor is not None:
            self.contactor.open_contactor()
        self.contactor_closed = False
        self._event("contactor", "open")

    def battery_on(self, voltage_v: float, current_limit_a: float, step: str) -> None:
        """Make the sink hold the battery's voltage. Raises MissingPower."""
        if self.dc_sink is None:
            self._missing("DcSink", step)
            return
        self.battery_voltage(voltage_v, current_limit_a)
        if not self._sink_on:
            self.dc_sink.output(True)
            self._sink_on = True
            self._event("sink", "set", voltage_v=voltage_v, current_limit_a=current_limit_a, on=True)

    def battery_voltage(self, voltage_v: float, current_limit_a: float) -> None:
        """Follow the battery: set the sink anew where the change is worth a command."""
        if self.dc_sink is None:
            return
        moved = self._sink_voltage_v is None or abs(voltage_v - self._sink_voltage_v) >= VOLTAGE_STEP_V
        limited = current_limit_a != self._sink_limit_a
        if moved:
            self.dc_sink.set_voltage(voltage_v)
            self._sink_voltage_v = voltage_v
        if limited:
            self.dc_sink.set_current_limit(current_limit_a)
            self._sink_limit_a = current_limit_a
        if self._sink_on and (moved or limited):
            self._event("sink", "set", voltage_v=voltage_v, current_limit_a=current_limit_a, on=True)

    def battery_off(self) -> None:
        """Switch the sink off."""
        if self.dc_sink is not None and self._sink_on:
            self.dc_sink.output(False)
            self._event(
                "sink", "set", voltage_v=self._sink_voltage_v, current_limit_a=self._sink_limit_a, on=False
            )
        self._sink_on = False

    def draw_ac(self, current_a: float, phases: int, step: str) -> None:
        """Draw AC; 0 A switches the load off. Raises MissingPower."""
        if self.ac_load is None:
            self._missing("AcLoad", step)
            return
        wanted = (round(current_a, 2), phases) if current_a > 0 else None
        if wanted == self._load:
            return
        if wanted is None:
            self.ac_load.output(False)
        else:
            self.ac_load.set_current(*wanted)
            if self._load is None:
                self.ac_load.output(True)
        self._load = wanted
        self._event("sink", "set", current_limit_a=current_a, phases=phases, on=wanted is not None, ac=True)

    def inlet_voltage_v(self) -> float | None:
        """Voltage measured in front of the contactor, None on a bench that cannot see it."""
        return float(self.inlet.measure().voltage_v) if self.inlet is not None else None

    def look_at_inlet(self, when: str) -> None:
        """Measure the inlet and put it on the timeline: what a car does before it lets anything happen."""
        voltage_v = self.inlet_voltage_v()
        if voltage_v is not None:
            self._event("inlet", "measured", voltage_v=voltage_v, when=when)

    def sink_current_a(self) -> float | None:
        """Current measured into the sink, None without one."""
        return float(self.dc_sink.measure().current_a) if self.dc_sink is not None else None

    def ac_power_w(self) -> float | None:
        """Power measured by the AC load, None without one."""
        return float(self.ac_load.measure().power_w) if self.ac_load is not None else None

    def wait_current_below(self, limit_a: float, timeout_s: float) -> float | None:
        """Measure until the sink's current is below `limit_a` or the time is up; the last reading (None: no
        sink).
        """
        deadline = time.monotonic() + timeout_s
        current_a = self.sink_current_a()
        # The instrument's round trip paces this loop; a sink has no event for "current fell".
        while current_a is not None and abs(current_a) >= limit_a and time.monotonic() < deadline:
            current_a = self.sink_current_a()
        return current_a

    def disconnect_battery(self, limit_a: float = 1.0, timeout_s: float = 1.0) -> None:
        """Open the contactor once the current is low (or the time is up), then switch the sink off.

        1 A is where a contactor may open without load (IEC 61851-23 table CC.6).
        """
        if self.contactor_closed:
            current_a = self.wait_current_below(limit_a, timeout_s)
            if current_a is not None and abs(current_a) >= limit_a:
                self._event("step", "contactor opens under load", current_a=current_a)
        self.open_contactor()
        self.battery_off()

    def stop_power(self) -> None:
        """End energy transfer at once: load off, pilot back to B, contactor open, sink off."""
        if self.ac_load is not None:
            self.draw_ac(0, 3, "stop")
        if self.pilot_state in ("C", "D"):
            self.set_pilot("B", "stop")
        self.disconnect_battery()

    def unplug(self) -> None:
        """Pull the plug: pilot A first (the charger must react to that), then everything off."""
        if self.pilot_state != "A":
            self.set_pilot("A", "unplug")
        if self.ac_load is not None:
            self.draw_ac(0, 3, "unplug")
        self.open_contactor()
        self.battery_off()
