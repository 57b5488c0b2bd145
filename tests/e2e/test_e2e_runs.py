"""Runs as people start them: repeated, into a pipe, from anywhere, and as plain pytest."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller import PLUGBENCH, PYTEST, Controller, Watched

PLANS = Path(__file__).parents[2] / "testplans" / "plug_and_charge"
Start = Callable[..., Controller]
Watch = Callable[..., Watched]
Records = Callable[[Path], dict[str, Any]]


def test_three_times_the_same(bench_file: Callable[..., Path], start: Start, tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = start(
        [*PLUGBENCH, "run", "--repeat", "3", "-k", "PNC-010", "--bench", bench_file(), "--results", results]
    )
    assert run.finish() == 0, run.out + run.err
    assert run.err == ""
    for index in (1, 2, 3):
        assert f"run {index} of 3" in run.out
    assert run.out.rstrip().splitlines()[-1].startswith("3 runs, the same ")
    contents = [json.loads((folder / "run.json").read_text()) for folder in sorted(results.iterdir())]
    assert [one["run"]["repeat"] for one in contents] == [{"index": n, "of": 3} for n in (1, 2, 3)]


def test_a_fail_from_a_folder_that_is_not_writable(
    bench_file: Callable[..., Path], watch: Watch, records: Records
) -> None:
    run = watch(
        bench_file(), "-k", "PNC-001", "--defect", "sdp-ignores-first-request", cwd=Path("/proc")
    )  # nobody, root neither, can make a file there
    assert run.finish() == 1, run.out + run.err
    assert run.err == ""
    assert "FAIL         PNC-001" in run.out
    content = records(run.folder)
    assert content["run"]["defects"] == ["sdp-ignores-first-request"]
    assert content["run"]["exit_code"] == 1


def test_the_reader_of_the_output_goes_away(
    bench_file: Callable[..., Path], tmp_path: Path, records: Records
) -> None:
    results = tmp_path / "results"
    command = [*PLUGBENCH, "run", "-k", "PNC-001", "--bench", bench_file(), "--results", results]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stderr is not None
        assert run.stdout.readline().startswith("bench")
        run.stdout.close()  # as `| head -1` does
        assert run.stderr.read() == ""
        assert run.wait(60) == 0, "the verdict, whoever listens"
    [folder] = results.iterdir()
    assert records(folder)["run"]["exit_code"] == 0


def test_plain_pytest(bench_file: Callable[..., Path], start: Start, tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = start(
        [*PYTEST, PLANS, "--bench", bench_file(), "--results", results, "-k", "revoked", "-x"],
    )
    assert run.finish() == 0, run.out + run.err
    assert run.err == ""
    assert "test_contract_faults.py ." in run.out
    assert "warning" not in run.out.lower()
    [folder] = results.iterdir()
    assert f"run folder: {folder}" in run.out
    assert "PNC-031" in [one["id"] for one in json.loads((folder / "run.json").read_text())["cases"]]


def test_collect_only_opens_no_bench(start: Start, tmp_path: Path) -> None:
    run = start([*PYTEST, PLANS, "--collect-only", "-q", "-k", "revoked", "--results", tmp_path / "results"])
    assert run.finish() == 0, run.out + run.err
    assert "::test_revoked_contract_is_refused" in run.out
    assert "RUL-" not in run.out
    assert not (tmp_path / "results").exists()
