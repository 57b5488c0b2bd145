"""The bench file: which bench this is, its limits, and which box serves which capability on which wire."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from bench.slac.config import SOUND_INTERVAL_S
from bench.station.errors import BenchFileError
from bench.toml_table import Table, near_match, read_toml
from bench.v2g import timers
from drivers import registry

RIG_ENDPOINTS = ("analyzer", "meter", "pilot", "sink", "acload", "plc")
MAX_VOLTAGE_V, MAX_CURRENT_A, MAX_POWER_W = 1500.0, 1000.0, 1_000_000.0
_BATCH_INTERVAL_S = (0.02, 0.05)
"""TP_EV_batch_msg_interval (ISO 15118-3 table A.1)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Network:
    """Interface to the charger; `sdp_port` 0 means a free port that both sides are told (embedded bench)."""

    interface: str
    sdp_port: int = 15118


@dataclass(frozen=True, slots=True)
class Plc:
    """How the car matches over its modem: at every plug-in when `match`, with `sound_interval_s` between
    sounds.
    """

    match: bool
    sound_interval_s: float


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What no command may exceed."""

    voltage_v: float
    current_a: float
    power_w: float


@dataclass(frozen=True, slots=True)
class Timing:
    """`handshake_budget_s` for PNC-009; `overrides` replace limits of plans by their name."""

    handshake_budget_s: float
    overrides: dict[str, float]


@dataclass(frozen=True, slots=True)
class CsmsConfig:
    """Where the mock backend listens, and whom it lets in. `external_url` is what the charger is told to
    dial, when that differs from what is listened on (address translation, a proxy).
    """

    host: str
    port: int
    security_profile: int
    station_id: str
    password: str
    external_url: str | None


@dataclass(frozen=True, slots=True)
class OcspConfig:
    """Where the OCSP responder listens (port 0: a free one)."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ChargerSource:
    """The charger under test: the simulated one or a real one, its charger file, how long it may take to
    boot.

    `namespace` and `interface` put the simulated one into a network namespace of its own (default: the
    bench's).
    """

    simulated: bool
    file: str | None
    boot_timeout_s: float
    namespace: str | None
    interface: str | None


@dataclass(frozen=True, slots=True)
class InstrumentConfig:
    """One box: driver name, where it is, its options, what it serves, and its calibration."""

    name: str
    driver: str
    resource: str
    capabilities: tuple[str, ...]
    options: dict[str, Any]
    accuracy: str | None
    calibrated: str | None
    calibration_due: str | None

    @property
    def rig_endpoint(self) -> str | None:
        """The simulated rig's endpoint that this is, or None for a real box."""
        return self.resource[4:] if self.resource.startswith("rig:") else None


@dataclass(frozen=True, slots=True)
class BenchConfig:
    """A bench file, read and checked. `text` is the file as it was, for the run folder."""

    file: Path
    text: str
    sha256: str
    name: str
    description: str
    network: Network
    plc: Plc
    limits: LimitsConfig
    timing: Timing
    csms: CsmsConfig
    ocsp: OcspConfig
    pki_folder: Path | None
    rig_simulated: bool
    rig_seed: int
    rig_cable_host: str
    rig_bleed_s: float
    rig_plc_interfaces: tuple[str, str]
    ev_profile: str | Path
    charger: ChargerSource
    instruments: tuple[InstrumentConfig, ...]

    @property
    def matches(self) -> bool:
        """Whether the car finds its charger by SLAC: there is a modem, and the file does not forbid it."""
        has_modem = any("PlcModem" in each.capabilities for each in self.instruments)
        return has_modem and self.plc.match

    @property
    def simulated(self) -> bool:
        """Whether any part of the bench or the charger is simulated."""
        return self.rig_simulated or self.charger.simulated

    def describe(self) -> dict[str, Any]:
        """The part `bench` of run.json, without instruments and capture."""
        return {
            "name": self.name,
            "description": self.description,
            "file": str(self.file),
            "sha256": self.sha256,
            "interface": self.network.interface,
            "simulated": self.simulated,
            "limits": asdict(self.limits),
            "timing": asdict(self.timing),
        }


def named_files(folder: str) -> dict[str, Path]:
    """Name -> file of the TOML files that come with the package (`benches` or `chargers`)."""
    root = resources.files("fixtures") / folder
    if not root.is_dir():
        return {}
    found = (Path(str(entry)) for entry in root.iterdir() if entry.name.endswith(".toml"))
    return {path.stem: path for path in sorted(found)}


