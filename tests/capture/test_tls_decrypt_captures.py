"""The TLS sessions of real captures, message for message against what tshark and dsV2Gshark read."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from bench.capture.keylog import KeyLog
from bench.capture.pcapng import CaptureReader
from bench.capture.tls_decrypt import Direction, TlsEvent, TlsSession
from tests.shared import shared_dir

NAMES = {
    "ISO-20_mTLS_DC_DS5366_Josev": ("TLS 1.3", "TLS_AES_256_GCM_SHA384", 2),
    "ISO-2_DC_PnC_TLS_CertInstallation_DS5366_RiseV2G": (
        "TLS 1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        1,
    ),
    "ISO-2_DC_PnC_TLS_CertUpdate_DS5366_RiseV2G": ("TLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 1),
}
PREFIX = "dspace_Wireshark_dsV2Gshark_examples_"


def capture(name: str) -> Path:
    folder = shared_dir()
    path = folder / "captures" / f"{PREFIX}{name}.pcapng" if folder else None
    if path is None or not path.exists():
        pytest.skip("the shared captures are not here")
    return path


def events_of(path: Path, port: int) -> list[TlsEvent]:
    """The events of the one connection to `port`; the captures have IPv6 without extension headers."""
    session = TlsSession(KeyLog.parse(Path(f"{path}.keylog").read_bytes()))
    expected: dict[Direction, int] = {}
    events = []
    for packet in CaptureReader(path).packets():
        data = packet.data
        if data[12:14] != b"\x86\xdd" or data[20] != 6:
            continue
        source, target, sequence, _, offset = struct.unpack_from(">HHIIB", data, 54)
        if port not in (source, target):
            continue
        direction: Direction = "c2s" if target == port else "s2c"
        end = 54 + struct.unpack_from(">H", data, 18)[0]
        payload = data[54 + (offset >> 4) * 4 : end]
        begin = expected.setdefault(direction, sequence)
        fresh = payload[max(0, begin - sequence) :]
        if fresh:
            assert sequence <= begin, "the captures have no lost segments"
            expected[direction] = sequence + len(payload)
            events += session.feed(direction, fresh, packet.number, packet.t_ns)
        elif data[67] & 2:
            expected[direction] = sequence + 1
    return events + session.finish()


@pytest.mark.parametrize("name", NAMES)
def test_every_message_is_that_of_the_oracle(name: str) -> None:
    path = capture(name)
    version, suite, chains = NAMES[name]
    with gzip.open(f"{path}.truth.json.gz") as file:
        truth = json.load(file)["v2gtp"]
    wanted = [(each["frame"], each["exi"]) for each in truth if each.get("tls")]
    assert len(wanted) > 50

    events = events_of(path, 55119)
    [hello] = [each for each in events if each.kind == "server_hello"]
    assert (hello.info["version"], hello.info["suite"]) == (version, suite)
    assert len([each for each in events if each.kind == "certificate"]) == chains
    assert [each.info["text"] for each in events if each.kind == "problem"] == []
    found = []
    waiting: dict[Direction, bytes] = defaultdict(bytes)
    for event in events:
        if event.kind != "application_data":
            continue
        buffer = waiting[event.direction] + event.data
        while len(buffer) >= 8 and len(buffer) >= 8 + (size := int.from_bytes(buffer[4:8], "big")):
            found.append((event.frame, buffer[8 : 8 + size].hex()))
            buffer = buffer[8 + size :]
        waiting[event.direction] = buffer
    assert found == wanted


@pytest.mark.parametrize("name", NAMES)
def test_plaintext_is_that_of_tshark(name: str) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    path = capture(name)
    command = [tshark, "-r", path, "-o", f"tls.keylog_file:{path}.keylog", "-q", "-z", "follow,tls,raw,0"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Which end is node 0, whose lines are not indented, is up to tshark.
    server_first = next(each for each in output.splitlines() if each.startswith("Node 0")).endswith(":55119")
    streams = {"c2s": "", "s2c": ""}
    for line in output.splitlines():
        text = line.strip()
        if text and all(each in "0123456789abcdef" for each in text):
            streams["s2c" if line.startswith("\t") != server_first else "c2s"] += text
    events = events_of(path, 55119)
    for direction, text in streams.items():
        own = b"".join(
            each.data for each in events if each.kind == "application_data" and each.direction == direction
        )
        assert len(own) > 1000
        assert own.hex() == text
