"""The modem on a bench: by the bench file, in the report, and out of the network in the safe state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.slac.keys import new_nmk, nid_from_nmk
from bench.station import BenchError, Station
from bench.station.bench_file import BenchFileError, load_bench
from bench.station.provision import rig_command
from drivers import PlcModem
from drivers.qca7000 import Qca7000

SECTION = tuple(
    (f"# {line}", line)
    for line in ("[instruments.modem]", 'driver = "qca7000"', 'resource = "rig:plc"', "settle_s = 0.0")
)
"""The section is in the embedded bench file already, as a comment."""


def test_the_modem_of_a_bench_joins_a_network_and_leaves_it(
    bench_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = bench_file("modem", *SECTION)
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
    path = bench_file("modem", *SECTION, ("settle_s = 0.0", "settle_s = 0.0\ntimeout_s = 0.05"))
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
    ],
)
def test_a_slip_in_the_section_gets_one_clear_line(
    bench_file: Callable[..., Path], changes: tuple[tuple[str, str], ...], problem: str
) -> None:
    with pytest.raises(BenchFileError, match=problem) as caught:
        load_bench(bench_file("modem", *SECTION, *changes))
    assert "\n" not in str(caught.value)


def test_the_rig_is_told_its_interfaces(bench_file: Callable[..., Path]) -> None:
    assert "--plc-ev" not in rig_command(load_bench(bench_file("plain")))
    text = '[rig]\nplc_ev_interface = "a0"\nplc_evse_interface = "b0"'
    command = rig_command(load_bench(bench_file("modem", ("[rig]", text))))
    assert command[-4:] == ["--plc-ev", "a0", "--plc-evse", "b0"]
