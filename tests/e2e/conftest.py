"""What the end-to-end tests share: benches of their own, and the proof that nothing is left behind."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from controller import Controller, Watched, processes_of, until

from bench.capture.pcapng import CaptureReader
from bench.station.bench_file import named_files
from bench.timeline import read

ORPHANS_S = 15.0
_FILES = (
    "run.json", "report.html", "junit.xml", "pytest.html", "manifest.json", "timeline.jsonl",
    "capture.pcapng", "ocpp.jsonl", "bench.toml", "charger.toml",
)  # fmt: skip


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of the test's own; behind the test no process that was started with it is left."""
    folder = tmp_path_factory.mktemp("runtime")
    monkeypatch.setenv("PLUGBENCH_RUNTIME_DIR", str(folder))
    yield folder
    until(lambda: not processes_of(folder) or None, ORPHANS_S, "every process has ended")
    assert [path.name for path in folder.iterdir() if path.suffix != ".lock"] == []


@pytest.fixture
def bench_file(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the embedded bench: `bench_file((old, new), ..., name="e2e")`."""

    def make(*changes: tuple[str, str], name: str = "e2e") -> Path:
        text = named_files("benches")["embedded"].read_text(encoding="utf-8")
        for old, new in (('name = "embedded"', f'name = "{name}"'), *changes):
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return make


@pytest.fixture
def start(tmp_path: Path, runtime: Path) -> Iterator[Callable[..., Controller]]:
    """`start(command, ...)`: a process that is ended with the test."""
    begun: list[Controller] = []

    def go(command: list[str | Path], **options: Any) -> Controller:
        begun.append(Controller(command, tmp_path / f"said{len(begun)}", **options))
        return begun[-1]

    yield go
    for one in begun:
        one.kill()


@pytest.fixture
def watch(tmp_path: Path, runtime: Path) -> Iterator[Callable[..., Watched]]:
    """`watch(bench, *arguments)`: a `plugbench run` that is ended with the test."""
    begun: list[Watched] = []

    def go(bench: Path, *arguments: str | Path, **options: Any) -> Watched:
        results = options.pop("results", tmp_path / f"results{len(begun)}")
        begun.append(Watched(results, bench, *arguments, **options))
        return begun[-1]

    yield go
    for one in begun:
        one.kill()


@pytest.fixture
def records() -> Callable[[Path], dict[str, Any]]:
    """`records(run folder)`: every record is there, parses, and is as the manifest says; returns run.json."""

    def check(folder: Path) -> dict[str, Any]:
        assert {path.name for path in folder.iterdir()} >= set(_FILES)
        content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        for page in ("report.html", "pytest.html"):
            assert (folder / page).read_text(encoding="utf-8").rstrip().endswith("</html>"), page
        ET.parse(folder / "junit.xml")
        assert [event.seq for event in read(folder / "timeline.jsonl")][:3] == [0, 1, 2]
        assert list(CaptureReader(folder / "capture.pcapng").packets())
        lines = (folder / "ocpp.jsonl").read_text(encoding="utf-8").splitlines()
        assert any("BootNotification" in line for line in lines)
        assert all(isinstance(json.loads(line), dict) for line in lines)
        listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
        there = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
        assert set(listed) == set(there) - {"manifest.json"}
        for name, entry in listed.items():
            assert hashlib.sha256(there[name].read_bytes()).hexdigest() == entry["sha256"], name
        return content

    return check
