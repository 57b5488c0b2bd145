"""`plugbench ev match` against the simulated powerline: its output and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bench.cli import main
from bench.slac import mme
from bench.slac.evse_policy import Pairing
from tests.slac.live_bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_json_has_the_figures_and_no_key(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    nmk = bench.matcher.nmk.hex()
    assert main(["ev", "match", "--interface", bench.endpoints["plc"], "--json"]) == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert (figures["linked"], figures["nid"], err) == (True, bench.matcher.nid.hex(), "")
    assert [each["name"] for each in figures["steps"]][-1] == "join"
    assert nmk not in out


def test_people_read_the_exchange(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", "match", "--interface", bench.endpoints["plc"]]) == 0
    out = capsys.readouterr().out
    assert "-> CM_SLAC_PARM.REQ ff:ff:ff:ff:ff:ff" in out
    assert "<- CM_SLAC_MATCH.CNF" in out
    assert out.splitlines()[-1].startswith("linked in ")


def test_no_modem_ends_at_the_match(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", "match", "--interface", bench.endpoints["plc"], "--no-modem", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["matched"], figures["linked"]) == (True, False)


def test_no_charger_answers(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.pilot("A")
    assert main(["ev", "match", "--interface", bench.endpoints["plc"], "--attempts", "1"]) == 4
    assert "not matched in 0.6" in capsys.readouterr().out


def test_a_charger_that_answers_wrongly(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    def none_heard(pairing: Pairing, profiles: object) -> mme.AttenCharInd:
        return mme.AttenCharInd(source_address=pairing.ev_mac, run_id=pairing.run_id, num_sounds=0)

    bench.matcher.policy.attenuation = none_heard  # type: ignore[method-assign, assignment]
    assert main(["ev", "match", "--interface", bench.endpoints["plc"], "--attempts", "1"]) == 1
    assert "NUM_SOUNDS 0: no sound was heard" in capsys.readouterr().out


def test_a_silent_modem_is_a_broken_bench(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.call(bench.line.command({"set": "ev", "mute": True}))
    resource = bench.endpoints["plc"]
    assert main(["ev", "match", "--interface", resource]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert resource in err
    assert "00:b0:52:00:00:01" in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--interface", "nope0"], "there is no interface 'nope0'"),
        (["--interface", "nope0", "--no-modem"], "there is no interface 'nope0'"),
        (["--interface", "lo", "--sound-interval", "nan"], "--sound-interval"),
        (["--interface", "lo", "--direct-db", "-1"], "--direct-db"),
        (["--interface", "lo", "--attempts", "0"], "--attempts"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", "match", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert text in err
