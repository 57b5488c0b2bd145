"""junit.xml (the xunit1 dialect) of a run, for CI systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from bench.report import clean
from bench.report.model import Case, parse


def write(run: dict[str, Any], path: Path) -> None:
    """Write the cases, rules and cases not run of a run.json document to `path`; raises OSError.

    fail is a failure, error an error; inconclusive is an error too (type "inconclusive"), because a skipped
    test would turn a pipeline green that has proved nothing. Each case has the properties `id` and `verdict`,
    and one `requirement` for each requirement id.
    """
    parsed = parse(run)
    verdicts = [case.verdict for case in parsed.judged]
    suite = ET.Element(
        "testsuite",
        name="plugbench",
        tests=str(len(verdicts) + len(parsed.not_run)),
        failures=str(verdicts.count("fail")),
        errors=str(verdicts.count("error") + verdicts.count("inconclusive")),
        skipped=str(len(parsed.not_run)),
        time=f"{sum(case.duration_s or 0.0 for case in parsed.judged):.3f}",
        timestamp=clean.text(parsed.info.get("started"), 100),
    )
    for case in parsed.judged:
        _add(suite, case)
    for each in parsed.not_run:
        element = ET.SubElement(
            suite, "testcase", classname="not_run", name=f"{each.id} {each.title}", time="0"
        )
        _properties(element, each.id, "not run", each.requirements)
        ET.SubElement(element, "skipped", message=each.reason)
    ET.indent(suite)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _add(suite: ET.Element, case: Case) -> None:
    element = ET.SubElement(
        suite,
        "testcase",
        classname=case.group,
        name=f"{case.id} {case.title}".strip(),
        time=f"{case.duration_s or 0.0:.3f}",
    )
    _properties(element, case.id, case.verdict, case.requirements)
    if case.verdict != "pass":
        kind = "failure" if case.verdict == "fail" else "error"
        ET.SubElement(element, kind, type=case.verdict, message=case.reason).text = case.log or case.reason


def _properties(element: ET.Element, id: str, verdict: str, requirements: tuple[str, ...]) -> None:
    holder = ET.SubElement(element, "properties")
    ET.SubElement(holder, "property", name="id", value=id)
    ET.SubElement(holder, "property", name="verdict", value=verdict)
    for requirement in requirements:
        ET.SubElement(holder, "property", name="requirement", value=requirement)
