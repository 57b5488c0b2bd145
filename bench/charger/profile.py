"""Nameplate and habits of the simulated charger, from a TOML file.

    [charger]
    vendor = "Plugbench"      model = "Simulated"      serial = "SIM-0001"      firmware = "1.0"
    evse_id = "DE*PBX*E00001"
    [simulated]               # all optional
    max_voltage_v = 920.0     max_current_a = 200.0    max_power_w = 150000.0   ac_max_current_a = 32.0
    protocols = ["iso2", "din"]                                                   # what it speaks
    insulation_hold_s = 0.02  receipt_required = false stop_grace_s = 5.0       meter_start_wh = 0.0

The keys of the first table may also stand at the top level; others are ignored, they belong to the bench.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from bench.charger.power import DcLimits
from bench.charger.secc.session import ProtocolName
from bench.v2g.messages import iso2

MAX_PROFILE_BYTES = 1_000_000
_TEXT = ("vendor", "model", "serial", "firmware", "evse_id", "meter_id")
_DC = ("max_voltage_v", "min_voltage_v", "max_current_a", "min_current_a", "max_power_w")
_NUMBERS = ("ac_max_current_a", "ac_voltage_v", "insulation_hold_s", "stop_grace_s", "meter_start_wh")


class ProfileError(ValueError):
    """The profile cannot be read; one line that names the file and the key."""


@dataclass(frozen=True)
class ChargerProfile:
    """What is written on the charger, and how it behaves where the standards leave it a choice."""

    vendor: str = "Plugbench"
    model: str = "Simulated charger"
    serial: str = "SIM-0001"
    firmware: str = "1.0.0"
    evse_id: str = "DE*PBX*E00001"
    meter_id: str = "PBX-METER-1"
    dc: DcLimits = field(default_factory=DcLimits)
    ac_max_current_a: float = 32.0
    ac_voltage_v: float = 230.0
    insulation_hold_s: float = 0.02
    """How long the insulation test holds its voltage."""
    receipt_required: bool = False
    """Ask for metering receipts whatever RequestMeteringReceipt says."""
    stop_grace_s: float = 5.0
    """After a remote stop the EV has this long to end the charge itself."""
    meter_start_wh: float = 0.0
    energy_modes: tuple[iso2.EnergyTransferMode, ...] = (
        iso2.EnergyTransferMode.DC_extended,
        iso2.EnergyTransferMode.DC_core,
        iso2.EnergyTransferMode.AC_three_phase_core,
        iso2.EnergyTransferMode.AC_single_phase_core,
    )
    protocols: tuple[ProtocolName, ...] = ("iso2", "din")
    """What it speaks; where the EV offers several, the EV's priorities decide."""


def load(path: Path) -> ChargerProfile:
    """Read a profile. Raises ProfileError."""
    try:
        if path.stat().st_size > MAX_PROFILE_BYTES:
            raise ProfileError(f"{path}: too large for a charger profile")
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: not a TOML file: {error}") from error
    return from_table(raw, str(path))


def from_table(raw: dict[str, Any], name: str = "profile") -> ChargerProfile:
    """A profile from parsed TOML. Raises ProfileError."""
    plate = {**raw, **_table(raw, "charger", name)}
    habits = _table(raw, "simulated", name)
    changes: dict[str, Any] = {key: _text(plate[key], key, name) for key in _TEXT if key in plate}
    changes |= {key: _number(habits[key], key, name) for key in _NUMBERS if key in habits}
    if "receipt_required" in habits:
        if not isinstance(habits["receipt_required"], bool):
            raise ProfileError(f"{name}: receipt_required is true or false")
        changes["receipt_required"] = habits["receipt_required"]
    if "protocols" in habits:
        changes["protocols"] = _protocols(habits["protocols"], name)
    limits = {key: _number(habits[key], key, name) for key in _DC if key in habits}
    profile = replace(ChargerProfile(), **changes)
    profile = replace(profile, dc=replace(profile.dc, **limits))
    if not 7 <= len(profile.evse_id) <= 37:
        raise ProfileError(f"{name}: evse_id has 7 to 37 characters")
    return profile


def _table(raw: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    table = raw.get(key, {})
    if not isinstance(table, dict):
        raise ProfileError(f"{name}: [{key}] is a table")
    return table


def _protocols(value: object, name: str) -> tuple[ProtocolName, ...]:
    known = get_args(ProtocolName)
    if not isinstance(value, list) or not value or any(each not in known for each in value):
        raise ProfileError(f"{name}: protocols is a list of one or more of {', '.join(known)}")
    return tuple(value)


def _text(value: object, key: str, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ProfileError(f"{name}: {key} is a text")
    return value


def _number(value: object, key: str, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ProfileError(f"{name}: {key} is a number, zero or more")
    return float(value)
