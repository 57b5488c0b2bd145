"""Device model, transactions, outbox and cache of the OCPP client, by themselves."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.charger.backend import IdToken, StopReason
from bench.charger.ocpp.auth_cache import MAX_ENTRIES as CACHE_ENTRIES
from bench.charger.ocpp.auth_cache import AuthCache
from bench.charger.ocpp.outbox import MAX_ENTRIES, Outbox
from bench.charger.transaction import TransactionManager
from bench.charger.variables import DeviceModel
from bench.csms.schemas import check

CARD = IdToken("CARD-1", "ISO14443")
OTHER = IdToken("DEPBXC123456789", "eMAID")
METER = SimpleNamespace(energy_wh=1.0, power_w=2.0, voltage_v=3.0, current_a=4.0, soc_percent=None)


def manager() -> tuple[TransactionManager, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []
    return TransactionManager(METER, sent.append, lambda: True), sent


STEPS = (
    "plugged_in",
    "unplugged",
    "card",
    "other",
    "charging_started",
    "suspend",
    "stop",
    "sample",
    "triggered",
)


@given(st.lists(st.sampled_from(STEPS), max_size=30))
def test_any_order_of_events_makes_orderly_transactions(steps: list[str]) -> None:
    transactions, sent = manager()
    for step in [*steps, "unplugged"]:
        match step:
            case "card":
                transactions.authorized(CARD)
            case "other":
                transactions.authorized(OTHER)
            case "suspend":
                transactions.charging_suspended("EV")
            case "stop":
                transactions.charging_stopped("Local")
            case _:
                getattr(transactions, step)()
    by_id: dict[str, list[dict[str, Any]]] = {}
    for each in sent:
        assert check("2.0.1", "TransactionEvent", each) is None
        by_id.setdefault(each["transactionInfo"]["transactionId"], []).append(each)
    for events in by_id.values():
        assert [each["seqNo"] for each in events] == list(range(len(events)))
        kinds = [each["eventType"] for each in events]
        assert (kinds[0], kinds[-1]) == ("Started", "Ended")
        assert kinds.count("Started") == kinds.count("Ended") == 1


@pytest.mark.parametrize("reason", get_args(StopReason))
def test_every_stop_reason_has_a_trigger(reason: StopReason) -> None:
    transactions, sent = manager()
    transactions.authorized(CARD)
    transactions.charging_stopped(reason)
    assert sent[-1]["transactionInfo"]["stoppedReason"] == reason
    assert check("2.0.1", "TransactionEvent", sent[-1]) is None


def test_another_token_is_another_transaction() -> None:
    transactions, sent = manager()
    transactions.authorized(CARD)
    transactions.authorized(CARD)
    transactions.authorized(OTHER)
    assert [each["eventType"] for each in sent] == ["Started", "Ended", "Started"]
    assert sent[1]["triggerReason"] == "Deauthorized"


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=40))
def test_device_model_takes_any_text(component: str, variable: str, value: str) -> None:
    model = DeviceModel()
    assert model.set(component, variable, value) == "UnknownComponent"
    assert model.get(component, variable) == ("UnknownComponent", None)
    assert not model.flag(component, variable)
    model.set("OCPPCommCtrlr", "HeartbeatInterval", value)
    assert model.number("OCPPCommCtrlr", "HeartbeatInterval") >= 0


def test_device_model_put() -> None:
    model = DeviceModel()
    changed: list[str] = []
    model.on_change.append(lambda each: changed.append(each.name))
    model.put("TxCtrlr", "TxStartPoint", "EVConnected")
    model.put("SampledDataCtrlr", "TxUpdatedInterval", 0.25)
    model.put("ISO15118Ctrlr", "PnCEnabled", False)
    assert changed == ["TxStartPoint", "TxUpdatedInterval", "PnCEnabled"]
    assert model.text("SampledDataCtrlr", "TxUpdatedInterval") == "0.25"
    for value in (float("inf"), -1, "x"):
        with pytest.raises(ValueError, match="does not fit"):
            model.put("SampledDataCtrlr", "TxUpdatedInterval", value)
    assert model.set("AuthCtrlr", "Enabled", "TRUE") == "Accepted"
    assert model.set("AuthCtrlr", "Enabled", "true", "Target") == "NotSupportedAttributeType"
    assert model.get("AuthCtrlr", "Enabled", "MinSet") == ("NotSupportedAttributeType", None)


def test_outbox_drops_samples_first() -> None:
    outbox = Outbox()
    outbox.put("TransactionEvent", {"eventType": "Started"})
    for number in range(MAX_ENTRIES + 50):
        outbox.put("TransactionEvent", {"triggerReason": "MeterValuePeriodic", "seqNo": number})
    outbox.put("TransactionEvent", {"eventType": "Ended"})
    assert len(outbox) == MAX_ENTRIES
    entries = list(outbox._entries)
    assert entries[0].payload == {"eventType": "Started"}
    assert entries[-1].payload == {"eventType": "Ended"}
    first = asyncio.run(outbox.first())
    outbox.done(first)
    outbox.done(first)
    assert len(outbox) == MAX_ENTRIES - 1


def test_auth_cache_forgets() -> None:
    now_s = 0.0
    cache = AuthCache(lambda: 10.0, lambda: now_s)
    cache.store(CARD, "Accepted")
    assert cache.status(IdToken("card-1", "ISO14443")) == "Accepted"
    assert cache.status(IdToken("CARD-1", "eMAID")) is None
    now_s = 11.0
    assert cache.status(CARD) is None
    for number in range(CACHE_ENTRIES + 5):
        cache.store(IdToken(str(number), "Local"), "Accepted")
    assert cache.status(IdToken("0", "Local")) is None
    cache.clear()
    assert cache.status(IdToken("9", "Local")) is None
