"""An EV profile (TOML) from what a captured session tells of the car."""

from __future__ import annotations

import json
import tomllib
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench.ev.iso2 import flow
from bench.ev.profile import EvProfile, parse_profile
from bench.ev.script import SAP, Script

DEFAULT_CAPACITY_KWH = 60.0
DEFAULT_SOC_PERCENT = 50
DEFAULT_VOLTAGE_V = 400.0
DEFAULT_EVCCID = bytes.fromhex("020000000001")
CURVE_SHARE = 0.9
"""How far the battery's voltage falls towards empty and rises towards full is a guess: 10 % each way."""


def profile_of(script: Script, path: Path | None = None) -> EvProfile:
    """The car of a script. Raises ProfileError, ScriptError."""
    return parse_profile(tomllib.loads(profile_toml(script)), path or Path(script.source or "captured"))


def profile_toml(script: Script) -> str:
    """The text of an EV profile: what the messages say, and defaults (said to be such) for the rest."""
    facts = _Facts(script)
    lines = [
        "# Made from a captured session: limits, state of charge, protocols and pace are what the car said",
        "# and did; figures marked as guessed are not in the capture.",
        f"name = {json.dumps(('Captured: ' + (Path(script.source).name or 'a session'))[:60])}",
        f"evccid = {json.dumps(facts.evccid.hex(':'))}",
    ]
    lines += facts.departure()
    lines += [*facts.battery(), *(facts.dc() if script.energy == "dc" else facts.ac())]
    lines += [*facts.protocols(), *facts.pace(), *facts.quirks()]
    return "\n".join(lines) + "\n"


