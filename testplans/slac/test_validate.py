"""CM_VALIDATE: a charger that is not surely the nearest counts how often the car toggles its pilot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.plan import Expect, Inconclusive, testcase
from bench.slac import mme
from bench.v2g import timers
from testplans.slac.rows import rows, tc

if TYPE_CHECKING:
    from bench.ev.slac import SlacTalk
    from fixtures.car import Car
    from testplans.slac.conftest import Hears, Pilot, Silence, Stands

GROUP = "CMN_VTB_CmValidate"
TOGGLES = 2
SECOND_STEP_TIMER = 11
"""In 100 ms, less one: 1.2 s."""


@pytest.fixture
def ready(ev: Car, hears: Hears, stands: Stands) -> SlacTalk:
    """A car whose first CM_VALIDATE.REQ is answered: the charger is ready to count. Inconclusive for a
    charger that cannot, or need not.
    """
    talk = ev.slac()
    talk.characterized()
    talk.send(mme.ValidateReq)
    answer = hears(talk, mme.ValidateCnf)
    if answer.result in (mme.VALIDATE_FAILURE, mme.VALIDATE_NOT_REQUIRED):
        raise Inconclusive(f"the charger does not validate (result {answer.result})")
    stands(answer, signal_type=0, result=mme.VALIDATE_READY)
    return talk


def validation_failed(talk: SlacTalk, expect: Expect, silence: Silence) -> None:
    """Whatever comes, it is no success, and CM_SLAC_MATCH.REQ is void."""
    heard = talk.receive(mme.ValidateCnf, timers.get("slac.TT_match_sequence").value)
    result = None if heard is None else heard.mme.result
    expect(result, "Result of CM_VALIDATE.CNF").not_to_be(mme.VALIDATE_SUCCESS)
    talk.send(mme.SlacMatchReq)
    silence(talk, mme.SlacMatchCnf)


def first_answer_repeated(talk: SlacTalk, expect: Expect) -> None:
    """The answer of the first step comes again, C_EV_match_retry times."""
    limit_s = timers.get("slac.TT_match_sequence").value
    for number in range(int(timers.get("slac.C_EV_match_retry").value)):
        heard = talk.receive(mme.ValidateCnf, 2 * limit_s)
        text = f"repetition {number + 1} of CM_VALIDATE.CNF comes"
        expect.that(heard is not None, text, "silence" if heard is None else "a repetition", "a repetition")


@testcase("SLAC-060", source=tc(GROUP, 1), defects=["slac-miscounts-toggles"], deviates=["pilot"])
def test_the_toggles_are_counted(ready: SlacTalk, expect: Expect, stands: Stands) -> None:
    """The charger counts the toggles of the pilot.

    Precondition: the attenuation is told and confirmed.
    Stimulus: first CM_VALIDATE.REQ, then the second with two toggles B-C-B of 0.3 s a state.
    Expected: ready, then success with two toggles.
    """
    heard = ready.second_step(TOGGLES)
    expect.that(heard is not None, "CM_VALIDATE.CNF comes after the toggles", "silence", "an answer")
    assert heard is not None
    stands(heard.mme, result=mme.VALIDATE_SUCCESS, toggle_num=TOGGLES, signal_type=0)


@testcase("SLAC-061", source=tc(GROUP, 2), defects=["slac-validate-once"])
def test_the_first_step_again(ready: SlacTalk, hears: Hears, stands: Stands) -> None:
    """The first CM_VALIDATE.REQ sent again is answered again.

    Precondition: the first CM_VALIDATE.REQ is answered.
    Stimulus: the same again, at once.
    Expected: CM_VALIDATE.CNF, ready, in time.
    """
    ready.send(mme.ValidateReq)
    stands(hears(ready, mme.ValidateCnf), result=mme.VALIDATE_READY)


@testcase("SLAC-062", source=tc(GROUP, 3), defects=["slac-validate-once", "slac-no-sequence-timeout"])
def test_no_second_step(ready: SlacTalk, expect: Expect, silence: Silence) -> None:
    """Without a second CM_VALIDATE.REQ the first answer is repeated twice, then the matching has failed.

    Precondition: the first CM_VALIDATE.REQ is answered.
    Stimulus: nothing; afterwards CM_SLAC_MATCH.REQ.
    Expected: two repetitions of CM_VALIDATE.CNF, and no CM_SLAC_MATCH.CNF.
    """
    first_answer_repeated(ready, expect)
    ready.pause(timers.get("slac.TT_match_sequence").value)
    validation_failed(ready, expect, silence)


@testcase(
    "SLAC-063",
    source=tc(GROUP, 4),
    defects=["slac-any-signal-type", "slac-validate-once", "slac-no-sequence-timeout"],
)
def test_another_signal_type(ready: SlacTalk, expect: Expect, silence: Silence) -> None:
    """A second CM_VALIDATE.REQ with another signal type counts as missing.

    Precondition: the first CM_VALIDATE.REQ is answered.
    Stimulus: the second with SignalType 0xFF; afterwards CM_SLAC_MATCH.REQ.
    Expected: two repetitions of the first CM_VALIDATE.CNF, and no CM_SLAC_MATCH.CNF.
    """
    ready.send(mme.ValidateReq, timer=SECOND_STEP_TIMER, signal_type=0xFF)
    first_answer_repeated(ready, expect)
    ready.pause(timers.get("slac.TT_match_sequence").value)
    validation_failed(ready, expect, silence)


@rows(
    "result",
    [
        ("SLAC-064", "notReady", tc(GROUP, 5), mme.VALIDATE_NOT_READY),
        ("SLAC-065", "success", tc(GROUP, 6), mme.VALIDATE_SUCCESS),
        ("SLAC-066", "failure", tc(GROUP, 7), mme.VALIDATE_FAILURE),
        ("SLAC-067", "notRequired", tc(GROUP, 8), mme.VALIDATE_NOT_REQUIRED),
    ],
    defects=["slac-any-validation-result"],
    deviates=["pilot"],
)
def test_another_result(ready: SlacTalk, expect: Expect, silence: Silence, result: int) -> None:
    """A second CM_VALIDATE.REQ that is not ready ends the validation.

    Precondition: the first CM_VALIDATE.REQ is answered.
    Stimulus: the second with Result ROW, and two toggles; afterwards CM_SLAC_MATCH.REQ.
    Expected: no success, and no CM_SLAC_MATCH.CNF.
    """
    ready.send(mme.ValidateReq, timer=SECOND_STEP_TIMER, result=result)
    ready.toggle(TOGGLES, 0.2)
    validation_failed(ready, expect, silence)


@testcase("SLAC-068", source=tc(GROUP, 9), defects=["slac-validates-two"], deviates=["pilot"])
def test_two_cars_validate(ev: Car, expect: Expect, hears: Hears, stands: Stands) -> None:
    """While one car toggles, a second one is told to wait.

    Precondition: two cars have their attenuation; the first has answered the first step of its validation.
    Stimulus: the second car sends its first CM_VALIDATE.REQ; then the first car toggles twice.
    Expected: notReady for the second car, success for the first.
    """
    talk = ev.slac()
    if not talk.plc.port.name.startswith("tunnel:"):
        raise Inconclusive("a second car needs a modem of its own; an interface hears for one address only")
    other = talk.another_car()
    other.characterized()
    talk.characterized()
    talk.send(mme.ValidateReq)
    stands(hears(talk, mme.ValidateCnf), result=mme.VALIDATE_READY)
    other.send(mme.ValidateReq)
    stands(
        hears(other, mme.ValidateCnf, what="CM_VALIDATE.CNF to the second car"), result=mme.VALIDATE_NOT_READY
    )
    heard = talk.second_step(TOGGLES)
    expect(None if heard is None else heard.mme.result, "Result for the first car").to_be(
        mme.VALIDATE_SUCCESS
    )


@testcase("SLAC-069", source=tc(GROUP, 13), defects=["slac-ignores-unplug"], deviates=["pilot"])
def test_unplugged_during_the_validation(ready: SlacTalk, pilot: Pilot, silence: Silence) -> None:
    """A car that is unplugged during the validation is not matched any more.

    Precondition: the first CM_VALIDATE.REQ is answered.
    Stimulus: pilot to state A, then the first CM_VALIDATE.REQ again.
    Expected: 100 % duty cycle and no CM_VALIDATE.CNF.
    """
    ready.pilot("A")
    pilot(ready, "off")
    ready.send(mme.ValidateReq)
    silence(ready, mme.ValidateCnf)
