"""The timeline: one stream, written as it happens, readable after a kill."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bench import timeline
from bench.timeline import Event, Timeline, TimelineError


def test_events_are_numbered_and_stamped_in_order() -> None:
    stream = Timeline()
    first = stream.append("ev", "v2g", "SessionSetupReq", {"dir": "tx"})
    second = stream.append("ev", "v2g", "SessionSetupRes", {"dir": "rx"})
    assert (first.seq, second.seq) == (1, 2)  # 0 is the clock event
    assert first.t_ns <= second.t_ns
    assert [event.name for event in stream.since(first.seq)] == ["SessionSetupReq", "SessionSetupRes"]


def test_a_stamp_taken_where_it_happened_is_kept() -> None:
    assert Timeline().append("csms", "ocpp", "Authorize", t_ns=42).t_ns == 42


def test_every_event_is_on_disk_before_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    with Timeline(path) as stream:
        stream.append("ev", "step", "plugged in", {"raw": b"\x01\xfe", "text": "Zürich ⚡"})
        events = list(timeline.read(path))
    assert events[-1].name == "plugged in"
    assert events[-1].data == {"raw": "01fe", "text": "Zürich ⚡"}
    assert events[0].kind == "clock"


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    with Timeline(path) as stream:
        stream.append("ev", "step", "one")
        stream.append("ev", "step", "two")
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert [event.name for event in timeline.read(path)] == ["epoch", "one"]


def test_a_broken_line_in_the_middle_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    path.write_text('{"seq": 0}\n' + Event(1, 1, "a", "b", "c").to_json() + "\n", encoding="utf-8")
    with pytest.raises(TimelineError, match=r"timeline\.jsonl:1"):
        list(timeline.read(path))


def test_wait_for_sees_an_event_appended_by_another_thread() -> None:
    stream = Timeline()
    mark = stream.mark()
    thread = threading.Thread(target=lambda: stream.append("csms", "ocpp", "Authorize"))
    thread.start()
    found = stream.wait_for(lambda event: event.name == "Authorize", 5.0, since=mark)
    thread.join()
    assert found is not None
    assert found.source == "csms"


def test_wait_for_looks_at_what_already_happened_and_gives_up_in_time() -> None:
    stream = Timeline()
    stream.append("ev", "step", "before")
    assert stream.wait_for(lambda event: event.name == "before", 0.0) is not None
    assert stream.wait_for(lambda event: event.name == "never", 0.01) is None


def test_subscribers_see_each_event_until_they_leave() -> None:
    stream = Timeline()
    seen: list[str] = []
    leave = stream.subscribe(lambda event: seen.append(event.name))
    stream.append("ev", "step", "one")
    leave()
    stream.append("ev", "step", "two")
    assert seen == ["one"]


def test_threads_never_share_a_sequence_number(tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    with Timeline(path) as stream:

        def write() -> None:
            for _ in range(200):
                stream.append("x", "step", "n")

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [event.seq for event in timeline.read(path)] == list(range(801))


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="cannot be written"):
        Timeline(tmp_path / "absent" / "timeline.jsonl")


def test_a_full_disk_does_not_stop_the_run() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    stream = Timeline(Path("/dev/full"))
    stream.append("ev", "step", "still going")
    assert stream.write_error is not None
    assert stream.since()[-1].name == "still going"
