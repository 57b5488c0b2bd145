"""Decoding packets: link layers, streams with faults, schema negotiation, hostile bytes."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import struct
import tracemalloc

import pytest
from capture_lab import (
    CAR,
    CAR_PORT,
    CHARGER,
    CHARGER_PORT,
    Talk,
    decoded,
    ethernet,
    exi_messages,
    ipv4,
    ipv6,
    messages_of,
    session,
    tcp,
    udp,
    v2gtp,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import decode as decode_module
from bench.capture import streams
from bench.capture.decode import Decoder
from bench.capture.files import Packet
from bench.capture.items import Item
from bench.capture.summary import Summary
from bench.slac import mme
from bench.v2g import codec, sdp
from bench.v2g.messages import din, sap
from bench.v2g.messages.iso20 import common
from bench.v2g.messages.iso20 import commontypes as c
from tests.shared import shared_dir

MESSAGES = exi_messages()


def problems_of(items: list[Item]) -> list[tuple[str, str]]:
    return [(item.layer, item.problem) for item in items if item.problem]


def frames_of(items: list[Item]) -> list[int]:
    return [item.frame for item in items if item.layer == "v2g" and not item.problem]


# A session


def test_a_session_in_order() -> None:
    items = decoded(session())
    assert messages_of(items) == MESSAGES
    assert frames_of(items) == [4, 6, 8, 10, 12, 14, 16, 18]
    assert {item.schema for item in items if item.name.startswith("supported")} == {"sap"}
    assert {item.schema for item in items if item.layer == "v2g"} == {"sap", "iso2"}
    assert not any(item.inferred for item in items)
    assert not problems_of(items)
    setup = next(item for item in items if item.name == "SessionSetupRes")
    assert (setup.src, setup.src_port, setup.dst, setup.dst_port) == (CHARGER, CHARGER_PORT, CAR, CAR_PORT)
    assert setup.body.EVSEID == "DE*TST*E1"
    assert setup.session_id == "0102030405060708"
    assert [item.response_code for item in items if item.name == "SessionSetupRes"] == ["OK", "FAILED"]
    assert [item.name for item in items if item.layer == "tcp"] == ["connect", "close", "close"]
    assert codec.encode(setup.message) == setup.payload


# Link and network layers


@pytest.mark.parametrize(
    ("link", "wrap"),
    [
        (1, ethernet),
        (1, lambda ip: ethernet(ip, tags=[0x8100])),
        (1, lambda ip: ethernet(ip, tags=[0x88A8, 0x8100])),
        (1, lambda ip: ethernet(ip, tags=[0x9100, 0x9100, 0x8100])),
        (113, lambda ip: struct.pack(">HHH8sH", 0, 1, 6, b"\x02" * 8, 0x86DD) + ip),
        (113, lambda ip: struct.pack(">HHH8sHHH", 0, 1, 6, b"\x02" * 8, 0x8100, 42, 0x86DD) + ip),
        (276, lambda ip: struct.pack(">HHIHBB8s", 0x86DD, 0, 3, 1, 0, 6, b"\x02" * 8) + ip),
        (101, lambda ip: ip),
        (12, lambda ip: ip),
        (229, lambda ip: ip),
        (0, lambda ip: struct.pack("<I", 30) + ip),
        (0, lambda ip: struct.pack(">I", 24) + ip),
        (108, lambda ip: struct.pack(">I", 28) + ip),
    ],
)
def test_link_layers(link: int, wrap) -> None:
    frames = [wrap(frame[14 : 14 + 40 + int.from_bytes(frame[18:20], "big")]) for frame in session()]
    items = decoded(frames, link=link)
    assert messages_of(items) == MESSAGES
    assert not problems_of(items)


@pytest.mark.parametrize("link", [1, 101, 228])
def test_ipv4_with_options_and_padding(link: int) -> None:
    data = v2gtp(MESSAGES[0][1])
    packet = ipv4(tcp(data, seq=5, options=b"\x01\x01\x08\x0a" + bytes(8)))
    frame = ethernet(packet, 0x0800) + bytes(9) if link == 1 else packet
    [item] = [each for each in decoded([frame], link=link) if each.layer == "v2g"]
    assert (item.name, item.src, item.dst) == ("supportedAppProtocolReq", "10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    "extensions",
    [
        [(0, bytes(7))],
        [(0, b"\x01" + bytes(14)), (43, bytes(7)), (60, bytes(7))],
        [(44, b"\0\0\0\0\0\0\x09")],
        [(51, b"\x04" + bytes(22))],
        [(135, bytes(7))],
    ],
)
def test_ipv6_extension_headers(extensions: list[tuple[int, bytes]]) -> None:
    frame = ethernet(ipv6(tcp(v2gtp(MESSAGES[0][1]), seq=5), extensions=extensions))
    assert messages_of(decoded([frame])) == MESSAGES[:1]


def test_fragments_are_counted_not_guessed() -> None:
    decoder = Decoder()
    segment = tcp(v2gtp(MESSAGES[0][1]), seq=5)
    first = ipv6(segment, extensions=[(44, b"\0\0\x01\0\0\0\x09")])
    rest = ipv6(segment, extensions=[(44, b"\0\x01\0\0\0\0\x09")])
    assert decoded([ethernet(first), ethernet(rest)], decoder=decoder) == []
    assert decoder.problems == ["2 fragments of IP packets, which are not put together"]


def test_a_packet_too_long_for_its_length_field() -> None:
    """Segmentation offload: the host's own capture shows a packet that the card splits, length 0."""
    frame = bytearray(ethernet(ipv6(tcp(v2gtp(MESSAGES[0][1]), seq=5))))
    frame[18:20] = b"\0\0"
    assert messages_of(decoded([bytes(frame)])) == MESSAGES[:1]


