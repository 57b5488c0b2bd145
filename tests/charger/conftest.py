"""One PKI for all tests of the charger, and a maker of chargers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from charger_lab import Lab

from bench.pki import Pki


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture
def make(tmp_path: Path, pki: Pki) -> Callable[..., Lab]:
    def maker(*names: str, **options: Any) -> Lab:
        return Lab.make(tmp_path / "store", pki, *names, **options)

    return maker
