"""Packets in, protocol messages out: SLAC, SDP, V2G (also out of TLS), and what went wrong with them.

    for item in decode("capture.pcapng", keylog):
        print(item.frame, item.layer, item.name)

`Decoder` is the same as a push interface, for packets as they come from a live interface. Everything from the
wire is hostile: nothing raises for it, memory is bounded.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from bench.capture import layers
from bench.capture.files import CaptureReader, Packet, open_capture
from bench.capture.items import Item
from bench.capture.keylog import KeyLog
from bench.capture.schemas import Negotiation
from bench.capture.splitter import Piece, Splitter, begins_v2gtp
from bench.capture.streams import Connection, Half, Reassembler
from bench.capture.tls_decrypt import TlsEvent, TlsSession
from bench.slac import mme
from bench.v2g import sdp, v2gtp

__all__ = ["Decoder", "Item", "decode"]

MAX_ANNOUNCED = 256
MAX_TLS = 64
"""TLS connections read at a time, the oldest gives way: each may keep a megabyte that waits for secrets."""
MAX_LINKS = 64
MAX_EARLY_GAPS = 16
_IP = frozenset((layers.IPV4, layers.IPV6))
_IPV6 = layers.IPV6.to_bytes(2, "big")
_RECORD_TYPES = range(20, 25)
_HANDSHAKE = 22
_HELLO = (1, 2)
_MULTICAST = bytes.fromhex("ff020000000000000000000000000001")
_MME_NAMES = {
    0x0014: "CC_DISCOVER_LIST.REQ",
    0x0015: "CC_DISCOVER_LIST.CNF",
    0x6020: "CM_BRG_INFO.REQ",
    0x6021: "CM_BRG_INFO.CNF",
    0xA068: "VS_OP_ATTR.REQ",
    0xA069: "VS_OP_ATTR.CNF",
} | {each.mmtype: each.name for each in mme.known_mmes()}
"""MMTYPE -> name; those written out here (HomePlug AV 1.1; Qualcomm, from memory) are not taken apart."""


class _Stream:
    """What the decoder knows of one TCP connection."""

    __slots__ = (
        "begun", "gaps", "mode", "names", "plain_v2g", "ports", "server", "splitters", "tls", "v2g",
    )  # fmt: skip

    def __init__(self, connection: Connection, server: int | None) -> None:
        (first, first_port), (second, second_port) = connection.ends
        self.names = (layers.address_text(first), layers.address_text(second))
        self.ports = (first_port, second_port)
        self.server = server  # which end SDP had announced as the charger's
        self.mode: Literal["new", "v2g", "tls", "other"] = "new"
        self.begun = [b"", b""]
        self.gaps: list[tuple[int, int, int, int]] = []  # before it was clear what this is
        self.splitters = (Splitter(), Splitter())
        self.v2g = Negotiation()
        self.tls: TlsSession | None = None
        self.plain_v2g: bool | None = None


class Decoder:
    """Takes packets in the order of capture and gives the items that each completes.

    ``keylog`` may grow while packets come, also by packets that disclose TLS secrets. ``problems``: what kept
    packets from being read, in general terms.
    ``packets``: how many were fed. ``tls_seen``: whether there was TLS that may need secrets.
    """

    def __init__(self, keylog: KeyLog | None = None) -> None:
        self.keylog = KeyLog() if keylog is None else keylog
        self.packets = 0
        self.tls_seen = False
        self._items: list[Item] = []
        self._tcp = Reassembler(self)
        self._announced: dict[tuple[bytes, int], None] = {}
        self._sessions: dict[int, Connection] = {}
        self._unknown_links: dict[int, int] = {}
        self._fragments = 0

    @property
    def problems(self) -> list[str]:
        """What kept packets from being read."""
        found = [
            f"{count} packets of link type {link}, which is not read"
            for link, count in self._unknown_links.items()
        ]
        if self._fragments:
            found.append(f"{self._fragments} fragments of IP packets, which are not put together")
        if self._tcp.strays:
            found.append(f"{self._tcp.strays} TCP segments that fit nowhere in their streams")
        return found

    @property
    def lost_bytes(self) -> int:
        """Bytes of TCP streams that were not captured."""
        return self._tcp.lost_bytes

    @property
    def retransmissions(self) -> int:
        """TCP segments that came more than once, in whole or in part."""
        return self._tcp.retransmissions

    def feed(self, packet: Packet) -> list[Item]:
        """Take one packet; returns what it completed, mostly nothing or one item."""
        number, t_ns, link, data, _ = packet
        self.packets += 1
        if link == layers.ETHERNET and data[12:14] == _IPV6:
            kind, offset = layers.IPV6, 14  # nearly every packet
        else:
            kind, offset = layers.network(link, data)
        if kind in _IP:
            found = layers.transport(kind, data, offset)
            if found is not None:
                if found.fragment:
                    self._fragments += 1
                elif found.protocol == layers.TCP:
                    self._tcp.feed(found, data, number, t_ns)
                elif found.protocol == layers.UDP:
                    self._udp(found, data, number, t_ns)
        elif kind == layers.HOMEPLUG_AV:
            self._homeplug(packet, offset)
        elif (
            kind == 0
            and not layers.known_link(link)
            and (link in self._unknown_links or len(self._unknown_links) < MAX_LINKS)
        ):
            self._unknown_links[link] = self._unknown_links.get(link, 0) + 1
        if not self._items:
            return []
        items, self._items = self._items, []
        return items

    def finish(self) -> list[Item]:
        """No more packets: what is left, with what is missing from it."""
        self._tcp.finish()
        items, self._items = self._items, []
        return items

    # SLAC and SDP

    def _homeplug(self, packet: Packet, offset: int) -> None:
        data, link = packet.data, packet.link
        source, target = layers.stations(link, data)
        # With more tags than a frame of ours can have it is read without them.
        plain = link == layers.ETHERNET and offset <= 14 + 4 * mme.MAX_VLAN_TAGS
        whole = data if plain else target + source + b"\x88\xe1" + data[offset:]
        src, dst = source.hex(":"), target.hex(":")
        kind = int.from_bytes(data[offset + 1 : offset + 3], "little")
        try:
            frame = mme.parse_frame(whole)
        except mme.MmeError as error:
            name = _MME_NAMES.get(kind, f"MME 0x{kind:04x}")
            self._items.append(
                Item(
                    packet.number,
                    packet.t_ns,
                    src,
                    dst,
                    "slac",
                    name,
                    payload=data[offset:],
                    problem=str(error),
                )
            )
            return
        if frame is None:
            return
        message = frame.mme
        name = message.name
        if isinstance(message, mme.UnknownMme):
            name = _MME_NAMES.get(message.mmtype, f"MME 0x{message.mmtype:04x}")
        self._items.append(
            Item(packet.number, packet.t_ns, src, dst, "slac", name, payload=data[offset:], message=frame)
        )

    def _udp(self, found: layers.Transport, data: bytes, frame: int, t_ns: int) -> None:
        _, source, target, start, end, _ = found
        if len(data) < start + 8:
            return
        source_port, target_port = data[start] << 8 | data[start + 1], data[start + 2] << 8 | data[start + 3]
        length = data[start + 4] << 8 | data[start + 5]
        payload = data[start + 8 : min(end, start + length) if length >= 8 else end]
        looks = payload[:2] == b"\x01\xfe" and len(payload) >= 8
        if not looks and (self.keylog.disclosed(payload) or sdp.PORT not in (source_port, target_port)):
            return
        kind = payload[2] << 8 | payload[3] if looks else 0
        name, problem = "undecodable", ""
        message: sdp.SdpRequest | sdp.SdpResponse | None = None
        try:
            if kind == v2gtp.PAYLOAD_SDP_REQUEST:
                name = "SDPReq"
                message = sdp.decode_request(payload)
            elif kind == v2gtp.PAYLOAD_SDP_RESPONSE:
                name = "SDPRes"
                message = response = sdp.decode_response(payload)
                self._announce(response)
            else:
                problem = f"V2GTP payload type 0x{kind:04x} is none of SDP" if looks else "no V2GTP header"
        except sdp.SdpError as error:
            problem = str(error)
        self._items.append(
            Item(
                frame, t_ns, layers.address_text(source), layers.address_text(target), "sdp", name,
                payload=payload[8:] if looks else payload, message=message, src_port=source_port,
                dst_port=target_port, payload_type=kind, problem=problem,
            )
        )  # fmt: skip

    def _announce(self, response: sdp.SdpResponse) -> None:
        address = ipaddress.IPv6Address(response.address.partition("%")[0]).packed
        self._announced[address, response.port] = None
        while len(self._announced) > MAX_ANNOUNCED:
            del self._announced[next(iter(self._announced))]

    # TCP: the calls of Reassembler

    def opened(self, connection: Connection) -> None:
        """A connection was seen for the first time."""
        server = next((end for end in (0, 1) if connection.ends[end] in self._announced), None)
        connection.user = _Stream(connection, server)

    def data(self, half: Half, data: bytes, frame: int, t_ns: int) -> None:
        """The next bytes of a direction."""
        stream: _Stream = half.connection.user
        if stream.mode == "v2g":
            for piece in stream.splitters[half.end].feed(data, frame, t_ns):
                self._v2g(half.connection, half.end, piece)
        elif stream.mode == "tls":
            self._tls(half.connection, half.end, data, frame, t_ns)
        else:
            self._recognise(half, data, frame, t_ns)

    def gap(self, half: Half, missing: int, frame: int, t_ns: int) -> None:
        """Bytes of a direction were not captured."""
        connection = half.connection
        stream: _Stream = connection.user
        if stream.mode == "new" and len(stream.gaps) < MAX_EARLY_GAPS:
            stream.gaps.append((half.end, missing, frame, t_ns))
        if stream.mode not in ("v2g", "tls"):
            return
        problem = f"{missing} bytes were not captured" if missing else "the stream goes on somewhere else"
        self._event(connection, half.end, "gap", frame, t_ns, problem=problem)
        if stream.tls is not None:
            for event in stream.tls.gap(self._direction(connection, half.end), missing):
                # Nothing of this direction may have come so far.
                self._tls_event(connection, event if event.frame else replace(event, frame=frame, t_ns=t_ns))
        self._pieces(connection, half.end, stream.splitters[half.end].gap(frame, t_ns))

    def ended(self, half: Half, how: str, frame: int, t_ns: int) -> None:
        """A direction ended."""
        connection = half.connection
        stream: _Stream = connection.user
        if stream.mode not in ("v2g", "tls"):
            return
        if how == "fin" and half.short:
            # The bytes before the FIN are not all there yet.
            self._event(connection, half.end, "close", frame, t_ns)
            return
        if connection.closed:
            self._finish_tls(connection)
        self._pieces(connection, half.end, stream.splitters[half.end].end(frame, t_ns))
        if how != "gone":
            self._event(connection, half.end, "close" if how == "fin" else "reset", frame, t_ns)

    def _recognise(self, half: Half, data: bytes, frame: int, t_ns: int) -> None:
        """Look at the first bytes of a stream, or of a segment of one that nobody knew so far."""
        connection = half.connection
        stream: _Stream = connection.user
        data = stream.begun[half.end] + data
        stream.begun[half.end] = b""
        announced = stream.server is not None
        from_start = half.opened and not stream.gaps
        if begins_v2gtp(data):
            self._begin(connection, "v2g", synced=from_start)
        elif _begins_tls(data, anywhere=not from_start):
            self._begin(connection, "tls", synced=from_start)
        elif connection.whole and not connection.ignored and _may_begin(data):
            stream.begun[half.end] = data
            return
        elif announced:
            self._begin(connection, "v2g", synced=False)
        else:
            stream.mode = "other"
            connection.ignored = True
            return
        self.data(half, data, frame, t_ns)

    def _begin(self, connection: Connection, mode: Literal["v2g", "tls"], *, synced: bool) -> None:
        stream: _Stream = connection.user
        stream.mode = mode
        connection.ignored = False
        for splitter in stream.splitters:
            splitter.synced = synced
        if connection.whole:
            client = connection.client or 0
            self._event(connection, client, "connect", *connection.opened)
        for end, missing, frame, t_ns in stream.gaps:
            self.gap(connection.halves[end], missing, frame, t_ns)
        if mode == "tls":
            self.tls_seen = True
            stream.tls = TlsSession(self.keylog)
            while len(self._sessions) >= MAX_TLS:
                oldest = next(iter(self._sessions.values()))
                self._finish_tls(oldest)
                oldest.user.mode = "other"
                oldest.ignored = True
            self._sessions[connection.number] = connection

    def _finish_tls(self, connection: Connection) -> None:
        """Say what of a TLS connection was not decrypted; it needs no more memory then."""
        if self._sessions.pop(connection.number, None) is not None:
            for event in connection.user.tls.finish():
                self._tls_event(connection, event)

    def _event(
        self,
        connection: Connection,
        end: int,
        name: str,
        frame: int,
        t_ns: int,
        *,
        layer: str = "tcp",
        problem: str = "",
        note: str = "",
    ) -> None:
        stream: _Stream = connection.user
        self._items.append(
            Item(
                frame, t_ns, stream.names[end], stream.names[1 - end], layer, name, "", b"", None, False,
                connection.number, stream.ports[end], stream.ports[1 - end], problem=problem, note=note,
            )
        )  # fmt: skip

    # V2G and TLS

    def _pieces(self, connection: Connection, end: int, pieces: list[Piece]) -> None:
        for piece in pieces:
            self._v2g(connection, end, piece)

    def _v2g(self, connection: Connection, end: int, piece: Piece) -> None:
        stream: _Stream = connection.user
        kind, payload, frame, t_ns, problem = piece
        names, ports = stream.names, stream.ports
        if kind < 0:
            self._items.append(
                Item(
                    frame, t_ns, names[end], names[1 - end], "v2g", "undecodable", "", payload, None, False,
                    connection.number, ports[end], ports[1 - end], 0, stream.tls is not None, problem,
                )
            )  # fmt: skip
            return
        name, schema, message, inferred, problem, findings = stream.v2g.decode(kind, payload)
        self._items.append(
            Item(
                frame, t_ns, names[end], names[1 - end], "v2g", name, schema, payload, message, inferred,
                connection.number, ports[end], ports[1 - end], kind, stream.tls is not None, problem, "",
                findings,
            )
        )  # fmt: skip

    def _direction(self, connection: Connection, end: int) -> Literal["c2s", "s2c"]:
        return "c2s" if end == self._client(connection) else "s2c"

    @staticmethod
    def _client(connection: Connection) -> int:
        """Which end is the client: the one that opened, else the one that SDP did not announce."""
        if connection.client is not None:
            return connection.client
        server = connection.user.server
        return 0 if server is None else 1 - server

    def _tls(self, connection: Connection, end: int, data: bytes, frame: int, t_ns: int) -> None:
        session: TlsSession = connection.user.tls
        for event in session.feed(self._direction(connection, end), data, frame, t_ns):
            self._tls_event(connection, event)

    def _tls_event(self, connection: Connection, event: TlsEvent) -> None:
        stream: _Stream = connection.user
        client = self._client(connection)
        end = client if event.direction == "c2s" else 1 - client
        if event.kind == "application_data":
            self._plaintext(connection, end, event)
            return
        problem = str(event.info.get("text", "")) if event.kind == "problem" else ""
        name = {
            "client_hello": "ClientHello", "server_hello": "ServerHello", "certificate": "Certificate",
            "certificate_request": "CertificateRequest", "certificate_status": "CertificateStatus",
            "change_cipher_spec": "ChangeCipherSpec", "alert": "Alert", "problem": "undecodable",
        }.get(event.kind) or str(event.info.get("name", event.kind))  # fmt: skip
        if problem:
            # What is lost of the ciphertext is lost of the plaintext too.
            self._pieces(connection, end, stream.splitters[end].gap(event.frame, event.t_ns))
        self._items.append(
            Item(
                event.frame, event.t_ns, stream.names[end], stream.names[1 - end], "tls", name, "",
                event.data, event, False, connection.number, stream.ports[end], stream.ports[1 - end],
                problem=problem,
            )
        )  # fmt: skip

    def _plaintext(self, connection: Connection, end: int, event: TlsEvent) -> None:
        stream: _Stream = connection.user
        if not stream.plain_v2g:
            if stream.server is None and not event.data.startswith(b"\x01\xfe"[: len(event.data)]):
                if stream.plain_v2g is None:
                    stream.plain_v2g = False
                    self._event(
                        connection,
                        end,
                        "application data",
                        event.frame,
                        event.t_ns,
                        layer="tls",
                        note="it is no V2GTP",
                    )
                return
            stream.plain_v2g = True
        self._pieces(connection, end, stream.splitters[end].feed(event.data, event.frame, event.t_ns))


def _begins_tls(data: bytes, *, anywhere: bool) -> bool:
    """Whether a TLS record begins here: one with a hello, or (`anywhere` in the stream) any."""
    if len(data) < 6 or data[0] not in _RECORD_TYPES or data[1] != 3 or data[2] > 4:
        return False
    length = data[3] << 8 | data[4]
    if data[0] == _HANDSHAKE and data[5] in _HELLO:
        return 0 < length <= 0x4800
    return anywhere and 0 < length <= 0x4800


def _may_begin(data: bytes) -> bool:
    """Whether a few first bytes may become a V2GTP header or a TLS hello with those that follow."""
    if len(data) < 8 and data[:2] == b"\x01\xfe"[: len(data)]:
        return True
    return len(data) < 6 and data[:2] == b"\x16\x03"[: len(data)]


def decode(source: str | Path | CaptureReader, keylog: KeyLog | None = None) -> Iterator[Item]:
    """The items of a capture file, in the order of completion.

    The secrets inside the file are used as well, wherever they stand. Raises CaptureError when the file
    cannot be opened or is no capture; what is damaged ends the iteration and is in the reader's `problems`.
    """
    reader = source if isinstance(source, CaptureReader) else open_capture(source)
    decoder = Decoder(keylog)
    with reader:
        yield from run(reader, decoder)


def run(reader: CaptureReader, decoder: Decoder) -> Iterator[Item]:
    """All packets of `reader` through `decoder`, which is finished at the end."""
    searched = False
    feed = decoder.feed
    for packet in reader:
        items = feed(packet)
        if items:
            yield from items
            if decoder.tls_seen and not searched:
                # The secrets may stand anywhere in the file, mostly behind the first records that need them.
                searched = True
                for text in reader.scan_secrets():
                    decoder.keylog.add(text)
    yield from decoder.finish()
