"""`plugbench capture check`: captures in, a run folder out, judged by the rules and limits of a live run.

    outcome = check([Path("field.pcapng")], RunFolder(Path("results"), "field"), keylog=None)

Each session of a capture is a case (`CAP-001`). The timeline is written as the capture is read; of a session
only what its page shows is kept.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import rules
from bench.capture.decode import Decoder, run
from bench.capture.events import SOURCE, EventMaker
from bench.capture.files import CaptureReader, Packet, open_capture
from bench.capture.items import Item
from bench.capture.keylog import KeyLog
from bench.capture.timeline_file import TimelineFile
from bench.plan import attenuation, capture_times, caserecord
from bench.plan.capture_record import describe, exchanges_of, file_record, session_findings, trust_of
from bench.plan.capture_sessions import Grouper, Session
from bench.plan.capture_told import Told
from bench.plan.capture_verdict import Seen, judge
from bench.plan.case import Case
from bench.plan.planrun import rule_case
from bench.plan.record import EXIT_INCONCLUSIVE, RunRecord, command_line, exit_code
from bench.plan.verdict import Judgement, Verdict
from bench.rules.finding import Finding, Rule
from bench.station.run_folder import RunFolder, disk_error
from bench.timeline import Event

MAX_COPIED_BYTES = 200 * 1024 * 1024
"""A capture larger than this is named by its SHA-256 and not copied into the run folder."""
MAX_SPAN_NS = 366 * 86_400 * 1_000_000_000
"""No capture lasts longer than a year."""
MAX_CASES = 2000
MAX_PICTURED = 200
"""Cases with a ladder; later ones have their verdict, findings and times only."""
MAX_FINDINGS = 300
NOT_IN_A_CAPTURE = {
    "RUL-04": "the control pilot is measured by a bench",
    "RUL-05": "the voltage at the connector is measured by a bench",
    "RUL-06": "OCPP goes between charger and backend",
    "RUL-07": "OCPP goes between charger and backend",
    "RUL-08": "OCPP goes between charger and backend",
}
"""Rules that a capture of the charging cable gives nothing to judge, and why."""


@dataclass(slots=True)
class Outcome:
    """What came out: `content` is run.json, `exit_code` as of a run."""

    folder: Path
    content: dict[str, Any]
    exit_code: int

    def summary(self) -> dict[str, Any]:
        """Verdicts in short, as `--json` prints them."""
        cases = self.content["cases"]
        keys = ("id", "group", "title", "verdict", "reason", "started")
        return {
            "folder": str(self.folder),
            "exit_code": self.exit_code,
            "verdicts": dict(Counter(case["verdict"] for case in cases)),
            "sessions": [{key: case[key] for key in keys} for case in cases],
            "rules": {one["id"]: one["verdict"] for one in self.content["rules"]},
            "files": self.content["run"]["captures"],
        }


@dataclass(slots=True)
class Watch:
    """What is gathered of a session beside its events."""

    answers: capture_times.Answers = field(default_factory=capture_times.Answers)
    told: Told = field(default_factory=Told)
    schemas: dict[str, None] = field(default_factory=dict)
    inferred: int = 0
    tls: bool = False

    def add(self, event: Event, item: Item) -> None:
        """Take note of a message."""
        self.answers.add(event)
        if event.kind == "v2g":
            if len(self.schemas) < 16:
                self.schemas[str(event.data.get("schema"))] = None
            self.inferred += item.inferred
            self.tls = self.tls or item.tls
            self.told.add(event.t_ns, event.name, item.body)


def check(
    files: Sequence[Path],
    folder: RunFolder,
    *,
    keylog: Path | None = None,
    charger: dict[str, Any] | None = None,
    packets: Callable[[CaptureReader], Iterable[Packet]] = iter,
) -> Outcome:
    """Judge the captures `files` and write run.json, timeline.jsonl and the evidence into `folder`.

    `keylog`: TLS secrets. `charger`: the `charger` block of run.json, of a charger file. `packets` iterates
    over a reader (to show progress). Raises CaptureError for a file that is no capture, BenchError or
    TimelineError when the folder cannot be written to, OSError for a key log that cannot be read.
    """
    checking = _Check(folder, keylog, charger)
    try:
        for path in files:
            checking.read(path, packets)
        return checking.finish()
    finally:
        checking.close()


class _Check:
    def __init__(self, folder: RunFolder, keylog: Path | None, charger: dict[str, Any] | None) -> None:
        self.folder, self.keylog = folder, keylog
        self.record = RunRecord(
            folder.path / "run.json", run_id=folder.path.name, plans=[], defects=[], command=command_line()
        )
        self.record.describe(charger=charger or {"simulated": False}, bench={"simulated": False})
        self.timeline: TimelineFile | None = None
        self.captures: list[dict[str, Any]] = []
        self.not_listed: Counter[str] = Counter()
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self._before = 0
        self._strangers = 0
        self._findings: dict[str, list[Finding]] = defaultdict(list)
        self._failed: set[str] = set()
        self._judged: dict[str, list[str]] = defaultdict(list)
        self._file = ""
        self._file_start_ns = 0
        self._seen = Seen(0, cut=False)
        if keylog is not None:
            folder.write_bytes("tls.keylog", keylog.read_bytes())

    def close(self) -> None:
        if self.timeline is not None:
            self.timeline.close()

    # -- reading

    def read(self, path: Path, packets: Callable[[CaptureReader], Iterable[Packet]]) -> None:
        """Read one file and judge its sessions."""
        log = KeyLog()
        if self.keylog is not None:
            log.add(self.keylog.read_bytes())
        reader = open_capture(path)
        decoder = Decoder(log)
        source = _Noting(reader, packets)
        grouper, maker = Grouper(), EventMaker()
        watched: dict[int, Watch] = {}
        chatter: Counter[str] = Counter()
        self._file = self._name_of(path)
        with reader:
            for item in run(source, decoder):  # type: ignore[arg-type]
                if self.timeline is None:
                    self._open_timeline(item.t_ns)
                if source.first_ns is not None:
                    self._file_start_ns = source.first_ns
                for made in maker.events(item):
                    event = self._append(SOURCE, *made[1:], t_ns=made.t_ns)
                    session = grouper.take(event)
                    if session is not None:
                        watched.setdefault(session.number, Watch()).add(event, item)
                    elif len(chatter) < MAX_FINDINGS or event.name in chatter:
                        chatter[event.name] += 1
                    if grouper.closed:
                        self._seen = Seen(source.last_ns or item.t_ns, cut=False)
                        self._judge(grouper.take_closed(), watched)
        end_ns = source.last_ns or 0
        cut = bool(reader.problems)
        self._seen = Seen(end_ns, cut=cut)
        self._judge(grouper.finish(), watched)
        self._before += grouper.count
        self._keep(path, reader, decoder, source, chatter)

    def _open_timeline(self, t_ns: int) -> TimelineFile:
        self.timeline = TimelineFile(self.folder.path_of("timeline.jsonl"), epoch_ns=t_ns)
        return self.timeline

    def _append(self, source: str, kind: str, name: str, data: dict[str, Any], *, t_ns: int) -> Event:
        timeline = self.timeline or self._open_timeline(t_ns)
        event = Event(timeline.events, t_ns, source, kind, name, data)
        timeline.append(source, kind, name, data, t_ns=t_ns)
        return event

    def _name_of(self, path: Path) -> str:
        """A name for a capture within the run folder, unlike those before and the folder's own files."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.name)[-120:].lstrip(".") or "capture"
        taken = {each["file"] for each in self.captures} | {"run.json", "timeline.jsonl", "manifest.json"}
        taken |= {"report.html", "junit.xml", "tls.keylog", "cases"}
        numbered = (f"{count}-{name}" for count in itertools.count(2))
        return next(each for each in itertools.chain([name], numbered) if each not in taken)

    def _keep(
        self, path: Path, reader: CaptureReader, decoder: Decoder, source: _Noting, chatter: Counter[str]
    ) -> None:
        """Keep the evidence, and what is to be said of the file as a whole."""
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        copied = reader.size <= MAX_COPIED_BYTES
        if copied:
            target = self.folder.path_of(self._file)
            try:
                shutil.copyfile(path, target)
            except OSError as error:
                raise disk_error(target, error) from error
        entry = file_record(
            self._file, path, reader, decoder, chatter, sha256=digest, copied=copied,
            first_ns=source.first_ns, last_ns=source.last_ns,
        )  # fmt: skip
        if self.keylog is not None and not len(decoder.keylog):
            entry["problems"].append("the key log holds no TLS secrets (lines of SSLKEYLOGFILE)")
        if self._strangers:
            text = "TLS connections that nothing ties to charging were left alone"
            entry["notes"].append(f"{self._strangers} {text}")
            self._strangers = 0
        if source.strange:
            entry["problems"].append(f"{source.strange} packet(s) with a time that cannot be right")
        self.captures.append(entry)
        stamps = [each for each in (self.first_ns, source.first_ns) if each is not None]
        self.first_ns = min(stamps, default=None)
        stamps = [each for each in (self.last_ns, source.last_ns) if each is not None]
        self.last_ns = max(stamps, default=None)

    # -- judging

    def _judge(self, sessions: Sequence[Session], watched: dict[int, Watch]) -> None:
        for session in sessions:
            watch = watched.pop(session.number, None) or Watch()
            if session.stranger:
                self._strangers += 1
                continue
            self._case(f"CAP-{self._before + session.number:03d}", session, watch)

    def _case(self, case_id: str, session: Session, watch: Watch) -> None:
        events = list(session.events())
        start_ns = session.first_ns
        said = describe(session, watch.told, list(watch.schemas), tls=watch.tls)
        case = Case(case_id, said.title, confidence="", areas=(), group=self._file)
        findings = self._apply_rules(case_id, events)
        measured = capture_times.of_session(events, watch.answers, said.limits_of)
        # What a rule has told of single messages is not told again.
        late = [
            f"{each['name']}: {each['value']:.2f} s, limit {each['high']:g} s ({each['limit_source']})"
            for each in measured
            if each["outcome"] == "fail" and not any(one.message.startswith(_first(each)) for one in findings)
        ]
        judgement, reasons = judge(session, findings, late, self._seen)
        own = [
            self._append("plan", "measurement", each["name"], each, t_ns=session.last_ns) for each in measured
        ]
        own += [
            self._append("plan", "step", span.name, {"duration_s": span.seconds}, t_ns=span.start_ns)
            for span in capture_times.spans(events)
        ]
        verdict = {"verdict": str(judgement.verdict), "reason": judgement.reason, "reasons": reasons}
        self._append("plan", "verdict", case_id, verdict, t_ns=session.last_ns)
        if len(self.record.content["cases"]) >= MAX_CASES:
            self.not_listed[str(judgement.verdict)] += 1
            return
        pictured = len(self.record.content["cases"]) < MAX_PICTURED
        record = caserecord.case_record(
            case, judgement, own, run_start_ns=self._file_start_ns, start_ns=start_ns, end_ns=session.last_ns,
            findings=findings[:MAX_FINDINGS],
        )  # fmt: skip
        record["findings"] += session_findings(
            session, watch.told, reasons, inferred=watch.inferred, pictured=pictured
        )
        record |= {
            "started": _wall(start_ns),
            "facts": said.facts,
            "session": exchanges_of(events, start_ns, watch.told) if pictured else None,
            "attenuation": attenuation.pictures(session.attenuations, start_ns),
            "evidence": self._evidence(events),
        }
        self.record.add(record)
        self.record.add_trust(trust_of(events, watch.told, case_id, start_ns))

    def _evidence(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        frames = [event.data["frame"] for event in events if isinstance(event.data.get("frame"), int)]
        what = f"frames {min(frames)} to {max(frames)}" if frames else "the capture"
        lines = [events[0].seq + 1, events[-1].seq + 1] if events else None
        found: list[dict[str, Any]] = [
            {"file": self._file, "what": what, "lines": None},
            {"file": "timeline.jsonl", "what": "events from the first to the last of it", "lines": lines},
        ]
        if self.keylog is not None and any(event.kind == "tls" for event in events):
            found.append({"file": "tls.keylog", "what": "session keys, to read the capture", "lines": None})
        return found

    def _apply_rules(self, case_id: str, events: Sequence[Event]) -> list[Finding]:
        found: list[Finding] = []
        for rule in rules.RULES:
            if not rule.applies(events):
                continue
            self._judged[rule.id].append(case_id)
            for finding in rule.check(events):
                if finding.severity == "fail":
                    self._failed.add(rule.id)
                if len(self._findings[rule.id]) < MAX_FINDINGS:
                    mine = Finding(
                        finding.rule, finding.severity, finding.message, finding.requirements, finding.seq,
                        finding.t_ns, case_id,
                    )  # fmt: skip
                    self._findings[rule.id].append(mine)
                    self._append("rules", "finding", rule.id, mine.as_data(), t_ns=finding.t_ns)
                found.append(finding)
        return found

    # -- the end

    def finish(self) -> Outcome:
        """Judge the rules over all sessions and write run.json."""
        for rule in rules.RULES:
            self._rule(rule)
        content = self.record.content
        content["cases"].sort(key=lambda case: int(case["id"].removeprefix("CAP-")))
        self.record.end()
        verdicts = self.record.verdicts() + self.not_listed
        code = exit_code(verdicts)
        notes = []
        if not content["cases"]:
            code = EXIT_INCONCLUSIVE
            notes.append("no SLAC matching, SDP or V2G session was found: nothing was judged")
        if self.not_listed:
            told = ", ".join(f"{count} {verdict}" for verdict, count in self.not_listed.items())
            notes.append(f"{self.not_listed.total()} more sessions were judged and are not listed: {told}")
        first, last = self.first_ns, self.last_ns
        content["run"] |= {
            "kind": "capture",
            "checked": content["run"]["ended"],
            "started": None if first is None else _wall(first),
            "ended": _wall(last) if last is not None else content["run"]["ended"],
            "duration_s": 0.0 if first is None or last is None else round((last - first) / 1e9, 3),
            "exit_code": code,
            "captures": self.captures,
            "notes": notes,
        }
        self.record.write()
        if self.record.write_error is not None:
            raise disk_error(self.record.path, OSError(self.record.write_error))
        return Outcome(self.folder.path, content, code)

    def _rule(self, rule: Rule) -> None:
        judged = self._judged[rule.id]
        case = rule_case(rule)
        if not judged:
            why = NOT_IN_A_CAPTURE.get(rule.id)
            reason = f"not in a capture: {why}" if why else "this capture holds nothing that it judges"
            self.record.not_run(case, reason)
            self.record.content["not_run"][-1]["applicable"] = False
            return
        findings = self._findings[rule.id]
        failed = [finding for finding in findings if finding.severity == "fail"]
        judgement = Judgement(Verdict.PASS)
        if rule.id in self._failed:
            more = f" ({len(failed)} findings)" if len(failed) > 1 else ""
            told = f"{failed[0].message}, in {failed[0].case}{more}" if failed else "see the sessions"
            judgement = Judgement(Verdict.FAIL, told)
        entry = caserecord.case_record(
            case, judgement, [], run_start_ns=0, start_ns=0, end_ns=0, findings=findings[:MAX_FINDINGS]
        )
        for record, finding in zip(entry["findings"], findings, strict=False):
            record["t_s"] = None  # each is of another session
            record["case"] = finding.case
        entry |= {"started_s": None, "duration_s": None}
        named = ", ".join(judged[:8]) + (f" and {len(judged) - 8} more" if len(judged) > 8 else "")
        watched = capture_times.measurement(
            "sessions watched", len(judged), None, decides=False, doc=named, unit=""
        )
        entry["measurements"] = [watched | {"t_s": 0.0}]
        entry["evidence"] = [
            {
                "file": "timeline.jsonl",
                "what": f"{one.case}: {one.message}",
                "lines": [one.seq + 1, one.seq + 1],
            }
            for one in findings[:50]
        ]
        self.record.add(entry, rule=True)


class _Noting:
    """A reader that notes the time of its packets; `strange`: how many have one that cannot be right."""

    def __init__(self, reader: CaptureReader, packets: Callable[[CaptureReader], Iterable[Packet]]) -> None:
        self._reader, self._packets = reader, packets
        self.scan_secrets = reader.scan_secrets
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.strange = 0

    def __iter__(self) -> Iterator[Packet]:
        for packet in self._packets(self._reader):
            if self.first_ns is None:
                self.first_ns = self.last_ns = packet.t_ns
            elif abs(packet.t_ns - self.first_ns) > MAX_SPAN_NS:
                self.strange += 1  # a damaged file: such a time would make a silence of decades
            elif self.last_ns is None or packet.t_ns > self.last_ns:
                self.last_ns = packet.t_ns
            yield packet


def _first(measured: dict[str, Any]) -> str:
    """The message that a measurement is of."""
    return str(measured["name"]).partition(",")[0].partition(" ")[0] + " took"


def _wall(t_ns: int) -> str:
    """ISO 8601 in UTC; a stamp that no calendar has (a damaged file) is given in seconds."""
    try:
        moment = datetime.fromtimestamp(t_ns / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{t_ns / 1e9:.3f} s"
    return moment.isoformat(timespec="milliseconds")
