"""Each rule: silent on a clean session, loud on a broken one, and blind to what the bench caused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from bench.rules import RULES, by_id
from bench.rules.finding import Finding
from bench.timeline import Event

MS = 1_000_000


class Story:
    """Builds a timeline by hand; every event is 10 ms after the one before."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.numbers = 0

    def add(self, source: str, kind: str, name: str, **data: Any) -> Story:
        seq = len(self.events)
        self.events.append(Event(seq, seq * 10 * MS, source, kind, name, data))
        return self

    def request(self, name: str, **more: Any) -> Story:
        schema = "sap" if name.startswith("supported") else "iso2"
        data = {"dir": "tx", "schema": schema, "session_id": "0a0b", "connection": 1, **more}
        return self.add("ev", "v2g", f"{name}Req", **data)

    def response(self, name: str, **more: Any) -> Story:
        schema = "sap" if name.startswith("supported") else "iso2"
        data = {"dir": "rx", "schema": schema, "session_id": "0a0b", "connection": 1, "rtt_s": 0.01}
        return self.add("ev", "v2g", f"{name}Res", **{**data, "response_code": "OK", **more})

    def exchange(self, *names: str, **more: Any) -> Story:
        for name in names:
            self.request(name).response(name, **more)
        return self

    def sample(self, voltage_v: float) -> Story:
        return self.add("analyzer", "power", "sample", voltage_v=voltage_v, current_a=0.0, power_w=0.0)

    def pilot(self, duty_percent: float, *, oscillator: bool = True) -> Story:
        return self.add(
            "pilot", "pilot", "measured", state="C", duty_percent=duty_percent, oscillator=oscillator
        )

    def call(self, action: str, payload: dict[str, Any], *, answered: bool = True, **more: Any) -> Story:
        self.numbers += 1
        frame = {"type": "CALL", "id": str(self.numbers), "link": 1, "problem": None, **more}
        self.add("csms", "ocpp", action, dir="rx", payload=payload, **frame)
        if answered:
            self.add(
                "csms",
                "ocpp",
                action,
                dir="tx",
                payload={},
                **{**frame, "type": "CALLRESULT", "problem": None},
            )
        return self

    def transaction(
        self, kind: str, number: int, wh: float | None = None, tx: str = "T", **more: Any
    ) -> Story:
        payload: dict[str, Any] = {
            "eventType": kind,
            "seqNo": number,
            "transactionInfo": {"transactionId": tx},
            **more,
        }
        if wh is not None:
            payload["meterValue"] = [{"sampledValue": [{"value": wh, "unitOfMeasure": {"unit": "Wh"}}]}]
        return self.call("TransactionEvent", payload)


def clean() -> Story:
    story = (
        Story().sample(0).add("ev", "pilot", "set", state="B").pilot(5).add("ev", "tcp", "connect", port=1)
    )
    story.exchange("supportedAppProtocol", session_id=None).exchange(
        "SessionSetup",
        "ServiceDiscovery",
        "PaymentServiceSelection",
        "PaymentDetails",
        "Authorization",
        "Authorization",
    )
    story.transaction("Started", 0, 100.0).exchange("ChargeParameterDiscovery").request("CableCheck").sample(
        400
    )
    story.response("CableCheck").exchange("PreCharge", "PowerDelivery").pilot(5).pilot(5)
    story.exchange("CurrentDemand", "CurrentDemand", "CurrentDemand").sample(400).transaction(
        "Updated", 1, 120.0
    )
    story.exchange("PowerDelivery", "WeldingDetection", "SessionStop").add("ev", "tcp", "close")
    story.pilot(100, oscillator=False).sample(0).transaction("Ended", 2, 120.0)
    return story


