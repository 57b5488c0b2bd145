"""Hostile bytes: nothing raises, and memory is bounded."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc

from capture_lab import (
    Talk,
    decoded,
    ethernet,
    exi_messages,
    ipv6,
    session,
    tcp,
    v2gtp,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import streams
from bench.capture.decode import Decoder
from bench.capture.files import Packet
from bench.capture.summary import Summary
from bench.slac import mme
from tests.shared import shared_dir

MESSAGES = exi_messages()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_nothing_on_the_wire_makes_the_decoder_raise(data: st.DataObject) -> None:
    rng = data.draw(st.randoms(use_true_random=False))
    slac = mme.build_frame(mme.AttenCharInd(), destination=b"\xff" * 6, source=b"\x02" * 6)
    frames = [*session(), slac]
    for _ in range(rng.randrange(1, 8)):
        place = rng.randrange(len(frames))
        frame = bytearray(frames[place] or b"\0")
        kind = rng.randrange(5)
        if kind == 0:
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        elif kind == 1:
            frame = frame[: rng.randrange(len(frame))]
        elif kind == 2:
            frames.insert(rng.randrange(len(frames)), bytes(frame))
        elif kind == 3:
            frame[14:] = rng.randbytes(rng.randrange(200))
        else:
            del frames[place]
            continue
        frames[place] = bytes(frame)
    link = rng.choice((1, 1, 1, 0, 12, 101, 108, 113, 228, 229, 276, 65535))
    for item in decoded(frames, link=link):
        assert item.to_json()["frame"] <= len(frames)
        assert isinstance(item.fields, dict)


def sample_messages() -> list[bytes]:
    """Messages of this file, and one of each name of the shared captures, where they are there."""
    found = {name: exi for name, exi in MESSAGES}
    shared = shared_dir()
    for path in sorted((shared / "captures").glob("*.truth.json.gz")) if shared else ():
        for each in json.loads(gzip.decompress(path.read_bytes()))["v2gtp"]:
            if "exi" in each:
                found.setdefault(f"{each['schema']} {each['name']}", bytes.fromhex(each["exi"]))
    return list(found.values())


SAMPLES = sample_messages()


@settings(max_examples=120, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_message_makes_decoder_or_summary_raise(rng: random.Random) -> None:
    """Messages with bits turned over: still EXI, yet of what the schema does not allow."""
    talk = Talk()
    frames = talk.open()
    for index in range(30):
        message = bytearray(rng.choice(SAMPLES if rng.random() < 0.7 else SAMPLES[:2]))
        for _ in range(rng.randrange(4)):
            message[rng.randrange(1, len(message))] ^= 1 << rng.randrange(8)
        kind = rng.choice((0x8001, 0x8001, 0x8002, 0x8003, 0x8004, 0x8101))
        frames.append(talk.segment(index % 2, v2gtp(bytes(message), kind)))
    summary = Summary()
    for item in decoded(frames):
        summary.add(item)
        json.dumps([item.to_json(), item.fields], default=str)
    json.dumps(summary.to_json())


def test_every_frame_cut_off_everywhere() -> None:
    for frame in [*session(), mme.build_frame(mme.SetKeyReq(), destination=b"\xff" * 6, source=b"\x02" * 6)]:
        for length in range(len(frame)):
            for link in (1, 113, 276, 101, 0):
                decoded([frame[:length]], link=link)


def test_memory_is_bounded_whatever_comes() -> None:
    """Thousands of connections with a hole each, and messages announced that never come."""
    decoder = Decoder()
    data = v2gtp(bytes(60_000))[:1400]

    def flood(count: int) -> None:
        for number in range(count):
            port = number % 65_000 + 1
            for seq in (1, 3_000, 6_000):
                segment = tcp(data, seq=seq, source_port=port, target_port=number // 65_000 + 1)
                decoder.feed(Packet(number + 1, number, 1, ethernet(ipv6(segment)), False))

    flood(1_000)
    tracemalloc.start()
    flood(2_000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 8_000_000
    assert len(decoder._tcp._connections) <= streams.MAX_CONNECTIONS


def test_what_one_direction_holds_back_is_bounded() -> None:
    talk = Talk()
    decoder = Decoder()
    for number, frame in enumerate(talk.open() + talk.say(0, v2gtp(MESSAGES[0][1])), 1):
        decoder.feed(Packet(number, 0, 1, frame, False))
    most = 0
    for index in range(1_500):
        frame = talk.segment(0, bytes(1000), flags=8, seq=talk.sequence[0] + 5_000 + 1_500 * index)
        decoder.feed(Packet(10 + index, 0, 1, frame, False))
        [connection] = decoder._tcp._connections.values()
        held = connection.waiting + connection.aside
        most = max(most, len(held))
        assert sum(len(each.data) for each in held) == connection.held_bytes == decoder._tcp._held_total
        assert connection.held_bytes <= streams.MAX_HELD_BYTES
        assert len(held) <= streams.MAX_HELD_SEGMENTS
    assert most > 100
    decoder.finish()
    assert decoder._tcp._held_total == 0
