"""Writes report.html and a page for each case into a run folder; everything is inlined, nothing is
fetched."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench.report import (
    attenuation,
    capture,
    certificates,
    clean,
    decoding,
    findings,
    junit,
    ladder,
    links,
    show,
    support,
    timing,
)
from bench.report.checklist import AREAS
from bench.report.model import Case, Run, Trust, parse
from bench.report.readiness import Readiness, assess_run


class ReportError(Exception):
    """The run folder holds no readable run.json; the text is one line for the user."""


def write_report(run_dir: Path) -> Path:
    """Write `junit.xml`, `report.html` and `cases/<ID>.html` into `run_dir`, from its run.json alone; return
    the path of the report.

    Other files of the folder are linked where they exist. Raises `ReportError` without a readable run.json,
    OSError when the folder cannot be written to.
    """
    path = run_dir / "run.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReportError(f"{path}: there is no such file") from None
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ReportError(f"{path}: not a JSON object")
    # First, so that the report links it the first time too and is the same when it is made again.
    junit.write(document, run_dir / "junit.xml")
    return _write(parse(document), run_dir)


def _write(run: Run, folder: Path) -> Path:
    environment = _environment()
    names = links.case_files(run.judged)
    pages = dict(zip((id(case) for case in run.judged), names, strict=True))
    by_id = {case.id: name for case, name in reversed(list(zip(run.judged, names, strict=True)))}
    common = {
        "run": run,
        "page_of": lambda case: pages[id(case)],
        "page_by_id": by_id,
    }
    readiness = assess_run(run)
    (folder / "cases").mkdir(exist_ok=True)
    template = environment.get_template("case.html")
    order = list(zip(run.judged, names, strict=True))
    for n, (case, name) in enumerate(order):
        text = template.render(
            **common,
            title=f"{case.id} {clean.text(case.title, 120)}",
            case=case,
            at=_moment(run, case),
            before=order[n - 1] if n else None,
            after=order[n + 1] if n + 1 < len(order) else None,
            picture=ladder.draw(case),
            attenuations=attenuation.draw(case),
            proofs=[links.proof(folder, each, "../") for each in case.evidence[:50]],
        )
        (folder / "cases" / name).write_text(text, encoding="utf-8")
    report = folder / "report.html"
    text = environment.get_template("report.html").render(**common, **_overview(run, readiness, folder))
    report.write_text(text, encoding="utf-8")
    return report


def _overview(run: Run, readiness: Readiness, folder: Path) -> dict[str, Any]:
    rows, derived = support.of(run)
    broken = findings.broken(run)
    by_id = {case.id: case for case in run.cases}

    def at_of(trust: Trust) -> datetime | None:
        return _moment(run, by_id.get(trust.case))

    shown = capture.assess(run) if run.is_capture else None
    title = f"Readiness report: {run.charger_name or 'unnamed charger'}"
    if shown is not None:
        # A rule that failed did so in a session, which is told; what is open stands with the sessions.
        broken = [each for each in broken if each.case.verdict == "fail" and not each.case.is_rule]
        names = [clean.text(each["name"], 80) for each in run.captures]
        title = f"Capture: {names[0] if names else 'no file'}"
    return {
        "title": title,
        "capture": shown,
        "readiness": readiness,
        "sessions": _groups(run.cases),
        "groups": _groups(run.rules if shown is not None else run.judged),
        "timing": timing.of(run),
        "broken": broken[: findings.SHOWN],
        "broken_more": broken[findings.SHOWN :],
        "proofs_of": lambda case: [links.proof(folder, each, "") for each in case.evidence[:3]],
        "warned": findings.warned(run),
        "support": rows[:100],
        "support_derived": derived,
        "chains": _chains(run.trust),
        "at_of": at_of,
        "dates_of": lambda trust: [
            remark for pem in trust.chain[:8] for remark in certificates.describe(pem).remarks(at_of(trust))
        ],
        "files": links.files(folder, [clean.text(each["file"], 200) for each in run.captures]),
        "areas": AREAS,
    }


def _moment(run: Run, case: Case | None) -> datetime | None:
    """When what a case shows happened: captures of one report may lie years apart."""
    return clean.moment(case.started if case is not None and case.started else run.info["started"])


def _groups(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Cases by group, groups in order of first appearance."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.group, []).append(case)
    return found


def _chains(trust: Iterable[Trust], limit: int = 24) -> list[tuple[Trust, list[str]]]:
    """Distinct chains with the cases that saw them; the charger's own first."""
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], tuple[Trust, list[str]]] = {}
    for each in trust:
        _, cases = found.setdefault((each.role, each.chain, each.problems), (each, []))
        if each.case and each.case not in cases:
            cases.append(each.case)
    # Roles in the order of the journey; within a role as they were seen.
    ordered = sorted(found.values(), key=lambda pair: _place(pair[0].role))
    return ordered[:limit]


def _place(role: str) -> int:
    known = ("secc", "contract", "cps", "installed", "csms")
    return next((n for n, name in enumerate(known) if role.lower().startswith(name)), len(known))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bench.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    files = resources.files("bench.report.templates")
    style = files.joinpath("style.css").read_text(encoding="utf-8")
    script = files.joinpath("report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {
        # Our own package files: the only texts that are not escaped.
        "style": Markup(style),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "script_hash": digest,
        "decoded": decoding.of,
        "certificate": certificates.describe,
        "limits": show.limits,
        "value": show.value,
        "key_measurement": show.key_measurement,
        "key_expectation": show.key_expectation,
        "telling_actual": show.telling_actual,
        "from_memory": show.from_memory,
        "tone": show.tone,
        "marks": show.MARKS,
        "verdict_marks": show.VERDICT_MARKS,
        "state_marks": show.STATE_MARKS,
        "clean_texts": clean.texts,
    }
    environment.filters |= {
        "seconds": show.seconds,
        "number": show.number,
        "clean": clean.text,
        "plain": show.plain,
        "confidence": show.confidence,
        "step": show.step,
        "group": show.group,
        "when": show.when,
    }
    return environment