def fails(rule_id: str, story: Story, deviates: tuple[str, ...] = ()) -> list[Finding]:
    return [one for one in by_id(rule_id).check(story.events, deviates) if one.severity == "fail"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_clean_session_is_judged_and_passes(rule: Any) -> None:
    events = clean().events
    assert rule.applies(events)
    assert rule.check(events) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_nothing_to_judge(rule: Any) -> None:
    assert not rule.applies([])
    assert rule.check([]) == []
    assert rule.defects and rule.title and rule.source and rule.confidence


def wrong_type() -> Story:
    return clean().request("CurrentDemand").response("PreCharge")


def unasked() -> Story:
    return Story().exchange("SessionSetup").response("ServiceDiscovery")


def out_of_order() -> Story:
    return Story().exchange("supportedAppProtocol", "SessionSetup", "PowerDelivery")


def late() -> Story:
    return Story().request("CurrentDemand").response("CurrentDemand", rtt_s=0.4)


def other_id() -> Story:
    return (
        Story()
        .exchange("SessionSetup")
        .request("ServiceDiscovery")
        .response("ServiceDiscovery", session_id="ff")
    )


def zero_id() -> Story:
    return Story().request("SessionSetup").response("SessionSetup", session_id="0000")


def other_session_joined() -> Story:
    code = "OK_OldSessionJoined"
    return (
        Story()
        .request("SessionSetup", session_id="01")
        .response("SessionSetup", session_id="02", response_code=code)
    )


def oscillator_off() -> Story:
    return Story().exchange("SessionSetup").pilot(100, oscillator=False).pilot(100, oscillator=False)


def duty_10() -> Story:
    return Story().exchange("SessionSetup").pilot(10).pilot(10)


def early_voltage() -> Story:
    return Story().sample(0).add("ev", "pilot", "set", state="B").sample(100).exchange("SessionSetup")


def early_voltage_second_session() -> Story:
    return clean().sample(10).add("ev", "tcp", "connect").exchange("SessionSetup").sample(300)


def early_voltage_seen_by_the_car() -> Story:
    looked = Story().add("ev", "inlet", "measured", voltage_v=0.2).exchange("SessionSetup")
    return looked.add("ev", "inlet", "measured", voltage_v=100.0).request("CableCheck")


def repeated_number() -> Story:
    return Story().transaction("Started", 0).transaction("Updated", 0)


def not_started() -> Story:
    return Story().transaction("Updated", 0)


def after_end() -> Story:
    return Story().transaction("Started", 0).transaction("Ended", 1).transaction("Updated", 2)


def meter_back() -> Story:
    return Story().transaction("Started", 0, 100.0).transaction("Updated", 1, 99.0)


def bad_frame() -> Story:
    return Story().call("StatusNotification", {}, problem="evseId is missing")


def two_calls() -> Story:
    return Story().call("Heartbeat", {}, answered=False).call("Heartbeat", {})


def trailing() -> Story:
    return (
        Story()
        .request("SessionSetup")
        .add("ev", "v2g-error", "undecodable", after="SessionSetupReq", text="3 bytes")
    )


def bad_sdp() -> Story:
    return Story().add("ev", "sdp", "SDPRes", dir="rx", raw="02fd9001000000140000")


BROKEN: list[tuple[str, Callable[[], Story]]] = [
    ("RUL-01", wrong_type),
    ("RUL-01", unasked),
    ("RUL-01", out_of_order),
    ("RUL-02", late),
    ("RUL-03", other_id),
    ("RUL-03", zero_id),
    ("RUL-03", other_session_joined),
    ("RUL-04", oscillator_off),
    ("RUL-04", duty_10),
    ("RUL-05", early_voltage),
    ("RUL-05", early_voltage_second_session),
    ("RUL-05", early_voltage_seen_by_the_car),
    ("RUL-06", repeated_number),
    ("RUL-06", not_started),
    ("RUL-06", after_end),
    ("RUL-07", meter_back),
    ("RUL-08", bad_frame),
    ("RUL-08", two_calls),
    ("RUL-09", trailing),
    ("RUL-09", bad_sdp),
]


@pytest.mark.parametrize(("rule_id", "story"), BROKEN, ids=lambda one: getattr(one, "__name__", one))
def test_broken_session_fails_its_rule_once_and_no_other(rule_id: str, story: Callable[[], Story]) -> None:
    told = story()
    assert len(fails(rule_id, told)) == 1
    others = [rule.id for rule in RULES if rule.id != rule_id and fails(rule.id, told)]
    assert others == []


EXCUSED = [
    ("RUL-01", out_of_order, "order"),
    ("RUL-02", late, "timing"),
    ("RUL-03", other_id, "session-id"),
    ("RUL-04", oscillator_off, "pilot"),
    ("RUL-05", early_voltage, "voltage"),
    ("RUL-08", two_calls, "ocpp"),
]


@pytest.mark.parametrize(("rule_id", "story", "deviates"), EXCUSED)
def test_what_the_case_does_on_purpose_is_not_blamed(
    rule_id: str, story: Callable[[], Story], deviates: str
) -> None:
    assert fails(rule_id, story(), (deviates,)) == []


def test_a_deviation_of_the_ev_ends_the_judgement_of_order_and_session_id() -> None:
    story = (
        Story().exchange("SessionSetup").request("PowerDelivery", deviation="out of order", session_id="ff")
    )
    story.response("PowerDelivery", session_id="ff").exchange("CurrentDemand")
    assert fails("RUL-01", story) == []
    assert fails("RUL-03", story) == []


def test_a_refused_message_out_of_order_is_no_fault() -> None:
    story = Story().exchange("SessionSetup").request("PowerDelivery")
    assert fails("RUL-01", story.response("PowerDelivery", response_code="FAILED_SequenceError")) == []


def test_connection_numbers_may_come_again_in_the_next_session() -> None:
    story = Story()
    for session_id in ("01", "02"):
        story.add("ev", "tcp", "connect").request("SessionSetup", session_id="00")
        story.response("SessionSetup", session_id=session_id)
    assert fails("RUL-01", story) == []
    assert fails("RUL-03", story) == []


def test_slow_answers_are_one_warning() -> None:
    story = Story()
    for rtt_s in (0.05, 0.2, 0.1):
        story.request("CurrentDemand").response("CurrentDemand", rtt_s=rtt_s)
    (warning,) = by_id("RUL-02").check(story.events)
    assert warning.severity == "warning"
    assert "3 times, at worst 0.200 s" in warning.message


def test_an_uncommon_encoding_is_a_warning() -> None:
    story = Story().request("SessionSetup")
    story.response("SessionSetup", tolerated="string-table-hit: iso2: V2G_Message at bit 80 (byte 10): a hit")
    (warning,) = by_id("RUL-09").check(story.events)
    assert warning.severity == "warning"
    assert "string-table-hit" in warning.message and "bit 80" in warning.message


def test_voltage_left_from_before_is_not_early_voltage() -> None:
    assert fails("RUL-05", Story().sample(400).add("ev", "tcp", "connect").sample(390).sample(200)) == []


@pytest.mark.parametrize(("before_s", "findings"), [(0.02, 0), (0.2, 1)])
def test_voltage_just_before_the_stamp_of_cable_check_is_not_early(before_s: float, findings: int) -> None:
    story = Story().sample(0).exchange("SessionSetup").sample(500).request("CableCheck")
    sample, request = story.events[-2:]
    story.events[-1] = dataclasses.replace(request, t_ns=sample.t_ns + round(before_s * 1e9))
    assert len(fails("RUL-05", story)) == findings


def test_what_the_pilot_does_in_the_safe_state_is_not_the_charger_s_fault() -> None:
    story = Story().exchange("SessionSetup").pilot(5).add("bench", "bench", "safe state")
    assert fails("RUL-04", story.pilot(100, oscillator=False).pilot(100, oscillator=False)) == []


def test_one_reading_in_an_edge_of_the_pilot_is_no_fault() -> None:
    assert fails("RUL-04", Story().exchange("SessionSetup").pilot(5).pilot(100).pilot(5)) == []


def test_a_repeated_event_and_late_offline_events_are_in_order() -> None:
    assert (
        fails("RUL-06", Story().transaction("Started", 0).transaction("Started", 0).transaction("Ended", 1))
        == []
    )
    queued = Story().transaction("Started", 0).transaction("Ended", 2).transaction("Updated", 1, offline=True)
    assert fails("RUL-06", queued) == []


def test_kwh_and_multipliers_are_compared_in_wh() -> None:
    story = Story()
    story.transaction("Started", 0, 900.0)
    unit = {"unit": "kWh", "multiplier": 0}
    value = {"meterValue": [{"sampledValue": [{"value": 1.0, "unitOfMeasure": unit}]}]}
    story.transaction("Updated", 1, **value)
    assert fails("RUL-07", story) == []
