"""Capture files: what is written is read, by us and by scapy; hostile files are refused and bounded."""

from __future__ import annotations

import contextlib
import os
import struct
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.capture.pcapng import CaptureError, CaptureReader, Packet, PcapngWriter, Secrets, secrets_first

KEY_LOG = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n"


def write(path: Path) -> None:
    with PcapngWriter(path) as writer:
        assert writer.add_interface("eth0") == 0
        assert writer.add_interface("eth1", description="second") == 1
        writer.packet(b"first", 1_700_000_000_123_456_789)
        writer.secrets(KEY_LOG)
        writer.secrets(b"")
        writer.packet(b"second!", 1_700_000_001_000_000_001, interface=1, length=99, comment="cut")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    write(path)
    reader = CaptureReader(path)
    assert list(reader) == [
        Packet(1, 1_700_000_000_123_456_789, 0, 1, b"first", 5),
        Secrets(0x544C534B, KEY_LOG),
        Packet(2, 1_700_000_001_000_000_001, 1, 1, b"second!", 99, "cut"),
    ]
    assert not reader.truncated
    assert reader.comment.startswith("monotonic offset ")


def test_every_block_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with PcapngWriter(path) as writer:
        writer.add_interface("eth0")
        for count in range(1, 4):
            writer.packet_monotonic(b"x" * count, time.monotonic_ns())
            packets = list(CaptureReader(path).packets())
            assert len(packets) == count == writer.packets
            assert abs(packets[-1].t_ns - time.time_ns()) < 2_000_000_000


def test_secrets_can_be_moved_in_front(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    write(path)
    secrets_first(path)
    secrets_first(path)
    items = list(CaptureReader(path))
    assert isinstance(items[0], Secrets)
    assert items[0].data == KEY_LOG
    assert [each.data for each in items[1:] if isinstance(each, Packet)] == [b"first", b"second!"]
    assert [each.name for each in tmp_path.iterdir()] == ["a.pcapng"]


def test_scapy_reads_it_too(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    write(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.utils import RawPcapNgReader
    reader = RawPcapNgReader(str(path))
    packets = [data for data, _ in reader]
    reader.close()
    assert packets == [b"first", b"second!"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "scale"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_classic_pcap(tmp_path: Path, order: str, magic: int, scale: int) -> None:
    path = tmp_path / "a.pcap"
    header = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(header + struct.pack(order + "IIII", 7, 9, 3, 60) + b"abc" + b"\0" * 5)
    reader = CaptureReader(path)
    assert list(reader) == [Packet(1, 7_000_000_000 + 9 * scale, 0, 1, b"abc", 60)]
    assert reader.truncated


def test_a_truncated_capture_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    write(path)
    path.write_bytes(path.read_bytes()[:-10])
    reader = CaptureReader(path)
    assert len(list(reader)) == 2
    assert reader.truncated


@pytest.mark.parametrize("content", [b"", b"x", b"rubbish rubbish rubbish rubbish"])
def test_a_file_that_is_no_capture(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"a\.pcapng"):
        list(CaptureReader(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        list(CaptureReader(tmp_path / "none"))


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_captures_raise_nothing_unexpected(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.pcapng"
    write(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(CaptureError):
        assert sum(1 for _ in CaptureReader(path)) < 10


def _captures() -> list[Path]:
    named = os.environ.get("PLUGBENCH_SHARED")
    folder = (Path(named) if named else Path(__file__).resolve().parents[3] / "shared") / "captures"
    found = sorted(folder.glob("*.pcapng")) + sorted(folder.glob("*.dump"))
    return [each for each in found if each.stat().st_size < 3_000_000][:12]


def test_real_captures_are_read() -> None:
    captures = _captures()
    if not captures:
        pytest.skip("no shared captures beside the checkout (PLUGBENCH_SHARED)")
    for path in captures:
        packets = list(CaptureReader(path).packets())
        assert packets, path.name
        assert [each.number for each in packets[:3]] == [1, 2, 3]
        assert all(len(each.data) <= each.length for each in packets)
        assert any(each.data[12:14] in (b"\x86\xdd", b"\x88\xe1", b"\x81\x00") for each in packets), path.name
