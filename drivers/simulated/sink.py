"""Simulated twin of an EA-PSB 10000 that plays the battery, with interface monitoring switched on."""

from __future__ import annotations

from drivers.simulated.scpi_server import ScpiError, ScpiServer, parameter, switch
from drivers.simulated.watchdog import Watchdog
from drivers.simulated.world import Vehicle, World

MONITORING_S = 1.5
MAX_V, MAX_A = 1000.0, 500.0


class SinkTwin(ScpiServer):
    """Switches its output off when the link is lost, or after `MONITORING_S` of silence while it is on."""

    idn = "EA Elektro-Automatik,PSB 11000-80,SIM-0002,V3.08"

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._remote = False
        self._watchdog = Watchdog(self._off)

    def heard(self) -> None:
        self._watchdog.feed()

    def link_lost(self) -> None:
        self._remote = False
        self._off()

    def _off(self) -> None:
        self._watchdog.disarm()
        if self._world.vehicle.sink_on:
            self._output(False)

    def _output(self, on: bool) -> None:
        def act(vehicle: Vehicle) -> None:
            vehicle.sink_on = on

        self._world.change(act)
        if on:
            self._watchdog.arm(MONITORING_S)
        else:
            self._watchdog.disarm()

    def execute(self, header: str, parameters: str) -> str | None:
        if header == "SYST:LOCK":
            self._remote = switch(parameters)
        elif header == "SYST:LOCK:OWN?":
            return "REMOTE" if self._remote else "NONE"
        elif header.endswith("?"):
            return self._measure(header)
        elif not self._remote:
            raise ScpiError(-203, "Command protected")
        elif header == "OUTP":
            self._output(switch(parameters))
        elif header == "VOLT":
            voltage_v = parameter(parameters, 0, MAX_V)

            def set_voltage(vehicle: Vehicle) -> None:
                vehicle.sink_voltage_v = voltage_v

            self._world.change(set_voltage)
        elif header == "SINK:CURR":
            limit_a = parameter(parameters, 0, MAX_A)

            def set_limit(vehicle: Vehicle) -> None:
                vehicle.sink_limit_a = limit_a

            self._world.change(set_limit)
        elif header == "CURR":
            parameter(parameters, 0, MAX_A)  # the source side feeds nothing in this world
        else:
            raise ScpiError(-113, "Undefined header")
        return None

    def _measure(self, header: str) -> str:
        vehicle, flow = self._world.vehicle, self._world.look()
        if header == "OUTP?":
            return "ON" if vehicle.sink_on else "OFF"
        connected = vehicle.contactor_closed and vehicle.sink_on
        at_terminals_v = (
            flow.dc_voltage_v if connected else vehicle.sink_voltage_v if vehicle.sink_on else 0.0
        )
        if header == "MEAS:VOLT?":
            return f"{at_terminals_v:.2f} V"
        if header == "MEAS:CURR?":
            return f"{-flow.dc_current_a if connected else 0.0:.3f} A"
        raise ScpiError(-113, "Undefined header")
