"""What the cases of this plan share: figures of the plan, and short ways to look at an answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.plan import Expect

if TYPE_CHECKING:
    from bench.ev.session import Session
    from bench.plan.power import Sample

ORDER = (
    "handshake",
    "sessions",
    "authorization",
    "contract_faults",
    "tls",
    "provisioning",
    "roots",
    "metering",
    "fallback",
    "robustness",
)
"""First whether the charger works at all, last what may leave it dead: a charger that dies of a case must not
take the simpler ones with it.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of this plan in `ORDER`; what other plans have stays where it is."""
    here = Path(__file__).parent
    mine = [place for place, item in enumerate(items) if item.path.parent == here]
    ordered = sorted((items[place] for place in mine), key=_rank)
    for place, item in zip(mine, ordered, strict=True):
        items[place] = item


def _rank(item: pytest.Item) -> int:
    name = item.path.stem.removeprefix("test_")
    return ORDER.index(name) if name in ORDER else len(ORDER)


Finished = Callable[..., Any]


@pytest.fixture
def until_finished(expect: Expect) -> Finished:
    """`until_finished(session, within_s=10)`: send the pending request until EVSEProcessing is Finished.

    Returns the last response; a charger that refuses, ends the session or does not finish fails the case.
    """
    import time

    def repeat(session: Session, *, within_s: float) -> Any:
        name, deadline = session.pending_name, time.monotonic() + within_s
        while True:
            answer = expect.answered(session, str(name))
            if str(answer.EVSEProcessing) == "Finished" or time.monotonic() > deadline:
                break
            if session.pending_name != name:
                break
        expect.accepted(answer)
        expect(
            answer.EVSEProcessing, f"EVSEProcessing of {type(answer).__name__} after {within_s:g} s"
        ).to_be("Finished")
        return answer

    return repeat


@pytest.fixture
def highest_voltage(expect: Expect) -> Callable[[int], float]:
    """`highest_voltage(since)`: highest voltage that the analyzer saw from timeline mark `since` until now,
    in V.
    """

    def highest(since: int) -> float:
        from bench.plan.power import samples

        last: Sample = expect.next_sample()
        return max(
            [abs(one.voltage_v) for one in samples(expect.timeline.since(since))] + [abs(last.voltage_v)]
        )

    return highest
