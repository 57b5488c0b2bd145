"""Bench and charger files: strict; every complaint is one line with file, key, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.report.checklist import CHECKLIST, DEPENDENCIES
from bench.station.bench_file import load_bench, named_files
from bench.station.charger_file import DECLARATIONS, load_charger
from bench.station.errors import BenchFileError
from bench.station.station import Station


@pytest.mark.parametrize("name", named_files("benches"))
def test_benches_of_the_package_are_right(name: str) -> None:
    bench = load_bench(name)
    assert load_charger(bench.charger.file or "simulated", beside=bench.file).vendor
    assert bench.simulated == (name != "example_rack")


@pytest.mark.parametrize("name", named_files("chargers"))
def test_chargers_of_the_package_are_right(name: str) -> None:
    assert load_charger(name).describe()["model"]


def test_the_embedded_bench_says_what_it_is() -> None:
    bench = load_bench("embedded")
    assert bench.network.sdp_port == 0 and bench.csms.port == 0 and bench.ocsp.port == 0
    assert {capability for each in bench.instruments for capability in each.capabilities} == {
        "ControlPilot",
        "Contactor",
        "CardReader",
        "DcSink",
        "AcLoad",
        "PowerAnalyzer",
        "EnergyMeter",
        "PlcModem",
    }


# ruff: noqa: E501 - a row a mistake
WRONG = [
    ('interface = "lo"', 'interfaze = "lo"', "network.interface: is missing; give it a text; is 'interfaze' meant"),
    ('interface = "lo"', 'interface = "lo"\nmtu = 1', "network.mtu: is not a key that is known here"),
    ('[charger]\nsimulated = true', '[charger]\nsimulated = false', "network.sdp_port: 0 is for the simulated charger"),
    ("[limits]", "[limit]", "limits: is missing; give it a table [limits]; is 'limit' meant"),
    ("[ocsp]", '[timing.overrides]\n"iso2.SessionSetup.secc_performanse" = 2.0\n[ocsp]', "did you mean 'iso2.SessionSetup.secc_performance'"),
    ("[rig]", "[rig]\nbleed_s = 0", "rig.bleed_s: 0 makes no sense"),
    ("[rig]", "[ev]\nprofil = 'x'\n[rig]", "ev.profil: is not a key that is known here"),
    ("voltage_v = 1000", "voltage_v = -5", "limits.voltage_v: -5 makes no sense; it must lie within 1 and 1500"),
    ("voltage_v = 1000", "voltage_v = true", "limits.voltage_v: must be a number from 1 to 1500, not True"),
    ("voltage_v = 1000", "voltage_v = nan", "limits.voltage_v: must be a number"),
    ("voltage_v = 1000", "voltage_v = 10", "limits.power_w: 250000 W cannot be reached with 10 V and 400 A"),
    ("handshake_budget_s = 4.0", "handshake_budget_s = 6", "timing.handshake_budget_s: 6 makes no sense"),
    ('driver = "ea-psb"', 'driver = "ea-pbs"', "instruments.sink.driver: 'ea-pbs' is not known; did you mean 'ea-psb'?"),
    ('resource = "rig:sink"', 'resource = "rig:sinc"', "instruments.sink.resource: the rig has no 'sinc'; did you mean"),
    ("max_current_a = 500.0", 'max_current_a = "500"', "instruments.sink.max_current_a: must be a number"),
    ("max_current_a = 500.0", "max_curent_a = 500.0", "instruments.sink.max_curent_a: is not a key that is known here;"),
    ("[rig]\nsimulated = true", "[rig]\nsimulated = false", "instruments.pilot.resource: 'rig:pilot' needs the simulated"),
    ("security_profile = 1", "security_profile = 4", "csms.security_profile: 4 makes no sense"),
    ('password = "plugbench-embedded-0"', 'password = "short"', "csms.password: security profile 1 needs one of 16"),
    ('accuracy = "class 1"', "calibrated = 2026-13-01", "not TOML"),
    ('accuracy = "class 1"', 'calibrated = "soon"', "instruments.meter.calibrated: must be a date such as 2026-01-31"),
    ('name = "test"', 'name = "../x"', "bench.name: '../x' must be letters"),
    ("[instruments.pilot]", "[instruments.pilot2]\ndriver = \"manual-pilot\"\nresource = \"x\"\n[instruments.pilot]",
     "ControlPilot is served by 'pilot2' already"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG)
def test_a_wrong_bench_file_gets_one_clear_line(
    bench_file: Callable[..., Path], old: str, new: str, complaint: str
) -> None:
    path = bench_file("test", (old, new))
    with pytest.raises(BenchFileError) as caught:
        load_bench(path)
    text = str(caught.value)
    assert complaint in text and text.startswith(f"{path}: ") and "\n" not in text


def test_a_bench_without_a_pilot_is_refused(bench_file: Callable[..., Path]) -> None:
    path = bench_file("test")
    path.write_text(path.read_text().split("[instruments.pilot]")[0] + "[instruments]\n")
    with pytest.raises(BenchFileError, match="no instrument is a ControlPilot; add one"):
        load_bench(path)


def test_names_and_paths() -> None:
    with pytest.raises(BenchFileError, match="did you mean 'embedded'"):
        load_bench("embeded")
    with pytest.raises(BenchFileError, match="there is no such bench file"):
        load_bench("nowhere/x.toml")
    with pytest.raises(BenchFileError, match="charger 'exampel' is not known; did you mean 'example'"):
        load_charger("exampel")


CHARGER = '[charger]\nvendor = "V"\nmodel = "M"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[charger]\nvendor = 'V'\n", "charger.model: is missing"),
        (CHARGER + "colour = 'red'\n", "charger.colour: is not a key"),
        (CHARGER + "[ratings]\ndc_voltage_v = 99999\n", "ratings.dc_voltage_v: 99999 makes no sense"),
        (CHARGER + "[declarations.suport]\nowner='x'\nstatus='open'\n", "did you mean 'support'?"),
        (
            CHARGER + "[declarations.support]\nowner='x'\nstatus='done'\n",
            "support.status: 'done' is not known",
        ),
        (CHARGER + "[declarations.support]\nowner='x'\nstatus='signed-off'\n", "needs signed_by and date"),
    ],
)
def test_a_wrong_charger_file_gets_one_clear_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "charger.toml"
    path.write_text(text)
    with pytest.raises(BenchFileError) as caught:
        load_charger(path)
    assert complaint in str(caught.value) and "\n" not in str(caught.value)


def test_what_can_be_declared_is_what_the_report_asks_for() -> None:
    asked = {item.signature for item in (*CHECKLIST, *DEPENDENCIES) if item.signature}
    assert asked <= set(DECLARATIONS)
    declared = {item.key for item in (*CHECKLIST, *DEPENDENCIES)} | asked
    assert set(DECLARATIONS) <= declared
    documented = named_files("chargers")["example"].read_text()
    assert all(f"#   {item}" in documented for item in DECLARATIONS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_no_file_makes_the_reader_crash(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(data)
    for load in (load_bench, load_charger):
        with pytest.raises(BenchFileError):
            load(path)


@pytest.mark.parametrize("profile", ["nosuch", "broken.toml"])
def test_an_ev_profile_that_cannot_be_used_is_one_line_before_anything_is_opened(
    bench_file: Callable[..., Path], tmp_path: Path, profile: str
) -> None:
    bench = bench_file("profiled", ("[rig]", f'[ev]\nprofile = "{profile}"\n[rig]'))
    (bench.parent / "broken.toml").write_text("name = 1\n", encoding="utf-8")
    with pytest.raises(BenchFileError, match=r"ev\.profile: ") as raised:
        Station.open(bench, results=tmp_path / "results")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "results").exists()
