"""A mock CSMS and a station that talks to it over a real loopback WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ocpp_station import Station

from bench.csms import Csms
from bench.pki import Pki
from bench.timeline import Timeline


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


@pytest.fixture
def csms(timeline: Timeline, pki: Pki, tmp_path: Path) -> Iterator[Csms]:
    with Csms(timeline, pki, station_id="CS01", record=tmp_path / "ocpp.jsonl") as backend:
        backend.contracts.accept(pki.contract.emaid)
        backend.tokens.accept("CARD-1")
        yield backend


@pytest.fixture
def make_station(csms: Csms, pki: Pki, tmp_path: Path) -> Iterator[Callable[..., Station]]:
    made: list[Station] = []

    def make(wait: bool = True, **more: Any) -> Station:
        settings = {"SampledDataCtrlr.TxUpdatedInterval": 0.05, **more.pop("settings", {})}
        station = Station(
            tmp_path / f"store{len(made)}", pki, more.pop("url", csms.url), settings=settings, **more
        )
        made.append(station)
        if wait:
            csms.wait_for("StatusNotification")
        return station

    yield make
    for station in made:
        station.close()


def frames_with_problems(timeline: Timeline) -> list[dict[str, Any]]:
    """What the charger sent that broke a rule."""
    return [
        each.data
        for each in timeline.since()
        if each.kind == "ocpp" and each.data["dir"] == "rx" and each.data["problem"]
    ]


@pytest.fixture
def clean(timeline: Timeline) -> Iterator[None]:
    """The test's traffic must be without problems."""
    yield
    assert frames_with_problems(timeline) == []
