"""Captures made byte by byte: frames of every link layer, TCP streams with faults, pcap and pcapng files.

Written from the formats' descriptions, not with the code under test.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.capture.decode import Decoder
from bench.capture.files import Packet
from bench.capture.items import Item
from bench.v2g import codec
from bench.v2g.messages import iso2, sap

CAR, CHARGER = "fe80::c", "fe80::e"
CAR_PORT, CHARGER_PORT = 50_000, 61_000
T0 = 1_700_000_000_123_456_789


def exi_messages() -> list[tuple[str, bytes]]:
    """A handshake and a few exchanges of ISO 15118-2: (name, EXI), request and response in turn."""

    def body(message: object) -> bytes:
        header = iso2.MessageHeader(SessionID=bytes(range(1, 9)))
        return codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=message)))

    offer = sap.AppProtocol(
        ProtocolNamespace="urn:iso:15118:2:2013:MsgDef",
        VersionNumberMajor=2,
        VersionNumberMinor=0,
        SchemaID=7,
        Priority=1,
    )
    agreed = sap.responseCode.OK_SuccessfulNegotiation
    ok = iso2.responseCode.OK
    stop = iso2.chargingSession.Terminate
    return [
        ("supportedAppProtocolReq", codec.encode(sap.supportedAppProtocolReq(AppProtocol=[offer]))),
        (
            "supportedAppProtocolRes",
            codec.encode(sap.supportedAppProtocolRes(ResponseCode=agreed, SchemaID=7)),
        ),
        ("SessionSetupReq", body(iso2.SessionSetupReq(EVCCID=bytes(6)))),
        ("SessionSetupRes", body(iso2.SessionSetupRes(ResponseCode=ok, EVSEID="DE*TST*E1"))),
        ("ServiceDiscoveryReq", body(iso2.ServiceDiscoveryReq())),
        (
            "SessionSetupRes",
            body(iso2.SessionSetupRes(ResponseCode=iso2.responseCode.FAILED, EVSEID="DE*TST*E2")),
        ),
        ("SessionStopReq", body(iso2.SessionStopReq(ChargingSession=stop))),
        ("SessionStopRes", body(iso2.SessionStopRes(ResponseCode=ok))),
    ]


def v2gtp(exi: bytes, kind: int = 0x8001) -> bytes:
    return struct.pack(">BBHI", 1, 0xFE, kind, len(exi)) + exi


def tcp(
    payload: bytes, *, seq: int, ack: int = 0, flags: int = 0x18, source_port: int = CAR_PORT,
    target_port: int = CHARGER_PORT, options: bytes = b"",
) -> bytes:  # fmt: skip
    header = 5 + len(options) // 4
    fields = (source_port, target_port, seq % 2**32, ack % 2**32, header << 12 | flags, 65535, 0, 0)
    return struct.pack(">HHIIHHHH", *fields) + options + payload


def udp(payload: bytes, *, source_port: int = 50_001, target_port: int = 15118) -> bytes:
    return struct.pack(">HHHH", source_port, target_port, 8 + len(payload), 0) + payload


def ipv6(
    payload: bytes, *, protocol: int = 6, source: str = CAR, target: str = CHARGER,
    extensions: Iterable[tuple[int, bytes]] = (),
) -> bytes:  # fmt: skip
    """`extensions`: (type, header without its first byte), outermost first."""
    following = protocol
    for kind, header in reversed(list(extensions)):
        payload = bytes([following]) + header + payload
        following = kind
    head = struct.pack(">IHBB", 6 << 28, len(payload), following, 64)
    return head + ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(target).packed + payload


def ipv4(payload: bytes, *, protocol: int = 6, source: str = "10.0.0.1", target: str = "10.0.0.2") -> bytes:
    head = struct.pack(">BBHHHBBH", 0x46, 0, 24 + len(payload), 0, 0x4000, 64, protocol, 0)
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    return head + addresses + b"\x01\x01\x01\x00" + payload  # with options


def ethernet(payload: bytes, kind: int = 0x86DD, *, tags: Iterable[int] = ()) -> bytes:
    """`tags`: ether types of VLAN tags, outermost first. Padded to 60 bytes, as on the wire."""
    head = b"\x02\0\0\0\0\x0e\x02\0\0\0\0\x0c" + b"".join(struct.pack(">HH", tag, 42) for tag in tags)
    return (head + struct.pack(">H", kind) + payload).ljust(60, b"\0")


@dataclass
class Talk:
    """Packets of one TCP connection between car (end 0) and charger (end 1), IPv6 over Ethernet."""

    sequence: list[int] = field(default_factory=lambda: [1000, 0xFFFF_FF00])

    def segment(self, end: int, payload: bytes = b"", *, flags: int = 0x18, seq: int | None = None) -> bytes:
        """A frame from `end`; moves on in its sequence numbers unless `seq` is given."""
        ports = (CAR_PORT, CHARGER_PORT) if end == 0 else (CHARGER_PORT, CAR_PORT)
        names = (CAR, CHARGER) if end == 0 else (CHARGER, CAR)
        at = self.sequence[end] if seq is None else seq
        ack = self.sequence[1 - end] if flags & 0x10 else 0
        frame = ethernet(
            ipv6(
                tcp(payload, seq=at, ack=ack, flags=flags, source_port=ports[0], target_port=ports[1]),
                source=names[0],
                target=names[1],
            )
        )
        if seq is None:
            self.sequence[end] = (at + len(payload) + (1 if flags & 3 else 0)) % 2**32
        return frame

    def open(self) -> list[bytes]:
        return [self.segment(0, flags=2), self.segment(1, flags=0x12), self.segment(0, flags=0x10)]

    def say(self, end: int, payload: bytes) -> list[bytes]:
        """A segment with `payload` and the acknowledgement of the other end."""
        return [self.segment(end, payload), self.segment(1 - end, flags=0x10)]

    def close(self) -> list[bytes]:
        return [self.segment(0, flags=0x11), self.segment(1, flags=0x11), self.segment(0, flags=0x10)]


def session(messages: list[tuple[str, bytes]] | None = None) -> list[bytes]:
    """The frames of a whole session, each message in a segment of its own."""
    talk = Talk()
    frames = talk.open()
    for index, (_, exi) in enumerate(exi_messages() if messages is None else messages):
        frames += talk.say(index % 2, v2gtp(exi))
    return frames + talk.close()


def decoded(frames: Iterable[bytes], *, link: int = 1, decoder: Decoder | None = None) -> list[Item]:
    """The items of frames numbered from 1, a millisecond apart."""
    decoder = decoder or Decoder()
    items: list[Item] = []
    for number, frame in enumerate(frames, 1):
        items += decoder.feed(Packet(number, T0 + number * 1_000_000, link, frame, False))
    return items + decoder.finish()


def messages_of(items: Iterable[Item]) -> list[tuple[str, bytes]]:
    return [(item.name, item.payload) for item in items if item.layer == "v2g" and not item.problem]


def problems_of(items: Iterable[Item]) -> list[tuple[str, str]]:
    return [(item.layer, item.problem) for item in items if item.problem]


def frames_of(items: Iterable[Item]) -> list[int]:
    return [item.frame for item in items if item.layer == "v2g" and not item.problem]


# Files


def pcap(
    frames: Iterable[bytes], *, order: str = "<", nano: bool = False, link: int = 1, snaplen: int = 262_144,
) -> bytes:  # fmt: skip
    parts = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link)]
    for number, frame in enumerate(frames, 1):
        t_ns = T0 + number * 1_000_000
        kept = frame[:snaplen]
        fraction = t_ns % 10**9 // (1 if nano else 1000)
        parts.append(struct.pack(order + "IIII", t_ns // 10**9, fraction, len(kept), len(frame)) + kept)
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order: str = "<", *, link: int = 1, resolution: int | None = None, snaplen: int = 0) -> bytes:
    body = struct.pack(order + "HHI", link, 0, snaplen)
    if resolution is not None:
        body += struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    return block(1, body, order)


def enhanced(
    frame: bytes, stamp: int, order: str = "<", *, index: int = 0, length: int | None = None
) -> bytes:
    fields = (index, stamp >> 32, stamp & 0xFFFF_FFFF, len(frame), len(frame) if length is None else length)
    padded = frame + bytes(-len(frame) % 4)
    comment = struct.pack(order + "HH", 1, 4) + b"text" + struct.pack(order + "HH", 0, 0)
    return block(6, struct.pack(order + "IIIII", *fields) + padded + comment, order)


def secrets(text: bytes, order: str = "<") -> bytes:
    return block(10, struct.pack(order + "II", 0x544C534B, len(text)) + text, order)


def pcapng(frames: Iterable[bytes], order: str = "<", *, link: int = 1) -> bytes:
    """One section, one interface with nanoseconds."""
    parts = [section(order), interface(order, link=link, resolution=9)]
    parts += [enhanced(frame, T0 + number * 1_000_000, order) for number, frame in enumerate(frames, 1)]
    return b"".join(parts)


def written(folder: Path, data: bytes, name: str = "capture") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
