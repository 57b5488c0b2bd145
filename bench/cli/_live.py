"""The live view of a run: a pytest plugin that tells a terminal, or a log, what happens."""

from __future__ import annotations

import os
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

import pytest
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from bench.plan.case import Case
from bench.plan.plugin import conductor_of
from bench.plan.verdict import Judgement, Verdict, one_line
from bench.timeline import Event

STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "bold magenta",
}
_MAX_TITLE, _MAX_REASON = 80, 240


class _Terminal(Console):
    """A console whose reader may go away (`plugbench run | head`): the run goes on without it."""

    def on_broken_pipe(self) -> None:
        """Say nothing more; what is left in the buffer must not raise once more at exit."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


class LiveView:
    """Prints a header, a line a verdict, and on a terminal what the session does right now.

    After the run: `folder` (None when the bench never opened), `exit_code` of the run, `counts`, `verdicts`
    by id, `complaints` (collection errors) in one line each, `reason` (why the run was cut short) and
    `refusal` (why the bench did not open).
    """

    def __init__(self, stream: TextIO, *, repeat: tuple[int, int] = (1, 1)) -> None:
        self.console = _Terminal(file=stream, highlight=False, soft_wrap=True)
        self.repeat = repeat
        self.folder: Path | None = None
        self.station: Any = None
        self.exit_code: int | None = None
        self.counts: Counter[str] = Counter()
        self.verdicts: dict[str, str] = {}
        self.complaints: list[str] = []
        self.reason: str | None = None
        self.refusal: str | None = None
        self.record_problem: str | None = None
        """Why run.json is not whole, or None."""
        self._config: pytest.Config | None = None
        self._total = self._done = 0
        self._rule_passes = 0
        self._case: Case | None = None
        self._case_began = 0.0
        self._now = self._said = ""
        self._live: Live | None = None

    # -- hooks
    # -------------------------------------------------------------------------------------------------

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember the run this view belongs to."""
        self._config = config

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A plan that cannot be read is a complaint of one line."""
        from bench.plan.catalogue import last_line

        if report.failed:
            self.complaints.append(f"{report.nodeid}: {last_line(report.longreprtext)}")

    def pytest_plugbench_selected(self, config: pytest.Config, cases: list[Case]) -> None:
        """Know how many there are, and tell what is being opened for them."""
        self._total = sum(1 for case in cases if case.group != "rules")
        conductor_of(config).progress = self._opening
        if self.console.is_terminal and cases:
            self._live = Live(
                console=self.console, get_renderable=self._status, refresh_per_second=8, transient=True
            )
            self._live.start()

    def pytest_plugbench_opened(self, config: pytest.Config, station: Any) -> None:
        """Say which bench, charger and defects, and follow the timeline."""
        run = conductor_of(config).run
        if run is None:
            return
        self.folder, self.station = run.folder, station
        run.record.content["run"]["repeat"] = {"index": self.repeat[0], "of": self.repeat[1]}
        content = run.record.content
        charger = " ".join(
            str(content["charger"].get(key) or "") for key in ("vendor", "model", "serial")
        ).strip()
        if self.repeat[1] > 1:
            gap = "\n" if self.repeat[0] > 1 else ""
            self._print(f"{gap}[bold]run {self.repeat[0]} of {self.repeat[1]}[/]")
        self._print(f"[bold]bench[/]    {escape(str(content['bench'].get('name', '')))}")
        self._print(f"[bold]charger[/]  {escape(charger or 'not named')}")
        if content["run"]["defects"]:
            self._print(f"[bold]defects[/]  {escape(', '.join(content['run']['defects']))}")
        self._print(f"[bold]run[/]      {escape(str(self.folder))}\n")
        self._now = ""
        station.timeline.subscribe(self._follow)

    def pytest_plugbench_case(self, case: Case) -> None:
        """A case begins: from now on its steps are shown."""
        self._case, self._case_began = case, time.monotonic()
        self._now = "preparing" if case.group != "rules" else ""

    def pytest_plugbench_verdict(self, case: Case, judgement: Judgement, duration_s: float) -> None:
        """A verdict has fallen."""
        verdict = judgement.verdict
        self.verdicts[case.id] = str(verdict)
        self._case = None
        rule = case.group == "rules"
        if rule and verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
            self._rule_passes += verdict is Verdict.PASS
            return  # shown as a count: a rule that found nothing is no news
        self.counts[str(verdict)] += 1
        self._done += not rule
        style = STYLES[verdict]
        took = "       " if rule else f"{duration_s:6.2f}s"
        place = f"{self._done}/{self._total}".rjust(7) if not rule else " " * 7
        head = f"{place}  {verdict.upper():<12} {case.id} {took}  "
        title = one_line(case.title, self._room(len(head)))
        self._print(f"{place}  [{style}]{verdict.upper():<12}[/] {case.id} {took}  {escape(title)}")
        # Behind a bench that broke there may be dozens of cases with the same reason: it is told once.
        if judgement.reason and judgement.reason != self._said:
            self._said = judgement.reason
            for line in textwrap.wrap(one_line(judgement.reason, _MAX_REASON), self._room(9, _MAX_REASON)):
                self._print(f"{' ' * 9}{escape(line)}", style="dim" if rule else None)
        if self._live is not None:
            self._live.refresh()  # or the case that has ended is shown as running for a moment

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """The run was stopped: by the user, or because the bench did not open."""
        self.reason = one_line(str(excinfo.value)) or "interrupted"

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """End the live line and take the exit code."""
        self.stop()
        if config.pluginmanager.has_plugin("plugbench-conductor"):
            self.exit_code = conductor_of(config).exit_code
            self.refusal = conductor_of(config).refusal
            if (run := conductor_of(config).run) is not None:
                self.record_problem = run.record.write_error

    # -- the end
    # -----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Take the live line off the terminal."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def summary(self, meaning: str, report: Path | None) -> None:
        """Counts, what the exit code means, and where the report is."""
        parts = [f"[{STYLES[one]}]{self.counts[one]} {one}[/]" for one in Verdict if self.counts[one]]
        rules = f"; {self._rule_passes} rules pass" if self._rule_passes else ""
        self._print(f"\n{', '.join(parts) or 'nothing judged'}{rules}")
        self._print(f"result   {escape(meaning)}")
        if report is not None:
            self._print(f"report   {escape(str(report))}")

    # -- inside
    # ------------------------------------------------------------------------------------------------

    def _follow(self, event: Event) -> None:
        if event.kind == "step" or (event.kind == "v2g" and event.data.get("dir") == "tx"):
            self._now = event.name
        elif event.kind == "tls" or (event.kind == "sdp" and event.data.get("dir") == "tx"):
            self._now = f"{event.kind.upper()} {event.name}"

    def _opening(self, text: str) -> None:
        self._now = f"opening the bench: {text}"

    def _room(self, taken: int, most: int = _MAX_TITLE) -> int:
        """How many characters are left of a line: a terminal is not to break words, a log has no width."""
        return max(20, min(most, self.console.width - taken)) if self.console.is_terminal else most

    def _status(self) -> Text:
        """One line for the case and one for what the session does in it."""
        now = (" " * 9 + one_line(self._now, self._room(9)), "dim")
        if self._case is None or not self._now:
            return Text.assemble(now)
        seconds = time.monotonic() - self._case_began
        place = f"{self._done + 1}/{self._total}".rjust(7)
        head = f"{self._case.id} {seconds:6.2f}s  "
        title = one_line(self._case.title, self._room(len(place) + 15 + len(head)))
        return Text.assemble((place, "dim"), ("  running      ", "cyan"), head, title, "\n", now)

    def _print(self, text: str, style: str | None = None) -> None:
        self.console.print(text, style=style)
