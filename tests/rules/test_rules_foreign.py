"""Rules over a capture: a stranger's errors, and what the capture lacks, are not held against the charger."""

from __future__ import annotations

from typing import Any

import pytest

from bench.rules import by_id
from bench.rules.finding import Finding
from bench.rules.order import ALLOWED_NEXT, ALLOWED_NEXT_20, allowed_next
from bench.rules.timing import limit_of
from bench.timeline import Event


class Overheard:
    """A timeline as a sniffer tells it; every event is 10 ms after the one before."""

    def __init__(self, *, source: str = "sniffer", schema: str = "iso2") -> None:
        self.events: list[Event] = []
        self.source, self.schema = source, schema

    def add(self, kind: str, name: str, **data: Any) -> Overheard:
        seq = len(self.events)
        data = {"connection": 1, **data}
        self.events.append(Event(seq, seq * 10_000_000, self.source, kind, name, data))
        return self

    def connect(self, connection: int = 1) -> Overheard:
        return self.add("tcp", "connect", connection=connection)

    def request(self, name: str, **more: Any) -> Overheard:
        data = {"dir": "tx", "schema": self.schema, "session_id": "0a0b", **more}
        return self.add("v2g", f"{name}Req", **data)

    def response(self, name: str, **more: Any) -> Overheard:
        data = {"dir": "rx", "schema": self.schema, "session_id": "0a0b", "response_code": "OK", **more}
        return self.add("v2g", f"{name}Res", **data)

    def exchange(self, *names: str, **more: Any) -> Overheard:
        for name in names:
            self.request(name).response(name, **more)
        return self

    def found(self, rule: str) -> list[tuple[str, str]]:
        return [(one.severity, one.message) for one in self.findings(rule)]

    def findings(self, rule: str) -> list[Finding]:
        return by_id(rule).check(self.events)


def test_the_same_request_out_of_order_fails_only_where_the_bench_sent_it() -> None:
    def story(source: str) -> Overheard:
        return Overheard(source=source).connect().exchange("SessionSetup", "PreCharge")

    assert story("ev").found("RUL-01") == [("fail", "PreChargeReq after SessionSetupReq was accepted (OK)")]
    assert story("sniffer").found("RUL-01") == [
        ("info", "EV: PreChargeReq is out of order after SessionSetupReq"),
        ("warning", "PreChargeReq after SessionSetupReq was accepted (OK)"),
    ]


def test_an_answer_of_another_kind_fails_whoever_asked() -> None:
    story = Overheard().connect().request("SessionSetup").response("ServiceDiscovery")
    assert story.found("RUL-01") == [("fail", "SessionSetupReq was answered with ServiceDiscoveryRes")]


def test_a_capture_that_begins_late_has_answers_without_requests() -> None:
    assert Overheard().response("CurrentDemand").exchange("CurrentDemand").found("RUL-01") == []
    begun = Overheard().connect().response("SessionSetup")
    assert begun.found("RUL-01") == [("fail", "SessionSetupRes came without a request")]


def test_after_a_gap_nothing_is_said_of_order() -> None:
    story = Overheard().connect().exchange("SessionSetup").request("ServiceDiscovery").add("v2g-error", "gap")
    story.response("CurrentDemand").exchange("CurrentDemand", "PowerDelivery")
    assert story.found("RUL-01") == []


def test_a_gap_is_seen_only_after_the_answer_to_what_is_missing() -> None:
    story = Overheard().connect().exchange("SessionSetup").response("ServiceDiscovery")
    story.add("v2g-error", "gap", dir="tx").exchange("PaymentServiceSelection")
    assert story.found("RUL-01") == []


def test_connections_in_parallel_are_followed_each_on_its_own() -> None:
    story = Overheard().connect(1).request("SessionSetup").connect(2)
    story.response("SessionSetup").request("ServiceDiscovery")
    assert story.found("RUL-01") == []