def resolve(name_or_path: str | Path, folder: str, *, beside: Path | None = None) -> Path:
    """The file that a name or a path means; a path may be relative to the file `beside`. Raises
    BenchFileError.
    """
    text = str(name_or_path)
    kind = "bench" if folder == "benches" else "charger"
    if isinstance(name_or_path, Path) or "/" in text or text.endswith(".toml"):
        path = Path(text)
        if beside is not None and not path.is_absolute():
            path = beside.parent / path
        if not path.is_file():
            raise BenchFileError(f"{path}: there is no such {kind} file")
        return path
    known = named_files(folder)
    if text not in known:
        raise BenchFileError(
            f"{kind} {text!r} is not known{near_match(text, known)}; a file is given by its path"
        )
    return known[text]


def load_bench(name_or_path: str | Path) -> BenchConfig:
    """Read and check a bench file. Raises BenchFileError."""
    path = resolve(name_or_path, "benches")
    root, text, sha256 = read_toml(path, BenchFileError)
    head = root.table("bench", needed=True)
    name = head.text("name")
    if not _NAME.fullmatch(name):
        raise head.error(
            "name", f"{name!r} must be letters, digits, '.', '_' or '-' (it names folders and locks)"
        )
    description = head.text("description", "")
    rig = root.table("rig")
    rig_simulated = rig.flag("simulated", False)
    pki = root.table("pki")
    car = root.table("ev")
    profile = car.text("profile", "midsize_dc")
    folder = pki.text("folder", "")
    config = BenchConfig(
        file=path,
        text=text,
        sha256=sha256,
        name=name,
        description=description,
        network=_network(root.table("network", needed=True)),
        plc=_plc(root.table("plc")),
        limits=_limits(root.table("limits", needed=True)),
        timing=_timing(root.table("timing")),
        csms=_csms(root.table("csms")),
        ocsp=_ocsp(root.table("ocsp")),
        pki_folder=path.parent / folder if folder else None,
        rig_simulated=rig_simulated,
        rig_seed=rig.integer("seed", 0, 2**31 - 1, 1),
        rig_cable_host=rig.text("cable_host", "127.0.0.1"),
        rig_bleed_s=rig.number("bleed_s", 0.001, 10.0, 0.05),
        rig_plc_interfaces=(_plc_interface(rig, "ev"), _plc_interface(rig, "evse")),
        ev_profile=path.parent / profile if profile.endswith(".toml") else profile,
        charger=_charger(root.table("charger", needed=True)),
        instruments=_instruments(root.table("instruments", needed=True), rig_simulated),
    )
    for table in (root, head, rig, pki, car):
        table.finish()
    for limit in config.timing.overrides:
        if limit not in timers.load():
            raise root.error(
                f"timing.overrides.{limit}", f"there is no such limit{near_match(limit, timers.load())}"
            )
    if not config.charger.simulated and config.network.sdp_port == 0:
        raise root.error("network.sdp_port", "0 is for the simulated charger; a real one listens on 15118")
    if config.charger.simulated and not rig_simulated:
        raise root.error(
            "charger.simulated", "a simulated charger needs the simulated rig: set rig.simulated = true"
        )
    return config


def _plc_interface(rig: Table, side: str) -> str:
    key = f"plc_{side}_interface"
    interface = rig.text(key, "")
    if interface and not _NAME.fullmatch(interface):
        raise rig.error(key, f"{interface!r} must be the name of an interface")
    return interface


def _network(table: Table) -> Network:
    network = Network(table.text("interface"), table.integer("sdp_port", 0, 65535, 15118))
    table.finish()
    return network


def _plc(table: Table) -> Plc:
    shortest, longest = _BATCH_INTERVAL_S
    plc = Plc(
        table.flag("match", True), table.number("sound_interval_s", shortest, longest, SOUND_INTERVAL_S)
    )
    table.finish()
    return plc


def _limits(table: Table) -> LimitsConfig:
    limits = LimitsConfig(
        table.number("voltage_v", 1, MAX_VOLTAGE_V),
        table.number("current_a", 0.1, MAX_CURRENT_A),
        table.number("power_w", 1, MAX_POWER_W),
    )
    most_w = limits.voltage_v * limits.current_a * 3**0.5
    if limits.power_w > most_w:
        raise table.error(
            "power_w",
            f"{limits.power_w:g} W cannot be reached with {limits.voltage_v:g} V and {limits.current_a:g} A;"
            f" at most {most_w:.0f} makes sense",
        )
    table.finish()
    return limits


