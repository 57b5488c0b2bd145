"""The modem on a bench: by the bench file, in the report, and out of the network in the safe state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.slac.keys import new_nmk, nid_from_nmk
from bench.station import BenchError, BenchFileError, Station
from bench.station.bench_file import load_bench
from bench.station.provision import charger_command, rig_command
from drivers import PlcModem
from drivers.qca7000 import Qca7000

NO_MATCHING = ("match = true", "match = false")
"""The simulated charger then has no modem, and its end of the line is free for the test."""


def test_the_modem_of_a_bench_joins_a_network_and_leaves_it(
    bench_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = bench_file("modem", NO_MATCHING)
    with Station.open(path, results=tmp_path) as station:
        modem = station.instruments.get(PlcModem)
        (described,) = [
            each for each in station.describe()["bench"]["instruments"] if each["capability"] == "PlcModem"
        ]
        assert described["model"] == "QCA7005"
        assert described["verified_on"] is None and described["simulated"] is True
        charger_side = Qca7000(station.rig_endpoints["plc-evse"], name="charger's", settle_s=0.0)
        charger_side.open()
        nmk = new_nmk()
        for each in (modem, charger_side):
            each.set_key(nid_from_nmk(nmk), nmk)
        assert modem.wait_link(5)
        station.safe_state()
        assert modem.link_up() is False
        assert station.health() is None
        commands = [event.name for event in station.timeline.since(0) if event.source == "modem"]
        assert sum(command.startswith("CM_SET_KEY.REQ") for command in commands) == 3
        charger_side.close()


def test_a_modem_that_does_not_leave_breaks_the_bench(
    bench_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = bench_file("modem", ("settle_s = 0.0", "settle_s = 0.0\ntimeout_s = 0.05"))
    with Station.open(path, results=tmp_path) as station:
        modem = station.instruments.get(PlcModem)
        modem.set_key(bytes(7), bytes(16))
        modem.close()
        with pytest.raises(BenchError, match=r"safe state: modem \(QCA7000 .*the modem is not open"):
            station.safe_state()
        assert "modem" in (station.health() or "")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ((("settle_s = 0.0", "settle = 0.0"),), r"settle.*settle_s"),
        ((('"rig:plc"', '"rig:plk"'),), r"the rig has no 'plk'.*plc"),
        ((("[rig]", '[rig]\nplc_ev_interface = "--x"'),), "'--x' must be the name of an interface"),
        ((("sound_interval_s = 0.02", "sound_interval_s = 0.2"),), r"plc\.sound_interval_s.*0\.05"),
        ((("[plc]", "[plc]\nmatches = true"),), r"plc\.matches"),
    ],
)
def test_a_slip_in_the_section_gets_one_clear_line(
    bench_file: Callable[..., Path], changes: tuple[tuple[str, str], ...], problem: str
) -> None:
    with pytest.raises(BenchFileError, match=problem) as caught:
        load_bench(bench_file("modem", *changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "matches"),
    [((), True), ((NO_MATCHING,), False), ((('"rig:plc"', '"rig:plc"'), ("[plc]", "")), True)],
)
def test_a_bench_with_a_modem_matches_unless_told_otherwise(
    bench_file: Callable[..., Path], changes: tuple[tuple[str, str], ...], matches: bool, tmp_path: Path
) -> None:
    path = bench_file("modem", *changes)
    if ("[plc]", "") in changes:
        path.write_text(path.read_text().split("match =")[0])
    config = load_bench(path)
    assert config.matches is matches
    for plc in ("tunnel:127.0.0.1:5", None):
        command = charger_command(config, store=tmp_path, cable="a:1", csms_url="ws://b", defects=(), plc=plc)
        assert ("--plc" in command) is (plc is not None)


def test_the_rig_is_told_its_interfaces(bench_file: Callable[..., Path]) -> None:
    assert "--plc-ev" not in rig_command(load_bench(bench_file("plain")))
    text = '[rig]\nplc_ev_interface = "a0"\nplc_evse_interface = "b0"'
    command = rig_command(load_bench(bench_file("modem", ("[rig]", text))))
    assert command[-4:] == ["--plc-ev", "a0", "--plc-evse", "b0"]
