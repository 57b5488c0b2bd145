"""The charger's side of SLAC in virtual time, row by row of ISO 15118-5 TC_SECC_CMN_VTB_* (ids in the
tests).
"""

from __future__ import annotations

import pytest

from bench.slac import mme
from bench.slac.config import EvConfig, EvseConfig
from bench.slac.ev import EvMatcher
from bench.slac.evse import EvseMatcher
from bench.slac.evse_policy import EvsePolicy
from bench.slac.faults import (
    Fault,
    duplicated,
    fewer_sounds,
    late,
    lost,
    pilot,
    restart,
    skip,
    wrong,
    wrong_run_id,
)
from bench.slac.keys import nid_from_nmk
from tests.slac.virtual import EV, EV2, EVSE, World

ZERO_MAC = bytes(6)
SOME_ID = b"\1" * 17


def run(
    *faults: Fault, config: EvConfig | None = None, evse: EvseConfig | None = None
) -> tuple[World, EvMatcher, EvseMatcher]:
    """A matching of a car with these deviations."""
    car = EvMatcher(EV, config or EvConfig(attempts=1), faults)
    charger = EvseMatcher(EVSE, evse)
    w = World([car], [charger])
    w.match()
    return w, car, charger


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


def steps(w: World, name: str) -> list[dict[str, object]]:
    return [data for _, each, data in w.steps if each == name]


# --- CmSlacParm ---


@pytest.mark.parametrize("state", ["B", "C", "D"])
def test_cm_slac_parm_001_to_003_the_answer_in_every_plugged_state(state: str) -> None:
    charger = EvseMatcher(EVSE)
    w = World([], [charger])
    w.set_pilot(state)
    run_id = bytes.fromhex("41422d2b00ff0a7f")  # BX_SLAC_RUNID8: not an address, all 8 bytes come back
    w.send(mme.SlacParmReq(run_id=run_id), source=EV)
    w.run(0.1)
    (answer,) = w.sent(mme.SlacParmCnf)
    assert answer.frame.destination == EV
    assert answer.frame.mme == mme.SlacParmCnf(
        m_sound_target=b"\xff" * 6, num_sounds=10, time_out=6, resp_type=1, forwarding_sta=EV, run_id=run_id
    )


def test_cm_slac_parm_004_nothing_is_answered_after_the_init_time() -> None:
    w, car, charger = run(late("CM_SLAC_PARM.REQ", 50.5))
    assert not w.sent(mme.SlacParmCnf)
    assert (charger.state, charger.reason) == ("failed", "no CM_SLAC_PARM.REQ within 50 s")
    assert not car.result.matched


def test_a_request_just_within_the_init_time_is_answered() -> None:
    _, car, _ = run(late("CM_SLAC_PARM.REQ", 49.5))
    assert car.result.linked


@pytest.mark.parametrize("field", ["application_type", "security_type"])
def test_cm_slac_parm_005_006_bad_types_are_unanswered_and_do_not_prolong_the_init_time(field: str) -> None:
    w, _, charger = run(
        wrong("CM_SLAC_PARM.REQ", **{field: 0xFF}, last=2), late("CM_SLAC_PARM.REQ", 51, first=3, last=3)
    )
    assert len(w.sent(mme.SlacParmReq)) == 3
    assert not w.sent(mme.SlacParmCnf)
    assert charger.state == "failed"


def test_cm_slac_parm_007_unplugged_means_unanswered() -> None:
    w, _, charger = run(pilot("A", before="CM_SLAC_PARM.REQ"))
    assert not w.sent(mme.SlacParmCnf)
    assert charger.state == "unplugged"


def test_after_a_failure_start_begins_anew() -> None:
    w, _, charger = run(late("CM_SLAC_PARM.REQ", 50.5))
    w.carry_out(charger, charger.start(w.t))
    assert charger.state == "unmatched"
    w.send(mme.SlacParmReq(), source=EV)
    w.run(0.1)
    assert len(w.sent(mme.SlacParmCnf)) == 1