def test_an_unknown_link_type_is_named() -> None:
    decoder = Decoder()
    assert decoded([bytes(100)] * 3, link=147, decoder=decoder) == []
    assert decoder.problems == ["3 packets of link type 147, which is not read"]


# TCP


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
    assert sorted(messages_of(items)) == sorted(MESSAGES * 8)


def test_a_capture_of_one_direction_only() -> None:
    frames = [frame for frame in session() if frame[6:12] and frame[14 + 8 + 15] == 0x0C]
    assert messages_of(decoded(frames)) == MESSAGES[::2]
    assert messages_of(decoded(frames[:4] + frames[5:])) == [*MESSAGES[:2:2], *MESSAGES[4::2]]


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


# Which message set


@pytest.mark.parametrize("first", range(2, 8))
def test_from_the_middle_of_a_session(first: int) -> None:
    frames = session()[3 + 2 * first :]
    items = decoded(frames)
    assert messages_of(items) == MESSAGES[first:]
    found = [item for item in items if item.layer == "v2g"]
    assert all(item.inferred and item.schema == "iso2" for item in found)


def test_din_from_the_middle_is_not_taken_for_iso2() -> None:
    header = din.MessageHeader(SessionID=bytes(8))
    body = din.Body(BodyElement=din.SessionStopRes(ResponseCode=din.responseCode.OK))
    message = codec.encode(din.V2G_Message(Header=header, Body=body))
    [item] = [each for each in decoded([Talk().segment(1, v2gtp(message))]) if each.layer == "v2g"]
    assert (item.name, item.schema, item.inferred) == ("SessionStopRes", "din", True)


