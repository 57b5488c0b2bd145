"""Whole matchings, as cars make them at every plug-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.plan import Expect, Measure, testcase
from bench.slac import faults
from bench.v2g import timers
from testplans.slac.rows import BREAKS_ALL, rows, tc

if TYPE_CHECKING:
    from bench.slac.faults import Fault
    from bench.slac.result import MatchResult
    from fixtures.car import Car

LIMITS = {
    "CM_SLAC_PARM": "slac.TT_match_response",
    "attenuation": "slac.TT_EV_atten_results",
    "CM_SLAC_MATCH": "slac.TT_match_response",
    "join": "slac.TT_match_join",
}


def linked(result: MatchResult, expect: Expect) -> None:
    """The matching has led to a link."""
    expect.that(result.linked, "the modems are linked", result.reason, "linked")


@testcase(
    "SLAC-001",
    source="FB-01 (open-plc-utils PR 134); BX_SLAC_FWDSTA; BX_SLAC_XTALK with one charger",
    confidence="source",
    defects=[*BREAKS_ALL, "slac-sounding-parameters", "slac-ignores-first-request", "slac-nid-of-nothing"],
)
def test_a_strict_car_is_linked(ev: Car, expect: Expect, measure: Measure) -> None:
    """A car that checks every field is linked at the first attempt, each step in its time.

    Precondition: the car is plugged in, pilot state B, the duty cycle is there.
    Stimulus: one matching by a car that refuses a CM_SLAC_PARM.CNF with other parameters than the standard's.
    Expected: a link, no retry, no deviation of the charger, and every step within its limit.
    """
    result = ev.match(strict=True)
    linked(result, expect)
    expect(result.attempts, "attempts").to_be(1)
    expect(", ".join(result.retries) or "none", "repeated messages").to_be("none")
    expect("; ".join(result.problems) or "none", "deviations of the charger").to_be("none")
    measure("mean attenuation", result.average_db, unit="dB")
    for step in result.steps:
        if step.name in LIMITS:
            measure(step.name, step.duration_s, high=timers.get(LIMITS[step.name]))


@rows(
    "interval_s",
    [
        ("SLAC-002", "20 ms", "ISO 15118-3 table A.1, TP_EV_batch_msg_interval", 0.02),
        ("SLAC-003", "40 ms", "ISO 15118-3 table A.1, TP_EV_batch_msg_interval", 0.04),
    ],
    defects=BREAKS_ALL,
)
def test_the_pace_of_the_sounds(ev: Car, expect: Expect, interval_s: float) -> None:
    """A quick car and a slow one are linked (with 50 ms the sounds would end with the charger's 600 ms).

    Precondition: the car is plugged in, pilot state B.
    Stimulus: one matching with ROW between two messages of the sounding.
    Expected: a link.
    """
    linked(ev.match(sound_interval_s=interval_s, attempts=1), expect)


@rows(
    "fault",
    [
        (
            "SLAC-004",
            "one CM_ATTEN_CHAR.RSP lost",
            "FB-02 (EVerest 1014)",
            faults.lost("CM_ATTEN_CHAR.RSP", 1),
        ),
        (
            "SLAC-005",
            "CM_ATTEN_CHAR.RSP sent twice",
            "FB-02 (EVerest 1014)",
            faults.duplicated("CM_ATTEN_CHAR.RSP"),
        ),
    ],
    defects=[*BREAKS_ALL, "slac-never-repeats"],
)
def test_a_lost_or_doubled_response(ev: Car, expect: Expect, fault: Fault) -> None:
    """A response that was lost or sent twice does not end the matching.

    Precondition: the car is plugged in, pilot state B.
    Stimulus: one matching with ROW.
    Expected: a link; for a lost response CM_ATTEN_CHAR.IND is repeated.
    """
    linked(ev.match(fault, attempts=1), expect)


@rows(
    "fault",
    [
        ("SLAC-006", "after CM_SLAC_PARM.REQ", "FB-03 (EVerest PR 1181)", faults.restart("CM_SLAC_PARM.REQ")),
        (
            "SLAC-007",
            "after CM_START_ATTEN_CHAR.IND",
            "FB-03 (EVerest PR 1181)",
            faults.restart("CM_START_ATTEN_CHAR.IND"),
        ),
        (
            "SLAC-008",
            "in the middle of the sounds",
            "FB-03 (EVerest PR 1181); " + tc("CMN_VTB_AttenuationCharacterization", 2),
            faults.restart("CM_MNBC_SOUND.IND", number=5),
        ),
        (
            "SLAC-009",
            "after CM_ATTEN_CHAR.RSP",
            "FB-03 (EVerest PR 1181)",
            faults.restart("CM_ATTEN_CHAR.RSP"),
        ),
    ],
    defects=[*BREAKS_ALL, "slac-no-restart"],
)
def test_a_car_that_begins_anew(ev: Car, expect: Expect, fault: Fault) -> None:
    """A car that begins anew in the middle of a matching is matched.

    Precondition: the car is plugged in, pilot state B.
    Stimulus: one matching in which the car begins anew with another RunID ROW.
    Expected: a link without a replug.
    """
    linked(ev.match(fault, attempts=1), expect)
