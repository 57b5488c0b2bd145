"""Twenty matchings of twenty with each way in which real modems differ from a plain one, on either side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.slac.config import EvConfig
from bench.slac.run import match
from drivers.qca7000 import Qca7000
from tests.slac.live_bench import Bench

MATCHINGS = 20
CONFIG = EvConfig(attempts=1, sound_interval_s=0.005)  # quicker than any car, for the tests' sake
OF_EITHER = [
    {"set_key_result": 0},
    {"set_key_result": 1},
    {"reboot_s": 0.1},
    {"join_s": 0.15},
    {"vlan": 7},
    {"firmware": "INT7400-MAC-6-0"},
    {"answers_nw_info": False},
]
OF_CAR = [{"refusals_after_match": 2}, {"lost_sounds": 2}, {"link_status": "none"}]
OF_CHARGER = [
    {"attenuation_db": 60.0, "jitter_db": 20.0},
    {"attenuation_db": 0.0, "jitter_db": 0.0},
]
ALL = [
    *[(side, quirks) for side in ("ev", "evse") for quirks in OF_EITHER],
    *[("ev", quirks) for quirks in OF_CAR],
    *[("evse", quirks) for quirks in OF_CHARGER],
]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("side", "quirks"),
    ALL,
    ids=[f"{side} " + " ".join(f"{key}={value}" for key, value in quirks.items()) for side, quirks in ALL],
)
def test_twenty_of_twenty_with(bench: Bench, side: str, quirks: dict[str, Any]) -> None:
    bench.call(bench.line.command({"set": side, **quirks}))
    modem = Qca7000(
        bench.endpoints["plc"],
        name="modem",
        settle_s=0.0,
        poll_s=0.01,
        timeout_s=0.1,
        set_key_retry_s=0.02,
        restart_s=2.0,
    )
    modem.open()
    try:
        reasons = []
        for _ in range(MATCHINGS):
            result = match(modem.port, modem, config=CONFIG)
            reasons.append(result.reason)
            bench.pilot("A")
            bench.pilot("B")
        assert reasons == ["linked"] * MATCHINGS
    finally:
        modem.close()
