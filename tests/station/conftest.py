"""What the tests of the station share: a runtime folder of their own, and benches with names of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.station.bench_file import named_files


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of the tests must not meet those of a run on this host."""
    folder = tmp_path_factory.mktemp("runtime")
    monkeypatch.setenv("PLUGBENCH_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def bench_file(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the embedded bench: `bench_file(name, (old, new), ...)`."""

    def make(name: str = "test", *changes: tuple[str, str]) -> Path:
        text = named_files("benches")["embedded"].read_text().replace('name = "embedded"', f'name = "{name}"')
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        return path

    return make
