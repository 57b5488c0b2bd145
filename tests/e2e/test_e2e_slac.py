"""The plan slac from the command line: verdicts, ladder and a capture that tshark reads without complaint."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CASES = "SLAC-001 or SLAC-010 or SLAC-030 or SLAC-060 or SLAC-070 or SLAC-100"


def run(bench: Path, results: Path, *arguments: str) -> Path:
    """`plugbench run slac`; the run folder."""
    command = [sys.executable, "-m", "bench.cli", "run", "slac", "--bench", str(bench)]
    command += ["--results", str(results), "--no-report", *arguments]
    subprocess.run(command, capture_output=True, timeout=300, check=False)
    (folder,) = results.iterdir()
    return folder


def test_the_plan_passes_and_its_capture_decodes(bench_file: Callable[..., Path], tmp_path: Path) -> None:
    folder = run(bench_file(name="e2e-slac"), tmp_path / "results", "-k", CASES)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert {case["id"]: case["verdict"] for case in record["cases"]} == dict.fromkeys(
        CASES.split(" or "), "pass"
    )
    layers = {each["layer"] for each in record["cases"][0]["session"]["exchanges"]}
    assert {"cp", "slac"} <= layers
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed; all but the decoding was checked")
    out = subprocess.run(
        ["tshark", "-r", str(folder / "capture.pcapng"), "-Y", "homeplug-av", "-T", "fields",
         "-e", "homeplug_av.mmhdr.mmtype", "-e", "_ws.malformed"],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout.splitlines()  # fmt: skip
    assert len(out) > 6 * 15
    assert {int(line.split("\t")[0], 16) for line in out} >= {0x6064, 0x6065, 0x6078, 0x607C, 0x607D}
    assert [line for line in out if "alformed" in line] == []


def test_a_bench_that_does_not_match_says_so(bench_file: Callable[..., Path], tmp_path: Path) -> None:
    bench = bench_file(("match = true", "match = false"), name="e2e-plain")
    folder = run(bench, tmp_path / "results", "-k", "SLAC-010")
    (case,) = json.loads((folder / "run.json").read_text(encoding="utf-8"))["cases"]
    assert case["verdict"] == "inconclusive"
    assert "plc.match = false" in case["reason"]


def test_a_bench_without_a_modem_says_so(bench_file: Callable[..., Path], tmp_path: Path) -> None:
    bench = bench_file(name="e2e-no-modem")
    text = bench.read_text(encoding="utf-8")
    bench.write_text(text[: text.index("[instruments.modem]")], encoding="utf-8")
    folder = run(bench, tmp_path / "results", "-k", "SLAC-010")
    (case,) = json.loads((folder / "run.json").read_text(encoding="utf-8"))["cases"]
    assert case["verdict"] == "inconclusive"
    assert "has no PlcModem" in case["reason"]
