"""EV profiles: the bundled ones load, and every mistake is one clear line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.ev.errors import ProfileError
from bench.ev.profile import bundled_profiles, load_profile

GOOD = (Path(__file__).parents[2] / "fixtures" / "ev" / "midsize_dc.toml").read_text()


@pytest.mark.parametrize("name", sorted(bundled_profiles()))
def test_bundled_profiles_load(name: str) -> None:
    profile = load_profile(name)
    assert len(profile.evccid) == 6
    assert profile.new_battery().voltage_v > 0


def test_the_default_profile_has_both_inlets() -> None:
    profile = load_profile()
    assert profile.dc is not None and profile.ac is not None


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("soc_percent = 40.0", "soc_percent = 140.0", "battery.soc_percent"),
        ("soc_percent = 40.0", "", "battery.soc_percent: is missing; give it a number from 0 to 100"),
        ("soc_percent = 40.0", "soc_percent = nan", "battery.soc_percent"),
        ("soc_percent = 40.0", "soc_percent = true", "battery.soc_percent"),
        ("capacity_kwh = 60.0", "capacity = 60.0", "battery.capacity_kwh"),
        ("capacity_kwh = 60.0", "capacity_kwh = 60.0\ncapacity_kw = 1", "did you mean 'capacity_kwh'"),
        ("max_voltage_v = 410.0", "max_voltage_v = 400.0", "battery.max_voltage_v"),
        ("max_voltage_v = 410.0", "max_voltage_v = 480.0", "battery.max_voltage_v"),
        ("[10, 342.0]", "[10, 300.0]", "battery.ocv_v"),
        ("[100, 404.0]", "[99, 404.0]", "battery.ocv_v"),
        ("[100, 404.0]", "[100]", "battery.ocv_v"),
        ('"02:00:00:50:42:01"', '"02:00"', "evccid"),
        ("min_current_a = 6.0", "min_current_a = 60.0", "ac.min_current_a"),
        ("phases = 3", "phases = 4", "ac.phases"),
        ('mode = "DC_extended"', 'mode = "DC"', "dc.mode"),
        ("[dc]", "[dcc]", "dcc: is not a key that is known here"),
        ("[ac]", "[pace]\nslow = 1\n[ac]", "pace.slow: is not a key that is known here"),
        ("[ac]", "[quirks]\npilot_d = 1\n[ac]", "quirks.pilot_d"),
        ("[ac]", "[[protocols]]\nschema_id = 1\npriority = 21\n[ac]", "protocols[0].priority"),
        ("[battery]", "[[battery]]", "battery: must be a table [battery]"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_and_remedy(tmp_path: Path, old: str, new: str, key: str) -> None:
    file = tmp_path / "car.toml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(ProfileError) as caught:
        load_profile(file)
    text = str(caught.value)
    assert text.startswith(f"{file}: ") and key in text
    assert "\n" not in text


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x = [", b"a = 1\n" * 100_000])
def test_files_that_are_no_profile(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "car.toml"
    file.write_bytes(content)
    with pytest.raises(ProfileError, match=re.escape(str(file))):
        load_profile(file)


def test_a_missing_file_names_the_bundled_profiles() -> None:
    with pytest.raises(ProfileError, match="midsize_dc"):
        load_profile("nowhere")


def test_changes_by_name() -> None:
    profile = load_profile().with_changes(soc_percent=99.0, pace__charge_loop_s=1.0)
    assert profile.soc_percent == 99.0 and profile.pace.charge_loop_s == 1.0
    with pytest.raises(ProfileError, match="colour"):
        load_profile().with_changes(colour="red")
    with pytest.raises(ProfileError, match="pace"):
        load_profile().with_changes(pace__speed=1)
