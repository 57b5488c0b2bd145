"""CM_SLAC_MATCH: the car has chosen and gets the network and its key, with or without a validation."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from bench.plan import Expect
from bench.slac import mme
from bench.slac.keys import nid_from_nmk
from bench.v2g import timers
from testplans.slac.rows import rows, tc

if TYPE_CHECKING:
    from bench.ev.slac import SlacTalk
    from fixtures.car import Car
    from testplans.slac.conftest import Hears, Pilot, Silence, Stands

GROUP = "CMN_VTB_CmSlacMatch"
NO_ID = bytes(17)
WAYS = ("without validation", "after a validation")
FIELDS = ["slac-match-length", "slac-match-addresses", "slac-nid-of-nothing"]
BAD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("APPLICATION_TYPE 0xFF", {"application_type": 0xFF}),
    ("SECURITY_TYPE 0xFF", {"security_type": 0xFF}),
    ("MVFLength 0", {"mvf_length": 0}),
    ("PEV_ID not zero", {"pev_id": b"\1" * 17}),
    ("PEV_MAC zero", {"pev_mac": bytes(6)}),
    ("EVSE_ID not zero", {"evse_id": b"\1" * 17}),
    ("EVSE_MAC zero", {"evse_mac": bytes(6)}),
    ("a foreign RunID", {"run_id": secrets.token_bytes(8)}),
)


def both(first: int, number: int) -> list[tuple[str, str, str, bool]]:
    """The rows of a case that is done in both ways: ids from `first`, numbers of the source from `number`."""
    return [
        (f"SLAC-{first + way:03}", words, tc(GROUP, number + way), bool(way))
        for way, words in enumerate(WAYS)
    ]


def chosen(ev: Car, validated: bool) -> SlacTalk:
    """A car that can send CM_SLAC_MATCH.REQ."""
    talk = ev.slac()
    if validated:
        talk.validated()
    else:
        talk.characterized()
    return talk


@rows("validated", both(70, 1), defects=FIELDS, deviates=["pilot"])
def test_the_key_is_given(ev: Car, expect: Expect, hears: Hears, stands: Stands, validated: bool) -> None:
    """CM_SLAC_MATCH.REQ is answered with the network and its key.

    Precondition: the attenuation is told and confirmed, ROW.
    Stimulus: CM_SLAC_MATCH.REQ.
    Expected: CM_SLAC_MATCH.CNF in time: ids of zero, addresses, RunID, MVFLength 0x0056, NMK and its NID.
    """
    talk = chosen(ev, validated)
    talk.send(mme.SlacMatchReq)
    answer = hears(talk, mme.SlacMatchCnf)
    stands(
        answer,
        application_type=0,
        security_type=0,
        mvf_length=0x56,
        pev_id=NO_ID,
        pev_mac=talk.mac,
        evse_id=NO_ID,
        evse_mac=talk.evse_mac,
        run_id=talk.run_id,
    )
    expect.that(any(answer.nmk), "the NMK is not zero")
    expect(answer.nid, "NID").to_be(nid_from_nmk(answer.nmk))


@rows("validated", both(72, 3), defects=["slac-match-once"], deviates=["pilot"])
def test_the_request_again(ev: Car, hears: Hears, stands: Stands, validated: bool) -> None:
    """CM_SLAC_MATCH.REQ sent again is answered again, with the same key.

    Precondition: CM_SLAC_MATCH.REQ is answered, ROW.
    Stimulus: the same again.
    Expected: CM_SLAC_MATCH.CNF in time, with the same NID and NMK.
    """
    talk = chosen(ev, validated)
    talk.send(mme.SlacMatchReq)
    first = hears(talk, mme.SlacMatchCnf)
    talk.send(mme.SlacMatchReq)
    stands(hears(talk, mme.SlacMatchCnf, what="CM_SLAC_MATCH.CNF again"), nid=first.nid, nmk=first.nmk)


@rows("validated", both(74, 5), defects=["slac-session-never-ends"], deviates=["pilot"], slow=True)
def test_the_request_too_late(ev: Car, silence: Silence, validated: bool) -> None:
    """After TT_EVSE_match_session CM_SLAC_MATCH.REQ is void.

    Precondition: the attenuation is told and confirmed, ROW.
    Stimulus: CM_SLAC_MATCH.REQ 11 s later.
    Expected: no CM_SLAC_MATCH.CNF.
    """
    talk = chosen(ev, validated)
    talk.pause(timers.get("slac.TT_EVSE_match_session").value + 1)
    talk.send(mme.SlacMatchReq)
    silence(talk, mme.SlacMatchCnf)


@rows(
    "bad",
    [
        (
            f"SLAC-{76 + 2 * place + way:03}",
            f"{words}, {WAYS[way]}",
            tc(GROUP, 7 + 2 * place + way),
            (fields, way),
        )
        for place, (words, fields) in enumerate(BAD)
        for way in (0, 1)
    ],
    defects=["slac-any-match"],
    deviates=["pilot"],
)
def test_a_bad_request(ev: Car, silence: Silence, bad: tuple[dict[str, Any], int]) -> None:
    """A wrong CM_SLAC_MATCH.REQ counts as missing.

    Precondition: the attenuation is told and confirmed.
    Stimulus: CM_SLAC_MATCH.REQ with ROW.
    Expected: no CM_SLAC_MATCH.CNF.
    """
    fields, way = bad
    talk = chosen(ev, bool(way))
    talk.send(mme.SlacMatchReq, **fields)
    silence(talk, mme.SlacMatchCnf)


@rows("validated", both(92, 23), defects=["slac-ignores-unplug"], deviates=["pilot"])
def test_unplugged_before_the_request(ev: Car, pilot: Pilot, silence: Silence, validated: bool) -> None:
    """A car that is unplugged before it chooses gets no key.

    Precondition: the attenuation is told and confirmed, ROW.
    Stimulus: pilot to state A, then CM_SLAC_MATCH.REQ.
    Expected: 100 % duty cycle and no CM_SLAC_MATCH.CNF.
    """
    talk = chosen(ev, validated)
    talk.pilot("A")
    pilot(talk, "off")
    talk.send(mme.SlacMatchReq)
    silence(talk, mme.SlacMatchCnf)
