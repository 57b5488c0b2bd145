"""The report of a real run: plans on the embedded bench, and the pages from a folder with run.json alone."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.cli import main

ROOT = Path(__file__).parents[2]
CASES = "PNC-009 or PNC-010 or PNC-031 or PNC-060 or PNC-098"
REFERENCE = re.compile(r'(?:href|src)="([^"#]+)')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of five cases, one of them slow and therefore not run."""
    work = tmp_path_factory.mktemp("real-run")
    text = (ROOT / "fixtures/benches/embedded.toml").read_text(encoding="utf-8")
    bench = work / "bench.toml"
    bench.write_text(text.replace('name = "embedded"', 'name = "report-test"', 1), encoding="utf-8")
    assert main(["run", "--bench", str(bench), "--results", str(work / "results"), "-k", CASES]) == 0
    (found,) = (work / "results").iterdir()
    return found


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that had nothing but that run.json, with the report made there."""
    lonely = tmp_path_factory.mktemp("alone")
    shutil.copy(folder / "run.json", lonely / "run.json")
    assert main(["report", str(lonely)]) == 0
    return lonely


@pytest.fixture(scope="module")
def run(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content


def test_the_pages_are_complete_from_run_json_alone(folder: Path, alone: Path) -> None:
    pages = sorted(path.name for path in (alone / "cases").iterdir())
    assert pages == sorted(path.name for path in (folder / "cases").iterdir())
    for page in [alone / "report.html", *(alone / "cases").iterdir()]:
        text = page.read_text(encoding="utf-8")
        for reference in REFERENCE.findall(text):
            assert (page.parent / reference).is_file(), f"{page.name} links {reference}, which is not there"
    dc = (alone / "cases/PNC-010.html").read_text(encoding="utf-8")
    assert "timeline.jsonl, lines" in dc and "(not in this folder)" in dc
    # Messages, certificates and plots come from run.json, not from the evidence beside it.
    assert "&lt;CurrentDemandRes" in dc or "CurrentDemandRes&gt;" in dc
    assert dc.count('class="cert"') >= 6
    assert all(f"t-{key}" in dc for key in ("pilot_v", "voltage_v", "current_a", "power_w"))


def test_evidence_lines_are_those_of_the_case(folder: Path, run: dict[str, Any]) -> None:
    lines = (folder / "timeline.jsonl").read_text(encoding="utf-8").splitlines()
    for case in run["cases"]:
        first, last = case["evidence"][0]["lines"]
        begin, within = json.loads(lines[first - 1]), [json.loads(line) for line in lines[first - 1 : last]]
        assert (begin["kind"], begin["name"], begin["data"]["phase"]) == ("case", case["id"], "begin")
        assert any(one["kind"] == "verdict" and one["name"] == case["id"] for one in within)
    links = {each["file"] for case in run["cases"] for each in case["evidence"]}
    assert {"timeline.jsonl", "ocpp.jsonl", "capture.pcapng", "tls.keylog"} <= links
    assert all((folder / name).stat().st_size for name in links)


def test_a_request_comes_before_what_it_caused(run: dict[str, Any]) -> None:
    """The charger's Authorize stands behind the PaymentDetailsReq that it answers, also when it is quick."""
    names = [each["name"] for each in _case(run, "PNC-031")["session"]["exchanges"]]
    assert names.index("PaymentDetailsReq") < names.index("Authorize") < names.index("PaymentDetailsRes")


def test_the_ladder_shows_pilot_and_backend(run: dict[str, Any]) -> None:
    exchanges = _case(run, "PNC-010")["session"]["exchanges"]
    pilot = [(each["from"], each["name"]) for each in exchanges if each["layer"] == "cp"]
    assert pilot[0] == ("EV", "pilot B") and pilot[-1][1] in ("pilot A", "no PWM seen")
    assert ("charger", "PWM 5 % seen") in pilot
    told = {each["summary"] for each in exchanges if each["layer"] == "ocpp"}
    assert any("Started" in each for each in told) and any("Ended" in each for each in told)


def test_chains_by_role(run: dict[str, Any]) -> None:
    found = {each["role"]: each for each in run["trust"]}
    assert set(found) == {"SECC", "contract", "CPS (signs what is provisioned)", "installed contract"}
    assert all(each["root"] and not each["problems"] for each in found.values())


def test_verdict_of_the_embedded_bench(alone: Path, run: dict[str, Any]) -> None:
    """All passed, nobody has signed: pilot mode, and exactly what is missing."""
    slow = next(each for each in run["not_run"] if each["id"] == "PNC-098")
    assert (slow["slow"], slow["applicable"]) == (True, True) and slow["requirements"] and slow["reason"]
    text = (alone / "report.html").read_text(encoding="utf-8")
    assert "Declared but not signed off" in text and "PNC-098" in text
    assert "Ready for pilot" not in text


def test_an_expected_refusal_is_not_painted_as_an_error(alone: Path) -> None:
    text = (alone / "cases/PNC-031.html").read_text(encoding="utf-8")
    assert "⊘ PaymentDetailsRes" in text and "✕ PaymentDetailsRes" not in text


def test_manifest_and_junit(folder: Path) -> None:
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(listed) == files - {"manifest.json"} and {"report.html", "junit.xml", "pytest.html"} <= files
    for name, entry in listed.items():
        assert entry["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest(), name
    suite = ET.parse(folder / "junit.xml").getroot()[0]
    ids = [each.get("value") for each in suite.iter("property") if each.get("name") == "id"]
    assert {"PNC-009", "PNC-010", "PNC-031", "PNC-060", "PNC-098", "RUL-01"} <= set(ids)
    assert len(ids) == int(suite.get("tests", "0"))


def test_the_report_can_be_made_again_without_touching_the_manifest(folder: Path) -> None:
    """The same run.json gives the same bytes, so the manifest stays true."""
    before = (folder / "report.html").read_bytes()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_bytes() == before


def _case(run: dict[str, Any], id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(case for case in run["cases"] if case["id"] == id)
    return found
