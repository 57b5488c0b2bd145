"""For the project's own tests: pytester, and the markers `slow` and `netns` that tests/ uses."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["pytester"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what waits long unless --slow is given, and what needs root where there is none."""
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("slow") and "tests" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="slow: give --slow"))
        if item.get_closest_marker("netns") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root and network namespaces"))