class _Facts:
    """What the requests of a script say of the car."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.names = [step.name for step in script.steps]
        setup, parameters = self._first("SessionSetupReq"), self._first("ChargeParameterDiscoveryReq")
        self.evccid = self._mac(getattr(setup, "EVCCID", b""))
        self.parameter = getattr(parameters, "EVChargeParameter", None)
        self.mode = str(
            getattr(parameters, "RequestedEnergyTransferMode", None)
            or getattr(parameters, "EVRequestedEnergyTransferType", "")
        )
        self.max_v = self._value("EVMaximumVoltageLimit", DEFAULT_VOLTAGE_V)
        precharge = self._last("PreChargeReq")
        target = precharge.EVTargetVoltage.value if precharge is not None else 0.0
        self.battery_v = target if 0 < target <= self.max_v else self.max_v * CURVE_SHARE

    def _first(self, name: str) -> Any:
        return next((step.body() for step in self.script.steps if step.name == name), None)

    def _last(self, name: str) -> Any:
        return next((step.body() for step in reversed(self.script.steps) if step.name == name), None)

    @staticmethod
    def _mac(evccid: bytes) -> bytes:
        # DIN SPEC 70121 cars pad the six bytes to eight, on whichever side.
        found = evccid.strip(b"\0") if len(evccid) > 6 else evccid
        return found if len(found) == 6 else (found + DEFAULT_EVCCID)[:6]

    def _value(self, field: str, default: float) -> float:
        physical = getattr(self.parameter, field, None)
        value = float(physical.value) if physical is not None else 0.0
        return value if value > 0 else default

    @property
    def soc_percent(self) -> int:
        status = getattr(self.parameter, "DC_EVStatus", None)
        return int(min(100, max(0, getattr(status, "EVRESSSOC", DEFAULT_SOC_PERCENT))))

    def departure(self) -> list[str]:
        seconds = getattr(self.parameter, "DepartureTime", None)
        return [] if seconds is None else [f"departure_time_s = {seconds}"]

    def battery(self) -> list[str]:
        capacity_kwh = self._value("EVEnergyCapacity", 0.0) / 1000
        guessed = "" if capacity_kwh > 0 else "   # guessed"
        full = getattr(self.parameter, "FullSOC", None)
        bulk = getattr(self.parameter, "BulkSOC", None)
        full = full if full else 100
        bulk = min(bulk if bulk is not None else 80, full)
        return [
            "",
            "[battery]",
            f"capacity_kwh = {capacity_kwh or DEFAULT_CAPACITY_KWH:g}{guessed}",
            f"soc_percent = {self.soc_percent}",
            f"max_voltage_v = {self.max_v:g}",
            f"full_soc_percent = {full}",
            f"bulk_soc_percent = {bulk}",
            f"ocv_v = {json.dumps(self._curve())}   # guessed but for the voltage at pre-charge",
        ]

    def _curve(self) -> list[list[float]]:
        here = round(self.battery_v, 1)
        low, high = round(here * CURVE_SHARE, 1), round(min(self.max_v, here / CURVE_SHARE), 1)
        inner = [[float(self.soc_percent), here]] if 0 < self.soc_percent < 100 else []
        return [[0.0, low if inner or self.soc_percent else here], *inner, [100.0, max(high, here)]]

    def dc(self) -> list[str]:
        current_a = self._value("EVMaximumCurrentLimit", 200.0)
        power_w = self._value("EVMaximumPowerLimit", current_a * self.max_v)
        known = ("DC_core", "DC_extended", "DC_combo_core", "DC_unique")
        return [
            "",
            "[dc]",
            f"mode = {json.dumps(self.mode if self.mode in known else known[1])}",
            f"max_current_a = {current_a:g}",
            f"max_voltage_v = {self.max_v:g}",
            f"max_power_kw = {power_w / 1000:g}",
        ]

    def ac(self) -> list[str]:
        single = self.mode == "AC_single_phase_core"
        max_a = self._value("EVMaxCurrent", 16.0)
        return [
            "",
            "[ac]",
            f"mode = {json.dumps('AC_single_phase_core' if single else 'AC_three_phase_core')}",
            f"phases = {1 if single else 3}",
            f"max_current_a = {max_a:g}",
            f"min_current_a = {min(max_a, self._value('EVMinCurrent', 6.0)):g}",
            f"max_voltage_v = {min(1000.0, self._value('EVMaxVoltage', 400.0)):g}",
        ]

    def protocols(self) -> list[str]:
        request = self._first(SAP)
        lines: list[str] = []
        for offer in request.AppProtocol if request is not None else []:
            lines += [
                "",
                "[[protocols]]",
                f"namespace = {json.dumps(offer.ProtocolNamespace)}",
                f"major = {offer.VersionNumberMajor}",
                f"minor = {offer.VersionNumberMinor}",
                f"schema_id = {offer.SchemaID}",
                f"priority = {offer.Priority}",
            ]
        return lines

    def pace(self) -> list[str]:
        """Intervals from one request to the next: delay after the answer plus the answer's own time."""
        steps = self.script.steps
        loop: list[float] = []
        waiting: list[float] = []
        for before, step in pairwise(steps):
            if before.name == step.name:
                interval_s = step.delay_s + (before.answer_s or 0.0)
                (loop if step.name in flow.LOOP else waiting).append(interval_s)
        lines = [
            f"{key} = {median(found):.3f}"
            for key, found in (("charge_loop_s", loop), ("ongoing_loop_s", waiting))
            if found
        ]
        return ["", "[pace]", *lines] if lines else []

    def quirks(self) -> list[str]:
        rounds = self.names.count("WeldingDetectionReq")
        starts = self._first("PowerDeliveryReq")
        profile = getattr(starts, "ChargingProfile", None) is not None
        lines = ["", "[quirks]", f"charging_profile = {json.dumps(profile)}"]
        if "SessionStopReq" in self.names and self.script.energy == "dc":
            lines.append(f"welding_detection = {json.dumps(rounds > 0)}")
        if rounds:
            lines.append(f"welding_detection_rounds = {min(rounds, 100)}")
        return lines
