"""The table defect x case: no case without a defect that it catches, no defect that no case names.

CI runs every defect against the cases that name it (`plugbench charger matrix --named --check`); the table of
the whole plan under every defect is `docs/defect_matrix.md`, made by `plugbench charger matrix --write`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import rules
from bench.charger.defects import all_defects
from bench.cli import matrix
from bench.plan import catalogue

TABLE = Path(__file__).parents[2] / "docs" / "defect_matrix.md"
ROW = re.compile(r"^\| `(?P<defect>[^`]+)` \| (?P<named>[^|]*) \| (?P<failed>[^|]*) \| (?P<stuck>[^|]*) \|$")


@pytest.fixture(scope="module")
def by_defect() -> dict[str, list[str]]:
    return catalogue.cases_by_defect(catalogue.own_plans())


def kept_rows() -> list[dict[str, list[str]]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    matches = [found for line in lines if (found := ROW.match(line))]
    return [
        {name: re.findall(r"[\w.-]+", text) for name, text in found.groupdict().items()} for found in matches
    ]


def test_there_are_at_least_forty_defects() -> None:
    assert len(all_defects()) >= 40


def test_every_defect_is_named_by_a_case(by_defect: dict[str, list[str]]) -> None:
    assert [name for name in all_defects() if name not in by_defect] == []


def test_every_case_and_rule_names_a_defect_that_exists() -> None:
    known = all_defects()
    for case in [*catalogue.all_cases(catalogue.own_plans()), *rules.RULES]:
        assert case.defects, f"{case.id} names no defect"
        assert [name for name in case.defects if name not in known] == [], case.id


def test_the_kept_table_has_every_defect_and_no_other() -> None:
    assert sorted(row["defect"][0] for row in kept_rows()) == sorted(all_defects())


def test_in_the_kept_table_every_defect_is_caught_by_those_that_name_it_and_by_nobody_else(
    by_defect: dict[str, list[str]],
) -> None:
    for row in kept_rows():
        (defect,) = row["defect"]
        assert row["failed"], f"{defect} is caught by nobody"
        assert set(row["failed"]) <= set(by_defect[defect]), defect


def test_one_defect_for_real() -> None:
    """The whole way once: charger with a defect, plan, run.json, row. CI does it for every defect."""
    row = matrix.run_defect(
        "ignores-challenge",
        ["PNC-038"],
        plan=(),
        only_named=True,
        first=False,
        slow=False,
        timeout_s=120,
        keep=None,
    )
    assert row.problem == ""
    assert row.caught_by == ("PNC-038",)
    assert row.ok


def test_a_conforming_charger_passes_the_same_case() -> None:
    row = matrix.run_defect(
        None, ["PNC-038"], plan=(), only_named=True, first=False, slow=False, timeout_s=120, keep=None
    )
    assert row.problem == ""
    assert row.verdicts["PNC-038"] == "pass"
    assert row.failed == ()
    assert row.errors == ()