def test_an_ev_that_goes_on_before_the_charger_is_done() -> None:
    story = Overheard().connect().exchange("ChargeParameterDiscovery")
    story.request("CableCheck").response("CableCheck", processing="Ongoing").exchange("PreCharge")
    assert story.found("RUL-01") == [("info", "EV: PreChargeReq came while CableCheck was still ongoing")]
    stops = Overheard().connect().exchange("ChargeParameterDiscovery")
    stops.request("CableCheck").response("CableCheck", processing="Ongoing").exchange("SessionStop")
    assert stops.found("RUL-01") == []


def test_iso_15118_20_has_an_order_of_its_own() -> None:
    story = Overheard(schema="iso20-common").connect().exchange("SessionSetup", "AuthorizationSetup")
    assert story.found("RUL-01") == []
    assert allowed_next("iso2", "SessionSetup") == ALLOWED_NEXT["SessionSetup"]
    assert allowed_next("iso20-dc", "SessionSetup") == ALLOWED_NEXT_20["SessionSetup"]
    assert allowed_next("iso20-dc", "VehicleCheckIn") is None


def test_a_wrong_session_id_of_the_ev_is_its_own() -> None:
    story = Overheard().connect().exchange("SessionSetup")
    story.request("ServiceDiscovery", session_id="ffff").response("ServiceDiscovery", session_id="0000")
    assert story.found("RUL-03") == [("info", "EV: ServiceDiscoveryReq carries session id ffff, not 0a0b")]
    charger = Overheard().connect().exchange("SessionSetup")
    charger.request("ServiceDiscovery").response("ServiceDiscovery", session_id="ffff")
    assert [severity for severity, _ in charger.found("RUL-03")] == ["fail"]


@pytest.mark.parametrize(
    ("data", "severity"),
    [
        ({"dir": "tx", "exi": "80"}, "info"),
        ({"dir": "rx", "exi": "80"}, "fail"),
        ({"dir": "rx", "exi": "80", "inferred": True}, "warning"),
        ({"dir": "rx", "exi": ""}, "warning"),
    ],
)
def test_what_cannot_be_read(data: dict[str, Any], severity: str) -> None:
    story = Overheard().connect().add("v2g-error", "undecodable", text="bad", **data)
    assert [one for one, _ in story.found("RUL-09")] == [severity]


def test_what_cannot_be_read_after_a_gap_or_a_late_beginning_is_no_failure() -> None:
    late = Overheard().add("v2g-error", "undecodable", text="bad", dir="rx", exi="80")
    assert [one for one, _ in late.found("RUL-09")] == ["warning"]
    gap = Overheard().connect().add("v2g-error", "gap", dir="rx")
    gap.add("v2g-error", "undecodable", text="bad", dir="rx", exi="80")
    assert [one for one, _ in gap.found("RUL-09")] == ["warning"]


def test_an_odd_message_of_the_ev_is_its_own() -> None:
    story = Overheard().connect().request("SessionSetup", problem="a byte too many")
    assert story.found("RUL-09") == [("info", "EV: SessionSetupReq: a byte too many")]


def test_late_answers_are_one_finding_a_message() -> None:
    story = Overheard().connect().exchange("CurrentDemand", "CurrentDemand", rtt_s=0.4)
    story.exchange("CurrentDemand", rtt_s=0.6)
    assert story.found("RUL-02") == [
        (
            "fail",
            "CurrentDemandRes took 0.600 s, the EV waits 0.25 s (3 such, this is the worst) "
            "(ISO 15118-2:2014 table 109)",
        )
    ]


def test_limits_of_every_message_set() -> None:
    for schema in ("iso2", "sap", "din", "iso20-common", "iso20-dc"):
        name = "supportedAppProtocolRes" if schema == "sap" else "SessionSetupRes"
        limit = limit_of(schema, name, "evcc_timeout")
        assert limit is not None
        assert limit.value == 2.0
    assert limit_of("din", "NoSuchRes", "evcc_timeout") is None
