"""CM_START_ATTEN_CHAR, CM_MNBC_SOUND and CM_ATTEN_CHAR: the attenuation is measured and told."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from bench.plan import Expect, Measure, testcase
from bench.slac import mme
from bench.v2g import timers
from testplans.slac.rows import rows, tc

if TYPE_CHECKING:
    from bench.ev.slac import SlacTalk
    from fixtures.car import Car
    from testplans.slac.conftest import Hears, Pilot, Silence, Stands

GROUP = "CMN_VTB_AttenuationCharacterization"
RESULTS = "slac.TT_EV_atten_results"
NO_ID = bytes(17)
SAME_DB = 3.0
"""Two runs over the same cable may differ by this much (the bench's own limit; the source gives none)."""
REPETITION = ["slac-never-repeats", "slac-repeats-forever", "slac-attenuation-thrice"]


def foreign() -> bytes:
    """A RunID of somebody else."""
    return secrets.token_bytes(8)


def right(talk: SlacTalk, stands: Stands, indication: mme.AttenCharInd, sounds: int = 10) -> None:
    """Every field of CM_ATTEN_CHAR.IND is as in the standard."""
    stands(
        indication,
        application_type=0,
        security_type=0,
        source_address=talk.mac,
        run_id=talk.run_id,
        source_id=NO_ID,
        resp_id=NO_ID,
        num_sounds=sounds,
        num_groups=mme.GROUPS,
    )


def repeated(talk: SlacTalk, expect: Expect) -> None:
    """CM_ATTEN_CHAR.IND comes again, C_EV_match_retry times."""
    for number in range(int(timers.get("slac.C_EV_match_retry").value)):
        heard = talk.receive(mme.AttenCharInd, 2 * timers.get("slac.TT_match_response").value)
        text = f"repetition {number + 1} of CM_ATTEN_CHAR.IND comes"
        expect.that(heard is not None, text, "silence" if heard is None else "a repetition", "a repetition")


def failed(talk: SlacTalk, expect: Expect, silence: Silence) -> None:
    """CM_ATTEN_CHAR.IND is repeated, and then the matching has failed: CM_SLAC_MATCH.REQ is void."""
    repeated(talk, expect)
    silence(talk, mme.AttenCharInd, "slac.TT_match_sequence")
    talk.send(mme.SlacMatchReq)
    silence(talk, mme.SlacMatchCnf)


@testcase(
    "SLAC-030",
    source=tc(GROUP, 1),
    defects=["slac-ten-groups", "slac-attenuation-ids"],
)
def test_the_attenuation_is_told(ev: Car, hears: Hears, stands: Stands) -> None:
    """Behind the sounds comes CM_ATTEN_CHAR.IND, complete.

    Precondition: CM_SLAC_PARM is done.
    Stimulus: three CM_START_ATTEN_CHAR.IND and ten CM_MNBC_SOUND.IND.
    Expected: CM_ATTEN_CHAR.IND in time, with address, RunID, ids of zero, ten sounds and 58 groups.
    """
    talk = ev.slac()
    talk.parameters()
    talk.sound()
    right(talk, stands, hears(talk, mme.AttenCharInd, RESULTS))


@testcase("SLAC-031", source=tc(GROUP, 2), defects=["slac-no-restart"])
def test_anew_during_the_sounds(ev: Car, hears: Hears, stands: Stands) -> None:
    """A new CM_SLAC_PARM.REQ in the middle of the sounds begins anew.

    Precondition: CM_SLAC_PARM is done, five sounds are sent.
    Stimulus: CM_SLAC_PARM.REQ with another RunID, then all of the sounding.
    Expected: CM_SLAC_PARM.CNF and CM_ATTEN_CHAR.IND with the new RunID.
    """
    talk = ev.slac()
    talk.parameters()
    talk.start()
    talk.sounds(9, 5)
    talk.anew()
    talk.send(mme.SlacParmReq)
    stands(hears(talk, mme.SlacParmCnf), run_id=talk.run_id)
    talk.sound()
    stands(hears(talk, mme.AttenCharInd, RESULTS), run_id=talk.run_id, num_sounds=10)


@testcase("SLAC-032", source=tc(GROUP, 3), defects=["slac-needs-all-sounds"])
def test_a_missing_sound(ev: Car, hears: Hears, stands: Stands) -> None:
    """With nine of ten sounds the attenuation is told all the same.

    Precondition: CM_SLAC_PARM is done.
    Stimulus: three CM_START_ATTEN_CHAR.IND and nine CM_MNBC_SOUND.IND.
    Expected: CM_ATTEN_CHAR.IND once TT_EVSE_match_MNBC is over, with nine sounds.
    """
    talk = ev.slac()
    talk.parameters()
    talk.start()
    talk.sounds(9, 1)
    stands(hears(talk, mme.AttenCharInd, RESULTS), run_id=talk.run_id, num_sounds=9)


@testcase("SLAC-033", source=tc(GROUP, 4) + "; FB-02 (EVerest 1014)", defects=REPETITION)
def test_no_response(ev: Car, expect: Expect, silence: Silence) -> None:
    """Without CM_ATTEN_CHAR.RSP the indication is repeated twice, then the matching has failed.

    Precondition: CM_ATTEN_CHAR.IND has come.
    Stimulus: no CM_ATTEN_CHAR.RSP; afterwards CM_SLAC_MATCH.REQ.
    Expected: two repetitions, and no CM_SLAC_MATCH.CNF.
    """
    talk = ev.slac()
    talk.attenuation()
    failed(talk, expect, silence)


@rows(
    "fields",
    [
        ("SLAC-034", "APPLICATION_TYPE 0xFF", tc(GROUP, 5), {"application_type": 0xFF}),
        ("SLAC-035", "SECURITY_TYPE 0xFF", tc(GROUP, 6), {"security_type": 0xFF}),
        ("SLAC-036", "SOURCE_ADDRESS zero", tc(GROUP, 7), {"source_address": bytes(6)}),
        ("SLAC-037", "a foreign RunID", tc(GROUP, 8), {"run_id": foreign()}),
        ("SLAC-038", "SOURCE_ID not zero", tc(GROUP, 9), {"source_id": b"\1" * 17}),
        ("SLAC-039", "RESP_ID not zero", tc(GROUP, 10), {"resp_id": b"\1" * 17}),
        ("SLAC-040", "Result 0xFF", tc(GROUP, 11), {"result": 0xFF}),
    ],
    defects=[*REPETITION, "slac-any-response"],
)
def test_a_bad_response(ev: Car, expect: Expect, silence: Silence, fields: dict[str, Any]) -> None:
    """A wrong CM_ATTEN_CHAR.RSP counts as missing.

    Precondition: CM_ATTEN_CHAR.IND has come.
    Stimulus: CM_ATTEN_CHAR.RSP with ROW; afterwards CM_SLAC_MATCH.REQ.
    Expected: the indication is repeated twice, and there is no CM_SLAC_MATCH.CNF.
    """
    talk = ev.slac()
    talk.attenuation()
    talk.send(mme.AttenCharRsp, **fields)
    failed(talk, expect, silence)


@testcase("SLAC-041", source=tc(GROUP, 12), defects=["slac-no-sequence-timeout"])
def test_sounding_too_late(ev: Car, silence: Silence) -> None:
    """A sounding that begins after TT_match_sequence is not heard any more.

    Precondition: CM_SLAC_PARM is done.
    Stimulus: the sounding begins twice TT_match_sequence later.
    Expected: no CM_ATTEN_CHAR.IND.
    """
    talk = ev.slac()
    talk.parameters()
    talk.pause(2 * timers.get("slac.TT_match_sequence").value)
    talk.sound()
    silence(talk, mme.AttenCharInd, RESULTS)


@rows(
    "fields",
    [
        ("SLAC-042", "APPLICATION_TYPE 0xFF", tc(GROUP, 13), {"application_type": 0xFF}),
        ("SLAC-043", "SECURITY_TYPE 0xFF", tc(GROUP, 14), {"security_type": 0xFF}),
        ("SLAC-044", "NUM_SOUNDS 0", tc(GROUP, 15), {"num_sounds": 0}),
        ("SLAC-045", "TIME_OUT 0", tc(GROUP, 16), {"time_out": 0}),
        ("SLAC-046", "RESP_TYPE 0", tc(GROUP, 17), {"resp_type": 0}),
        ("SLAC-047", "a foreign RunID", tc(GROUP, 18), {"run_id": foreign()}),
    ],
    defects=["slac-any-start"],
)
def test_a_bad_start(ev: Car, silence: Silence, fields: dict[str, Any]) -> None:
    """A wrong CM_START_ATTEN_CHAR.IND begins no sounding.

    Precondition: CM_SLAC_PARM is done.
    Stimulus: three CM_START_ATTEN_CHAR.IND with ROW, then ten sounds.
    Expected: no CM_ATTEN_CHAR.IND.
    """
    talk = ev.slac()
    talk.parameters()
    talk.start(**fields)
    talk.sounds()
    silence(talk, mme.AttenCharInd, RESULTS)


@testcase("SLAC-048", source=tc(GROUP, 19), defects=["slac-ignores-unplug"], deviates=["pilot"])
def test_unplugged_during_the_sounds(ev: Car, pilot: Pilot, silence: Silence) -> None:
    """A car that is unplugged in the middle of the sounds is not matched any more.

    Precondition: CM_SLAC_PARM is done, five sounds are sent.
    Stimulus: pilot to state A, then the other sounds.
    Expected: 100 % duty cycle and no CM_ATTEN_CHAR.IND.
    """
    talk = ev.slac()
    talk.parameters()
    talk.start()
    talk.sounds(9, 5)
    talk.pilot("A")
    pilot(talk, "off")
    talk.sounds(4, 0)
    silence(talk, mme.AttenCharInd, RESULTS)


@testcase("SLAC-049", source=tc(GROUP, 20), defects=["slac-attenuation-drifts"])
def test_the_attenuation_is_repeatable(ev: Car, measure: Measure) -> None:
    """Two matchings over the same cable tell the same attenuation.

    Precondition: none.
    Stimulus: CM_SLAC_PARM and sounding twice, with a replug in between.
    Expected: the mean attenuations differ by at most 3 dB.
    """
    found: list[float] = []
    for _ in range(2):
        groups = ev.slac().attenuation().aag
        found.append(sum(groups) / len(groups))
        ev.unplug()
    measure("difference of two runs", abs(found[1] - found[0]), unit="dB", high=SAME_DB, limit="plan: 3 dB")


@testcase("SLAC-050", source="BX_SLAC_MANYSTART", defects=["slac-attenuation-thrice"])
def test_three_starts_are_one(ev: Car, hears: Hears, silence: Silence) -> None:
    """Three CM_START_ATTEN_CHAR.IND are one beginning: there is one CM_ATTEN_CHAR.IND.

    Precondition: CM_SLAC_PARM is done.
    Stimulus: three CM_START_ATTEN_CHAR.IND and ten sounds; the response at once.
    Expected: one CM_ATTEN_CHAR.IND, and no other behind it.
    """
    talk = ev.slac()
    talk.parameters()
    talk.sound()
    hears(talk, mme.AttenCharInd, RESULTS)
    silence(talk, mme.AttenCharInd, "slac.TP_match_response")
    talk.send(mme.AttenCharRsp)
    silence(talk, mme.AttenCharInd)


@testcase(
    "SLAC-051",
    source="FB-02 (EVerest 1014)",
    defects=["slac-never-repeats", "slac-match-length", "slac-match-addresses"],
)
def test_a_response_to_the_last_repetition(ev: Car, expect: Expect, hears: Hears, stands: Stands) -> None:
    """A car whose response comes at the second repetition is matched.

    Precondition: CM_ATTEN_CHAR.IND has come.
    Stimulus: no CM_ATTEN_CHAR.RSP until the second repetition; then CM_SLAC_MATCH.REQ.
    Expected: CM_SLAC_MATCH.CNF.
    """
    talk = ev.slac()
    talk.attenuation()
    repeated(talk, expect)
    talk.send(mme.AttenCharRsp)
    talk.send(mme.SlacMatchReq)
    stands(hears(talk, mme.SlacMatchCnf), mvf_length=0x56, evse_mac=talk.evse_mac, run_id=talk.run_id)
