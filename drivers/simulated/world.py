"""The true state of the simulated rig: who sets it, what follows from it, how much energy has flowed.

Everything is computed when somebody looks or something changes; between two changes power is constant, so
that the integration of energy is exact and an idle rig costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.control_pilot import PilotReading
from drivers.simulated.electrics import BLEED_S, Battery, DcSource, PilotSource, connector, pilot

STANDBY_W = 25.0
DC_EFFICIENCY = 0.95
AC_EFFICIENCY = 0.998
FIRST_IMPORT_WH = 12_345.0
"""What the grid meter shows when the rig starts: a meter in a lab is never at zero."""


@dataclass(frozen=True, slots=True)
class AcSource:
    """The charger's AC side: contactor, phase voltage, phases."""

    contactor: bool = False
    voltage_v: float = 230.0
    phases: int = 3


@dataclass(slots=True)
class Vehicle:
    """What the bench's instruments put on the charger's plug."""

    pilot_state: str = "A"
    proximity_ohm: float | None = None
    contactor_closed: bool = False
    sink_on: bool = False
    sink_voltage_v: float = 0.0
    sink_limit_a: float = 0.0
    load_on: list[bool] = field(default_factory=lambda: [False, False, False])
    load_a: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class Flow:
    """What is at the connector now. AC current by phase."""

    dc_voltage_v: float
    dc_current_a: float
    ac_voltage_v: float
    ac_current_a: tuple[float, float, float]

    @property
    def dc_power_w(self) -> float:
        return self.dc_voltage_v * self.dc_current_a

    @property
    def ac_power_w(self) -> float:
        return self.ac_voltage_v * sum(self.ac_current_a)


class World:
    """Charger and vehicle joined by copper. Not thread-safe: it lives in the rig's event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, bleed_s: float = BLEED_S) -> None:
        self._clock = clock
        self._bleed_s = bleed_s
        self.vehicle = Vehicle()
        self.pilot_source = PilotSource()
        self.dc_source = DcSource()
        self.ac_source = AcSource()
        self.locked = False
        self.charger_connected = False
        self.dc_energy_wh = 0.0
        self.ac_energy_wh = 0.0
        self.grid_import_wh = FIRST_IMPORT_WH
        self.on_change: list[Callable[[], None]] = []
        self.on_card: list[Callable[[str], None]] = []
        self._at = clock()
        self._voltage_v = 0.0

    def look(self) -> Flow:
        """What flows now; brings the energies up to date."""
        now = self._clock()
        elapsed_s = max(0.0, now - self._at)
        flow = self._flow(elapsed_s)
        hours = elapsed_s / 3600.0
        self.dc_energy_wh += flow.dc_power_w * hours
        self.ac_energy_wh += flow.ac_power_w * hours
        self.grid_import_wh += self._grid_power_w(flow) * hours
        self._at = now
        self._voltage_v = flow.dc_voltage_v
        return flow

    def _flow(self, elapsed_s: float) -> Flow:
        vehicle = self.vehicle
        battery = None
        if vehicle.contactor_closed and vehicle.sink_on:
            battery = Battery(vehicle.sink_voltage_v, vehicle.sink_limit_a)
        voltage_v, current_a = connector(self.dc_source, battery, self._voltage_v, elapsed_s, self._bleed_s)
        source = self.ac_source
        if not source.contactor:
            return Flow(voltage_v, current_a, 0.0, (0.0, 0.0, 0.0))
        currents = [
            vehicle.load_a[phase] if vehicle.load_on[phase] and phase < source.phases else 0.0
            for phase in range(3)
        ]
        return Flow(voltage_v, current_a, source.voltage_v, (currents[0], currents[1], currents[2]))

    def _grid_power_w(self, flow: Flow) -> float:
        return STANDBY_W + flow.dc_power_w / DC_EFFICIENCY + flow.ac_power_w / AC_EFFICIENCY

    def grid_power_w(self) -> float:
        """What the charger draws from the grid now."""
        return self._grid_power_w(self.look())

    @property
    def energy_wh(self) -> float:
        """Energy through the connector since the rig started, as of the last look."""
        return self.dc_energy_wh + self.ac_energy_wh

    def pilot(self) -> PilotReading:
        """What is on the pilot line now."""
        return pilot(self.pilot_source, self.vehicle.pilot_state)

    def change(self, act: Callable[[Vehicle], None]) -> None:
        """Change the vehicle's side, then tell everybody who wants to know."""
        self.look()
        act(self.vehicle)
        self.look()
        for listener in self.on_change:
            listener()

    def charger_sets(self, pilot_source: PilotSource, dc: DcSource, ac: AcSource, locked: bool) -> None:
        """What the charger puts on the cable."""
        self.look()
        self.charger_connected = True
        self.pilot_source, self.dc_source, self.ac_source, self.locked = pilot_source, dc, ac, locked
        self.look()

    def charger_gone(self) -> None:
        """The charger has lost its power: no pilot, no voltage, its bleeder empties the output."""
        self.charger_sets(PilotSource(), DcSource(), AcSource(), False)
        self.charger_connected = False

    def present_card(self, token: str) -> None:
        """An RFID card is held against the charger's reader."""
        for listener in self.on_card:
            listener(token)
