"""Fixtures of the tests of the plan room."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_bench import bench_run  # noqa: F401