def _timing(table: Table) -> Timing:
    overrides = table.table("overrides")
    timing = Timing(
        table.number("handshake_budget_s", 2, 5, 4.0),
        {key: overrides.number(key, 0, 86_400) for key in overrides.keys()},  # noqa: SIM118 - not a dict
    )
    table.finish()
    return timing


def _csms(table: Table) -> CsmsConfig:
    csms = CsmsConfig(
        host=table.text("host", "127.0.0.1"),
        port=table.integer("port", 0, 65535, 0),
        security_profile=table.integer("security_profile", 0, 3, 0),
        station_id=table.text("station_id", "PLUGBENCH-1"),
        password=table.text("password", ""),
        external_url=table.text("external_url", "") or None,
    )
    if csms.security_profile in (1, 2) and len(csms.password) < 16:
        raise table.error(
            "password",
            f"security profile {csms.security_profile} needs one of 16 to 40 characters (A00.FR.205)",
        )
    if csms.external_url and not csms.external_url.startswith(("ws://", "wss://")):
        raise table.error("external_url", f"{csms.external_url!r} must begin with ws:// or wss://")
    table.finish()
    return csms


def _ocsp(table: Table) -> OcspConfig:
    ocsp = OcspConfig(table.text("host", "127.0.0.1"), table.integer("port", 0, 65535, 0))
    table.finish()
    return ocsp


def _charger(table: Table) -> ChargerSource:
    simulated = table.flag("simulated")
    source = ChargerSource(
        simulated=simulated,
        file=table.text("file", "") or None,
        boot_timeout_s=table.number("boot_timeout_s", 1, 3600, 20.0 if simulated else 120.0),
        namespace=table.text("namespace", "") or None,
        interface=table.text("interface", "") or None,
    )
    table.finish()
    for key in ("namespace", "interface"):
        value = getattr(source, key)
        if value is not None and not (simulated and _NAME.fullmatch(value)):
            raise table.error(
                key, f"{value!r} must be the name of one, and only the simulated charger has it"
            )
    return source


def _instruments(table: Table, rig_simulated: bool) -> tuple[InstrumentConfig, ...]:
    names = table.keys()
    found = tuple(_instrument(table.table(name), name, rig_simulated) for name in names)
    served: dict[str, str] = {}
    for instrument in found:
        for capability in instrument.capabilities:
            if capability in served:
                raise table.error(
                    f"{instrument.name}.capabilities",
                    f"{capability} is served by {served[capability]!r} already; list what each shall serve",
                )
            served[capability] = instrument.name
    if "ControlPilot" not in served:
        raise table.error(
            "", 'no instrument is a ControlPilot; add one, e.g. [instruments.pilot] driver = "pilot-board"'
        )
    return found


def _instrument(table: Table, name: str, rig_simulated: bool) -> InstrumentConfig:
    driver = table.text("driver", choices=registry.names())
    offered = registry.capabilities(driver)
    resource = table.text("resource")
    if resource.startswith("rig:"):
        if not rig_simulated:
            raise table.error("resource", f"{resource!r} needs the simulated rig: set rig.simulated = true")
        if resource[4:] not in RIG_ENDPOINTS:
            raise table.error(
                "resource", f"the rig has no {resource[4:]!r}{near_match(resource[4:], RIG_ENDPOINTS)}"
            )
    options = _options(table, driver)
    accuracy = table.text("accuracy", "") or None
    instrument = InstrumentConfig(
        name=name,
        driver=driver,
        resource=resource,
        capabilities=table.texts("capabilities", offered, choices=offered),
        options=options,
        accuracy=accuracy,
        calibrated=table.date("calibrated"),
        calibration_due=table.date("calibration_due"),
    )
    table.finish()
    return instrument


def _options(table: Table, driver: str) -> dict[str, Any]:
    """What the driver's constructor takes, each of the type of its default."""
    chosen: dict[str, Any] = {}
    for key, default in registry.options(driver).items():
        if key not in table:
            table.text(key, "")  # known, though absent
            continue
        if isinstance(default, bool):
            chosen[key] = table.flag(key)
        elif isinstance(default, int):
            chosen[key] = table.integer(key, -(2**31), 2**31)
        elif isinstance(default, float):
            chosen[key] = table.number(key, -1e9, 1e9)
        else:
            chosen[key] = table.text(key)
    return chosen