# --- AttenuationCharacterization ---


def test_attenuation_001_good_case() -> None:
    w, _, charger = run()
    (indication,) = w.sent(mme.AttenCharInd)
    assert indication.frame.destination == EV
    assert indication.frame.mme == mme.AttenCharInd(
        source_address=EV, run_id=_run_id(w), num_sounds=10, num_groups=58, aag=bytes([12] * 58)
    )
    assert charger.failures == 0


def _run_id(w: World, at: int = -1) -> bytes:
    message = w.sent(mme.SlacParmReq)[at].frame.mme
    assert isinstance(message, mme.SlacParmReq)
    return message.run_id


@pytest.mark.parametrize(
    "after",
    [
        "CM_SLAC_PARM.REQ",
        "CM_START_ATTEN_CHAR.IND",
        "CM_MNBC_SOUND.IND",
        "CM_ATTEN_CHAR.RSP",
        "CM_SLAC_MATCH.REQ",
    ],
)
def test_attenuation_002_and_fb_03_a_car_may_begin_anew_in_every_step(after: str) -> None:
    w, car, _ = run(restart(after))
    assert car.result.linked
    assert len(w.sent(mme.SlacParmReq)) == 2
    assert _run_id(w, 0) != _run_id(w, 1) == car.result.run_id
    last = w.sent(mme.AttenCharInd)[-1].frame.mme
    assert isinstance(last, mme.AttenCharInd)
    assert (last.run_id, last.num_sounds) == (car.result.run_id, 10)


def test_attenuation_002_the_same_request_between_the_sounds_does_not_disturb_them() -> None:
    car, charger = EvMatcher(EV, EvConfig(attempts=1)), EvseMatcher(EVSE)
    w = World([car], [charger])
    w.start()
    w.run(until=lambda: len(w.sent(mme.MnbcSoundInd)) == 5)
    w.send(mme.SlacParmReq(run_id=car.result.run_id), source=EV)
    w.run(10, until=lambda: not car.running)
    assert len(w.sent(mme.SlacParmCnf)) == 2
    assert car.result.linked
    assert car.result.evses[0].num_sounds == 10


def test_attenuation_003_fewer_sounds_end_with_the_mnbc_timer() -> None:
    w, car, _ = run(fewer_sounds(9))
    (indication,) = w.sent(mme.AttenCharInd)
    first_start = w.sent(mme.StartAttenCharInd)[0].t + 0.001
    assert indication.t - first_start == near(0.6)
    assert indication.frame.mme.num_sounds == 9  # type: ignore[attr-defined]
    assert car.result.linked


def test_bx_slac_manystart_three_starts_are_taken_as_one() -> None:
    w, _, _ = run(fewer_sounds(3))
    (indication,) = w.sent(mme.AttenCharInd)
    assert indication.t - w.sent(mme.StartAttenCharInd)[0].t == near(0.601)


def _given_up(w: World) -> None:
    """CM_ATTEN_CHAR.IND was sent three times, 200 ms apart; a CM_SLAC_MATCH.REQ after it is unanswered."""
    times = [each.t - w.sent(mme.AttenCharInd)[0].t for each in w.sent(mme.AttenCharInd)]
    assert times == [near(0), near(0.2), near(0.4)]
    w.run(1.0)
    w.send(mme.SlacMatchReq(pev_mac=EV, evse_mac=EVSE, run_id=_run_id(w)), source=EV, destination=EVSE)
    w.run(1.0)
    assert not w.sent(mme.SlacMatchCnf)


def test_attenuation_004_the_indication_is_repeated_twice() -> None:
    # the car goes no further: it would match at once, having all it needs
    w, _, charger = run(skip("CM_ATTEN_CHAR.RSP"), late("CM_SLAC_MATCH.REQ", 2.0))
    _given_up(w)
    assert charger.reason == "no valid CM_ATTEN_CHAR.RSP"