def test_iso20_by_payload_type() -> None:
    offer = sap.AppProtocol(
        ProtocolNamespace="urn:iso:std:iso:15118:-20:DC",
        VersionNumberMajor=1,
        VersionNumberMinor=0,
        SchemaID=1,
        Priority=1,
    )
    agreed = sap.supportedAppProtocolRes(ResponseCode=sap.responseCode.OK_SuccessfulNegotiation, SchemaID=1)
    header = c.MessageHeader(SessionID=bytes(8), TimeStamp=1)
    setup = common.SessionSetupReq(Header=header, EVCCID="WMIV1234567890ABCDEX")
    talk = Talk()
    frames = talk.open() + talk.say(0, v2gtp(codec.encode(sap.supportedAppProtocolReq(AppProtocol=[offer]))))
    frames += talk.say(1, v2gtp(codec.encode(agreed))) + talk.say(0, v2gtp(codec.encode(setup), 0x8002))
    items = [item for item in decoded(frames) if item.layer == "v2g"]
    assert [(item.name, item.schema, item.inferred) for item in items] == [
        ("supportedAppProtocolReq", "sap", False),
        ("supportedAppProtocolRes", "sap", False),
        ("SessionSetupReq", "iso20-common", False),
    ]
    assert items[2].payload_type == 0x8002


def test_what_cannot_be_decoded_is_told_with_its_bytes_and_the_session_goes_on() -> None:
    broken = MESSAGES[3][1][:6]
    odd = [MESSAGES[0], MESSAGES[1], MESSAGES[2], ("", broken), *MESSAGES[4:]]
    items = decoded(session(odd))
    assert messages_of(items) == [each for each in odd if each[0]]
    [item] = [each for each in items if each.problem]
    assert (item.layer, item.name, item.payload, item.frame) == ("v2g", "undecodable", broken, 10)
    assert item.to_json()["exi"] == broken.hex()


def test_an_unknown_payload_type_is_told() -> None:
    talk = Talk()
    frames = talk.open() + talk.say(0, v2gtp(MESSAGES[0][1])) + talk.say(0, v2gtp(b"\1\2\3", 0xA001))
    [item] = [each for each in decoded(frames) if each.problem]
    assert "0xa001" in item.problem
    assert item.payload == b"\1\2\3"


def test_bytes_between_messages_are_told_with_their_number() -> None:
    talk = Talk()
    stream = v2gtp(MESSAGES[0][1]) + b"\x01\xfe\x80\x01\xff\xff\xff\xff" + b"noise" + v2gtp(MESSAGES[2][1])
    items = decoded(talk.open() + talk.say(0, stream))
    assert messages_of(items) == [MESSAGES[0], MESSAGES[2]]
    assert problems_of(items) == [("v2g", "13 bytes that are no V2GTP message")]


def test_other_traffic_is_no_v2g() -> None:
    talk = Talk()
    frames = (
        talk.open()
        + talk.say(0, b"GET / HTTP/1.1\r\n\r\n")
        + talk.say(1, b"HTTP/1.1 200 OK\r\n\r\n" + bytes(900))
    )
    assert decoded(frames + talk.close()) == []


def test_garbage_on_the_port_that_sdp_announced_is_told() -> None:
    answer = sdp.encode_response(sdp.SdpResponse(CHARGER, CHARGER_PORT, sdp.SECURITY_NONE))
    talk = Talk()
    frames = [ethernet(ipv6(udp(answer, source_port=15118, target_port=50_001), protocol=17, source=CHARGER))]
    frames += talk.open() + talk.say(0, b"garbage, not V2GTP") + talk.close()
    items = decoded(frames)
    assert [item.name for item in items][:2] == ["SDPRes", "connect"]
    assert ("v2g", "18 bytes that are no V2GTP message") in problems_of(items)


def client_hello(name: bytes) -> bytes:
    """The least that is a ClientHello of TLS 1.2."""
    body = b"\x03\x03" + name.ljust(32, b"\0") + b"\0" + b"\0\x02\xc0\x23" + b"\x01\0"
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake


