"""Hooks of the plugin: for a live view, another way to open a bench, or a lab's own bookkeeping.

Implement them in a conftest.py or a plugin object, as any pytest hook; take only the arguments that you need.
"""

from __future__ import annotations

from typing import Any

import pytest

from bench.plan.case import Case
from bench.plan.verdict import Judgement


@pytest.hookspec(firstresult=True)
def pytest_plugbench_open_station(config: pytest.Config) -> Any:
    """Open the bench and return the Station; called once, before the first case. Without one of your own the
    options --bench, --charger, --defect and --results say which."""


def pytest_plugbench_opened(config: pytest.Config, station: Any) -> None:
    """The bench is open: run folder and timeline are there."""


def pytest_plugbench_selected(config: pytest.Config, cases: list[Case]) -> None:
    """These cases and rules are going to run, in this order."""


def pytest_plugbench_case(config: pytest.Config, case: Case) -> None:
    """A case begins."""


def pytest_plugbench_verdict(
    config: pytest.Config, case: Case, judgement: Judgement, duration_s: float
) -> None:
    """A case, or a rule, has its verdict."""
