"""`plugbench capture check`: a report from captures alone."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli._say import add_verb, complain
from bench.cli.report import ReportFailed, write_reports

if TYPE_CHECKING:
    from bench.capture.files import CaptureReader, Packet
    from bench.plan.capture_run import Outcome

EXAMPLES = """\
  plugbench capture check field.pcapng
  plugbench capture check field.pcapng --keylog tls.keylog --results reports
  plugbench capture check monday/*.pcap.gz --json

exit code: 0 every session passes, 1 the charger failed in one, 2 bad usage or not a capture, 4 nothing
failed, but not all could be judged (a capture that begins or ends in mid-session, TLS without its secrets).
"""
MEANINGS = {
    0: "every session passes (exit 0)",
    1: "the charger failed (exit 1)",
    4: "inconclusive: nothing failed, not everything could be judged (exit 4)",
}
MAX_SAID = 40
_PROGRESS_S = 1.0
_PROGRESS_EVERY = 4096


def add_action(actions: Any) -> None:
    """Add the action to the verb `capture`."""
    action = add_verb(actions, "check", "Judge captures like a live run and write the report.", EXAMPLES)
    action.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a capture (pcap, pcapng, gzip)")
    action.add_argument(
        "--keylog", metavar="FILE", type=Path, help="TLS secrets (SSLKEYLOGFILE); those in a pcapng are used"
    )
    action.add_argument(
        "--results", metavar="DIR", type=Path, default=Path("results"), help="where run folders go"
    )
    action.add_argument(
        "--charger", metavar="FILE", type=Path, help="charger file, for its name in the report"
    )
    action.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    action.set_defaults(func=check)


def check(arguments: argparse.Namespace) -> int:
    """Judge the captures; returns the exit code."""
    from bench.capture.files import CaptureError, open_capture
    from bench.plan import capture_run
    from bench.station.errors import BenchError
    from bench.station.run_folder import RunFolder
    from bench.timeline import TimelineError

    try:
        for path in arguments.files:
            if path.exists() and not path.is_file():
                return complain(f"{path}: not a file; a capture is read twice and kept as evidence")
            open_capture(path).close()  # before a folder is made for nothing
        charger = _charger(arguments.charger)
        if arguments.keylog is not None:
            arguments.keylog.open("rb").close()
        folder = RunFolder(arguments.results, f"capture-{_plain(arguments.files[0])}")
        outcome = capture_run.check(
            arguments.files, folder, keylog=arguments.keylog, charger=charger, packets=_with_progress
        )
        folder.write_manifest()  # so that the report names it, the first time too
        report = write_reports(folder.path)
        folder.write_manifest()
    except (CaptureError, BenchError, TimelineError, ReportFailed) as error:
        return complain(str(error))
    except OSError as error:
        return complain(f"{error.filename or arguments.files[0]}: {error.strerror or error}")
    if arguments.json:
        print(json.dumps(outcome.summary() | {"report": str(report)}, default=str))
    else:
        _say(outcome, report)
    return outcome.exit_code


def _say(outcome: Outcome, report: Path) -> None:
    from bench.cli.capture import printable

    cases = outcome.content["cases"]
    for case in cases[:MAX_SAID]:
        reason = f": {case['reason']}" if case["reason"] else ""
        print(printable(f"{case['verdict']:12} {case['id']}  {case['title']}{reason}"))
    if len(cases) > MAX_SAID:
        print(f"and {len(cases) - MAX_SAID} more in the report")
    for each in outcome.content["run"]["captures"]:
        for problem in each["problems"]:
            print(printable(f"plugbench: {each['name']}: {problem}"), file=sys.stderr)
    for note in outcome.content["run"]["notes"]:
        print(printable(f"plugbench: {note}"), file=sys.stderr)
    print(f"{MEANINGS.get(outcome.exit_code, '')}\nreport: {report}")


def _charger(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    from bench.station.charger_file import load_charger

    return load_charger(path).describe() | {"simulated": False}


def _plain(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.partition(".")[0])[:40].strip("-") or "file"


def _with_progress(reader: CaptureReader) -> Iterator[Packet]:
    """The packets of a reader; says on a terminal how far it is."""
    if not sys.stderr.isatty():
        yield from reader
        return
    due, shown = time.monotonic() + _PROGRESS_S, False
    for packet in reader:
        if packet.number % _PROGRESS_EVERY == 0 and time.monotonic() >= due:
            due, shown = time.monotonic() + _PROGRESS_S, True
            share = 100 * reader.position / max(1, reader.size)
            line = f"\r{reader.path}: {share:3.0f} %, {packet.number} packets"
            print(line, end="", file=sys.stderr, flush=True)
        yield packet
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
