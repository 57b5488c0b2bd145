"""TCP streams with every fault: segments lost, late, repeated, cut anywhere, of another connection."""

from __future__ import annotations

import itertools
import random

import pytest
from capture_lab import (
    CAR,
    CHARGER,
    Talk,
    decoded,
    exi_messages,
    frames_of,
    messages_of,
    problems_of,
    session,
    v2gtp,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import streams
from bench.capture.decode import Decoder
from bench.capture.files import Packet
from bench.capture.items import Item

MESSAGES = exi_messages()


def shuffled(frames: list[bytes], rng: random.Random, *, within: int) -> list[bytes]:
    """Every frame at most `within` places from where it was."""
    order = sorted(range(len(frames)), key=lambda place: place + rng.uniform(0, within))
    return [frames[place] for place in order]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_segmentation_order_and_repetition_gives_the_same_messages(data: st.DataObject) -> None:
    """Messages cut anywhere, segments repeated, overlapping, out of order: nothing lost, nothing twice."""
    rng = data.draw(st.randoms(use_true_random=False))
    talk = Talk(sequence=[2**32 - 40, data.draw(st.integers(0, 2**32 - 1))])
    frames = talk.open()
    for index, (_, exi) in enumerate(MESSAGES):
        stream = v2gtp(exi)
        start = talk.sequence[index % 2]
        cuts = sorted({0, len(stream), *(rng.randrange(len(stream)) for _ in range(rng.randrange(4)))})
        pieces = []
        for low, high in itertools.pairwise(cuts):
            early = max(0, low - rng.choice((0, 0, 5)))  # overlaps what was sent before
            pieces.append(talk.segment(index % 2, stream[early:high], seq=start + early))
            if rng.random() < 0.3:
                pieces.append(pieces[-1])
        talk.sequence[index % 2] = (start + len(stream)) % 2**32
        rng.shuffle(pieces)
        frames += pieces
        frames.append(talk.segment(1 - index % 2, flags=0x10))
    decoder = Decoder()
    items = decoded(frames + talk.close(), decoder=decoder)
    assert messages_of(items) == MESSAGES
    assert not problems_of(items)
    assert decoder.lost_bytes == 0


def test_the_frame_of_a_message_is_that_of_the_segment_that_completes_it() -> None:
    talk = Talk()
    frames = talk.open()
    first, second, third = (v2gtp(exi) for _, exi in (MESSAGES[0], MESSAGES[2], MESSAGES[4]))
    start = talk.sequence[0]
    stream = first + second + third
    cut = len(first) + 3
    late = talk.segment(0, stream[:cut], seq=start)  # all of the first, and the beginning of the second
    frames += [talk.segment(0, stream[cut:], seq=start + cut), late]
    items = decoded(frames)
    assert [(item.name, item.frame) for item in items if item.layer == "v2g"] == [
        ("supportedAppProtocolReq", 5),
        ("SessionSetupReq", 5),
        ("ServiceDiscoveryReq", 4),
    ]


def test_lost_packets_are_told_and_the_stream_goes_on() -> None:
    frames = session()
    lost = v2gtp(MESSAGES[2][1])
    decoder = Decoder()
    items = decoded(frames[:7] + frames[8:], decoder=decoder)
    assert messages_of(items) == MESSAGES[:2] + [each for each in MESSAGES[2:] if each != MESSAGES[2]]
    assert problems_of(items) == [("tcp", f"{len(lost)} bytes were not captured")]
    assert decoder.lost_bytes == len(lost)


def test_a_loss_is_found_without_waiting_for_the_end() -> None:
    """The peer has acknowledged the bytes, so that they will not come any more."""
    talk = Talk()
    frames = talk.open() + talk.say(0, v2gtp(MESSAGES[0][1])) + talk.say(1, v2gtp(MESSAGES[1][1]))
    talk.say(0, v2gtp(MESSAGES[2][1]))  # not captured
    for _ in range(20):
        frames += talk.say(0, v2gtp(MESSAGES[4][1])) + talk.say(1, v2gtp(MESSAGES[3][1]))
    decoder = Decoder()
    before_the_end: list[Item] = []
    for number, frame in enumerate(frames, 1):
        before_the_end += decoder.feed(Packet(number, number, 1, frame, False))
    assert sum(item.name == "ServiceDiscoveryReq" for item in before_the_end) == 20
    assert not messages_of(decoder.finish())


def test_a_response_never_comes_before_its_request() -> None:
    """The request was captured late, behind its acknowledgement and behind the response."""
    frames = session()
    items = decoded(frames[:7] + frames[8:10] + frames[7:8] + frames[10:])
    assert messages_of(items) == MESSAGES
    assert frames_of(items) == [4, 6, 10, 9, 12, 14, 16, 18]
    assert not problems_of(items)


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_packets_captured_out_of_order_give_the_messages_in_order(rng: random.Random, within: int) -> None:
    """Every packet up to some places from where it was, in both directions; the opening stays in front."""
    frames = session()
    late = frames[:3] + shuffled(frames[3:-3], rng, within=within) + frames[-3:]
    items = decoded(late)
    assert messages_of(items) == MESSAGES
    assert not problems_of(items)


def test_a_response_waits_while_a_part_of_its_request_is_missing() -> None:
    """The first half of the request was captured late, behind the other half and the response."""
    talk = Talk()
    frames = talk.open()
    request, response = v2gtp(MESSAGES[0][1]), v2gtp(MESSAGES[1][1])
    halves = [talk.segment(0, request[:30]), talk.segment(0, request[30:])]
    frames += [halves[1], talk.segment(1, response), halves[0]]
    items = decoded(frames)
    assert messages_of(items) == MESSAGES[:2]
    assert frames_of(items) == [6, 5]


@pytest.mark.parametrize("end", [0, 1])
def test_a_segment_that_belongs_nowhere_takes_nothing_else_away(end: int) -> None:
    """Somebody's segment with a wrong sequence number, which the other end does not acknowledge."""
    talk = Talk()
    frames = talk.open()
    for index, (_, exi) in enumerate(MESSAGES * 8):
        frames += talk.say(index % 2, v2gtp(exi))
        if index == 6:
            frames.append(talk.segment(end, b"spoofed", flags=8, seq=talk.sequence[end] + 1_000_000))
    decoder = Decoder()
    items: list[Item] = []
    for number, frame in enumerate(frames, 1):
        items += decoder.feed(Packet(number, number, 1, frame, False))
    assert len(messages_of(items)) >= 8 * len(MESSAGES) - streams.PATIENCE
    assert not problems_of(items)
    items += decoder.finish()
    assert messages_of(items) == MESSAGES * 8
    assert not problems_of(items)
    assert decoder.problems == ["1 TCP segments that fit nowhere in their streams"]
    assert decoder.lost_bytes == 0


def test_a_retransmission_that_comes_late() -> None:
    """Lost on the wire: the other end asks for it again and again, and then it comes."""
    talk = Talk()
    frames = talk.open()
    request = v2gtp(MESSAGES[0][1])
    start = talk.sequence[0]
    frames.append(talk.segment(0, request[30:], seq=start + 30))
    frames += [talk.segment(1, flags=0x10) for _ in range(3 * streams.PATIENCE)]
    frames += [talk.segment(0, request[:30], seq=start), talk.segment(1, v2gtp(MESSAGES[1][1]))]
    decoder = Decoder()
    items = decoded(frames, decoder=decoder)
    assert messages_of(items) == MESSAGES[:2]
    assert frames_of(items) == [len(frames) - 1, len(frames)]
    assert not problems_of(items)
    assert not decoder.problems


def test_a_capture_of_one_direction_only() -> None:
    frames = [frame for frame in session() if frame[6:12] and frame[14 + 8 + 15] == 0x0C]
    assert messages_of(decoded(frames)) == MESSAGES[::2]
    lossy = decoded(frames[:4] + frames[5:])
    assert messages_of(lossy) == [*MESSAGES[:2:2], *MESSAGES[4::2]]
    assert problems_of(lossy) == [("tcp", f"{8 + len(MESSAGES[2][1])} bytes were not captured")]


def test_a_loss_within_a_message_gives_the_message_up_and_nothing_else() -> None:
    talk = Talk()
    frames = talk.open()
    stream = v2gtp(MESSAGES[0][1])
    frames.append(talk.segment(0, stream[:20]))
    talk.segment(0, stream[20:40])  # not captured
    frames += [talk.segment(0, stream[40:]), *talk.say(0, v2gtp(MESSAGES[2][1])), *talk.close()]
    items = decoded(frames)
    assert messages_of(items) == [MESSAGES[2]]
    left = len(stream) - 40
    assert [text for _, text in problems_of(items)] == [
        "20 bytes were not captured",
        f"a message of {len(stream) - 8} bytes, type 0x8001, of which 12 are there",
        f"{left} bytes that are no V2GTP message",
    ]


def test_the_end_of_a_stream_that_was_acknowledged_but_not_captured() -> None:
    talk = Talk()
    frames = talk.open() + talk.say(0, v2gtp(MESSAGES[0][1]))
    talk.segment(0, v2gtp(MESSAGES[2][1]))
    frames.append(talk.segment(1, flags=0x10))
    assert problems_of(decoded(frames)) == [("tcp", f"{8 + len(MESSAGES[2][1])} bytes were not captured")]


def test_packets_captured_in_part() -> None:
    """A snap length: headers and the beginnings of messages are there, the rest is a known loss."""
    frames = session()
    cut = max(len(frame) for frame in frames) - 4
    items = decoded([frame[:cut] for frame in frames])
    longest = max(MESSAGES, key=lambda each: len(each[1]))
    kept = [each for each in MESSAGES if each != longest]
    assert [each for each in messages_of(items) if each != longest] == kept
    assert ("tcp", "4 bytes were not captured") in problems_of(items)


def test_reset_and_a_new_connection_on_the_same_ports() -> None:
    talk = Talk()
    frames = talk.open() + talk.say(0, v2gtp(MESSAGES[0][1])) + [talk.segment(0, b"", flags=0x14)]
    again = Talk(sequence=[77, 2**31])
    frames += again.open()
    for index, (_, exi) in enumerate(MESSAGES):
        frames += again.say(index % 2, v2gtp(exi))
    items = decoded(frames)
    assert messages_of(items) == MESSAGES[:1] + MESSAGES
    assert {item.connection for item in items} == {1, 2}
    assert [item.name for item in items if item.layer == "tcp"] == ["connect", "reset", "connect"]


def test_a_new_connection_on_the_same_ports_whose_beginning_was_not_captured() -> None:
    """Its sequence numbers lie anywhere: nothing of it must be taken for a retransmission."""
    for start in (10_000, 2**30, 2**31 + 5, 2**32 - 2**25):
        talk = Talk(sequence=[start, start + 2**30])
        again = Talk(sequence=[start + 2**31 - 2**20, start])
        frames = []
        for each in (talk, again):
            for index, (_, exi) in enumerate(MESSAGES):
                frames += each.say(index % 2, v2gtp(exi))
        assert messages_of(decoded(frames)) == MESSAGES + MESSAGES


def test_repeated_syn_and_keep_alive() -> None:
    talk = Talk()
    frames = talk.open()
    frames = frames[:1] + frames[:2] + frames[1:]
    frames += talk.say(0, v2gtp(MESSAGES[0][1]))
    frames.append(talk.segment(0, b"\0", flags=0x10, seq=talk.sequence[0] - 1))
    frames += talk.say(1, v2gtp(MESSAGES[1][1]))
    items = decoded(frames)
    assert messages_of(items) == MESSAGES[:2]
    assert not problems_of(items)


def test_every_packet_twice() -> None:
    """A capture on two interfaces of a bridge."""
    items = decoded([frame for frame in session() for _ in range(2)])
    assert messages_of(items) == MESSAGES
    assert not problems_of(items)


def test_many_messages_in_one_segment() -> None:
    talk = Talk()
    frames = talk.open() + talk.say(0, b"".join(v2gtp(MESSAGES[0][1]) for _ in range(10)))
    items = decoded(frames)
    assert messages_of(items) == MESSAGES[:1] * 10
    assert set(frames_of(items)) == {4}


def test_one_byte_a_segment() -> None:
    talk = Talk()
    frames = talk.open()
    for index, (_, exi) in enumerate(MESSAGES):
        for byte in v2gtp(exi):
            frames.append(talk.segment(index % 2, bytes([byte])))
    assert messages_of(decoded(frames)) == MESSAGES


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_whatever_is_lost_nothing_is_made_up(rng: random.Random) -> None:
    """Packets lost, repeated and out of order: what is decoded was sent, in that order, and once."""
    sent = [(f"{number}", exi) for number, (_, exi) in enumerate(MESSAGES * 3)]
    frames = session(sent)
    kept = [each for each in frames[3:] if rng.random() < 0.85]
    kept += [each for each in kept if rng.random() < 0.1]
    decoder = Decoder()
    items = decoded(frames[:3] + shuffled(kept, rng, within=4), decoder=decoder)
    for source, start in ((CAR, 0), (CHARGER, 1)):
        left = iter(exi for _, exi in sent[start::2])
        for item in items:
            if item.layer == "v2g" and item.message is not None and item.src == source:
                assert item.payload in left  # moves on in the iterator: the order holds
    if messages_of(items):
        lost = sum(int(item.problem.split()[0]) for item in items if item.name == "gap")
        assert lost == decoder.lost_bytes
    assert decoder._tcp._held_total == 0
