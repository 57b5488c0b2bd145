"""What the cases of this plan share: figures of the plan, and short ways to look at an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from bench.plan import Expect

if TYPE_CHECKING:
    from bench.ev.session import Session
    from bench.plan.power import Sample

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
