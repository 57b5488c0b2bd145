"""run.json: everything the report needs, written after every case by atomic replacement (shape in
docs/internals.md).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bench
from bench.plan.case import Case
from bench.plan.verdict import Verdict

FORMAT = 1
PACKAGES = (
    "cryptography",
    "ocpp",
    "pymodbus",
    "pyserial",
    "pytest",
    "pyvisa",
    "pyvisa-py",
    "scapy",
    "websockets",
)
EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_BENCH, EXIT_INCONCLUSIVE = range(5)


class RunRecord:
    """The growing content of run.json. `path` is the file; each `write` replaces it as a whole."""

    def __init__(
        self, path: Path, *, run_id: str, plans: list[str], defects: list[str], command: list[str]
    ) -> None:
        self.path = path
        self.write_error: str | None = None
        """Why run.json lacks the last cases (disk full), or None."""
        self._started = datetime.now(UTC)
        self.content: dict[str, Any] = {
            "format": FORMAT,
            "plugbench": bench.__version__,
            "run": {
                "id": run_id,
                "started": self._started.isoformat(timespec="milliseconds"),
                "ended": None,
                "duration_s": None,
                "command": shlex.join(command),
                "plans": plans,
                "exit_code": None,
                "interrupted": False,
                "stop_cause": None,
                "host": {
                    "python": platform.python_version(),
                    "platform": platform.platform(),
                    "hostname": platform.node(),
                },
                "packages": _versions(),
                "notes": [],
                "defects": defects,
                "repeat": {"index": 1, "of": 1},
            },
            "bench": {},
            "charger": {},
            "ev": {},
            "cases": [],
            "rules": [],
            "not_run": [],
            "trust": [],
            "support": [],
        }

    def describe(self, **blocks: dict[str, Any]) -> None:
        """Set the blocks `bench`, `charger`, `ev`."""
        self.content.update(blocks)

    def add(self, record: dict[str, Any], *, rule: bool = False) -> None:
        """Add the record of a case (or of a rule) that has ended."""
        self.content["rules" if rule else "cases"].append(record)

    def add_trust(self, chains: list[dict[str, Any]]) -> None:
        """Add chains that were shown; one that was shown in the same role before is not repeated."""
        known = {(one["role"], tuple(one["chain"]), tuple(one["problems"])) for one in self.content["trust"]}
        for chain in chains:
            key = (chain["role"], tuple(chain["chain"]), tuple(chain["problems"]))
            if key not in known:
                known.add(key)
                self.content["trust"].append(chain)

    def not_run(self, case: Case, reason: str) -> None:
        """Note a case that this run leaves out, and why; the last reason given for a case counts."""
        entry = {
            "id": case.id,
            "title": case.title,
            "reason": reason,
            "requirements": list(case.requirements),
            "areas": list(case.areas),
            "slow": case.slow,
            # No plan can tell yet that a charger does not offer a function: every case applies until then.
            "applicable": True,
        }
        self.content["not_run"] = [one for one in self.content["not_run"] if one["id"] != case.id] + [entry]

    def verdicts(self) -> Counter[str]:
        """How many cases and rules have which verdict.

        Rules that had nothing to judge are left out: whether sessions were reached is what the cases say, and
        one case alone (`-k PNC-002`) need not give material to all rules.
        """
        rules = [one for one in self.content["rules"] if one["verdict"] != Verdict.INCONCLUSIVE]
        return Counter(one["verdict"] for one in self.content["cases"] + rules)

    def end(self, *, interrupted: bool = False, stop_cause: str | None = None) -> int:
        """Close the run and write; returns its exit code."""
        now = datetime.now(UTC)
        code = exit_code(self.verdicts(), interrupted=interrupted)
        self.content["run"] |= {
            "ended": now.isoformat(timespec="milliseconds"),
            "duration_s": round((now - self._started).total_seconds(), 3),
            "exit_code": code,
            "interrupted": interrupted,
            "stop_cause": stop_cause,
        }
        self.write()
        return code

    def write(self) -> None:
        """Write run.json: into a file beside it first, so that a reader or a crash never sees half of it.

        Does not raise when the disk is full: `write_error` then says so, and the file is as it was before.
        """
        draft = self.path.with_suffix(".json.new")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump(self.content, file, ensure_ascii=False, indent=1, default=str)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:  # the run must still end in the safe state, and say so
            self.write_error = f"{self.path}: cannot be written: {error.strerror}"
            draft.unlink(missing_ok=True)


def exit_code(verdicts: Counter[str] | dict[str, int], *, interrupted: bool = False) -> int:
    """0 every verdict pass, 1 a fail, 3 a bench error, 4 inconclusive and nothing failed.

    A fail counts before a bench error: it was seen while the bench was whole. A run that was cut short, or
    judged nothing, is never 0.
    """
    if verdicts.get(Verdict.FAIL):
        return EXIT_FAIL
    if verdicts.get(Verdict.ERROR):
        return EXIT_BENCH
    if verdicts.get(Verdict.INCONCLUSIVE) or interrupted or not verdicts.get(Verdict.PASS):
        return EXIT_INCONCLUSIVE
    return EXIT_PASS


def command_line() -> list[str]:
    """The command of this process, its program by name only."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an instrument library that this lab does without
    return found
