"""SLAC in the record of a case: the ladder folds the sounding, the steps have their limits."""

from __future__ import annotations

from typing import Any

from bench.plan import caserecord, ladder
from bench.slac import mme
from bench.slac.mme import BROADCAST, Mme, build_frame, parse_frame
from bench.slac.run import event_data
from bench.timeline import Timeline

EV, EVSE, RUN = bytes.fromhex("020000000001"), bytes.fromhex("020000000002"), bytes(range(8))


def told(*messages: tuple[str, Mme]) -> Timeline:
    timeline = Timeline()
    for direction, message in messages:
        ours = direction == "tx"
        raw = build_frame(message, destination=BROADCAST if ours else EV, source=EV if ours else EVSE)
        frame = parse_frame(raw)
        assert frame is not None
        timeline.append("ev", "slac", message.name, event_data(direction, frame, raw))
    return timeline


def exchanges(timeline: Timeline) -> list[dict[str, Any]]:
    events = timeline.since()
    found = ladder.session(events, events[0].t_ns)
    assert found is not None
    return list(found["exchanges"])


def test_the_sounding_is_two_lines() -> None:
    sounds: list[tuple[str, Mme]] = [("tx", mme.MnbcSoundInd(cnt=9 - each)) for each in range(10)]
    starts: list[tuple[str, Mme]] = [("tx", mme.StartAttenCharInd())] * 3
    found = exchanges(told(("tx", mme.SlacParmReq(run_id=RUN)), *starts, *sounds, ("rx", mme.AttenCharInd())))
    assert [(each["name"], each["repeat"]) for each in found] == [
        ("CM_SLAC_PARM.REQ", None),
        ("CM_START_ATTEN_CHAR.IND", 3),
        ("CM_MNBC_SOUND.IND", 10),
        ("CM_ATTEN_CHAR.IND", None),
    ]
    assert {each["layer"] for each in found} == {"slac"}
    assert found[2]["duration_s"] >= 0
    assert found[0]["summary"] == f"run_id {RUN.hex()}"


def test_an_answer_in_between_ends_a_series() -> None:
    sound: tuple[str, Mme] = ("tx", mme.MnbcSoundInd())
    found = exchanges(told(sound, sound, ("rx", mme.SlacParmCnf()), sound))
    assert [each["repeat"] for each in found] == [2, None, None]


def test_what_a_message_says_is_in_its_summary_and_no_key_is_in_the_ladder() -> None:
    found = exchanges(
        told(
            ("rx", mme.AttenCharInd(aag=bytes([12]) * 58)),
            ("rx", mme.ValidateCnf(result=2, toggle_num=3)),
            ("rx", mme.ValidateCnf(result=99)),
            ("rx", mme.SlacMatchCnf(nid=bytes(7), nmk=b"k" * 16)),
        )
    )
    assert "mean 12.0 dB" in found[0]["summary"]
    assert found[1]["summary"] == "success, 3 toggles"
    assert found[2]["summary"] == "result 99"
    assert b"k".hex() * 16 not in str(found)


def test_malformed_frames_are_problems_and_the_link_is_a_note() -> None:
    timeline = told(("tx", mme.SlacParmReq()))
    timeline.append("ev", "slac", "malformed", {"dir": "rx", "raw": "00", "text": "cut short"})
    timeline.append(
        "ev", "slac", "join", {"step": True, "duration_s": 0.1, "limit_s": 12.0, "outcome": "link up"}
    )
    found = exchanges(timeline)
    assert found[1]["problem"] == "cut short"
    assert (found[2]["from"], found[2]["to"], found[2]["name"]) == ("EV", "EV", "link up")


def test_the_steps_of_a_matching_stand_with_their_limits() -> None:
    timeline = Timeline()
    data = {"step": True, "duration_s": 0.25, "limit_s": 1.2, "outcome": "1 of 1 charger(s)"}
    event = timeline.append("ev", "slac", "attenuation", data)
    (step,) = caserecord.steps(timeline.since(), event.t_ns - 1_000_000_000, event.t_ns)
    assert step == {
        "name": "attenuation: 1 of 1 charger(s)",
        "t_s": 0.75,
        "duration_s": 0.25,
        "limit_s": 1.2,
    }
