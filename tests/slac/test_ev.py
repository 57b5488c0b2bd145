"""The car's side of SLAC in virtual time: every timer, repetition, threshold and check."""

from __future__ import annotations

import dataclasses

import pytest

from bench.slac import mme
from bench.slac.config import EvConfig, EvseConfig
from bench.slac.ev import EvMatcher
from bench.slac.evse import EvseMatcher
from bench.slac.evse_policy import EvsePolicy, Pairing
from bench.slac.keys import nid_from_nmk
from bench.slac.mme import BROADCAST
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


def test_a_matching_links_and_gives_its_figures() -> None:
    w, car, charger = world()
    w.match()
    result = car.result
    assert (result.linked, result.matched, result.reason) == (True, True, "linked")
    assert (result.evse_mac, result.nid, result.nmk) == (EVSE, charger.nid, charger.nmk)
    assert result.nid == nid_from_nmk(result.nmk or b"")
    assert (result.average_db, result.groups_db, result.sounds) == (12.0, (12,) * 58, 10)
    assert result.sound_interval_s == (near(0.03), near(0.03))
    assert [each.name for each in result.steps] == [
        "CM_SLAC_PARM",
        "sounding",
        "attenuation",
        "CM_SLAC_MATCH",
        "join",
    ]
    assert [each.duration_s for each in result.steps] == [
        near(0.002),
        near(12 * 0.03),
        near(12 * 0.03 + 0.003),  # from the first CM_START_ATTEN_CHAR.IND, as its limit
        near(0.002),
        near(0.3),
    ]
    assert (result.retries, result.problems, result.attempts) == ({}, [], 1)
    w.run(1.0)
    assert (charger.state, charger.ev_mac) == ("matched", EV)


def test_the_messages_are_those_of_the_standard() -> None:
    w, car, _ = world()
    w.match()
    run_id = car.result.run_id
    (parm,) = w.sent(mme.SlacParmReq)
    assert (parm.frame.destination, parm.frame.mme) == (BROADCAST, mme.SlacParmReq(run_id=run_id))
    starts = w.sent(mme.StartAttenCharInd)
    assert [each.frame.mme for each in starts] == [
        mme.StartAttenCharInd(num_sounds=10, time_out=6, resp_type=1, forwarding_sta=EV, run_id=run_id)
    ] * 3
    sounds = [each.frame.mme for each in w.sent(mme.MnbcSoundInd)]
    assert [each.cnt for each in sounds if isinstance(each, mme.MnbcSoundInd)] == list(range(9, -1, -1))
    assert {each.frame.destination for each in w.sent(mme.MnbcSoundInd)} == {BROADCAST}
    (response,) = w.sent(mme.AttenCharRsp)
    assert (response.frame.destination, response.frame.mme) == (
        EVSE,
        mme.AttenCharRsp(source_address=EV, run_id=run_id),
    )
    (request,) = w.sent(mme.SlacMatchReq)
    assert (request.frame.destination, request.frame.mme) == (
        EVSE,
        mme.SlacMatchReq(pev_mac=EV, evse_mac=EVSE, run_id=run_id),
    )


def test_json_has_the_limits_with_their_source_and_no_key_unless_asked() -> None:
    w, car, _ = world()
    w.match()
    plain, full = car.result.to_json(), car.result.to_json(secrets=True)
    nmk = (car.result.nmk or b"").hex()
    assert nmk not in str(plain)
    assert nmk not in repr(car.result)
    assert full["nmk"] == nmk
    limit = next(each for each in plain["limits"] if each["name"] == "slac.TT_match_response")
    assert (limit["value"], limit["confidence"]) == (0.2, "source2")
    assert all(each["source"] for each in plain["limits"])


# --- CM_SLAC_PARM ---


def test_parm_req_is_sent_three_times_200_ms_apart_and_the_matching_repeated_after_the_rate() -> None:
    w, car, charger = world(EvConfig())
    w.drop = lambda frame: isinstance(frame.mme, mme.SlacParmReq)
    w.match()
    times = [each.t - w.sent(mme.SlacParmReq)[0].t for each in w.sent(mme.SlacParmReq)]
    assert times == [near(each) for each in (0, 0.2, 0.4, 1.0, 1.2, 1.4, 2.0, 2.2, 2.4)]
    run_ids = [each.frame.mme.run_id for each in w.sent(mme.SlacParmReq)]  # type: ignore[attr-defined]
    assert [len(set(run_ids[at : at + 3])) for at in (0, 3, 6)] == [1, 1, 1]
    assert len(set(run_ids)) == 3
    assert (car.result.linked, car.result.attempts) == (False, 3)
    assert car.result.reason == "no valid CM_SLAC_PARM.CNF within 0.2 s, asked 3 times"
    assert car.result.retries == {"CM_SLAC_PARM.REQ": 6}
    assert charger.state == "unmatched"


