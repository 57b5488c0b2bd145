"""Decoding packets: link and network layers, schema negotiation, SDP and SLAC."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

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
    frames_of,
    ipv4,
    ipv6,
    messages_of,
    pcap,
    problems_of,
    session,
    tcp,
    udp,
    v2gtp,
    written,
)

from bench.capture import decode as decode_module
from bench.capture.decode import Decoder
from bench.capture.files import Packet
from bench.capture.items import Item
from bench.slac import mme
from bench.v2g import codec, sdp
from bench.v2g.messages import din, sap
from bench.v2g.messages.iso20 import common
from bench.v2g.messages.iso20 import commontypes as c

MESSAGES = exi_messages()


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


LINK_LAYERS = [
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
]
"""Link type, and what makes a frame of it out of an IPv6 packet."""


def bare_session() -> list[bytes]:
    """The IPv6 packets of a session."""
    return [frame[14 : 14 + 40 + int.from_bytes(frame[18:20], "big")] for frame in session()]


@pytest.mark.parametrize(("link", "wrap"), LINK_LAYERS)
def test_link_layers(link: int, wrap) -> None:
    frames = [wrap(each) for each in bare_session()]
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


# As another reader sees it


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize(("link", "wrap"), LINK_LAYERS)
def test_tshark_finds_the_same_in_the_same_frames(link: int, wrap, tmp_path: Path) -> None:
    """The frames of this file are what they are meant to be: tshark sees TCP with the same payloads."""
    frames = [wrap(each) for each in bare_session()]
    path = written(tmp_path, pcap(frames, link=link))
    fields = ("-T", "fields", "-e", "frame.number", "-e", "tcp.payload")
    done = subprocess.run(
        ["tshark", "-n", "-r", path, "-Y", "tcp.len > 0", *fields],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    theirs = [line.split("\t") for line in done.stdout.splitlines()]
    ours = [item for item in decode_module.decode(path) if item.layer == "v2g"]
    assert [(str(item.frame), v2gtp(item.payload).hex()) for item in ours] == [tuple(each) for each in theirs]


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
