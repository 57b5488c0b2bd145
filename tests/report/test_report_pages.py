"""The written pages: escaped, offline, bounded, accessible, and written whatever run.json holds."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import report_runs as synthetic

from bench.report import ReportError, write_report

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\u202e\x00\ud800]]>&lt;"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Elements of a page, with a check that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), "doubled attribute"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def written(folder: Path, document: Any) -> dict[str, str]:
    """Write the report of a document; return the pages by name."""
    (folder / "run.json").write_text(json.dumps(document), encoding="utf-8")
    assert write_report(folder) == folder / "report.html"
    pages = [folder / "report.html", *sorted((folder / "cases").iterdir())]
    return {page.name: page.read_text(encoding="utf-8") for page in pages}


def full_run() -> dict[str, Any]:
    """A run that has something of everything."""
    chain = list(synthetic.secc_chain()[0])
    steps, t_s = [], 0.0
    for name, duration_s, limit_s in synthetic.STEPS:
        steps.append({"name": name, "t_s": t_s, "duration_s": duration_s, "limit_s": limit_s})
        t_s += duration_s
    total = {
        "name": "handshake total",
        "value": t_s,
        "unit": "s",
        "low": None,
        "high": 3.0,
        "outcome": "pass",
    }
    total |= {"limit_source": "bench file", "confidence": "memory", "doc": "From plug-in to charge."}
    broken = {"text": "it is refused", "outcome": "fail", "actual": "OK", "expected": "FAILED_…", "t_s": 0.7}
    warning = {
        "rule": "RUL-02",
        "severity": "warning",
        "message": "slow answer",
        "requirements": ["V2G2-1"],
        "t_s": 1.0,
    }
    made = synthetic.run(
        [
            synthetic.case(
                "PNC-009", steps=steps, measurements=[total], session=synthetic.session(chain=chain)
            ),
            synthetic.case(
                "PNC-031", "fail", areas=["backend"], expectations=[broken], session=synthetic.session()
            ),
            synthetic.case(
                "PNC-030", group="contract", session=synthetic.session(refused="FAILED_CertificateExpired")
            ),
            synthetic.case("PNC-066", "inconclusive", findings=[warning]),
            synthetic.case("PNC-083", "error", log="InstrumentLost: no answer"),
            synthetic.case("PNC-084", findings=[warning]),
        ],
        rules=[synthetic.case("RUL-01", group="rules")],
        trust=[synthetic.trust(), synthetic.trust(role="contract", problems=["expired"], root=None)],
        not_run=[
            {"id": "PNC-098", "title": "slow", "reason": "--slow not given", "requirements": [], "areas": []}
        ],
    )
    made["charger"]["declarations"] = {"support": {"owner": "Jo", "status": "open", "note": "planned"}}
    return made


def evil(value: Any) -> Any:
    """The same document with every text replaced by a hostile one (but those that choose what is drawn)."""
    if isinstance(value, dict):
        return {
            key: each if key in {"verdict", "layer", "chain"} else evil(each) for key, each in value.items()
        }
    if isinstance(value, list):
        return [evil(each) for each in value]
    return EVIL if isinstance(value, str) else value


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    document = evil(full_run())
    document["charger"]["declarations"] = {EVIL: {"owner": EVIL, "status": "open", "note": EVIL}}
    document["run"]["packages"] = {EVIL: EVIL}
    document["run"]["defects"] = [EVIL]
    for case in document["cases"]:
        case["session"]["traces"] = {
            EVIL: [[0, 1]],
            "pilot_v": [[0, 1], [EVIL, 2], [1, float("nan")], [2, 3]],
        }
    pages = written(tmp_path, document)
    assert len(pages) == 8
    for text in pages.values():
        page = Page(text)
        assert len(page.all("script")) == 1, "only our own script"
        assert not page.all("img")
        assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
        assert "<script>alert" not in text
        assert "\u202e" not in text
        assert "\x00" not in text
        assert any("<script>alert(1)" in each for each in page.text), "the text itself is shown"


@pytest.mark.parametrize("document", [full_run(), synthetic.ready_run(), synthetic.run([])])
def test_pages_need_no_network(tmp_path: Path, document: dict[str, Any]) -> None:
    pages = written(tmp_path, document)
    for name, text in pages.items():
        page = Page(text)
        folder = tmp_path if name == "report.html" else tmp_path / "cases"
        assert not page.all("link")
        assert "@import" not in text
        assert "url(" not in text
        for _, attrs in page.elements:
            assert not attrs.get("src")
            target = attrs.get("href") or "#"
            assert ":" not in target
            if target.startswith("#"):
                assert target == "#" or f'id="{target[1:]}"' in text
            else:
                assert (folder / target.partition("#")[0]).resolve().is_file()


@pytest.mark.parametrize("document", [full_run(), synthetic.ready_run(), synthetic.run([])])
def test_pages_can_be_read_by_a_screen_reader(tmp_path: Path, document: dict[str, Any]) -> None:
    for text in written(tmp_path, document).values():
        page = Page(text)
        assert page.all("html")[0]["lang"] == "en"
        assert (
            len(page.all("main"))
            == len(page.all("h1"))
            == len(page.all("header"))
            == len(page.all("footer"))
            == 1
        )
        assert 'class="skip" href="#main"' in text
        levels = [int(tag[1]) for tag, _ in page.elements if tag in {"h1", "h2", "h3", "h4"}]
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert len(page.all("caption")) == len(page.all("table"))
        assert all(attrs.get("scope") for attrs in page.all("th"))
        ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
        assert len(ids) == len(set(ids))
        for attrs in page.all("svg"):
            nested = "x" in attrs
            assert nested or attrs.get("aria-hidden") == "true" or attrs["aria-labelledby"]
        for _, attrs in page.elements:
            for each in (attrs.get("aria-labelledby") or "").split():
                assert each in ids


def test_verdicts_are_words_and_not_colours_alone(tmp_path: Path) -> None:
    report = written(tmp_path, full_run())["report.html"]
    for word in ("fail", "pass", "inconclusive", "error", "not run"):
        assert f"</span> {word}</span>" in report


def test_what_broke_names_expectation_time_and_proof(tmp_path: Path) -> None:
    (tmp_path / "timeline.jsonl").write_text("{}\n")
    report = written(tmp_path, full_run())["report.html"]
    part = report[report.index('id="broke"') : report.index('id="checklist"')]
    for said in (
        "it is refused",
        "FAILED_…",
        "1.70 s into the run",
        'href="cases/PNC-031.html"',
        "lines 12–40",
    ):
        assert said in part
    assert 'href="timeline.jsonl"' in part
    assert part.index("PNC-031") < part.index("PNC-083") < part.index("PNC-066")


@pytest.mark.parametrize(
    "name", ["../run.json", "/etc/hostname", "https://example.org/x", "javascript:alert(1)", "a\\b"]
)
def test_evidence_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "run.json").write_text("{}")
    case = synthetic.case("PNC-001", "fail", evidence=[{"file": name, "what": "x", "lines": None}])
    for text in written(folder, synthetic.run([case])).values():
        hrefs = [attrs.get("href") for attrs in Page(text).all("a")]
        assert not [each for each in hrefs if each and (name in each or ":" in each)]


def test_limits_from_memory_are_shown_as_such(tmp_path: Path) -> None:
    pages = written(tmp_path, full_run())
    assert "memory (unchecked)" in pages["report.html"]
    assert "memory (unchecked)" in pages["PNC-009.html"]


@pytest.mark.parametrize(("dropped", "text"), [(0, "none"), (12, "12")])
def test_frames_that_the_capture_lost_are_shown(tmp_path: Path, dropped: int, text: str) -> None:
    document = full_run()
    document["bench"]["capture"] |= {"packets": 4711, "dropped": dropped, "problem": None}
    page = written(tmp_path, document)["report.html"]
    assert "<dt>Frames captured</dt><dd>4711</dd>" in page
    assert f"<dt>Frames lost</dt><dd>{text}</dd>" in page
    assert "Capture problem" not in page


def test_session_is_drawn_and_linked(tmp_path: Path) -> None:
    text = written(tmp_path, full_run())["PNC-009.html"]
    assert "CurrentDemandReq  × 34" in text
    assert 'href="#m5"' in text
    assert text.count("<polyline") >= 5
    assert "sub-CA" in text
    assert "iso15118CertificateHashData" in text


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"cases": [{}], "rules": [{}], "not_run": [{}], "trust": [{}], "support": [{}]},
        {key: None for key in ("run", "bench", "charger", "cases", "rules", "trust", "not_run", "support")},
        {key: 7 for key in ("run", "bench", "charger", "cases", "rules", "trust", "not_run", "support")},
        {
            key: [1, "x", None, [2]]
            for key in ("run", "bench", "charger", "cases", "rules", "trust", "not_run")
        },
        {"cases": [{key: 3 for key in synthetic.case()}], "bench": {"instruments": 4, "timing": [1]}},
        {
            "cases": [
                synthetic.case(
                    session={"exchanges": [{"t_s": -1}, {"t_s": "x"}], "traces": {"pilot_v": [[5, 1]]}}
                )
            ]
        },
    ],
)
def test_missing_and_ill_typed_fields_do_not_break_it(tmp_path: Path, document: dict[str, Any]) -> None:
    for text in written(tmp_path, document).values():
        Page(text)


def test_cases_that_share_an_id_get_pages_of_their_own(tmp_path: Path) -> None:
    pages = written(
        tmp_path,
        synthetic.run([synthetic.case("PNC-001"), synthetic.case("PNC-001"), synthetic.case("../x")]),
    )
    assert sorted(pages) == ["PNC-001-2.html", "PNC-001.html", "report.html", "x.html"]


def test_a_huge_run_stays_bounded_and_quick(tmp_path: Path) -> None:
    many = [
        synthetic.exchange(n * 0.01, "EV", "charger", "v2g", f"Message{n}", schema="iso2", exi="80" * 40)
        for n in range(5000)
    ]
    many[2500]["problem"] = "the odd one"
    trace = [[n * 0.001, float(n % 97)] for n in range(60_000)]
    session = {"lanes": ["EV", "charger"], "exchanges": many, "traces": {"voltage_v": trace}}
    long = synthetic.case("PNC-001", "fail", reason="x" * 300_000, session=session)
    rest = [synthetic.case(f"PNC-{n:03}", session=synthetic.session()) for n in range(2, 71)]
    pages = written(tmp_path, synthetic.run([long, *rest]))
    assert len(pages["report.html"]) < 1_500_000
    assert len(pages["PNC-001.html"]) < 2_000_000
    assert "the odd one" in pages["PNC-001.html"]
    assert "exchanges in the middle are left out" in pages["PNC-001.html"]


@pytest.mark.parametrize("text", [None, "", "{", "[]", "[" * 100_000])
def test_without_a_readable_run_json_there_is_one_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(ReportError) as caught:
        write_report(tmp_path)
    assert "\n" not in str(caught.value)
