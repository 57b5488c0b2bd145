"""Which hand the car moves at which message: pilot, contactor, battery, AC load.

DC: C before CableCheck, contactor closed before PowerDelivery Start once the inlet has the battery's voltage,
opened after PowerDelivery Stop when the current is low, then B ([V2G2-847], IEC 61851-23 annex CC). AC: C
with PowerDelivery Start, load on after its answer, load off before Stop.
"""

from __future__ import annotations

import time

from bench.ev.iso2.state import GiveUp, SessionState
from bench.ev.vehicle import PilotState, Vehicle

MAX_STEP_S = 5.0
SINK_HEADROOM = 1.1
"""The battery stand-in takes a little more than the car asks for: the charger sets the current, not the sink.
"""


class PowerHand:
    """Moves `vehicle` as the messages of one session demand."""

    def __init__(self, vehicle: Vehicle, state: SessionState) -> None:
        self.vehicle, self.state = vehicle, state
        self._last_ns: int | None = None
        self.energy_wh = 0.0
        """Energy taken since the session began, from what charger (DC) or load (AC) reported."""

    @property
    def _charging_state(self) -> PilotState:
        return "D" if self.state.profile.quirks.pilot_d else "C"

    def before(self, name: str) -> None:
        """What happens before request `name` goes out (`state.progress` says which PowerDelivery). Raises
        MissingPower, GiveUp.
        """
        state, vehicle = self.state, self.vehicle
        if name == "CableCheckReq":
            if vehicle.pilot_state == "B":
                vehicle.look_at_inlet("before CableCheck")
            vehicle.set_pilot(self._charging_state, "CableCheck")
        elif name == "PowerDeliveryReq":
            progress = state.progress
            if progress == "Start" and state.energy == "dc":
                self._close_on_battery()
            elif progress == "Start":
                if vehicle.pilot_state == "B":
                    vehicle.look_at_inlet("before PowerDelivery Start")
                vehicle.set_pilot(self._charging_state, "PowerDelivery Start")
            elif state.energy == "ac":
                vehicle.draw_ac(0, self._phases, "PowerDelivery Stop")
        elif name == "CurrentDemandReq" and state.started:
            vehicle.battery_voltage(round(state.battery.voltage_v, 1), self._sink_limit_a)
        elif name == "SessionStopReq" and not state.started:
            # An early stop leaves from wherever the session was.
            vehicle.stop_power()

    def after(self, name: str, t_ns: int, *, accepted: bool) -> None:
        """What happens when the answer to request `name` has come at `t_ns`."""
        state, vehicle = self.state, self.vehicle
        if not accepted:
            return
        if name == "PowerDeliveryReq":
            self._last_ns = t_ns
            if state.progress == "Stop":
                state.battery.step(0.0, 0.0)
                vehicle.stop_power() if state.energy == "ac" else self._leave_dc()
            elif state.progress == "Renegotiate" and state.energy == "dc":
                if state.profile.quirks.renegotiation == "cable-check":
                    # An insulation test needs a free line: the battery comes off first.
                    vehicle.disconnect_battery()
            elif state.energy == "ac":
                self._draw()
        elif name == "CurrentDemandReq":
            limit_a = 1.5 * (state.profile.dc.max_current_a if state.profile.dc else 0.0)
            self._step(t_ns, max(0.0, min(state.present_current_a, limit_a)))
        elif name == "ChargingStatusReq":
            self._draw()
            power_w = vehicle.ac_power_w()
            if power_w is None:
                power_w = self._ac_current_a() * (state.nominal_voltage_v or 230.0) * self._phases
            self._step(t_ns, power_w / max(state.battery.voltage_v, 1.0))

    def _leave_dc(self) -> None:
        self.vehicle.disconnect_battery()
        self.vehicle.set_pilot("B", "PowerDelivery Stop")

    @property
    def _sink_limit_a(self) -> float:
        return round(
            (self.state.profile.dc.max_current_a if self.state.profile.dc else 0.0) * SINK_HEADROOM, 1
        )

    @property
    def _phases(self) -> int:
        ac = self.state.profile.ac
        return 1 if self.state.energy_mode == "AC_single_phase_core" or ac is None else ac.phases

    def _ac_current_a(self) -> float:
        """Current on each phase: the least of car, charger and schedule; 0 below the car's minimum."""
        state, ac = self.state, self.state.profile.ac
        if ac is None or not state.started or (state.profile.quirks.stop_when_full and state.battery.full):
            return 0.0
        current_a = ac.max_current_a
        if state.evse_max_current_a is not None:
            current_a = min(current_a, state.evse_max_current_a)
        if state.schedule is not None:
            entries = state.schedule.PMaxSchedule.PMaxScheduleEntry
            volts = (state.nominal_voltage_v or 230.0) * self._phases
            if entries and volts > 0:
                current_a = min(current_a, entries[0].PMax.value / volts)
        return current_a if current_a >= ac.min_current_a else 0.0

    def _draw(self) -> None:
        self.vehicle.draw_ac(self._ac_current_a(), self._phases, "AC charging")

    def _step(self, t_ns: int, current_a: float) -> None:
        battery = self.state.battery
        elapsed_s = 0.0 if self._last_ns is None else min(MAX_STEP_S, (t_ns - self._last_ns) / 1e9)
        self._last_ns = t_ns
        before_wh = battery.energy_in_wh
        battery.step(elapsed_s, current_a)
        self.energy_wh += battery.energy_in_wh - before_wh

    def _close_on_battery(self) -> None:
        state, vehicle, dc = self.state, self.vehicle, self.state.profile.dc
        if vehicle.contactor_closed or dc is None:
            return
        battery_v = state.battery.voltage_v
        inlet_v = vehicle.inlet_voltage_v()
        deadline = time.monotonic() + dc.settle_s
        # The analyzer's own round trip paces this loop: what it sees may lag one reading behind.
        while inlet_v is not None and abs(inlet_v - battery_v) > dc.voltage_tolerance_v:
            if time.monotonic() >= deadline:
                raise GiveUp(
                    f"the car does not close its contactor: {inlet_v:.1f} V at the inlet, "
                    f"{battery_v:.1f} V in the battery (the charger reports {state.present_voltage_v:g} V)"
                )
            inlet_v = vehicle.inlet_voltage_v()
        if inlet_v is None and abs(state.present_voltage_v - battery_v) > dc.voltage_tolerance_v:
            raise GiveUp(
                f"the car does not close its contactor: the charger reports {state.present_voltage_v:g} V, "
                f"the battery has {battery_v:.1f} V"
            )
        vehicle.battery_on(round(battery_v, 1), self._sink_limit_a, "PowerDelivery Start")
        vehicle.close_contactor("PowerDelivery Start")
