"""Traffic recorded from independent charge points, through parser, validator and recorder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from shared import shared_dir

from bench.csms import Csms, frames, schemas
from bench.csms.frames import FrameError, FrameType
from bench.csms.record import Recorder
from bench.timeline import Timeline

_SHARED = shared_dir()
FILES = sorted((_SHARED / "ocpp" / "frames").glob("*.jsonl")) if _SHARED is not None else []
pytestmark = pytest.mark.skipif(not FILES, reason="no shared folder with recorded frames")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recordings_parse_and_record(path: Path, tmp_path: Path) -> None:
    timeline, copy = Timeline(), tmp_path / "ocpp.jsonl"
    recorder = Recorder(timeline, copy)
    version, asked, parsed = "1.6", {}, 0
    recorded = [each for each in lines(path) if "raw" in each]
    for each in lines(path):
        if each["dir"] == "open" and each.get("proto"):
            version = each["proto"].removeprefix("ocpp")
        if "raw" not in each:
            continue
        problem: str | None = None
        try:
            frame = frames.parse(each["raw"])
        except FrameError as error:
            problem = str(error)
        else:
            parsed += 1
            if frame.type is FrameType.CALL and frame.action in schemas.actions(version):
                asked[frame.id] = frame.action
                violation = schemas.check(version, frame.action, frame.payload)
                problem = None if violation is None else str(violation)
            elif frame.type is FrameType.CALLRESULT and frame.id in asked:
                schemas.check(version, asked[frame.id], frame.payload, response=True)
        recorder.frame(
            each["dir"],
            each["cp"],
            1,
            each["raw"],
            t_ns=each["mono_ns"],
            kind="?",
            action="?",
            frame_id=None,
            payload=None,
            problem=problem,
        )
    recorder.close()
    copied = lines(copy)
    assert [(c["raw"], c["mono_ns"], c["dir"]) for c in copied] == [
        (r["raw"], r["mono_ns"], r["dir"]) for r in recorded
    ]
    assert parsed >= len(recorded) - 5


@pytest.mark.parametrize("name", ["mobilityhouse_v201", "ocpprpc_201", "solidstudio_201"])
def test_recorded_chargers_are_served(name: str) -> None:
    assert _SHARED is not None
    path = _SHARED / "ocpp" / "frames" / f"{name}.jsonl"
    timeline = Timeline()
    calls = [e["raw"] for e in lines(path) if e["dir"] == "rx" and e["raw"].startswith("[2")]
    assert calls
    with (
        Csms(timeline, accept_unknown=True) as csms,
        connect(csms.url + "/CS", subprotocols=["ocpp2.0.1"], proxy=None) as charger,  # type: ignore[list-item]
    ):
        for raw in calls:
            charger.send(raw)
            answer = json.loads(charger.recv(timeout=5))
            assert answer[0] in (3, 4)
            if answer[0] == 3:
                action = json.loads(raw)[2]
                assert schemas.check("2.0.1", action, answer[2], response=True) is None
    seen = [e.data["raw"] for e in timeline.since() if e.kind == "ocpp" and e.data["dir"] == "rx"]
    assert seen == calls
