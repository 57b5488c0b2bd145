"""Cases that differ in one field only: one test function, one id a row; and the sources of this plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from bench.plan import testcase
from bench.plan.case import Case

_TC = "ISO 15118-5 TC_SECC_"
BREAKS_ALL = (
    "slac-forwarding-sta-zero",
    "slac-run-id-cut",
    "slac-wakes-late",
    "slac-ten-groups",
    "slac-attenuation-ids",
    "slac-match-length",
    "slac-match-addresses",
    "slac-wrong-key",
)
"""Defects with which no car that looks at what it gets is ever linked."""
Row = tuple[str, str, str, Any]
"""Case id, what is special in words, its number in the source, and the value for the test function."""


def tc(group: str, *numbers: int) -> str:
    """The source of a case: `tc("CMN_VTB_CmSlacParm", 1)`."""
    return f"{_TC}{group}_" + ", _".join(f"{number:03}" for number in numbers)


def rows(argument: str, table: Iterable[Row], **meta: Any) -> Callable[[Callable[..., None]], Any]:
    """`@testcase` for each row of a table: `argument` of the test function gets the row's value. `meta` is
    what the rows have in common. ROW in the docstring's Precondition and Stimulus stands for the row's words.
    """

    def decorate(function: Callable[..., None]) -> Any:
        return pytest.mark.parametrize(argument, [_param(function, row, meta) for row in table])(function)

    return decorate


def _param(function: Callable[..., None], row: Row, meta: dict[str, Any]) -> Any:
    id, words, source, value = row

    def stands_in() -> None: ...

    stands_in.__doc__ = function.__doc__
    testcase(id, source=source, **meta)(stands_in)
    case: Case = stands_in.case  # type: ignore[attr-defined]
    case = replace(
        case,
        precondition=case.precondition.replace("ROW", words),
        stimulus=case.stimulus.replace("ROW", words),
    )
    marks = [pytest.mark.plugbench(case)] + ([pytest.mark.slow] if case.slow else [])
    return pytest.param(value, id=words, marks=marks)
