"""The car's side of SLAC in virtual time, from validation to the amplitude map, and foreign traffic."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from bench.slac import mme
from bench.slac.config import EvConfig, EvseConfig
from bench.slac.ev import EvMatcher
from bench.slac.evse import EvseMatcher
from bench.slac.evse_policy import EvsePolicy
from bench.slac.faults import lost
from bench.slac.machine import Send
from bench.slac.mme import BROADCAST, Frame
from bench.v2g import timers
from tests.slac.virtual import EV, EVSE, EVSE2, Line, World

ONCE = EvConfig(attempts=1)


def world(
    config: EvConfig = ONCE,
    policy: EvsePolicy | None = None,
    evse: EvseConfig | None = None,
    line: Line | None = None,
) -> tuple[World, EvMatcher, EvseMatcher]:
    car, charger = EvMatcher(EV, config), EvseMatcher(EVSE, evse, policy)
    return World([car], [charger], line), car, charger


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


# --- validation ---

VALIDATE = EvConfig(attempts=1, validate="always")


@pytest.mark.parametrize("toggles", [1, 2, 3])
def test_validation_toggles_the_pilot(toggles: int) -> None:
    config = EvConfig(attempts=1, validate="always", toggles=toggles)
    w, car, _ = world(config)
    w.match()
    assert car.result.linked
    assert (car.result.found, car.result.toggles_counted) == ("validated", toggles)
    assert [state for _, state in w.pilots] == ["C", "B"] * toggles
    gaps = [after - before for (before, _), (after, _) in zip(w.pilots, w.pilots[1:], strict=False)]
    assert gaps == [near(0.3)] * (2 * toggles - 1)
    first, second = (each.frame.mme for each in w.sent(mme.ValidateReq))
    assert first == mme.ValidateReq(signal_type=0, timer=0, result=1)
    assert isinstance(second, mme.ValidateReq)
    whole = timers.get("slac.TP_EV_vald_toggle")
    assert (whole.minimum or 0) <= (second.timer + 1) / 10 <= (whole.maximum or 0)


@pytest.mark.parametrize("toggles", [0, 4])
def test_one_to_three_toggles(toggles: int) -> None:
    with pytest.raises(ValueError, match="1 to 3"):
        EvMatcher(EV, EvConfig(toggles=toggles))


def test_a_wrong_count_of_toggles_is_no_success() -> None:
    class Miscounts(EvsePolicy):
        def validation(self, toggles: int) -> mme.ValidateCnf:
            return mme.ValidateCnf(toggle_num=toggles + 1, result=mme.VALIDATE_SUCCESS)

    w, car, _ = world(VALIDATE, policy=Miscounts())
    w.match()
    assert not car.result.matched
    assert "3 toggles; 2 were made" in " ".join(car.result.problems)
    assert not w.sent(mme.SlacMatchReq)


def test_a_charger_that_cannot_validate_is_left_and_the_next_one_asked() -> None:
    car = EvMatcher(EV, VALIDATE)
    chargers = [EvseMatcher(EVSE, EvseConfig(validation="failure")), EvseMatcher(EVSE2)]
    w = World([car], chargers, Line(db={(EV, EVSE): 20, (EV, EVSE2): 30}))
    w.match()
    assert car.result.evse_mac == EVSE2
    assert [each.frame.destination for each in w.sent(mme.ValidateReq)] == [EVSE, EVSE2, EVSE2]


def test_a_charger_that_needs_no_validation_is_taken() -> None:
    w, car, _ = world(VALIDATE, evse=EvseConfig(validation="not_required"))
    w.match()
    assert (car.result.found, car.result.linked, w.pilots) == ("not required", True, [])


def test_validation_without_answer_is_asked_three_times() -> None:
    w, car, _ = world(VALIDATE)
    w.drop = lambda frame: isinstance(frame.mme, mme.ValidateCnf)
    w.match()
    times = [each.t - w.sent(mme.ValidateReq)[0].t for each in w.sent(mme.ValidateReq)]
    assert times == [near(0), near(0.2), near(0.4)]
    assert car.result.retries == {"CM_VALIDATE.REQ": 2}
    assert not car.result.matched


# --- CM_SLAC_MATCH ---


def test_match_req_is_sent_three_times() -> None:
    w, car, _ = world()
    w.drop = lambda frame: isinstance(frame.mme, mme.SlacMatchReq)
    w.match()
    times = [each.t - w.sent(mme.SlacMatchReq)[0].t for each in w.sent(mme.SlacMatchReq)]
    assert times == [near(0), near(0.2), near(0.4)]
    assert car.result.retries == {"CM_SLAC_MATCH.REQ": 2}
    assert "asked 3 times" in car.result.reason


class _Match(EvsePolicy):
    """Changes the fields of CM_SLAC_MATCH.CNF."""

    def __init__(self, **values: object) -> None:
        self.values = values

    def match_confirmation(self, request: mme.SlacMatchReq, nid: bytes, nmk: bytes) -> mme.SlacMatchCnf:
        answer = super().match_confirmation(request, nid, nmk)
        return dataclasses.replace(answer, **self.values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"mvf_length": 0}, "MVFLength 0x0000, not 0x0056"),
        ({"application_type": 1}, "APPLICATION_TYPE"),
        ({"security_type": 1}, "SECURITY_TYPE"),
        ({"run_id": bytes(8)}, "RunID"),
        ({"pev_mac": EVSE}, "PEV_MAC"),
        ({"evse_mac": EV}, "EVSE_MAC"),
        ({"pev_id": b"\1" * 17}, "PEV_ID"),
        ({"evse_id": b"\1" * 17}, "EVSE_ID"),
        ({"nmk": bytes(16)}, "NMK is zero"),
    ],
)
def test_a_wrong_match_confirmation_counts_as_missing(values: dict[str, object], text: str) -> None:
    w, car, _ = world(policy=_Match(**values))
    w.match()
    assert not car.result.matched
    assert text in car.result.reason
    assert len(w.sent(mme.SlacMatchReq)) == 3


def test_a_nid_that_is_not_that_of_the_key_is_a_problem() -> None:
    w, car, _ = world(policy=_Match(nid=b"\1" * 7))
    w.match()
    assert car.result.matched
    assert "is not that of the NMK" in car.result.problems[0]


# --- join and amplitude map ---


def test_join_is_awaited_for_12_s() -> None:
    w, car, _ = world(policy=_Match(nmk=b"\7" * 16))
    w.match()
    assert (car.result.matched, car.result.linked) == (True, False)
    assert car.result.steps[-1].duration_s == near(12.0)
    assert car.result.reason.startswith("no link within 12 s")


def test_a_car_without_modem_ends_when_it_is_matched() -> None:
    w, car, _ = world(EvConfig(attempts=1, join=False))
    w.match()
    assert (car.result.matched, car.result.linked) == (True, False)
    assert "not joined, as asked" in car.result.reason


def test_amplitude_map_is_sent_three_times_without_answer() -> None:
    class Refuses(EvsePolicy):
        def accepts_amp_map(self, message: mme.AmpMapReq) -> bool:
            return False

    config = EvConfig(attempts=1, amp_map=b"\x11\x22", listen_s=0.5)
    w, car, _ = world(config, policy=Refuses())
    w.match()
    requests = w.sent(mme.AmpMapReq)
    assert [each.t - requests[0].t for each in requests] == [near(0), near(0.2), near(0.4)]
    assert requests[0].frame.mme == mme.AmpMapReq(amlen=4, amdata=b"\x11\x22")
    assert car.result.linked
    assert "no CM_AMP_MAP.CNF" in car.result.problems[-1]


def test_amplitude_maps_go_both_ways() -> None:
    config = EvConfig(attempts=1, listen_s=1.0)
    w, car, charger = world(config, evse=EvseConfig(amp_map=b"\x33"))
    w.match()
    w.run(3.0)
    assert len(w.sent(mme.AmpMapReq, EVSE)) == 1
    assert len(w.sent(mme.AmpMapCnf, EV)) == 1
    assert (car.result.linked, charger.state) == (True, "matched")


# --- foreign traffic ---


def test_frames_for_other_cars_and_own_ones_are_not_heard() -> None:
    car = EvMatcher(EV, ONCE)
    car.start(0.0)
    run_id = car.result.run_id
    answer = mme.SlacParmCnf(forwarding_sta=EV, run_id=run_id)
    assert car.receive(Frame(EVSE2, EVSE, None, answer), 0.01) == []
    assert car.receive(Frame(BROADCAST, EV, None, answer), 0.02) == []
    assert car.result.evses == []
    assert car.receive(Frame(EV, EVSE, None, answer), 0.03) != []


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (mme.ValidateReq, lambda _: mme.ValidateCnf(result=mme.VALIDATE_READY)),
        (mme.SlacMatchReq, lambda request: EvsePolicy().match_confirmation(request, bytes(7), b"\7" * 16)),
        (mme.AmpMapReq, lambda _: mme.AmpMapCnf(res_type=0)),
    ],
    ids=["CM_VALIDATE.CNF", "CM_SLAC_MATCH.CNF", "CM_AMP_MAP.CNF"],
)
def test_the_answer_of_another_station_is_none(
    asked: type[mme.Mme], answer: Callable[[mme.Mme], mme.Mme]
) -> None:
    validate = "always" if asked is mme.ValidateReq else "auto"
    w, _car, _ = world(EvConfig(attempts=1, validate=validate, amp_map=b"\1"))  # type: ignore[arg-type]
    stranger = EVSE2

    def drop(frame: Frame) -> bool:
        if isinstance(frame.mme, asked):
            w.send(answer(frame.mme), source=stranger, destination=EV)
            return True
        return False

    w.drop = drop
    w.match()
    assert len(w.sent(asked)) == 3


def test_an_attenuation_alone_does_not_begin_the_sounding() -> None:
    car = EvMatcher(EV, ONCE)
    car.start(0.0)
    stray = mme.AttenCharInd(source_address=EV, run_id=car.result.run_id)
    car.receive(Frame(EV, EVSE, None, stray), 0.01)
    assert not any(isinstance(each, Send) and each.name.startswith("CM_START") for each in car.tick(0.199))
    assert car.due == near(0.2)


def test_a_flood_of_chargers_is_bounded() -> None:
    car = EvMatcher(EV, ONCE)
    car.start(0.0)
    for number in range(2000):
        source = number.to_bytes(6, "big")
        wrong = mme.SlacParmCnf(forwarding_sta=EV, run_id=number.to_bytes(8, "big"))
        right = mme.SlacParmCnf(forwarding_sta=EV, run_id=car.result.run_id)
        car.receive(Frame(EV, source, None, wrong), 0.01)
        car.receive(Frame(EV, source, None, right), 0.01)
    assert len(car.result.evses) == 32
    assert len(car.result.problems) == 100


def test_a_frame_that_came_before_the_timer_ran_out_counts_even_if_read_late() -> None:
    car = EvMatcher(EV, EvConfig(attempts=1, overrides={"C_EV_match_retry": 0}))
    car.start(0.0)
    answer = mme.SlacParmCnf(forwarding_sta=EV, run_id=car.result.run_id)
    car.receive(Frame(EV, EVSE, None, answer), 0.199)
    car.tick(0.25)
    assert car.running
    late = EvMatcher(EV, EvConfig(attempts=1, overrides={"C_EV_match_retry": 0}))
    late.start(0.0)
    answer = mme.SlacParmCnf(forwarding_sta=EV, run_id=late.result.run_id)
    late.receive(Frame(EV, EVSE, None, answer), 0.201)
    assert not late.running


def test_two_cars_at_once_are_matched_one_after_the_other() -> None:
    first, second = EvMatcher(EV, ONCE), EvMatcher(bytes.fromhex("020000000e02"), EvConfig())
    charger = EvseMatcher(EVSE)
    w = World([first, second], [charger])
    w.match()
    linked = [car for car in (first, second) if car.result.linked]
    assert len(linked) == 1
    assert charger.ev_mac in (None, linked[0].mac)
    assert len({first.result.run_id, second.result.run_id}) == 2


def test_a_lost_sound_is_averaged_away() -> None:
    car = EvMatcher(EV, ONCE, [lost("CM_MNBC_SOUND.IND")])
    w = World([car], [EvseMatcher(EVSE)])
    w.match()
    assert car.result.linked
    assert car.result.evses[0].num_sounds == 9