def test_no_matching_begins_after_the_repetition_time() -> None:
    w, car, _ = world(EvConfig(attempts=100))
    w.drop = lambda frame: isinstance(frame.mme, mme.SlacParmReq)
    w.match()
    last = w.sent(mme.SlacParmReq)[-3].t - w.sent(mme.SlacParmReq)[0].t
    assert last == near(9.0)  # one each second; the next would begin at 10 s
    assert car.result.attempts == 10


def test_a_lost_confirmation_is_asked_for_again() -> None:
    w, car, _ = world()
    w.drop = lambda frame: isinstance(frame.mme, mme.SlacParmCnf) and len(w.sent(mme.SlacParmCnf)) <= 2
    w.match()
    assert car.result.linked
    assert car.result.retries == {"CM_SLAC_PARM.REQ": 2}
    assert car.result.steps[0].duration_s == near(0.402)


class _Parm(EvsePolicy):
    """Changes the fields of CM_SLAC_PARM.CNF."""

    def __init__(self, **values: object) -> None:
        self.values = values

    def parm_confirmation(self, pairing: Pairing) -> mme.SlacParmCnf:
        return dataclasses.replace(super().parm_confirmation(pairing), **self.values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"run_id": bytes(8)}, "RunID 0000000000000000"),
        ({"application_type": 255}, "APPLICATION_TYPE 0xff"),
        ({"security_type": 255}, "SECURITY_TYPE 0xff"),
        ({"forwarding_sta": EVSE}, "FORWARDING_STA 02:00:00:00:5e:01"),
    ],
)
def test_a_confirmation_for_another_counts_as_missing(values: dict[str, object], text: str) -> None:
    w, car, _ = world(policy=_Parm(**values))
    w.match()
    assert not car.result.matched
    assert text in car.result.reason
    assert len(w.sent(mme.SlacParmReq)) == 3
    assert not w.sent(mme.StartAttenCharInd)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"num_sounds": 9}, "NUM_SOUNDS 9, not 10"),
        ({"time_out": 5}, "TIME_OUT 5, not 6"),
        ({"resp_type": 0}, "RESP_TYPE 0, not 1"),
        ({"m_sound_target": EV}, "M-SOUND_TARGET 02:00:00:00:0e:01"),
    ],
)
def test_other_sounding_parameters_are_a_problem_and_for_a_strict_car_the_end(
    values: dict[str, object], text: str
) -> None:
    w, car, _ = world(policy=_Parm(**values))
    w.match()
    assert car.result.linked
    assert text in car.result.problems[0]
    w, car, _ = world(EvConfig(attempts=1, strict=True), policy=_Parm(**values))
    w.match()
    assert not car.result.matched
    assert text in car.result.reason


def test_as_many_sounds_are_sent_as_the_charger_says() -> None:
    w, car, _ = world(policy=_Parm(num_sounds=7))
    w.match()
    assert (car.result.sounds, len(w.sent(mme.MnbcSoundInd))) == (7, 7)
    assert car.result.linked


# --- attenuation ---


class _Atten(EvsePolicy):
    """Changes the fields of CM_ATTEN_CHAR.IND."""

    def __init__(self, **values: object) -> None:
        self.values = values

    def attenuation(self, pairing: Pairing, profiles: object) -> mme.AttenCharInd:
        return dataclasses.replace(super().attenuation(pairing, profiles), **self.values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"run_id": bytes(8)}, "RunID 0000000000000000"),
        ({"application_type": 1}, "APPLICATION_TYPE 0x01"),
        ({"security_type": 1}, "SECURITY_TYPE 0x01"),
        ({"source_address": EVSE}, "SOURCE_ADDRESS 02:00:00:00:5e:01"),
        ({"source_id": b"\1" * 17}, "SOURCE_ID 01"),
        ({"resp_id": b"\1" * 17}, "RESP_ID 01"),
        ({"num_sounds": 0}, "NUM_SOUNDS 0"),
        ({"num_groups": 57, "aag": bytes(57)}, "NumGroups 57, not 58"),
    ],
)
def test_a_wrong_attenuation_is_not_answered(values: dict[str, object], text: str) -> None:
    w, car, _ = world(policy=_Atten(**values))
    w.match()
    assert not car.result.matched
    assert text in car.result.reason
    assert not w.sent(mme.AttenCharRsp)
    assert len(w.sent(mme.AttenCharInd)) == 3  # the charger repeats it twice


