"""The EV as data: a TOML profile, read strictly.

An unknown key, a missing one or an impossible limit raises ProfileError with one line that says which file
and key, what is wrong and how to mend it. The profiles that come with Plugbench are in `fixtures/ev`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from bench.ev.battery import Battery, BatteryLimits
from bench.ev.errors import ProfileError
from bench.toml_table import Table, read_toml

ISO2_NAMESPACE = "urn:iso:15118:2:2013:MsgDef"
DIN_NAMESPACE = "urn:din:70121:2012:MsgDef"
PHYSICAL_MAX = 32_767_000.0
"""Largest figure that a PhysicalValue holds (16 bits, multiplier 3)."""


@dataclass(frozen=True, slots=True)
class OfferedProtocol:
    """One entry of supportedAppProtocolReq; `priority` 1 is the most wanted (1..20)."""

    namespace: str
    major: int
    minor: int
    schema_id: int
    priority: int


DEFAULT_PROTOCOLS = (OfferedProtocol(ISO2_NAMESPACE, 2, 0, 1, 1),)


@dataclass(frozen=True, slots=True)
class DcLimits:
    """What the car takes in DC, as it says so in ChargeParameterDiscoveryReq."""

    mode: str = "DC_extended"
    max_current_a: float = 200.0
    max_voltage_v: float = 450.0
    max_power_kw: float = 80.0
    precharge_current_a: float = 1.0
    voltage_tolerance_v: float = 20.0
    """How far the inlet may be from the battery when the contactor closes (IEC 61851-23 CC.3: 20 V)."""
    settle_s: float = 1.0
    """How long the measured inlet voltage may lag behind the voltage that the charger reports."""


@dataclass(frozen=True, slots=True)
class AcLimits:
    """What the car takes in AC."""

    mode: str = "AC_three_phase_core"
    phases: int = 3
    max_current_a: float = 32.0
    min_current_a: float = 6.0
    max_voltage_v: float = 400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the car talks and how long it waits. Loop intervals are from one request to the next."""

    charge_loop_s: float = 0.025
    ongoing_loop_s: float = 0.025
    current_demand_patience_s: float = 2.0
    """The standard gives CurrentDemandRes 0.25 s (table 109); the rules judge that, the car waits this long.
    """
    ongoing_limit_s: float = 60.0
    """V2G_EVCC_Ongoing_Timeout, table 109."""
    cable_check_limit_s: float = 40.0
    """V2G_EVCC_CableCheck_Timeout, table 109."""
    precharge_limit_s: float = 7.0
    """V2G_EVCC_PreCharge_Timeout, table 109."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Ways in which real cars differ, without being wrong."""

    renegotiation: Literal["cable-check", "power-delivery"] = "cable-check"
    """What a DC car sends after the second ChargeParameterDiscovery of a renegotiation."""
    welding_detection: bool = True
    welding_detection_rounds: int = 1
    charging_profile: bool = True
    """Send a ChargingProfile in PowerDeliveryReq Start."""
    service_details: Literal["none", "certificate", "all"] = "certificate"
    stop_when_full: bool = True
    check_limits: bool = True
    """End the session when the charger's voltage limits do not fit the battery."""
    pilot_d: bool = False
    """Ask for ventilation: state D in place of C."""


@dataclass(frozen=True, slots=True)
class EvProfile:
    """A car. `ac` or `dc` is None when it has no such inlet."""

    name: str
    evccid: bytes
    battery: BatteryLimits
    soc_percent: float
    temperature_c: float = 25.0
    dc: DcLimits | None = None
    ac: AcLimits | None = None
    protocols: tuple[OfferedProtocol, ...] = DEFAULT_PROTOCOLS
    departure_time_s: int | None = None
    max_schedule_entries: int | None = None
    pace: Pace = field(default_factory=Pace)
    quirks: Quirks = field(default_factory=Quirks)
    file: Path | None = None

    def new_battery(self) -> Battery:
        """A fresh battery at the SoC of the profile."""
        return Battery(self.battery, self.soc_percent, self.temperature_c)

    def with_changes(self, **changes: Any) -> EvProfile:
        """A copy with fields changed; a field of a part is named `part__field` (`pace__charge_loop_s=0.1`).

        Raises ProfileError for a name that there is not.
        """
        top: dict[str, Any] = {}
        parts: dict[str, dict[str, Any]] = {}
        for key, value in changes.items():
            part, _, inner = key.partition("__")
            if part not in {each.name for each in fields(self)}:
                raise ProfileError(f"{self.name}: {key}: an EV profile has no such field")
            if inner:
                parts.setdefault(part, {})[inner] = value
            else:
                top[key] = value
        for part, values in parts.items():
            current = getattr(self, part)
            try:
                top[part] = replace(current, **values)
            except TypeError:
                raise ProfileError(
                    f"{self.name}: {part}: no field {', '.join(values)} (or the car has no {part})"
                ) from None
        return replace(self, **top)


