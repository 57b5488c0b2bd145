"""Readiness: what a run proves, what it does not, and who should mend it. Pure functions of run.json.

The rule that everything here serves: nothing is green without evidence from this run or a signature that
names a person.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from bench.report import certificates, clean
from bench.report.checklist import CHECKLIST, DEPENDENCIES, Item, declaration_key
from bench.report.model import Case, Declaration, NotRun, Run, Trust, parse

State = Literal["met", "not met", "open"]
Level = Literal["ready", "pilot", "not-ready"]

INTERRUPTS = ("KeyboardInterrupt", "interrupted")
"""Stop causes that say no more than that the run was interrupted."""
WORDS: dict[Level, str] = {
    "ready": "Ready for pilot",
    "pilot": "Keep in pilot mode",
    "not-ready": "Not ready",
}


@dataclass(frozen=True)
class Missing:
    """One thing that keeps an item from being met, and who should mend it.

    `by_case` is true for what the counts of cases say already (failed, inconclusive, not run).
    """

    text: str
    who: str
    by_case: bool = False


@dataclass(frozen=True)
class Judged:
    """An item of the checklist with its state and everything that the state rests on."""

    item: Item
    state: State
    proof: str
    missing: tuple[Missing, ...]
    evidence: tuple[Case, ...]
    not_run: tuple[NotRun, ...]
    declaration: Declaration | None


@dataclass(frozen=True)
class Readiness:
    """The verdict over a run.

    `level` is "ready", "pilot" or "not-ready", `word` its plain name, `headline` its main cause, `reasons`
    all of them, `warnings` what a reader must know whatever the verdict (simulation, injected defects).
    `counts` has the number of cases and rules by verdict, and of cases "not run".
    """

    level: Level
    word: str
    headline: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    counts: dict[str, int]
    checklist: tuple[Judged, ...]
    dependencies: tuple[Judged, ...]


def assess(run: dict[str, Any]) -> Readiness:
    """Judge a run.json document.

    - "not-ready": something failed, was inconclusive, broke the bench or was essential and not run, or the
      run was empty, interrupted, killed, or made with defects injected.
    - "pilot": everything essential passed, but a signature or a non-essential case is missing.
    - "ready": all of it is met.

    A case that was not run is essential when it has `areas` and is not marked `slow`; one that is marked
    `applicable: false` (a function that the charger does not offer) does not count. Never raises.
    """
    return assess_run(parse(run))


def assess_run(run: Run) -> Readiness:
    """The same for a parsed run."""
    checklist = tuple(_judge(item, run) for item in CHECKLIST)
    dependencies = tuple(_judge(item, run) for item in DEPENDENCIES)
    counts = {verdict: 0 for verdict in ("pass", "fail", "inconclusive", "error")}
    counts |= Counter(case.verdict for case in run.judged)
    counts["not run"] = sum(each.applicable for each in run.not_run)
    blockers = _blockers(run, checklist + dependencies, counts)
    loose = [each for each in _loose_ends(run, checklist, dependencies) if each not in blockers]
    level: Level = "not-ready" if blockers else "pilot" if loose else "ready"
    return Readiness(
        level=level,
        word=WORDS[level],
        headline=_headline(level, blockers, loose),
        reasons=tuple(blockers + loose)
        or ("Everything that was asked passed, and every signature is there.",),
        warnings=tuple(_warnings(run)),
        counts=counts,
        checklist=checklist,
        dependencies=dependencies,
    )


def essential(each: NotRun) -> bool:
    """True for a case whose absence alone keeps a charger from being ready."""
    return each.applicable and bool(each.areas) and not each.slow


def _headline(level: Level, blockers: list[str], loose: list[str]) -> str:
    if level == "ready":
        return "Every essential case passed and every owner has signed."
    if level == "pilot":
        ends = "1 loose end is" if len(loose) == 1 else f"{len(loose)} loose ends are"
        return f"What was tested passed. Until {ends} closed: supervised sessions only."
    return blockers[0]


def _blockers(run: Run, judged: tuple[Judged, ...], counts: dict[str, int]) -> list[str]:
    """What rules out any use, most fundamental first."""
    found: list[str] = []
    if not run.judged:
        found.append("Nothing was tested: this run holds no case.")
    if counts["error"]:
        cause = f" First cause: {clean.text(run.stop_cause, 300)}" if run.stop_cause else ""
        found.append(
            f"No verdict possible: the bench broke in {_number(counts['error'], 'case')}, which says nothing "
            f"about the charger. Mend the bench and run again.{cause}"
        )
    elif run.stop_cause and not (run.interrupted and run.stop_cause in INTERRUPTS):
        found.append(f"The run stopped early: {clean.text(run.stop_cause, 300)}")
    if run.unfinished:
        found.append("The run has no end: the controller was killed; this is what it had recorded.")
    if run.interrupted:
        found.append("The run was interrupted before its last case.")
    if counts["fail"]:
        found.append(f"The charger broke {_number(counts['fail'], 'case')}: {_ids(run, 'fail')}.")
    if counts["inconclusive"]:
        found.append(
            f"{_number(counts['inconclusive'], 'case')} inconclusive, because the charger never reached the "
            f"point to be tested: {_ids(run, 'inconclusive')}."
        )
    left_out = [each for each in run.not_run if essential(each)]
    if left_out:
        found.append(
            f"{_number(len(left_out), 'essential case')} not run: {_listed([each.id for each in left_out])}."
        )
    if run.defects:
        found.append("Defects were injected on purpose, so this run cannot speak for a charger.")
    for each in judged:
        untested = each.item.areas and not each.evidence
        if run.judged and (untested or (each.state == "not met" and not counts["fail"])):
            found.append(
                f"{each.item.title}: {each.missing[0].text if each.missing else 'nothing proves it.'}"
            )
    return list(dict.fromkeys(found))


def _loose_ends(run: Run, checklist: tuple[Judged, ...], dependencies: tuple[Judged, ...]) -> list[str]:
    found: list[str] = []
    said: set[str] = set()
    for each in checklist + dependencies:
        for missing in each.missing:
            if not missing.by_case and missing.text not in said:
                said.add(missing.text)
                found.append(f"{each.item.title}: {missing.text}")
    left_out = [each for each in run.not_run if each.applicable and not essential(each)]
    if left_out:
        reasons = {each.reason for each in left_out}
        why = f" ({clean.text(reasons.pop(), 120)})" if len(reasons) == 1 else ""
        ids = _listed([each.id for each in left_out])
        found.append(f"{_number(len(left_out), 'case')} left out: {ids}{why}.")
    return list(dict.fromkeys(found))


def _warnings(run: Run) -> list[str]:
    found: list[str] = []
    if run.defects:
        found.append(
            f"Defects injected into the simulated charger: {_listed(run.defects)}. Failures are expected."
        )
    found += _strangers(run)
    if run.charger_simulated:
        found.append("The charger was simulated: the verdict is about the simulation, not about a product.")
    if run.bench_simulated:
        found.append(
            "The instruments were simulated: electrical values come from a model, not from a measurement."
        )
    return found


def _strangers(run: Run) -> list[str]:
    """Where the charger calls itself otherwise than its file: then the sign-offs may be for another."""
    boot = clean.mapping(clean.mapping(run.charger.get("ocpp_boot")).get("chargingStation"))
    differing = [
        f"{ours} {clean.text(said, 100)!r} (charger file: {clean.text(known, 100)!r})"
        for ours, theirs in (
            ("vendor", "vendorName"),
            ("model", "model"),
            ("serial", "serialNumber"),
            ("firmware", "firmwareVersion"),
        )
        if (said := boot.get(theirs)) and (known := run.charger.get(ours)) and said != known
    ]
    if not differing:
        return []
    return [
        f"The charger calls itself otherwise than its file: {'; '.join(differing)}. Mend the charger file."
    ]


def _judge(item: Item, run: Run) -> Judged:
    """State of one item from its cases, its missing cases and its declaration."""
    cases = tuple(case for case in run.judged if set(case.areas) & set(item.areas))
    left_out = tuple(each for each in run.not_run if each.applicable and set(each.areas) & set(item.areas))
    declaration = _declared(run, item.signature)
    missing: list[Missing] = []
    failed = [case for case in cases if case.verdict == "fail"]
    if failed:
        missing.append(Missing(f"{_case_ids(failed)} failed.", "charger maker", by_case=True))
    problems = _chain_problems(run) if item.key == "trust" else []
    missing += [Missing(text, "charger maker or PKI operator") for text in problems]
    broken = bool(missing)
    for verdict, text, who in (
        ("error", "gave no verdict because the bench broke", "lab"),
        ("inconclusive", "never reached the point to be tested", "lab and charger maker together"),
    ):
        stuck = [case for case in cases if case.verdict == verdict]
        if stuck:
            missing.append(Missing(f"{_case_ids(stuck)} {text}.", who, by_case=True))
    if item.areas and not cases:
        missing.append(Missing("No case of this run tests it.", "lab (run the whole plan)"))
    if left_out:
        missing.append(Missing(f"Not run: {_listed([each.id for each in left_out])}.", "lab", by_case=True))
    if item.key == "charger" and cases and not run.charger_name:
        missing.append(Missing("The charger file names no vendor or model.", "lab"))
    if item.key == "trust" and cases and not _own_chains(run):
        missing.append(Missing("No chain of the charger was recorded, so there is none to audit.", "lab"))
    unsigned = _unsigned(item, declaration, run)
    if unsigned:
        missing.append(unsigned)
    state: State = "not met" if broken else "open" if missing else "met"
    return Judged(item, state, _proof(cases, declaration), tuple(missing), cases, left_out, declaration)


def _proof(cases: tuple[Case, ...], declaration: Declaration | None) -> str:
    """One sentence on what speaks for the item."""
    parts: list[str] = []
    if cases:
        parts.append(
            f"{sum(case.verdict == 'pass' for case in cases)} of {_number(len(cases), 'case')} passed"
        )
    if declaration and _sign_off_problem(declaration, None) == "":
        parts.append(f"signed off by {declaration.signed_by} on {declaration.date}")
    return " · ".join(parts)


def _declared(run: Run, key: str) -> Declaration | None:
    if not key:
        return None
    return next((each for name, each in run.declarations.items() if declaration_key(name) == key), None)


def _unsigned(item: Item, declaration: Declaration | None, run: Run) -> Missing | None:
    """What is wrong with the sign-off, if one is needed or was begun."""
    if not item.signature or (declaration is None and not item.signature_needed):
        return None
    if declaration is None:
        return Missing(
            f"No owner is declared for it (declarations.{item.signature} in the charger file).",
            "project lead",
        )
    problem = _sign_off_problem(declaration, clean.text(run.info.get("started"), 100))
    return Missing(problem, declaration.owner or "project lead") if problem else None


def _sign_off_problem(declaration: Declaration, started: str | None) -> str:
    """Return "" for a complete sign-off, else what it lacks.

    A signature without owner, name or date proves nothing, nor does one dated after the run it should cover.
    """
    if not declaration.owner:
        return "Declared without an owner."
    if declaration.status != "signed-off":
        return f"Declared but not signed off; the owner is {declaration.owner}."
    if not declaration.signed_by:
        return "Marked as signed off, but nobody's name is under it."
    try:
        signed = date.fromisoformat(declaration.date[:10])
    except ValueError:
        return "Marked as signed off, but without a date."
    if started:
        try:
            if signed > date.fromisoformat(started[:10]):
                return f"The sign-off is dated {declaration.date}, after this run."
        except ValueError:
            return ""
    return ""


def _own_chains(run: Run) -> list[Trust]:
    """Chains that the charger itself showed: faulty contracts of negative cases are the bench's own doing."""
    own = ("secc", "evse", "charger", "cpo")
    return [each for each in run.trust if each.chain and each.role.lower().startswith(own)]


def _chain_problems(run: Run) -> list[str]:
    found = [
        f"The {each.role} chain has a problem: {clean.text(problem, 300)} (case {each.case or 'not named'})."
        for each in _own_chains(run)
        for problem in each.problems
    ]
    started = clean.moment(run.info["started"])
    for chain in (each.chain for each in _own_chains(run)):
        for certificate in map(certificates.describe, chain[:8]):
            if started is not None and certificate.ends is not None and certificate.ends < started:
                found.append(f"{certificate.common_name} expired on {certificate.not_after}.")
    return list(dict.fromkeys(found))[:5]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _listed(names: list[str], limit: int = 8) -> str:
    shown = ", ".join(clean.text(name, 80) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def _case_ids(cases: list[Case]) -> str:
    return _listed([case.id for case in cases])


def _ids(run: Run, verdict: str) -> str:
    return _case_ids([case for case in run.judged if case.verdict == verdict])
