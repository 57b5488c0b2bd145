"""What the verbs share: complaints in one line, plan names, examples in help."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from bench.cli import EXIT_USAGE

PLANS = Path(__file__).resolve().parents[2] / "testplans"


def complain(text: str) -> int:
    """Print one line to stderr; returns exit code 2."""
    print("plugbench: " + " ".join(text.split()), file=sys.stderr)
    return EXIT_USAGE


def plan_path(name: str) -> str:
    """The path of a plan: a path as it is (`plan.py::test` too), or the name of a plan that comes with
    plugbench.

    Raises ValueError, one line, when there is neither.
    """
    path = name.partition("::")[0]
    if Path(path).exists():
        return name
    if (PLANS / path).is_dir() and "/" not in path:
        return str(PLANS / name)
    known = ", ".join(sorted(folder.name for folder in PLANS.glob("*/") if not folder.name.startswith("_")))
    raise ValueError(f"{path}: there is no such plan; a path, or one of: {known}")


def add_verb(subparsers: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    """A parser for verb `name` with its examples at the end of the help."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=text,
        description=text,
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser
