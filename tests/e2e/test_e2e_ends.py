"""However a run ends: the bench is safe, what was measured is in the report, and the next run starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from controller import LONG_PLAN, PLUGBENCH, Controller, Watched, comes_to_safety

from bench.timeline import read

Start = Callable[..., Controller]
Watch = Callable[..., Watched]
Records = Callable[[Path], dict[str, Any]]


def _by_id(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {case["id"]: case for case in content["cases"]}


def _measured(content: dict[str, Any]) -> None:
    """What END-01 measured is in the record."""
    first = _by_id(content)["END-01"]
    assert first["verdict"] == "pass"
    assert [one["name"] for one in first["measurements"]] == ["round trip"]


@pytest.mark.parametrize("how", ["SIGINT, thrice, to a background job", "SIGINT to the group", "SIGTERM"])
def test_a_stopped_run(how: str, bench_file: Callable[..., Path], watch: Watch, records: Records) -> None:
    background = how.endswith("background job")
    run = watch(bench_file(), LONG_PLAN, sigint_ignored=background)
    with run.window() as look:
        run.in_mid_charge(look)
        if how == "SIGTERM":
            run.process.send_signal(signal.SIGTERM)
        elif background:
            run.process.send_signal(signal.SIGINT)
        else:
            os.killpg(run.process.pid, signal.SIGINT)
        comes_to_safety(look)
    if background:  # an impatient user does not lose the report
        for _ in range(2):
            run.process.send_signal(signal.SIGINT)
    assert run.finish() == 4
    assert run.err == ""
    cause = "ended by SIGTERM" if how == "SIGTERM" else "interrupted"
    assert f"stopped ({cause})" in run.out
    assert str(run.folder / "report.html") in run.out.replace("\n", "")
    content = records(run.folder)
    _measured(content)
    assert content["run"]["interrupted"] and content["run"]["exit_code"] == 4
    assert content["run"]["stop_cause"] == cause
    cut = _by_id(content)["END-02"]
    assert (cut["verdict"], cut["reason"]) == ("inconclusive", "the run was interrupted")
    assert cut["session"]["traces"]["current_a"], "what was measured in the case that was cut short"
    assert "END-03" in [one["id"] for one in content["not_run"]]
    assert "interrupted" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_kill_9_in_mid_charge_and_the_next_run(
    bench_file: Callable[..., Path], watch: Watch, start: Start, tmp_path: Path, records: Records
) -> None:
    bench = bench_file()
    run = watch(bench, LONG_PLAN)
    with run.window() as look:
        run.in_mid_charge(look)

        # while it runs, nobody else gets the bench
        second = start([*PLUGBENCH, "run", "--bench", bench, "--results", tmp_path / "none", "-k", "PNC-001"])
        assert second.finish() == 2
        assert second.out == "" and second.err.count("\n") == 1
        assert f"bench 'e2e' is in use by process {run.process.pid} since" in second.err

        os.kill(run.process.pid, signal.SIGKILL)
        state = comes_to_safety(look)
        assert state["watchdog"] == "TRIPPED", "the box did it, not the controller"
    assert run.finish() == -signal.SIGKILL
    content = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    _measured(content)
    assert content["run"]["ended"] is None
    assert any(event.name == "END-02" for event in read(run.folder / "timeline.jsonl"))

    again = watch(bench, "-k", "PNC-001")
    assert again.finish() == 0, again.out + again.err
    assert records(again.folder)["run"]["exit_code"] == 0


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("analyzer", "analyzer (WT series at TCPIP0::"),
        ("pilot", "pilot (CP/PP board at "),
        ("sink", "sink (PSB 10000 at TCPIP0::"),
        ("charger", "the simulated charger died: killed by SIGKILL"),
    ],
)
def test_a_bench_that_breaks_in_mid_charge(
    what: str, cause: str, bench_file: Callable[..., Path], watch: Watch, records: Records
) -> None:
    run = watch(bench_file(), LONG_PLAN)
    with run.window() as look:
        run.in_mid_charge(look)
        if what == "charger":
            os.kill(run.pid_of(what), signal.SIGKILL)
        else:
            assert look(unplug=what)
        if what in ("analyzer", "charger"):  # all that makes the vehicle's side safe is still there
            comes_to_safety(look, within_s=10.0)
    assert run.finish() == 3, run.out + run.err
    assert run.err == ""
    content = records(run.folder)
    _measured(content)
    assert content["run"]["stop_cause"].startswith(cause)
    cases = _by_id(content)
    assert cases["END-02"]["verdict"] == "error"
    assert cases["END-02"]["reason"].startswith(f"bench: {cause}")
    assert cases["END-02"]["session"]["traces"]["current_a"]
    assert cases["END-03"]["verdict"] == "error"
    assert cases["END-03"]["reason"].startswith(f"bench: bench broke before: {cause}")
    assert "Traceback" not in run.out


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk of its own needs root (mount)")
def test_a_full_disk(bench_file: Callable[..., Path], watch: Watch, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", small],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mount.returncode != 0:
        pytest.skip(f"no mount here: {mount.stderr.strip()}")
    try:
        run = watch(bench_file(), LONG_PLAN, results=small)
        assert run.finish() == 3, run.out + run.err
        assert "Traceback" not in run.out + run.err
        assert run.err.count("\n") == 1
        assert "No space left on device" in run.err
        assert "ERROR        END-02" in run.out
        assert "free some space or give another --results folder" in run.out
        content = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
        _measured(content)
    finally:
        subprocess.run(["umount", small], check=True)