@pytest.mark.parametrize("times", [1, 2])
def test_fb_02_one_or_two_lost_responses_are_survived(times: int) -> None:
    w, car, _ = run(lost("CM_ATTEN_CHAR.RSP", times), late("CM_SLAC_MATCH.REQ", 1.0))
    assert car.result.linked
    assert len(w.sent(mme.AttenCharInd)) == times + 1


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"application_type": 0xFF}, id="005"),
        pytest.param({"security_type": 0xFF}, id="006"),
        pytest.param({"source_address": ZERO_MAC}, id="007"),
        pytest.param({"run_id": bytes(8)}, id="008"),
        pytest.param({"source_id": SOME_ID}, id="009"),
        pytest.param({"resp_id": SOME_ID}, id="010"),
        pytest.param({"result": 0xFF}, id="011"),
    ],
)
def test_attenuation_005_to_011_a_bad_response_counts_as_missing(values: dict[str, object]) -> None:
    w, _, _ = run(wrong("CM_ATTEN_CHAR.RSP", **values), late("CM_SLAC_MATCH.REQ", 2.0))
    _given_up(w)


def test_attenuation_012_sounding_that_begins_too_late() -> None:
    w, _, charger = run(late("CM_START_ATTEN_CHAR.IND", 0.45))
    assert not w.sent(mme.AttenCharInd)
    assert charger.reason == "no valid CM_START_ATTEN_CHAR.IND within 0.4 s of CM_SLAC_PARM.CNF"


def test_sounding_that_begins_just_in_time() -> None:
    _, car, _ = run(late("CM_START_ATTEN_CHAR.IND", 0.35))
    assert car.result.linked


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"application_type": 0xFF}, id="013"),
        pytest.param({"security_type": 0xFF}, id="014"),
        pytest.param({"num_sounds": 0}, id="015"),
        pytest.param({"time_out": 0}, id="016"),
        pytest.param({"resp_type": 0}, id="017"),
        pytest.param({"run_id": bytes(8)}, id="018"),
        pytest.param({"forwarding_sta": EVSE}, id="FORWARDING_STA"),
    ],
)
def test_attenuation_013_to_018_a_bad_start_counts_as_missing(values: dict[str, object]) -> None:
    w, _, charger = run(wrong("CM_START_ATTEN_CHAR.IND", **values))
    assert len(w.sent(mme.MnbcSoundInd)) == 10
    assert not w.sent(mme.AttenCharInd)
    assert charger.state == "unmatched"
    assert charger.reason.startswith("no valid CM_START_ATTEN_CHAR.IND")


@pytest.mark.parametrize("number", [1, 5])
def test_attenuation_019_unplugged_while_it_sounds(number: int) -> None:
    w, _, charger = run(pilot("A", before="CM_MNBC_SOUND.IND", number=number))
    assert not w.sent(mme.AttenCharInd)
    assert charger.state == "unplugged"


def test_attenuation_020_two_runs_agree() -> None:
    groups = []
    for _ in range(2):
        _, car, _ = run()
        groups.append(car.result.groups_db)
    assert groups[0] == groups[1]


def test_groups_are_averaged_one_by_one_and_rounded() -> None:
    profiles = [bytes([10, 20, 255]), bytes([11, 20, 255]), bytes([11, 23, 255])]
    assert EvsePolicy().average(profiles) == bytes([11, 21, 255])


# --- CmValidate ---

VALIDATE = EvConfig(attempts=1, validate="always")


def test_cm_validate_001_good_case() -> None:
    w, car, _ = run(config=VALIDATE)
    first, second = (each.frame.mme for each in w.sent(mme.ValidateCnf))
    assert first == mme.ValidateCnf(toggle_num=0, result=mme.VALIDATE_READY)
    assert second == mme.ValidateCnf(toggle_num=2, result=mme.VALIDATE_SUCCESS)
    assert car.result.linked


