"""Write report.html and junit.xml of a finished run again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.cli._say import add_verb, complain

EXAMPLES = """\
  plugbench report results/20260101T120000Z-embedded
"""


def register(subparsers: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        subparsers, "report", "Write the report of a run folder again, from its run.json.", EXAMPLES
    )
    parser.add_argument("folder", metavar="RUNDIR", type=Path, help="a run folder (has a run.json)")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the report; 2 when the folder holds no readable run."""
    try:
        print(write_reports(arguments.folder))
    except ReportFailed as error:
        return complain(str(error))
    return 0


class ReportFailed(Exception):  # noqa: N818
    """The report could not be written; one line."""


def write_reports(folder: Path) -> Path:
    """Write report.html (with its case pages) and junit.xml from run.json; returns the path of report.html.

    Raises ReportFailed, one line, whatever went wrong: a run must not be lost over its report.
    """
    from bench.report import ReportError, write_report

    try:
        path = write_report(folder)
    except (ReportError, OSError) as error:
        raise ReportFailed(f"no report: {error}") from error
    except Exception as error:  # a flaw of the report room, with a run.json that is whole
        raise ReportFailed(f"no report, a flaw in plugbench: {type(error).__name__}: {error}") from error
    return path
