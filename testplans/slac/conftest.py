"""What the cases of this plan share: answers in time, silence, and the charger's reaction on the pilot."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.plan import Expect, Measure
from bench.v2g import timers

if TYPE_CHECKING:
    from bench.ev.slac import SlacTalk
    from bench.slac.mme import Mme

ORDER = ("match", "parm", "attenuation", "validate", "slac_match", "link")
LATE_S = 1.0
"""How long an answer is awaited that is too late already: a figure says more than silence."""
OFF_S = 1.0
"""How long the oscillator may go on behind an unplug, as a bench can see it."""

Hears = Callable[..., Any]
Silence = Callable[..., None]
Stands = Callable[..., None]
Pilot = Callable[..., float]


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


@pytest.fixture
def hears(expect: Expect, measure: Measure) -> Hears:
    """`hears(talk, mme.SlacParmCnf)`: the charger's message comes, within a limit since the car's last one
    (by default TT_match_response); returns it.
    """

    def hear(talk: SlacTalk, kind: type[Mme], within: str = "slac.TT_match_response", what: str = "") -> Any:
        limit = timers.get(within)
        heard = talk.receive(kind, limit.value + LATE_S)
        name = what or kind.name
        expect.that(heard is not None, f"{name} comes", "" if heard is not None else "silence", kind.name)
        assert heard is not None
        measure(f"{name} after", heard.after_s, high=limit)
        return heard.mme

    return hear


@pytest.fixture
def silence(expect: Expect) -> Silence:
    """`silence(talk, mme.AttenCharInd, "slac.TT_EV_atten_results")`: no such message comes within the limit
    from now on.
    """

    def stay(talk: SlacTalk, kind: type[Mme], during: str = "slac.TT_match_response") -> None:
        limit = timers.get(during)
        heard = talk.receive(kind, limit.value)
        actual = "silence" if heard is None else f"{kind.name} after {heard.after_s:.3f} s"
        expect.that(heard is None, f"no {kind.name} for {limit.value:g} s", actual, "silence")

    return stay


@pytest.fixture
def stands(expect: Expect) -> Stands:
    """`stands(answer, run_id=talk.run_id)`: the fields of a message have these values."""

    def look(message: Mme, **fields: Any) -> None:
        for name, wanted in fields.items():
            expect(getattr(message, name), f"{message.name} {name}").to_be(wanted)

    return look


@pytest.fixture
def pilot(expect: Expect) -> Pilot:
    """`pilot(talk, "off", within_s=1)`: the charger's side of the pilot becomes "off" (oscillator at rest,
    100 %), "on" (a duty cycle) or "E" (state E or F) within the time; returns after how long.
    """

    def become(talk: SlacTalk, wanted: str, within_s: float = OFF_S) -> float:
        began = time.monotonic()
        while True:
            reading = talk.plc.vehicle.measure_pilot()
            now = "E" if reading.state in ("E", "F") else "on" if reading.oscillator else "off"
            took_s = time.monotonic() - began
            if now == wanted or took_s > within_s:
                break
            talk.pause(min(0.05, within_s))
        shown = f"state {reading.state}, {reading.duty_percent:g} %"
        text = {"off": "100 % duty cycle", "on": "a duty cycle", "E": "pilot state E or F"}[wanted]
        expect.that(now == wanted, f"{text} within {within_s:g} s", shown, text)
        return took_s

    return become