def test_cm_validate_002_the_first_step_again() -> None:
    w, car, _ = run(duplicated("CM_VALIDATE.REQ", first=1, last=1), config=VALIDATE)
    results = [each.frame.mme.result for each in w.sent(mme.ValidateCnf)]  # type: ignore[attr-defined]
    assert results == [mme.VALIDATE_READY, mme.VALIDATE_READY, mme.VALIDATE_SUCCESS]
    assert car.result.linked


def test_cm_validate_003_silence_after_the_first_step() -> None:
    w, _, charger = run(skip("CM_VALIDATE.REQ", first=2), config=VALIDATE)
    w.run(2.0)
    times = [each.t - w.sent(mme.ValidateCnf)[0].t for each in w.sent(mme.ValidateCnf)]
    assert times == [near(0), near(0.4), near(0.8)]
    assert charger.reason == "no valid second CM_VALIDATE.REQ"


def test_cm_validate_004_wrong_signal_type_counts_as_missing() -> None:
    w, _, charger = run(wrong("CM_VALIDATE.REQ", first=2, signal_type=0xFF), config=VALIDATE)
    w.run(2.0)
    assert len(w.sent(mme.ValidateCnf)) == 3
    assert charger.reason == "no valid second CM_VALIDATE.REQ"


@pytest.mark.parametrize("result", [0, 2, 3, 4])
def test_cm_validate_005_to_008_another_result_ends_it(result: int) -> None:
    w, _, charger = run(wrong("CM_VALIDATE.REQ", first=2, result=result), config=VALIDATE)
    last = w.sent(mme.ValidateCnf)[-1].frame.mme
    assert last == mme.ValidateCnf(result=mme.VALIDATE_FAILURE)
    assert "in the second step" in charger.reason
    assert not w.sent(mme.SlacMatchCnf)


def test_cm_validate_009_a_second_car_is_not_ready() -> None:
    first = EvMatcher(EV, VALIDATE)
    second = EvMatcher(EV2, EvConfig(attempts=1, validate="always"), [late("CM_VALIDATE.REQ", 0.3)])
    w = World([first, second], [EvseMatcher(EVSE)])
    w.match()
    answers = [each.frame for each in w.sent(mme.ValidateCnf)]
    to_second = [each.mme for each in answers if each.destination == EV2]
    assert to_second[0] == mme.ValidateCnf(result=mme.VALIDATE_NOT_READY)
    assert first.result.linked


def test_cm_validate_010_a_charger_that_cannot() -> None:
    w, _, _ = run(config=VALIDATE, evse=EvseConfig(validation="failure"))
    (answer,) = w.sent(mme.ValidateCnf)
    assert answer.frame.mme == mme.ValidateCnf(result=mme.VALIDATE_FAILURE)


def test_cm_validate_011_not_required_and_then_the_second_step() -> None:
    car, charger = (
        EvMatcher(EV, VALIDATE, [late("CM_SLAC_MATCH.REQ", 5)]),
        EvseMatcher(EVSE, EvseConfig(validation="not_required")),
    )
    w = World([car], [charger])
    w.start()
    w.run(until=lambda: bool(w.sent(mme.ValidateCnf)))
    w.send(mme.ValidateReq(timer=9, result=mme.VALIDATE_READY), source=EV, destination=EVSE)
    for number, state in enumerate("CBCB"):
        w.at(w.t + 0.2 * (number + 1), lambda state=state: w.set_pilot(state))
    w.run(2.0)
    first, second = (each.frame.mme for each in w.sent(mme.ValidateCnf))
    assert first == mme.ValidateCnf(result=mme.VALIDATE_NOT_REQUIRED)
    assert second == mme.ValidateCnf(toggle_num=2, result=mme.VALIDATE_SUCCESS)


def test_cm_validate_012_not_required_and_then_match() -> None:
    _, car, _ = run(config=VALIDATE, evse=EvseConfig(validation="not_required"))
    assert car.result.linked


def test_cm_validate_013_unplugged_before_it() -> None:
    w, _, charger = run(pilot("A", before="CM_VALIDATE.REQ"), config=VALIDATE)
    assert not w.sent(mme.ValidateCnf)
    assert charger.state == "unplugged"


