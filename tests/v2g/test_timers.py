"""The timer data: complete, consistent, and found by name."""

from __future__ import annotations

import pytest

from bench.v2g import timers


def test_every_entry_is_complete() -> None:
    limits = timers.load()
    assert len(limits) > 150
    for name, limit in limits.items():
        assert limit.name == name
        assert limit.unit
        assert limit.source
        assert limit.confidence in ("source2", "source", "memory")
        assert (limit.minimum is None) == (limit.maximum is None)
        if limit.minimum is not None and limit.maximum is not None:
            assert limit.minimum < limit.maximum


@pytest.mark.parametrize("protocol", ["iso2", "din", "iso20"])
def test_a_performance_time_is_shorter_than_the_timeout_that_guards_it(protocol: str) -> None:
    limits = timers.load()
    pairs = [name for name in limits if name.startswith(protocol) and name.endswith(".secc_performance")]
    assert pairs
    for name in pairs:
        assert limits[name].value < limits[name.replace("secc_performance", "evcc_timeout")].value


def test_values_by_message() -> None:
    assert timers.message_timeout("iso2", "SessionSetupReq").value == 2.0
    assert timers.performance("iso2", "CurrentDemandRes").value == 0.025
    assert timers.performance("iso2", "PaymentDetails").value == 4.5
    assert timers.message_timeout("iso20", "ServiceDetailReq").value == 5.0
    assert timers.message_timeout("iso20", "ScheduleExchangeReq").name == "iso20.default.evcc_timeout"
    sequence = timers.get("iso2.V2G_SECC_Sequence_Timeout")
    assert (sequence.value, sequence.unit) == (60.0, "s")
    assert "V2G2-443" in sequence.requirements


def test_unknown_names_offer_near_ones() -> None:
    with pytest.raises(KeyError, match=r"iso2\.SessionSetup\.evcc_timeout"):
        timers.get("iso2.SessionSetup.nothing")
    with pytest.raises(KeyError):
        timers.message_timeout("iso2", "NoSuchReq")


def test_json_form() -> None:
    assert timers.get("iec61851.cp_detection_B").to_json()["minimum"] == 8.0
    assert "minimum" not in timers.get("sdp.response_wait").to_json()


def test_a_bench_file_may_override_a_limit_for_a_while() -> None:
    name = "iso2.SessionSetup.secc_performance"
    before = timers.get(name)
    with timers.overridden({name: 9.0}, "bench file x.toml"):
        changed = timers.get(name)
        assert (changed.value, changed.source, changed.confidence) == (9.0, "bench file x.toml", "source")
        assert "1.5" in changed.note
        assert timers.performance("iso2", "SessionSetupRes").value == 9.0
    assert timers.get(name) == before


def test_an_unknown_limit_cannot_be_overridden() -> None:
    with pytest.raises(KeyError), timers.overridden({"iso2.nothing": 1.0}, "x"):
        pass