def test_tls_connections_beyond_the_limit_push_out_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "MAX_TLS", 3)
    decoder = Decoder()
    record = b"\x17\x03\x03\x01\x00" + bytes(256)
    items: list[Item] = []
    for number in range(10):
        data = client_hello(bytes([number])) + record
        for flags, seq, payload in ((2, 0, b""), (0x18, 1, data)):
            segment = tcp(payload, seq=seq, flags=flags, source_port=1000 + number)
            items += decoder.feed(Packet(1, 1, 1, ethernet(ipv6(segment)), False))
    assert len(decoder._sessions) == 3
    assert sum(item.name == "ClientHello" for item in items) == 10
    assert len({item.connection for item in items if item.layer == "tls" and item.problem}) == 7
    left = decoder.finish()
    assert len({item.connection for item in left if item.layer == "tls" and item.problem}) == 3
    assert not decoder._sessions


# SDP and SLAC


def test_sdp() -> None:
    request = sdp.encode_request(sdp.SdpRequest(sdp.SECURITY_TLS))
    response = sdp.encode_response(sdp.SdpResponse(CHARGER, CHARGER_PORT, sdp.SECURITY_NONE))
    frames = [
        ethernet(ipv6(udp(request), protocol=17, target="ff02::1")),
        ethernet(ipv6(udp(response, source_port=15118, target_port=50_001), protocol=17), tags=[0x8100]),
        ethernet(ipv6(udp(response[:-3]), protocol=17)),
        ethernet(ipv6(udp(b"hello"), protocol=17)),
        ethernet(ipv6(udp(b"hello", target_port=53), protocol=17)),
    ]
    items = decoded(frames)
    assert [(item.frame, item.name, item.payload_type) for item in items] == [
        (1, "SDPReq", 0x9000),
        (2, "SDPRes", 0x9001),
        (3, "SDPRes", 0x9001),
        (4, "undecodable", 0),
    ]
    assert items[0].fields == {"security": 0, "transport": 0}
    assert items[1].fields["port"] == CHARGER_PORT
    assert items[2].problem
    assert items[3].problem == "no V2GTP header"


def test_slac_on_every_link_layer() -> None:
    message = mme.SlacParmReq(run_id=bytes(range(8)))
    plain = mme.build_frame(message, destination=b"\xff" * 6, source=b"\x02\0\0\0\0\x01")
    tagged = mme.build_frame(message, destination=b"\xff" * 6, source=b"\x02\0\0\0\0\x01", vlan=7)
    cooked = struct.pack(">HHH", 1, 1, 6) + plain[6:12] + b"\0\0" + plain[12:]
    cooked_2 = b"\x88\xe1\0\0\0\0\0\1\0\1\1\6" + plain[6:12] + b"\0\0" + plain[14:]
    for link, frame in ((1, plain), (1, tagged), (113, cooked), (276, cooked_2)):
        [item] = decoded([frame], link=link)
        assert (item.layer, item.name, item.src) == ("slac", "CM_SLAC_PARM.REQ", "02:00:00:00:00:01")
        assert item.message.mme == message
        assert item.fields["run_id"] == "0001020304050607"
        assert item.exi == ""


def test_slac_cut_short_and_unknown() -> None:
    frame = mme.build_frame(mme.SlacMatchCnf(), destination=b"\xff" * 6, source=b"\x02" * 6)
    [item] = decoded([frame[:40]])
    assert item.layer == "slac"
    assert item.name == "CM_SLAC_MATCH.CNF"
    assert item.problem
    [item] = decoded([ethernet(b"\x00\x4e\xa1" + bytes(40), 0x88E1)])
    assert (item.name, item.problem) == ("MME 0xa14e", "")


# Hostile bytes


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
        most = max(most, len(connection.waiting))
        assert sum(len(each.data) for each in connection.waiting) == connection.held_bytes
        assert connection.held_bytes <= streams.MAX_HELD_BYTES
        assert len(connection.waiting) <= streams.MAX_HELD_SEGMENTS
    assert most > 100
    decoder.finish()
    assert decoder._tcp._held_total == 0
