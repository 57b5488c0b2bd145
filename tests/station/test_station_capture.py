"""Frames that the capture lost are told where the run is judged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from bench.station.station import Station
from bench.timeline import Timeline


def test_lost_frames_are_on_the_timeline_and_in_the_notes_once() -> None:
    with Timeline() as timeline:
        station = SimpleNamespace(
            timeline=timeline,
            notes=["another note"],
            sniffer=SimpleNamespace(dropped=3, path=Path("results/capture.pcapng")),
        )
        Station._frames_lost(station, 3)  # type: ignore[arg-type]
        station.sniffer.dropped = 10
        Station._frames_lost(station, 7)  # type: ignore[arg-type]
        told = [each.data for each in timeline.since() if each.kind == "capture"]
    assert told == [{"count": 3, "total": 3}, {"count": 7, "total": 10}]
    assert station.notes == [
        "another note",
        "capture: frames lost: 10 in all, capture.pcapng is not whole",
    ]
