"""Simulated twin of one Chroma 63800 load on one phase; switches off when its link is lost or silent."""

from __future__ import annotations

from drivers.simulated.scpi_server import ScpiError, ScpiServer, parameter, switch
from drivers.simulated.watchdog import Watchdog
from drivers.simulated.world import Vehicle, World

MONITORING_S = 1.5
MAX_A = 45.0


class AcLoadTwin(ScpiServer):
    """The load of phase `phase` (0 is L1)."""

    def __init__(self, world: World, phase: int) -> None:
        super().__init__()
        self.idn = f"Chroma,63803,SIM-001{phase},01.20"
        self._world = world
        self._phase = phase
        self._watchdog = Watchdog(self._off)

    def heard(self) -> None:
        self._watchdog.feed()

    def link_lost(self) -> None:
        self._off()

    def _off(self) -> None:
        if self._world.vehicle.load_on[self._phase]:
            self._switch(False)

    def _switch(self, on: bool) -> None:
        def act(vehicle: Vehicle) -> None:
            vehicle.load_on[self._phase] = on

        self._world.change(act)
        if on:
            self._watchdog.arm(MONITORING_S)
        else:
            self._watchdog.disarm()

    def execute(self, header: str, parameters: str) -> str | None:
        if header == "LOAD":
            self._switch(switch(parameters))
        elif header == "LOAD:MODE":
            if parameters.upper() != "CURR":
                raise ScpiError(-224, "Illegal parameter value")
        elif header == "CURR":
            current_a = parameter(parameters, 0, MAX_A)

            def act(vehicle: Vehicle) -> None:
                vehicle.load_a[self._phase] = current_a

            self._world.change(act)
        elif header == "MEAS:VOLT?":
            return f"{self._world.look().ac_voltage_v:.3f}"
        elif header == "MEAS:CURR?":
            return f"{self._world.look().ac_current_a[self._phase]:.3f}"
        elif header == "MEAS:POW?":
            flow = self._world.look()
            return f"{flow.ac_voltage_v * flow.ac_current_a[self._phase]:.3f}"
        else:
            raise ScpiError(-113, "Undefined header")
        return None
