"""What both machines have in common, deviations, and hostile frames in any order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.slac import mme
from bench.slac.config import EvConfig, EvseConfig
from bench.slac.ev import EvMatcher
from bench.slac.evse import EvseMatcher
from bench.slac.faults import (
    SENT_BY_EV,
    duplicated,
    fewer_sounds,
    late,
    lost,
    pilot,
    raw,
    restart,
    skip,
    wrong,
    wrong_run_id,
)
from bench.slac.machine import Link, Pilot, Send, Step
from bench.slac.mme import BROADCAST, Frame, MmeError
from tests.slac.virtual import EV, EV2, EVSE, World

ONCE = EvConfig(attempts=1)


def car_with(*faults: object) -> tuple[World, EvMatcher]:
    car = EvMatcher(EV, ONCE, faults)  # type: ignore[arg-type]
    w = World([car], [EvseMatcher(EVSE)])
    w.match()
    return w, car


# --- deviations ---


def test_lost_is_not_sent_and_noted() -> None:
    w, car = car_with(lost("CM_SLAC_PARM.REQ", times=2))
    assert len(w.sent(mme.SlacParmReq)) == 1
    assert car.result.retries == {"CM_SLAC_PARM.REQ": 2}
    assert car.result.deviations == ["CM_SLAC_PARM.REQ: lost"] * 2


def test_skip_leaves_all_out() -> None:
    w, car = car_with(skip("CM_START_ATTEN_CHAR.IND"))
    assert not w.sent(mme.StartAttenCharInd)
    assert not car.result.matched


def test_late_delays_what_follows() -> None:
    w, car = car_with(late("CM_MNBC_SOUND.IND", 0.1, first=3, last=3))
    times = [each.t for each in w.sent(mme.MnbcSoundInd)]
    gaps = [round(after - before, 6) for before, after in itertools.pairwise(times)]
    assert gaps == [0.03, 0.13] + [0.03] * 7
    assert car.result.linked


def test_a_late_response_does_not_swallow_what_comes_meanwhile() -> None:
    w, car = car_with(late("CM_ATTEN_CHAR.RSP", 0.3))
    assert len(w.sent(mme.AttenCharInd)) == 2  # the repetition is answered first
    assert car.result.linked


def test_endless_lateness_under_a_flood_does_not_pile_up() -> None:
    car = EvMatcher(EV, ONCE, [late("CM_ATTEN_CHAR.RSP", 1.0, last=None)])
    car.start(0.0)
    run_id = car.result.run_id
    car.receive(Frame(EV, EVSE, None, mme.SlacParmCnf(forwarding_sta=EV, run_id=run_id)), 0.01)
    indication = Frame(EV, EVSE, None, mme.AttenCharInd(source_address=EV, run_id=run_id))
    for number in range(5000):
        car.receive(indication, 0.011 + number * 1e-6)
    assert car.running


def test_duplicated_and_wrong_go_together() -> None:
    w, _ = car_with(
        wrong("CM_SLAC_MATCH.REQ", mvf_length=0x3F, last=1), duplicated("CM_SLAC_MATCH.REQ", 3, last=1)
    )
    lengths = [each.frame.mme.mvf_length for each in w.sent(mme.SlacMatchReq)]  # type: ignore[attr-defined]
    assert lengths == [0x3F, 0x3F, 0x3F, 0x3E]


def test_wrong_run_id_is_another_one() -> None:
    w, car = car_with(wrong_run_id("CM_MNBC_SOUND.IND"))
    for each in w.sent(mme.MnbcSoundInd):
        assert each.frame.mme.run_id != car.result.run_id  # type: ignore[attr-defined]


def test_fewer_sounds_than_announced() -> None:
    w, car = car_with(fewer_sounds(4))
    assert [each.frame.mme.cnt for each in w.sent(mme.MnbcSoundInd)] == [9, 8, 7, 6]  # type: ignore[attr-defined]
    assert car.result.deviations == ["CM_MNBC_SOUND.IND: only 4 sounds"] * 6


def test_restart_and_pilot_happen_once() -> None:
    w, car = car_with(restart("CM_MNBC_SOUND.IND", number=4), pilot("C", before="CM_SLAC_MATCH.REQ"))
    assert len(w.sent(mme.MnbcSoundInd)) == 4 + 10
    assert [state for _, state in w.pilots] == ["C"]
    assert (car.result.linked, car.result.attempts) == (True, 1)


@pytest.mark.parametrize("name", sorted(SENT_BY_EV))
def test_raw_bytes_go_out_for_any_message(name: str) -> None:
    fault = raw(name, b"\x01\x02")
    assert fault.change is not None
    assert fault.change([SENT_BY_EV[name]()]) == [b"\x01\x02"]
    # a change of a field leaves raw bytes alone
    assert wrong_or_none(name, [b"\x01"]) == [b"\x01"]


def wrong_or_none(name: str, outgoing: list[object]) -> list[object]:
    change = wrong(name).change
    assert change is not None
    return list(change(outgoing))  # type: ignore[arg-type]


def test_mistakes_in_a_plan_are_named() -> None:
    with pytest.raises(ValueError, match=r"the car sends no 'CM_SLAC_PARM.CNF'; it sends CM_SLAC_PARM.REQ"):
        lost("CM_SLAC_PARM.CNF")
    with pytest.raises(ValueError, match=r"CM_SLAC_PARM.REQ: .*runid"):
        wrong("CM_SLAC_PARM.REQ", runid=b"")
    with pytest.raises(MmeError, match=r"CM_SLAC_PARM.REQ: run_id: 1 bytes given, 8 needed"):
        wrong("CM_SLAC_PARM.REQ", run_id=b"1")


# --- the machine ---


def test_a_machine_that_has_not_begun_or_has_ended_does_nothing() -> None:
    car = EvMatcher(EV, ONCE)
    assert (car.running, car.due) == (False, None)
    assert car.receive(Link(up=True), 1.0) == []
    assert car.tick(2.0) == []
    car.start(3.0)
    car.stop()
    assert (car.running, car.due, car.tick(100.0)) == (False, None, [])


def test_start_begins_anew_with_another_run_id() -> None:
    car = EvMatcher(EV, ONCE)
    car.start(0.0)
    first = car.result.run_id
    car.start(1.0)
    assert car.result.run_id != first
    assert car.result.attempts == 1


def test_a_late_tick_makes_no_burst_of_sounds() -> None:
    car = EvMatcher(EV, ONCE)
    car.start(0.0)
    answer = mme.SlacParmCnf(forwarding_sta=EV, run_id=car.result.run_id)
    car.receive(Frame(EV, EVSE, None, answer), 0.01)
    actions = car.tick(5.0)  # the runner was held up for seconds
    assert len([each for each in actions if isinstance(each, Send)]) == 1
    assert car.due == pytest.approx(5.03)


def test_a_charger_that_is_watched_says_nothing_while_no_car_has_the_key() -> None:
    charger = EvseMatcher(EVSE)
    w = World([], [charger])
    w.plug_in()
    w.run(30.0)
    assert [each.frame.mme.name for each in w.seen] == ["CM_SET_KEY.REQ"]


# --- hostile frames ---

_KINDS = st.sampled_from(sorted(mme.known_mmes(), key=lambda each: each.name))
_MACS = st.sampled_from([EV, EV2, EVSE, BROADCAST, bytes(6)])


@st.composite
def _frames(draw: st.DrawFn) -> Frame:
    kind = draw(_KINDS)
    head = mme.encode(kind())[: 6 if kind.mmv == 0 else 5]
    body = mme.encode(kind())[len(head) :]
    changed = bytearray(body)
    for at in draw(st.lists(st.integers(0, max(0, len(body) - 1)), max_size=4)):
        if body:
            changed[at] = draw(st.integers(0, 255))
    try:
        message = mme.decode(head + bytes(changed))
    except MmeError:
        message = kind()
    if draw(st.booleans()) and hasattr(message, "run_id"):
        message = type(message)(**{"run_id": b"12345678"})  # the one that the machines below have
    return Frame(draw(_MACS), draw(_MACS), None, message)


_INPUTS = st.lists(
    st.tuples(
        st.one_of(
            _frames(),
            st.builds(Link, st.booleans()),
            st.builds(Pilot, st.sampled_from("ABCDEF")),
            st.none(),
        ),
        st.floats(0, 5),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(_INPUTS, st.sampled_from(["offered", "failure", "not_required"]))
def test_a_charger_survives_any_inputs_in_any_order(
    inputs: list[tuple[object, float]], validation: str
) -> None:
    charger = EvseMatcher(EVSE, EvseConfig(validation=validation, amp_map=b"\1"))  # type: ignore[arg-type]
    t = 0.0
    for what, pause in inputs:
        t += pause
        actions = charger.tick(t) if what is None else charger.receive(what, t)  # type: ignore[arg-type]
        assert all(isinstance(each, Send | Step) for each in actions)
        assert charger.due is None or charger.due > t
    assert len(charger.sessions()) <= 8


@settings(max_examples=200, deadline=None)
@given(_INPUTS, st.sampled_from(["auto", "always", "never"]))
def test_a_car_survives_any_inputs_in_any_order(inputs: list[tuple[object, float]], validate: str) -> None:
    config = EvConfig(validate=validate, amp_map=b"\1", listen_s=1.0)  # type: ignore[arg-type]
    car = EvMatcher(EV, config, random_bytes=lambda count: b"1234567812345678"[:count])
    t = 0.0
    car.start(t)
    for what, pause in inputs:
        t += pause / 10
        if what is None:
            car.tick(t)
        else:
            car.receive(what, t)  # type: ignore[arg-type]
        assert car.due is None or car.due > t
    while car.due is not None:
        car.tick(car.due)
    assert not car.running
    assert car.result.reason