def bundled_profiles() -> dict[str, Path]:
    """The profiles that come with Plugbench, by name (file name without `.toml`)."""
    folder = Path(__file__).resolve().parents[2] / "fixtures" / "ev"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_profile(source: str | Path = "midsize_dc") -> EvProfile:
    """The profile in the file `source`, or the bundled one of that name. Raises ProfileError."""
    path = Path(source)
    if path.suffix != ".toml" and str(source) in (bundled := bundled_profiles()):
        path = bundled[str(source)]
    elif not path.exists():
        known = ", ".join(bundled_profiles())
        raise ProfileError(f"{path}: there is no such file; give a file or one of: {known}")
    table, _, _ = read_toml(path, ProfileError)
    return _profile(table)


def parse_profile(raw: dict[str, Any], path: Path) -> EvProfile:
    """An EvProfile of the parsed TOML `raw`; `path` is named in errors. Raises ProfileError."""
    return _profile(Table(path, "", raw, ProfileError))


def _profile(top: Table) -> EvProfile:
    battery_table = top.table("battery")
    dc = _dc(table) if (table := top.optional_table("dc")) else None
    ac = _ac(table) if (table := top.optional_table("ac")) else None
    if dc is None and ac is None:
        raise top.error("dc", "the car has neither [dc] nor [ac]; add at least one of the two tables")
    battery = _battery(battery_table, dc)
    profile = EvProfile(
        name=top.text("name", max_length=60),
        evccid=_mac(top),
        battery=battery,
        soc_percent=battery_table.number("soc_percent", 0, 100),
        temperature_c=battery_table.number("temperature_c", -40, 80, default=25.0),
        dc=dc,
        ac=ac,
        protocols=_protocols(top),
        departure_time_s=top.optional_integer("departure_time_s", 0, 2**32 - 1),
        max_schedule_entries=top.optional_integer("max_schedule_entries", 12, 1024),
        pace=_pace(top.optional_table("pace")),
        quirks=_quirks(top.optional_table("quirks")),
        file=top.file,
    )
    top.text("description", max_length=2000, default="")
    battery_table.finish()
    top.finish()
    return profile


def _mac(top: Table) -> bytes:
    text = top.text("evccid", max_length=40)
    try:
        mac = bytes.fromhex(text.replace(":", "").replace("-", ""))
    except ValueError:
        mac = b""
    if len(mac) != 6:
        raise top.error("evccid", f'{text!r} is no MAC address; write six bytes as "02:00:00:00:00:01"')
    return mac


def _battery(table: Table, dc: DcLimits | None) -> BatteryLimits:
    curve = table.points("ocv_v")
    if curve[0][0] != 0 or curve[-1][0] != 100:
        raise table.error("ocv_v", "the curve must run from 0 to 100 percent; add the missing end point")
    for (soc0, v0), (soc1, v1) in itertools.pairwise(curve):
        if soc1 <= soc0 or v1 < v0:
            raise table.error(
                "ocv_v", f"falls between {soc0:g} and {soc1:g} percent; let SoC rise and voltage not fall"
            )
    max_voltage_v = table.number("max_voltage_v", 1, 2000)
    if max_voltage_v < curve[-1][1]:
        raise table.error(
            "max_voltage_v",
            f"{max_voltage_v:g} V is below the full battery's {curve[-1][1]:g} V; "
            "raise it, or lower the last point of ocv_v",
        )
    if dc is not None and dc.max_voltage_v < max_voltage_v:
        raise table.error(
            "max_voltage_v",
            f"{max_voltage_v:g} V is above dc.max_voltage_v {dc.max_voltage_v:g} V; "
            "raise dc.max_voltage_v or lower this",
        )
    full = table.number("full_soc_percent", 1, 100, default=100.0)
    bulk = table.number("bulk_soc_percent", 0, 100, default=80.0)
    if bulk > full:
        raise table.error("bulk_soc_percent", f"{bulk:g} is above full_soc_percent {full:g}; lower it")
    return BatteryLimits(
        capacity_kwh=table.number("capacity_kwh", 0.001, 2000),
        ocv_v=tuple(curve),
        resistance_ohm=table.number("resistance_ohm", 0, 10, default=0.05),
        max_voltage_v=max_voltage_v,
        max_current_a=dc.max_current_a if dc is not None else 1000.0,
        max_power_w=dc.max_power_kw * 1000 if dc is not None else 1e6,
        full_soc_percent=full,
        bulk_soc_percent=bulk,
        min_temperature_c=table.number("min_temperature_c", -40, 80, default=0.0),
    )


