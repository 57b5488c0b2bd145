"""Reading capture files: every format, every block, and files that are cut off or damaged."""

from __future__ import annotations

import gzip
import os
import struct
import threading
from pathlib import Path

import pytest
from capture_lab import (
    T0,
    block,
    enhanced,
    ethernet,
    interface,
    pcap,
    pcapng,
    secrets,
    section,
    written,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.capture.files import CaptureError, CaptureReader, Packet, open_capture

FRAMES = [ethernet(bytes([index]) * (40 + index)) for index in range(5)]


def read(path: Path) -> tuple[list[Packet], list[str]]:
    with open_capture(path) as reader:
        return list(reader), reader.problems


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_pcap_in_both_byte_orders_and_both_resolutions(tmp_path: Path, order: str, nano: bool) -> None:
    packets, problems = read(written(tmp_path, pcap(FRAMES, order=order, nano=nano, link=276)))
    assert [each.data for each in packets] == FRAMES
    assert [each.number for each in packets] == [1, 2, 3, 4, 5]
    assert {each.link for each in packets} == {276}
    expected = T0 + 1_000_000
    assert packets[0].t_ns == (expected if nano else expected // 1000 * 1000)
    assert not problems


def test_pcap_with_longer_packet_headers(tmp_path: Path) -> None:
    data = struct.pack("<IHHiIII", 0xA1B2CD34, 2, 4, 0, 0, 65535, 1)
    for frame in FRAMES:
        data += struct.pack("<IIIIIHBB", 1, 2, len(frame), len(frame), 0, 0, 0, 0) + frame
    assert [each.data for each in read(written(tmp_path, data))[0]] == FRAMES


def test_the_link_type_is_found_beside_the_length_of_the_frame_check(tmp_path: Path) -> None:
    packets, _ = read(written(tmp_path, pcap(FRAMES, link=0x1400_0001)))
    assert {each.link for each in packets} == {1}


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_packet_captured_in_part_says_so(tmp_path: Path, form: str) -> None:
    if form == "pcap":
        data = pcap(FRAMES, snaplen=62)
    else:
        data = section() + interface() + b"".join(enhanced(f[:62], 1, length=len(f)) for f in FRAMES)
    packets, problems = read(written(tmp_path, data))
    assert [each.truncated for each in packets] == [len(frame) > 62 for frame in FRAMES]
    assert not problems


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_in_both_byte_orders(tmp_path: Path, order: str) -> None:
    packets, problems = read(written(tmp_path, pcapng(FRAMES, order)))
    assert [(each.data, each.t_ns) for each in packets] == [
        (frame, T0 + number * 1_000_000) for number, frame in enumerate(FRAMES, 1)
    ]
    assert not problems


@pytest.mark.parametrize(
    ("resolution", "stamp", "t_ns"),
    [
        (None, 1_700_000_000_000_001, 1_700_000_000_000_001_000),
        (3, 1_700_000_000_001, 1_700_000_000_001_000_000),
        (9, T0, T0),
        (12, 5_000, 5),
        (0x80 | 10, 1536, 1_500_000_000),
    ],
)
def test_time_resolutions(tmp_path: Path, resolution: int | None, stamp: int, t_ns: int) -> None:
    data = section() + interface(resolution=resolution) + enhanced(FRAMES[0], stamp)
    assert read(written(tmp_path, data))[0][0].t_ns == t_ns


def test_the_time_offset_of_an_interface(tmp_path: Path) -> None:
    described = block(1, struct.pack("<HHIHHqHH", 1, 0, 0, 14, 8, 1_000, 0, 0))
    assert (
        read(written(tmp_path, section() + described + enhanced(FRAMES[0], 5)))[0][0].t_ns
        == 1_000_000_005_000
    )


def test_sections_of_two_byte_orders_and_several_interfaces(tmp_path: Path) -> None:
    data = section() + interface(link=1) + interface(link=113) + enhanced(FRAMES[0], 1, index=1)
    data += section(">") + interface(">", link=101) + enhanced(FRAMES[1], 2, ">")
    packets, problems = read(written(tmp_path, data))
    assert [(each.link, each.data) for each in packets] == [(113, FRAMES[0]), (101, FRAMES[1])]
    assert not problems


def test_simple_and_old_packet_blocks(tmp_path: Path) -> None:
    data = section() + interface(snaplen=64)
    data += block(3, struct.pack("<I", 64) + bytes(64)) + block(3, struct.pack("<I", 100) + bytes(64))
    data += block(2, struct.pack("<HHIIII", 0, 9, 0, 7, 60, 60) + FRAMES[0][:60])
    packets, problems = read(written(tmp_path, data))
    assert [(len(each.data), each.truncated) for each in packets] == [(64, False), (64, True), (60, False)]
    assert packets[2].t_ns == 7_000
    assert not problems


@pytest.mark.parametrize(
    ("kind", "numbered"),
    [(4, False), (5, False), (10, False), (0x77, False), (9, True), (0xBAD, True), (0x40000BAD, True)],
)
def test_other_blocks_are_skipped_and_numbered_as_wireshark_does(
    tmp_path: Path, kind: int, numbered: bool
) -> None:
    """What tshark 4.0.17 does with each of these blocks between two packets."""
    data = section() + interface() + enhanced(FRAMES[0], 1) + block(kind, bytes(16)) + enhanced(FRAMES[1], 2)
    packets, problems = read(written(tmp_path, data))
    assert [each.number for each in packets] == [1, 3 if numbered else 2]
    assert not problems


def test_secrets_in_front_and_behind(tmp_path: Path) -> None:
    data = section() + secrets(b"first\n") + interface() + enhanced(FRAMES[0], 1) + secrets(b"last\n")
    data += section(">") + secrets(b"other section\n", ">")
    for path in (written(tmp_path, data), written(tmp_path, gzip.compress(data), "capture.gz")):
        with open_capture(path) as reader:
            packets = iter(reader)
            assert next(packets).data == FRAMES[0]
            assert reader.secrets == ["first\n"]
            assert reader.scan_secrets() == ["first\n", "last\n", "other section\n"]
            assert list(packets) == []
            assert reader.secrets == ["first\n", "last\n", "other section\n"]


def test_gzip_also_of_several_members(tmp_path: Path) -> None:
    data = pcapng(FRAMES)
    packed = gzip.compress(data[:300]) + gzip.compress(data[300:])
    packets, problems = read(written(tmp_path, packed))
    assert [each.data for each in packets] == FRAMES
    assert not problems


def test_gzip_cut_off_gives_what_was_there(tmp_path: Path) -> None:
    noise = [ethernet(os.urandom(200)) for _ in range(200)]
    packed = gzip.compress(pcap(noise))
    packets, problems = read(written(tmp_path, packed[: len(packed) // 2]))
    assert 80 < len(packets) < 120
    assert [each.data for each in packets] == noise[: len(packets)]
    assert any("compressed data ends early" in each for each in problems)


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: path.write_bytes(pcapng(FRAMES)))
    thread.start()
    packets, problems = read(path)
    thread.join()
    assert [each.data for each in packets] == FRAMES
    assert not problems


@pytest.mark.parametrize(
    "data", [b"", b"\x0a", b"MZ\x90\0" * 20, b"{}\n" * 30, gzip.compress(b"hello" * 9), gzip.compress(b"")]
)
def test_no_capture_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CaptureError, match="not a capture file") as refused:
        open_capture(written(tmp_path, data))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        open_capture(tmp_path / "absent")
    with pytest.raises(CaptureError, match="directory"):
        open_capture(tmp_path)


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_file_cut_off_anywhere_gives_its_whole_packets_and_says_where(tmp_path: Path, form: str) -> None:
    data = pcap(FRAMES) if form == "pcap" else pcapng(FRAMES)
    whole = 24 if form == "pcap" else len(section()) + len(interface(resolution=9))
    ends = [whole]
    for frame in FRAMES:
        ends.append(ends[-1] + (16 + len(frame) if form == "pcap" else len(enhanced(frame, 0))))
    assert ends[-1] == len(data)
    between = {0, *ends} if form == "pcap" else {0, len(section()), *ends}
    for length in range(4, len(data) + 1):
        packets, problems = read(written(tmp_path, data[:length]))
        assert len(packets) == sum(end <= length for end in ends[1:])
        if length in between:
            assert not problems
        else:
            start = max(each for each in between if each <= length)
            assert [each.split(":")[0] for each in problems] == [f"at byte {start}"]


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda d: d[:64] + b"\xff\xff\xff\xff" + d[68:], "bytes from there on were not read"),
        (lambda d: d + b"\x06\0\0\0\x0d\0\0\0" + bytes(20), "a block of 13 bytes"),
        (lambda d: d + block(6, bytes(20))[:-4] + b"\x01\0\0\0", "the two lengths of a block differ"),
        (lambda d: d + block(6, bytes(4)), "without its fields"),
        (lambda d: d + enhanced(FRAMES[0], 1, index=3), "interface 3, which is not described"),
        (lambda d: d + block(0x0A0D0D0A, bytes(16)), "without a byte-order mark"),
        (lambda d: d + block(6, struct.pack("<IIIII", 0, 0, 0, 90, 90) + bytes(60)), "has only 60"),
        (lambda d: d + interface(resolution=0x7F), "time resolution of exponent 127"),
        (lambda d: d + block(10, b"ab"), "secrets block without its fields"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage, text: str) -> None:
    packets, problems = read(written(tmp_path, damage(pcapng(FRAMES))))
    assert any(text in each for each in problems), problems
    assert [each.data for each in packets][: len(FRAMES)] == FRAMES[: len(packets)]


def test_an_impossible_packet_length_in_pcap(tmp_path: Path) -> None:
    data = pcap(FRAMES) + struct.pack("<IIII", 0, 0, 0x7FFF_FFFF, 60) + bytes(1000)
    packets, problems = read(written(tmp_path, data))
    assert len(packets) == len(FRAMES)
    assert "1016 bytes from there on were not read" in problems[0]


def test_packets_over_the_edges_of_the_chunks_read(tmp_path: Path) -> None:
    frames = [ethernet(bytes([index % 251]) * 1400) for index in range(1200)]  # 1.7 MB, several chunks
    for data in (pcap(frames), pcapng(frames)):
        packets, problems = read(written(tmp_path, data))
        assert [each.data for each in packets] == frames
        assert not problems


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_makes_the_reader_raise(tmp_path: Path, data: st.DataObject) -> None:
    form = data.draw(
        st.sampled_from([pcap(FRAMES), pcapng(FRAMES), pcapng(FRAMES, ">"), gzip.compress(pcapng(FRAMES))])
    )
    content = bytearray(form)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        reader = CaptureReader(written(tmp_path, bytes(content)))
    except CaptureError:
        # Only compression can hide the first bytes, which are left alone here.
        assert content.startswith(b"\x1f\x8b")
        return
    with reader:
        packets = list(reader)
        reader.scan_secrets()
    assert len(packets) <= reader.number <= len(content)
    assert len(reader.problems) <= 21
