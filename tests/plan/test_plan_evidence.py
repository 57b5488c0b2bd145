"""What counts as evidence: a fresh sample, a request that was really sent, and the order of the plan."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from bench.ev.errors import CarGaveUp, ChargerTimeout
from bench.ev.profile import load_profile
from bench.pki import Pki
from bench.plan import Expect, ExpectationFailed, Inconclusive, catalogue
from bench.plan.verdict import Verdict, judge
from bench.timeline import Timeline, now_ns
from fixtures.car import SHORT_SDP_ATTEMPTS, Car


def sample(timeline: Timeline, voltage_v: float, t_ns: int) -> None:
    data = {"mode": "dc", "voltage_v": voltage_v, "current_a": 0.0, "power_w": 0.0, "energy_wh": 0.0}
    timeline.append("analyzer", "power", "sample", data, t_ns=t_ns)


def test_what_was_measured_before_the_question_is_not_the_next_sample() -> None:
    timeline = Timeline()
    measured_before_ns = now_ns()
    waiting = threading.Event()
    wait_for = timeline.wait_for

    def told(*arguments: Any, **options: Any) -> Any:
        waiting.set()
        return wait_for(*arguments, **options)

    timeline.wait_for = told  # type: ignore[method-assign]

    def sampler() -> None:
        waiting.wait(5.0)
        sample(timeline, 27.0, measured_before_ns)
        sample(timeline, 358.0, now_ns())

    thread = threading.Thread(target=sampler)
    thread.start()
    found = Expect(timeline).next_sample()
    thread.join()
    assert found.voltage_v == 358.0


class Stubborn:
    """A session whose car (or charger) does not go on."""

    pending = None

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send_next(self) -> Any:
        raise self._error


@pytest.mark.parametrize("word", ["answered", "refused_or_closed"])
def test_a_request_that_the_car_would_not_send_is_no_fault_of_the_charger(word: str) -> None:
    expect = Expect(Timeline())
    with pytest.raises(Inconclusive, match="286 V"):
        getattr(expect, word)(Stubborn(CarGaveUp("286 V at the inlet")))
    with pytest.raises(ExpectationFailed):
        getattr(expect, word)(Stubborn(ChargerTimeout("no answer")))


def test_a_car_that_gave_up_is_inconclusive() -> None:
    assert judge(CarGaveUp("286 V at the inlet")).verdict is Verdict.INCONCLUSIVE


def test_the_plan_begins_with_the_handshake_and_ends_with_robustness() -> None:
    groups = list(dict.fromkeys(case.group for case in catalogue.all_cases()))
    assert (groups[0], groups[-1]) == ("handshake", "robustness")


def station(silent: bool) -> Any:
    return SimpleNamespace(
        instruments=SimpleNamespace(find=lambda capability: None),
        health=lambda: None,
        ev_profile=load_profile(),
        timeline=Timeline(),
        bench=SimpleNamespace(network=SimpleNamespace(interface="lo")),
        sdp_port=15118,
        pki=Pki.create(),
        run=SimpleNamespace(path_of=lambda name: None),
        sniffer=SimpleNamespace(tap=None),
        charger_silent=silent,
    )


@pytest.mark.parametrize(("silent", "attempts"), [(False, 50), (True, SHORT_SDP_ATTEMPTS)])
def test_a_charger_known_to_be_silent_is_asked_less_often(silent: bool, attempts: int) -> None:
    assert Car(station(silent)).defaults.sdp_attempts == attempts


@pytest.mark.parametrize(("answer_ns", "silent"), [(None, True), (2, False)])
def test_the_car_tells_the_station_whether_the_charger_answered(answer_ns: int | None, silent: bool) -> None:
    bench = station(silent=not silent)
    car = Car(bench)
    wire = SimpleNamespace(first_sdp_ns=1, sdp_answer_ns=answer_ns)
    car.sessions = [SimpleNamespace(wire=wire, steps=[])]  # type: ignore[list-item]
    car.rest()
    assert bench.charger_silent is silent