@pytest.mark.parametrize("toggles", [0, 4])
def test_no_toggle_or_too_many_are_no_success(toggles: int) -> None:
    assert EvsePolicy().validation(toggles).result == mme.VALIDATE_FAILURE


# --- CmSlacMatch ---


@pytest.mark.parametrize("config", [EvConfig(attempts=1), VALIDATE], ids=["001", "002"])
def test_cm_slac_match_001_002_the_answer(config: EvConfig) -> None:
    w, _, charger = run(config=config)
    (answer,) = w.sent(mme.SlacMatchCnf)
    assert answer.frame.destination == EV
    assert answer.frame.mme == mme.SlacMatchCnf(
        mvf_length=0x56, pev_mac=EV, evse_mac=EVSE, run_id=_run_id(w), nid=charger.nid, nmk=charger.nmk
    )
    assert charger.nid == nid_from_nmk(charger.nmk)


@pytest.mark.parametrize("config", [EvConfig(attempts=1), VALIDATE], ids=["003", "004"])
def test_cm_slac_match_003_004_asked_again(config: EvConfig) -> None:
    w, car, _ = run(duplicated("CM_SLAC_MATCH.REQ"), config=config)
    assert len(w.sent(mme.SlacMatchCnf)) == 2
    assert car.result.linked


@pytest.mark.parametrize("config", [EvConfig(attempts=1), VALIDATE], ids=["005", "006"])
def test_cm_slac_match_005_006_after_the_session_time(config: EvConfig) -> None:
    w, _, charger = run(late("CM_SLAC_MATCH.REQ", 10.1), config=config)
    assert w.sent(mme.SlacMatchReq)
    assert not w.sent(mme.SlacMatchCnf)
    assert charger.reason == "no valid CM_SLAC_MATCH.REQ within 10 s of CM_ATTEN_CHAR.RSP"


def test_a_match_request_just_within_the_session_time() -> None:
    _, car, _ = run(late("CM_SLAC_MATCH.REQ", 9.9))
    assert car.result.linked


@pytest.mark.parametrize("config", [EvConfig(attempts=1), VALIDATE], ids=["direct", "validated"])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"application_type": 0xFF}, id="007-008"),
        pytest.param({"security_type": 0xFF}, id="009-010"),
        pytest.param({"mvf_length": 0}, id="011-012"),
        pytest.param({"pev_id": SOME_ID}, id="013-014"),
        pytest.param({"pev_mac": ZERO_MAC}, id="015-016"),
        pytest.param({"evse_id": SOME_ID}, id="017-018"),
        pytest.param({"evse_mac": ZERO_MAC}, id="019-020"),
        pytest.param({"run_id": bytes(8)}, id="021-022"),
    ],
)
def test_cm_slac_match_007_to_022_bad_requests(values: dict[str, object], config: EvConfig) -> None:
    w, car, charger = run(wrong("CM_SLAC_MATCH.REQ", **values), config=config)
    assert len(w.sent(mme.SlacMatchReq)) == 3
    w.run(11.0)
    assert not w.sent(mme.SlacMatchCnf)
    assert not car.result.matched
    assert charger.reason.startswith("no valid CM_SLAC_MATCH.REQ")


@pytest.mark.parametrize("config", [EvConfig(attempts=1), VALIDATE], ids=["023", "024"])
def test_cm_slac_match_023_024_unplugged_before_it(config: EvConfig) -> None:
    w, _, charger = run(pilot("A", before="CM_SLAC_MATCH.REQ"), config=config)
    assert not w.sent(mme.SlacMatchCnf)
    assert charger.state == "unplugged"


def test_a_request_for_a_foreign_run_has_no_effect_on_the_own_one() -> None:
    _, car, _ = run(wrong_run_id("CM_SLAC_MATCH.REQ", first=1, last=1))
    assert car.result.linked
    assert car.result.retries == {"CM_SLAC_MATCH.REQ": 1}