def test_attenuation_is_awaited_for_1200_ms_of_the_first_start() -> None:
    w, car, _ = world()
    w.drop = lambda frame: isinstance(frame.mme, mme.AttenCharInd)
    w.match()
    began, ended = w.sent(mme.StartAttenCharInd)[0].t, w.t
    assert ended - began == near(1.2)
    assert car.result.reason.startswith("no valid CM_ATTEN_CHAR.IND within 1.2 s")


def test_a_repeated_indication_is_answered_each_time() -> None:
    w, car, _ = world()
    w.drop = lambda frame: isinstance(frame.mme, mme.AttenCharRsp) and len(w.sent(mme.AttenCharRsp)) == 1
    w.match()
    assert len(w.sent(mme.AttenCharRsp)) == 2
    assert car.result.evses[0].attenuation_indications == 2


def test_the_charger_with_the_lowest_attenuation_is_taken() -> None:
    car = EvMatcher(EV, ONCE)
    chargers = [EvseMatcher(EVSE2), EvseMatcher(EVSE)]
    w = World([car], chargers, Line(db={(EV, EVSE): 21, (EV, EVSE2): 44}))
    w.match()
    assert car.result.linked
    assert car.result.evse_mac == EVSE
    assert [(each.mac, each.average_db) for each in car.result.evses] == [(EVSE2, 44.0), (EVSE, 21.0)]
    assert [each.frame.destination for each in w.sent(mme.SlacMatchReq)] == [EVSE]


def test_a_second_charger_that_stays_silent_costs_the_whole_time_but_no_more() -> None:
    car = EvMatcher(EV, ONCE)
    w = World([car], [EvseMatcher(EVSE), EvseMatcher(EVSE2)])
    w.drop = lambda frame: isinstance(frame.mme, mme.AttenCharInd) and frame.source == EVSE2
    w.match()
    assert car.result.linked
    assert w.sent(mme.SlacMatchReq)[0].t - w.sent(mme.StartAttenCharInd)[0].t == near(1.2)


@pytest.mark.parametrize(
    ("db", "validate", "outcome"),
    [(65, "auto", "direct"), (66, "never", ""), (76, "auto", ""), (75, "auto", "validated")],
)
def test_thresholds(db: int, validate: str, outcome: str) -> None:
    config = EvConfig(attempts=1, validate=validate)  # type: ignore[arg-type]
    w, car, _ = world(config, line=Line(default_db=db))
    w.match()
    assert (car.result.found, car.result.linked) == (outcome, bool(outcome))
    if not outcome:
        assert f"the lowest attenuation is {db:.1f} dB" in car.result.reason


def test_thresholds_can_be_set() -> None:
    config = EvConfig(attempts=1, overrides={"direct_db": 10, "indirect_db": 11})
    w, car, _ = world(config, line=Line(default_db=12))
    w.match()
    assert "the limits are 10 dB (direct) and 11 dB (after validation)" in car.result.reason
    limit = next(each for each in car.result.limits if each["name"] == "slac.direct_db")
    assert limit["value"] == 10
    assert "instead of 65" in limit["note"]


def test_an_unknown_limit_is_named() -> None:
    with pytest.raises(KeyError, match="no limit 'direct'"):
        EvMatcher(EV, EvConfig(overrides={"direct": 3}))


def test_a_bench_file_may_say_other_limits() -> None:
    with timers.overridden({"slac.TT_match_response": 0.3}, "bench.toml"):
        w, _car, _ = world()
    w.drop = lambda frame: isinstance(frame.mme, mme.SlacParmReq)
    w.match()
    first, second, _ = (each.t for each in w.sent(mme.SlacParmReq))
    assert second - first == near(0.3)
