"""run.json as typed, read-only records. Every field may be missing or of a wrong type in the file; here
none is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.report import clean

VERDICTS = ("fail", "error", "inconclusive", "pass")
"""The four verdicts, worst first."""


@dataclass(frozen=True)
class Step:
    """One named step of a case: times in seconds since the start of the case."""

    name: str
    t_s: float
    duration_s: float | None
    limit_s: float | None


@dataclass(frozen=True)
class Measurement:
    """A value with its limits (in `unit`), the source of the limits and how sure that source is."""

    name: str
    value: float | str | None
    unit: str
    low: float | None
    high: float | None
    outcome: str
    limit_source: str
    confidence: str
    doc: str


@dataclass(frozen=True)
class Expectation:
    """One expectation as it was judged; `t_s` in seconds since the start of the case."""

    text: str
    outcome: str
    actual: str
    expected: str
    t_s: float | None


@dataclass(frozen=True)
class Finding:
    """What a passive rule found; severity info, warning or fail."""

    rule: str
    severity: str
    message: str
    requirements: tuple[str, ...]
    t_s: float | None


@dataclass(frozen=True)
class Exchange:
    """One arrow (or note) of the session ladder; `t_s` in seconds since the start of the case."""

    index: int
    t_s: float
    sender: str
    receiver: str
    layer: str
    name: str
    summary: str
    schema: str
    exi: str
    payload: Any
    chain: tuple[str, ...]
    duration_s: float | None
    problem: str
    repeat: int


@dataclass(frozen=True)
class Evidence:
    """A file of the run folder, with the lines (first, last) that prove the point."""

    file: str
    what: str
    first: int | None
    last: int | None


@dataclass(frozen=True)
class Attenuation:
    """What an EVSE told of SLAC attenuation: dB for each group, thresholds as (name, meaning, dB, source,
    confidence).
    """

    t_s: float | None
    evse: str
    ev: str
    sounds: int | None
    groups_db: tuple[float, ...]
    average_db: float | None
    thresholds: tuple[tuple[str, str, float, str, str], ...]


@dataclass(frozen=True)
class Case:
    """A case or a rule of a run. `started` and `facts` are those of a session in a capture."""

    id: str
    title: str
    nodeid: str
    group: str
    requirements: tuple[str, ...]
    source: str
    confidence: str
    defects: tuple[str, ...]
    areas: tuple[str, ...]
    precondition: str
    stimulus: str
    expected: str
    verdict: str
    reason: str
    started_s: float | None
    duration_s: float | None
    slow: bool
    steps: tuple[Step, ...]
    measurements: tuple[Measurement, ...]
    expectations: tuple[Expectation, ...]
    findings: tuple[Finding, ...]
    lanes: tuple[str, ...]
    exchanges: tuple[Exchange, ...]
    traces: dict[str, tuple[tuple[float, float], ...]]
    evidence: tuple[Evidence, ...]
    log: str
    is_rule: bool = False
    attenuation: tuple[Attenuation, ...] = ()
    started: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    def fact(self, name: str) -> str:
        """The fact of that name, "" without it."""
        return next((text for each, text in self.facts if each == name), "")


@dataclass(frozen=True)
class NotRun:
    """A case that was not run. `applicable` is false where the charger does not offer the function at all."""

    id: str
    title: str
    reason: str
    requirements: tuple[str, ...]
    areas: tuple[str, ...]
    slow: bool
    applicable: bool


@dataclass(frozen=True)
class Trust:
    """A certificate chain as it was seen: PEM texts, leaf first."""

    role: str
    case: str
    t_s: float | None
    problems: tuple[str, ...]
    chain: tuple[str, ...]
    root: str


@dataclass(frozen=True)
class Support:
    """A failure mode and what support should know of it."""

    failure_mode: str
    cases: tuple[str, ...]
    driver_sees: str
    what_to_do: str


@dataclass(frozen=True)
class Declaration:
    """Owner and sign-off of something that no test can know."""

    key: str
    owner: str
    status: str
    signed_by: str
    date: str
    note: str


@dataclass(frozen=True)
class Run:
    """A whole run. `info`, `bench`, `charger` and `ev` stay dicts of raw values, to be read through
    `clean`."""

    plugbench: str
    info: clean.Fields
    bench: clean.Fields
    charger: clean.Fields
    ev: clean.Fields
    cases: tuple[Case, ...]
    rules: tuple[Case, ...]
    not_run: tuple[NotRun, ...]
    trust: tuple[Trust, ...]
    support: tuple[Support, ...]
    declarations: dict[str, Declaration]

    @property
    def judged(self) -> tuple[Case, ...]:
        """Cases and rules."""
        return self.cases + self.rules

    @property
    def is_capture(self) -> bool:
        """True where nothing was run: a capture was judged."""
        return self.info.get("kind") == "capture"

    @property
    def captures(self) -> list[clean.Fields]:
        """The capture files that were judged."""
        return [clean.fields(each) for each in clean.records(self.info["captures"])]

    @property
    def interrupted(self) -> bool:
        """True when the run was ended before its last case."""
        return bool(self.info.get("interrupted"))

    @property
    def unfinished(self) -> bool:
        """True when the record has no end: the controller was killed, and this is what it had written."""
        return "ended" in self.info and self.info["ended"] is None

    @property
    def stop_cause(self) -> str:
        """Why the run stopped early, or ""."""
        return clean.text(self.info.get("stop_cause"))

    @property
    def defects(self) -> list[str]:
        """Names of the defects injected into the simulated charger."""
        return clean.texts(self.info.get("defects"))

    @property
    def instruments(self) -> list[clean.Fields]:
        """Instruments of the bench."""
        return [clean.fields(each) for each in clean.records(self.bench["instruments"])]

    @property
    def capture(self) -> clean.Fields:
        """How the traffic was captured: method, reason, file."""
        return clean.fields(self.bench["capture"])

    @property
    def host(self) -> clean.Fields:
        """Where the controller ran."""
        return clean.fields(self.info["host"])

    @property
    def repeat(self) -> str:
        """`2 of 3` for a run that was repeated, else ""."""
        repeat = clean.fields(self.info["repeat"])
        of = clean.whole(repeat["of"]) or 1
        return f"{clean.whole(repeat['index'])} of {of}" if of > 1 else ""

    @property
    def notes(self) -> list[str]:
        """Notes on how this run differs from one in the field."""
        return clean.texts(self.info["notes"])

    @property
    def packages(self) -> list[tuple[str, str]]:
        """Installed packages as (name, version)."""
        found = clean.mapping(self.info["packages"]).items()
        return [(clean.text(name, 100), clean.text(version, 60)) for name, version in found]

    @property
    def charger_simulated(self) -> bool:
        """True unless the run says that the charger is a real one."""
        return self.charger.get("simulated") is not False

    @property
    def bench_simulated(self) -> bool:
        """True unless the run says that the instruments are real ones."""
        return self.bench.get("simulated") is not False

    @property
    def charger_name(self) -> str:
        """Vendor and model, or "" where neither is known."""
        parts = (clean.text(self.charger.get("vendor"), 200), clean.text(self.charger.get("model"), 200))
        return " ".join(part for part in parts if part)


def parse(run: dict[str, Any]) -> Run:
    """Return the typed view of a run.json document; missing or ill-typed fields become empty, never an
    error."""
    charger = clean.fields(run.get("charger"))
    return Run(
        plugbench=clean.text(run.get("plugbench"), 100),
        info=clean.fields(run.get("run")),
        bench=clean.fields(run.get("bench")),
        charger=charger,
        ev=clean.fields(run.get("ev")),
        cases=tuple(_case(each, False) for each in clean.records(run.get("cases"))),
        rules=tuple(_case(each, True) for each in clean.records(run.get("rules"))),
        not_run=tuple(_not_run(each) for each in clean.records(run.get("not_run"))),
        trust=tuple(_trust(each) for each in clean.records(run.get("trust"))),
        support=tuple(_support(each) for each in clean.records(run.get("support"))),
        declarations={
            clean.text(key, 100): _declaration(clean.text(key, 100), clean.mapping(value))
            for key, value in clean.mapping(charger.get("declarations")).items()
        },
    )


def _case(raw: dict[str, Any], is_rule: bool) -> Case:
    session = clean.mapping(raw.get("session"))
    verdict = clean.text(raw.get("verdict"), 100)
    reason = clean.text(raw.get("reason"))
    if verdict not in VERDICTS:
        # A case without a verdict proves nothing; that is the bench's fault, never the charger's.
        reason = f"No verdict was recorded ({verdict or 'none'}). {reason}".strip()
        verdict = "error"
    return Case(
        id=clean.text(raw.get("id"), 200) or "(no id)",
        title=clean.text(raw.get("title")),
        nodeid=clean.text(raw.get("nodeid")),
        group=clean.text(raw.get("group"), 200) or ("rules" if is_rule else "other"),
        requirements=tuple(clean.texts(raw.get("requirements"))),
        source=clean.text(raw.get("source")),
        confidence=clean.text(raw.get("confidence"), 200),
        defects=tuple(clean.texts(raw.get("defects"))),
        areas=tuple(clean.texts(raw.get("areas"))),
        precondition=clean.text(raw.get("precondition")),
        stimulus=clean.text(raw.get("stimulus")),
        expected=clean.text(raw.get("expected")),
        verdict=verdict,
        reason=reason,
        started_s=clean.number(raw.get("started_s")),
        duration_s=clean.number(raw.get("duration_s")),
        slow=bool(raw.get("slow")),
        steps=tuple(_step(each) for each in clean.records(raw.get("steps"))),
        measurements=tuple(_measurement(each) for each in clean.records(raw.get("measurements"))),
        expectations=tuple(_expectation(each) for each in clean.records(raw.get("expectations"))),
        findings=tuple(_finding(each) for each in clean.records(raw.get("findings"))),
        lanes=tuple(clean.texts(session.get("lanes"))) or ("EV", "charger", "CSMS"),
        exchanges=tuple(_exchange(n, each) for n, each in enumerate(clean.records(session.get("exchanges")))),
        traces={clean.text(k, 100): _trace(v) for k, v in clean.mapping(session.get("traces")).items()},
        evidence=tuple(_evidence(each) for each in clean.records(raw.get("evidence"))),
        log=clean.text(raw.get("log")),
        is_rule=is_rule,
        attenuation=tuple(_attenuation(each) for each in clean.records(raw.get("attenuation"))),
        started=clean.text(raw.get("started"), 100),
        facts=tuple(_facts(raw.get("facts"))),
    )


def _facts(raw: object) -> Iterator[tuple[str, str]]:
    for pair in raw if isinstance(raw, list) else []:
        if isinstance(pair, list) and len(pair) == 2:
            yield clean.text(pair[0], 100), clean.text(pair[1], 500)


def _attenuation(raw: dict[str, Any]) -> Attenuation:
    groups = raw.get("groups_db")
    values = [clean.number(each) for each in groups] if isinstance(groups, list) else []
    return Attenuation(
        t_s=clean.number(raw.get("t_s")),
        evse=clean.text(raw.get("evse"), 100),
        ev=clean.text(raw.get("ev"), 100),
        sounds=clean.whole(raw.get("sounds")),
        groups_db=tuple(each for each in values if each is not None),
        average_db=clean.number(raw.get("average_db")),
        thresholds=tuple(
            (
                clean.text(each.get("name"), 60),
                clean.text(each.get("meaning"), 60),
                level,
                clean.text(each.get("source"), 300),
                clean.text(each.get("confidence"), 60),
            )
            for each in clean.records(raw.get("thresholds"))
            if (level := clean.number(each.get("db"))) is not None
        ),
    )


def _step(raw: dict[str, Any]) -> Step:
    return Step(
        clean.text(raw.get("name")),
        clean.number(raw.get("t_s")) or 0.0,
        clean.number(raw.get("duration_s")),
        clean.number(raw.get("limit_s")),
    )


def _measurement(raw: dict[str, Any]) -> Measurement:
    value = raw.get("value")
    return Measurement(
        name=clean.text(raw.get("name")),
        value=clean.number(value) if clean.number(value) is not None else clean.text(value) or None,
        unit=clean.text(raw.get("unit"), 50),
        low=clean.number(raw.get("low")),
        high=clean.number(raw.get("high")),
        outcome=clean.text(raw.get("outcome"), 50) or "info",
        limit_source=clean.text(raw.get("limit_source")),
        confidence=clean.text(raw.get("confidence"), 200),
        doc=clean.text(raw.get("doc")),
    )


def _expectation(raw: dict[str, Any]) -> Expectation:
    return Expectation(
        clean.text(raw.get("text")),
        clean.text(raw.get("outcome"), 50),
        clean.text(raw.get("actual")),
        clean.text(raw.get("expected")),
        clean.number(raw.get("t_s")),
    )


def _finding(raw: dict[str, Any]) -> Finding:
    return Finding(
        clean.text(raw.get("rule"), 200),
        clean.text(raw.get("severity"), 50) or "info",
        clean.text(raw.get("message")),
        tuple(clean.texts(raw.get("requirements"))),
        clean.number(raw.get("t_s")),
    )


def _exchange(index: int, raw: dict[str, Any]) -> Exchange:
    return Exchange(
        index=index,
        t_s=clean.number(raw.get("t_s")) or 0.0,
        sender=clean.text(raw.get("from"), 100),
        receiver=clean.text(raw.get("to"), 100),
        layer=clean.text(raw.get("layer"), 50),
        name=clean.text(raw.get("name")),
        summary=clean.text(raw.get("summary")),
        schema=clean.text(raw.get("schema"), 100),
        exi=clean.text(raw.get("exi")),
        payload=raw.get("payload"),
        chain=tuple(clean.texts(raw.get("chain"))),
        duration_s=clean.number(raw.get("duration_s")),
        problem=clean.text(raw.get("problem")),
        repeat=clean.whole(raw.get("repeat")) or 0,
    )


def _trace(raw: object) -> tuple[tuple[float, float], ...]:
    points: list[tuple[float, float]] = []
    for point in raw if isinstance(raw, list) else []:
        if not isinstance(point, list | tuple) or len(point) != 2:
            continue
        t_s, value = clean.number(point[0]), clean.number(point[1])
        if t_s is not None and value is not None:
            points.append((t_s, value))
    return tuple(sorted(points, key=lambda each: each[0]))


def _evidence(raw: dict[str, Any]) -> Evidence:
    lines = raw.get("lines")
    first, last = lines if isinstance(lines, list | tuple) and len(lines) == 2 else (None, None)
    return Evidence(
        clean.text(raw.get("file")), clean.text(raw.get("what")), clean.whole(first), clean.whole(last)
    )


def _not_run(raw: dict[str, Any]) -> NotRun:
    return NotRun(
        clean.text(raw.get("id"), 200) or "(no id)",
        clean.text(raw.get("title")),
        clean.text(raw.get("reason")) or "no reason given",
        tuple(clean.texts(raw.get("requirements"))),
        tuple(clean.texts(raw.get("areas"))),
        bool(raw.get("slow")),
        raw.get("applicable") is not False,
    )


def _trust(raw: dict[str, Any]) -> Trust:
    return Trust(
        clean.text(raw.get("role"), 100) or "unknown role",
        clean.text(raw.get("case"), 200),
        clean.number(raw.get("t_s")),
        tuple(clean.texts(raw.get("problems"))),
        tuple(clean.texts(raw.get("chain"))),
        clean.text(raw.get("root")),
    )


def _support(raw: dict[str, Any]) -> Support:
    return Support(
        clean.text(raw.get("failure_mode")),
        tuple(clean.texts(raw.get("cases") or raw.get("case"))),
        clean.text(raw.get("what_the_driver_sees")),
        clean.text(raw.get("what_to_do")),
    )


def _declaration(key: str, raw: dict[str, Any]) -> Declaration:
    return Declaration(
        key,
        clean.text(raw.get("owner"), 300),
        clean.text(raw.get("status"), 100),
        clean.text(raw.get("signed_by"), 300),
        clean.text(raw.get("date"), 100),
        clean.text(raw.get("note")),
    )