def _dc(table: Table) -> DcLimits:
    limits = DcLimits(
        mode=table.text(
            "mode", choices=("DC_core", "DC_extended", "DC_combo_core", "DC_unique"), default=DcLimits().mode
        ),
        max_current_a=table.number("max_current_a", 0.1, PHYSICAL_MAX),
        max_voltage_v=table.number("max_voltage_v", 1, 2000),
        max_power_kw=table.number("max_power_kw", 0.001, PHYSICAL_MAX / 1000),
        precharge_current_a=table.number(
            "precharge_current_a", 0, 10, default=DcLimits().precharge_current_a
        ),
        voltage_tolerance_v=table.number(
            "voltage_tolerance_v", 0.1, 100, default=DcLimits().voltage_tolerance_v
        ),
        settle_s=table.number("settle_s", 0, 60, default=DcLimits().settle_s),
    )
    table.finish()
    return limits


def _ac(table: Table) -> AcLimits:
    limits = AcLimits(
        mode=table.text(
            "mode", choices=("AC_single_phase_core", "AC_three_phase_core"), default=AcLimits().mode
        ),
        phases=table.integer("phases", 1, 3),
        max_current_a=table.number("max_current_a", 0.1, 1000),
        min_current_a=table.number("min_current_a", 0, 1000),
        max_voltage_v=table.number("max_voltage_v", 1, 1000, default=AcLimits().max_voltage_v),
    )
    if limits.min_current_a > limits.max_current_a:
        raise table.error(
            "min_current_a",
            f"{limits.min_current_a:g} A is above max_current_a {limits.max_current_a:g} A; lower it",
        )
    if limits.mode == "AC_single_phase_core" and limits.phases != 1:
        raise table.error(
            "phases", f"{limits.phases} phases do not fit AC_single_phase_core; write phases = 1"
        )
    table.finish()
    return limits


def _protocols(top: Table) -> tuple[OfferedProtocol, ...]:
    tables = top.tables("protocols")
    if not tables:
        return DEFAULT_PROTOCOLS
    found = []
    for table in tables:
        found.append(
            OfferedProtocol(
                table.text("namespace", max_length=100, default=ISO2_NAMESPACE),
                table.integer("major", 0, 2**32 - 1, default=2),
                table.integer("minor", 0, 2**32 - 1, default=0),
                table.integer("schema_id", 0, 255),
                table.integer("priority", 1, 20),
            )
        )
        table.finish()
    if len({each.schema_id for each in found}) != len(found):
        raise top.error("protocols", "two entries have the same schema_id; give each its own")
    if len({each.priority for each in found}) != len(found):
        raise top.error("protocols", "two entries have the same priority; give each its own")
    return tuple(found)


def _pace(table: Table | None) -> Pace:
    if table is None:
        return Pace()
    pace = Pace(
        **{
            each.name: table.number(each.name, 0, 3600, default=float(getattr(Pace(), each.name)))
            for each in fields(Pace)
        }
    )
    table.finish()
    return pace


def _quirks(table: Table | None) -> Quirks:
    if table is None:
        return Quirks()
    standard = Quirks()
    quirks = Quirks(
        renegotiation=table.text(  # type: ignore[arg-type]
            "renegotiation", choices=("cable-check", "power-delivery"), default=standard.renegotiation
        ),
        welding_detection=table.flag("welding_detection", default=standard.welding_detection),
        welding_detection_rounds=table.integer(
            "welding_detection_rounds", 1, 100, default=standard.welding_detection_rounds
        ),
        charging_profile=table.flag("charging_profile", default=standard.charging_profile),
        service_details=table.text(  # type: ignore[arg-type]
            "service_details", choices=("none", "certificate", "all"), default=standard.service_details
        ),
        stop_when_full=table.flag("stop_when_full", default=standard.stop_when_full),
        check_limits=table.flag("check_limits", default=standard.check_limits),
        pilot_d=table.flag("pilot_d", default=standard.pilot_d),
    )
    table.finish()
    return quirks
