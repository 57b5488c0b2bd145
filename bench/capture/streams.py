"""TCP connections put together from packets: segments out of order, repeated, overlapping and lost.

`Reassembler.feed` takes one segment after the other and tells a `Sink` what each direction carried, in the
order of the stream. Bytes that were not captured are a gap: its size is told, and the stream goes on behind
it. While bytes are missing the other direction waits as well, and a segment that acknowledges bytes which
were not captured so far waits for them: a response does not overtake its request. Memory is bounded.

Source: RFC 9293 (sequence numbers, 3.4; FIN and RST).
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Protocol

from bench.capture.layers import Transport

MAX_CONNECTIONS = 512
MAX_HELD_SEGMENTS = 256
MAX_HELD_BYTES = 262_144
MAX_HELD_TOTAL = 16 * 1024 * 1024
"""Limits of what waits: segments and bytes of a connection, bytes in all."""
MAX_JUMP = 1 << 24
"""Bytes that a segment may lie before or behind its turn. What is farther off is of another connection with
the same ports, whose beginning was not captured: the stream starts again there."""
PATIENCE = 16
"""Packets of a connection after which bytes count as lost that the other end has acknowledged: the peer has
them, so nobody will send them again, and a packet that was only captured late does not come that late."""
_MAKE_ROOM = 64

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000
_fields = struct.Struct(">IIH").unpack_from


class Half:
    """One direction of a connection, that from ``end`` (0 or 1). ``next_seq``: sequence number of the next
    byte, None before the first. ``opened``: its SYN was seen. ``short``: its FIN came while bytes in front of
    it were missing.
    """

    __slots__ = ("acked", "connection", "end", "fin", "first_seq", "next_seq", "opened", "peer", "short")

    def __init__(self, connection: Connection, end: int) -> None:
        self.connection = connection
        self.end = end
        self.peer: Half = self
        self.next_seq: int | None = None
        self.first_seq: int | None = None
        self.acked: int | None = None  # what the other end has acknowledged of this direction
        self.fin = False
        self.opened = False
        self.short = False


class _Segment(NamedTuple):
    """A segment that waits; `length` is its true one, `data` what of it was captured. `needs`: the sequence
    number of the other direction up to which it has acknowledged, where that was not captured so far.
    """

    half: Half
    seq: int
    data: bytes
    length: int
    frame: int
    t_ns: int
    needs: int | None


class Connection:
    """One TCP connection.

    ``ends``: address (bytes) and port of both ends, that of the first packet seen first. ``opened``: frame
    and time of that packet. ``whole``: its beginning (SYN) was seen. ``client``: the end that opened it, 0 or
    1, None when that was not seen. ``ignored``: set by the sink when the stream is not of interest; it then
    gets only segments that could begin a V2GTP message or a TLS record, and nothing is held or put in order.
    ``waiting``: segments that came while bytes in front of them were missing, in the order of capture.
    ``aside``: those of them that waited for long, and which the other end has not acknowledged.
    ``user``: the sink's own.
    """

    __slots__ = (
        "aside", "client", "closed", "ends", "halves", "held_bytes", "ignored", "last_frame", "last_t_ns",
        "number", "opened", "user", "waited", "waiting", "whole",
    )  # fmt: skip

    def __init__(
        self, number: int, ends: tuple[tuple[bytes, int], tuple[bytes, int]], opened: tuple[int, int]
    ) -> None:
        self.number = number
        self.ends = ends
        self.opened = opened
        self.last_frame, self.last_t_ns = opened
        self.whole = False
        self.client: int | None = None
        self.ignored = False
        self.closed = False
        self.waiting: list[_Segment] = []
        self.aside: list[_Segment] = []
        self.held_bytes = 0
        self.waited = 0
        self.user: Any = None
        first, second = Half(self, 0), Half(self, 1)
        first.peer, second.peer = second, first
        self.halves = (first, second)


def _ahead(segment: _Segment) -> int:
    """How many bytes are missing before a segment; _HALF and above when it begins before the next byte."""
    return segment.seq - (segment.half.next_seq or 0) & _MASK


def _hole(segment: _Segment) -> bool:
    """Whether bytes are missing before a segment."""
    return 0 < _ahead(segment) < _HALF


def _early(segment: _Segment) -> bool:
    """Whether a segment answers bytes that have not come."""
    return segment.needs is not None and _unseen(segment.half.peer, segment.needs)


def _unseen(half: Half, acked: int) -> bool:
    """Whether an acknowledgement covers bytes of `half` that have not come. One byte is its FIN, not seen."""
    return half.next_seq is not None and 1 < (acked - half.next_seq & _MASK) <= MAX_JUMP


def _acknowledged(segment: _Segment) -> bool:
    """Whether the other end has all that comes before a segment; so too where it was not captured at all."""
    acked = segment.half.acked
    return acked is None or acked - segment.seq & _MASK < _HALF


class Sink(Protocol):
    """Takes what a `Reassembler` finds. ``frame`` and ``t_ns`` are those of the packet concerned."""

    def data(self, half: Half, data: bytes, frame: int, t_ns: int) -> None:
        """The next bytes of a direction."""

    def gap(self, half: Half, missing: int, frame: int, t_ns: int) -> None:
        """`missing` bytes (0: nobody knows how many) were not captured; what follows comes with `data`."""

    def opened(self, connection: Connection) -> None:
        """A connection was seen for the first time."""

    def ended(self, half: Half, how: str, frame: int, t_ns: int) -> None:
        """A direction ended: "fin", "rst", or "gone" (replaced, forgotten to make room, end of capture)."""


class Reassembler:
    """All TCP connections of a capture; holds at most MAX_HELD_TOTAL bytes and MAX_CONNECTIONS of them.

    ``retransmissions``: segments that came more than once, also in part. ``lost_bytes``: not captured.
    ``strays``: segments given up because they fitted nowhere and the other end never acknowledged them.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._halves: dict[bytes, Half] = {}
        self._connections: dict[int, Connection] = {}
        self._count = 0
        self._held_total = 0
        self.retransmissions = 0
        self.lost_bytes = 0
        self.strays = 0

    def feed(self, place: Transport, data: bytes, frame: int, t_ns: int) -> None:
        """One segment: `place` says where in the packet `data` it lies. Never raises for what is in it."""
        _, source, target, start, end, _ = place
        if len(data) < start + 20 or data[start + 12] < 0x50:
            return
        ports = data[start : start + 4]
        seq, ack, flags = _fields(data, start + 4)
        half = self._halves.get(source + target + ports)
        if half is None or flags & SYN:
            half = self._half(half, place, ports, seq, flags, (frame, t_ns))
        connection = half.connection
        connection.last_frame, connection.last_t_ns = frame, t_ns
        first = start + (flags >> 10 & 0x3C)
        length = end - first
        if flags & SYN:
            seq = seq + 1 & _MASK
            half.opened = True
            if half.first_seq is None:
                half.next_seq = half.first_seq = seq
        peer = half.peer
        if flags & ACK:
            peer.acked = ack
        if length > 0:
            early = bool(flags & ACK) and peer.next_seq != ack and _unseen(peer, ack)
            if (
                half.next_seq == seq
                and end <= len(data)
                and not (early or connection.ignored or connection.waiting or connection.aside)
            ):
                half.next_seq = seq + length & _MASK
                self._sink.data(half, data[first:end], frame, t_ns)
            else:
                needs = ack if early else None
                self._unusual(_Segment(half, seq, data[first:end], length, frame, t_ns, needs))
        if connection.waiting or connection.aside:
            self._patience(connection)
        if flags & (FIN | RST):
            self._closing(half, flags, seq + length & _MASK, frame, t_ns)

    def finish(self) -> None:
        """Nothing more comes: what is held back is told, with its gaps."""
        for connection in list(self._connections.values()):
            self._flush(connection)
            for half in connection.halves:
                self._missing_end(half)
            self._gone(connection)
        self._connections.clear()
        self._halves.clear()

    def _half(  # noqa: PLR0917
        self, known: Half | None, place: Transport, ports: bytes, seq: int, flags: int, at: tuple[int, int]
    ) -> Half:
        """The direction of a packet that has a SYN, or that belongs to no known connection."""
        if known is not None:
            connection = known.connection
            if known.first_seq == seq + 1 & _MASK:
                return known  # the SYN once more
            answers = flags & ACK or known.peer.first_seq is None or known.acked == seq + 1 & _MASK
            if known.first_seq is None and answers and not connection.closed:
                if connection.client is None:
                    connection.client = 1 - known.end if flags & ACK else known.end
                return known
            self._forget(connection)
        if len(self._connections) >= MAX_CONNECTIONS:
            self._make_room()
        self._count += 1
        source, target = place.source, place.target
        source_port, target_port = struct.unpack(">HH", ports)
        connection = Connection(self._count, ((source, source_port), (target, target_port)), at)
        if flags & SYN:
            connection.whole = True
            connection.client = 1 if flags & ACK else 0
        self._connections[connection.number] = connection
        half, peer = connection.halves
        self._halves[source + target + ports] = half
        self._halves[target + source + ports[2:] + ports[:2]] = peer
        self._sink.opened(connection)
        return half

    def _unusual(self, segment: _Segment) -> None:
        """A segment that is not simply the next one, whole, with nothing waiting."""
        half, seq, data, length, frame, t_ns, _ = segment
        connection = half.connection
        if connection.ignored:
            half.next_seq = seq + length & _MASK
            # A V2GTP header begins with 1, a TLS record with 20 to 24.
            if data and (data[0] == 1 or 20 <= data[0] <= 24):
                self._sink.data(half, data, frame, t_ns)
            return
        if half.next_seq is None:
            # What the other end has acknowledged came before: the bytes between may still come.
            acked = half.acked
            start = acked if acked is not None and seq - acked & _MASK < MAX_HELD_BYTES else seq
            half.next_seq = half.first_seq = start
        ahead = seq - half.next_seq & _MASK
        if MAX_JUMP < ahead < _MASK + 1 - MAX_JUMP:
            # Nobody knows how far the stream goes on from where it was.
            self._flush(connection)
            half.next_seq = half.first_seq = seq
            self._sink.gap(half, 0, frame, t_ns)
            ahead = 0
        if ahead >= _HALF:
            self.retransmissions += 1
            if _MASK + 1 - ahead >= length:
                return
        blocked = connection.waiting and self._short(connection) is not half
        if blocked or 0 < ahead < _HALF or _early(segment):
            self._wait(segment)
        else:
            self._deliver(segment)
        self._replay(connection)

    def _deliver(self, segment: _Segment) -> None:
        """Hand out what is new of a segment that begins at the next byte or before it."""
        half, seq, data, length, frame, t_ns, _ = segment
        done = (half.next_seq or 0) - seq & _MASK
        if done >= length:
            return
        half.next_seq = seq + length & _MASK
        if done < len(data):
            self._sink.data(half, data[done:], frame, t_ns)
        missing = length - max(done, len(data))
        if missing:
            self._lost(half, missing, frame, t_ns)

    def _lost(self, half: Half, missing: int, frame: int, t_ns: int) -> None:
        self.lost_bytes += missing
        self._sink.gap(half, missing, frame, t_ns)

    def _wait(self, segment: _Segment) -> None:
        """Keep a segment until the bytes before it have come."""
        connection = segment.half.connection
        for each in connection.waiting:
            if each.half is segment.half and each.seq == segment.seq and each.length >= segment.length:
                self.retransmissions += 1
                return
        if not connection.waiting:
            connection.waited = 0
        connection.waiting.append(segment)
        connection.held_bytes += len(segment.data)
        self._held_total += len(segment.data)
        while (connection.waiting or connection.aside) and (
            len(connection.waiting) + len(connection.aside) > MAX_HELD_SEGMENTS
            or connection.held_bytes > MAX_HELD_BYTES
            or self._held_total > MAX_HELD_TOTAL
        ):
            if connection.aside:
                self._drop(connection)
            else:
                self._skip(connection)

    def _take(self, connection: Connection, where: list[_Segment], place: int) -> _Segment:
        segment = where.pop(place)
        connection.held_bytes -= len(segment.data)
        self._held_total -= len(segment.data)
        return segment

    def _drop(self, connection: Connection) -> None:
        """Give up a segment that nobody ever acknowledged."""
        self._take(connection, connection.aside, 0)
        self.strays += 1

    @staticmethod
    def _short(connection: Connection) -> Half:
        """The direction whose bytes the first that waits is waiting for; its own when it can come now."""
        first = connection.waiting[0]
        return first.half.peer if _early(first) and not _hole(first) else first.half

    def _replay(self, connection: Connection) -> None:
        """Hand out what waits and can come now, in the order of capture, as far as that goes."""
        while (found := self._next(connection)) is not None:
            if found[0] is connection.waiting and found[1] == 0:
                connection.waited = 0  # what the next one needs has not been waited for
            self._deliver(self._take(connection, *found))

    def _next(self, connection: Connection) -> tuple[list[_Segment], int] | None:
        """Where the next segment stands that can come."""
        if connection.waiting:
            # The first that waits, or what brings on the direction that keeps it.
            short = self._short(connection)
            ready = [(place, each) for place, each in enumerate(connection.waiting) if not _hole(each)]
            for half in (short, short.peer):
                if half is not short and not any(each.half is short for _, each in ready):
                    break  # else that direction waits for this one itself
                for place, segment in ready:
                    if segment.half is half and not _early(segment):
                        return connection.waiting, place
        for place, segment in enumerate(connection.aside):
            if not _hole(segment):
                return connection.aside, place
        return None

    def _skip(self, connection: Connection) -> None:
        """Do without what the first that waits is waiting for: bytes missing in its direction are lost."""
        first = connection.waiting[0]
        if _hole(first):
            half = first.half
            first = min((each for each in connection.waiting if each.half is half), key=_ahead)
            missing = _ahead(first)
            if 0 < missing < _HALF:
                half.next_seq = first.seq
                self._lost(half, missing, first.frame, first.t_ns)
        self._deliver(self._take(connection, connection.waiting, connection.waiting.index(first)))
        self._replay(connection)

    def _patience(self, connection: Connection) -> None:
        connection.waited += 1
        if connection.waited <= PATIENCE:
            return
        connection.waited = 0
        acknowledged = [each for each in connection.aside if _acknowledged(each)]
        if acknowledged:
            connection.aside = [each for each in connection.aside if not _acknowledged(each)]
            connection.waiting = acknowledged + connection.waiting
        while connection.waiting:
            first = connection.waiting[0]
            if _hole(first) and not _acknowledged(first):
                # It may still be sent again, or belong nowhere; nothing else waits for it any longer.
                connection.aside.append(connection.waiting.pop(0))
                self._replay(connection)
            else:
                self._skip(connection)

    def _closing(self, half: Half, flags: int, end: int, frame: int, t_ns: int) -> None:
        connection = half.connection
        if connection.closed or (half.fin and not flags & RST):
            return
        half.fin = True
        if flags & RST or half.peer.fin:
            self._flush(connection)
            connection.closed = True
        if flags & FIN:
            half.short = half.next_seq not in (None, end)
            if half.next_seq == end:
                half.next_seq = end + 1 & _MASK  # a FIN has a number of its own
        self._sink.ended(half, "rst" if flags & RST else "fin", frame, t_ns)

    def _flush(self, connection: Connection) -> None:
        while connection.waiting:
            self._skip(connection)
        while connection.aside:
            self._drop(connection)

    def _missing_end(self, half: Half) -> None:
        """Bytes at the end that the peer has acknowledged and the capture does not hold."""
        if half.acked is None or half.next_seq is None or half.connection.ignored:
            return
        missing = half.acked - half.next_seq & _MASK
        # One byte is a FIN that was not captured.
        if 1 < missing < MAX_HELD_BYTES:
            self._lost(half, missing - half.fin, half.connection.last_frame, half.connection.last_t_ns)

    def _gone(self, connection: Connection) -> None:
        was_closed, connection.closed = connection.closed, True
        for half in connection.halves:
            if half.short or not was_closed:
                self._sink.ended(half, "gone", connection.last_frame, connection.last_t_ns)

    def _make_room(self) -> None:
        """Forget the connections that matter least: closed or ignored ones first, then the quietest."""
        found = sorted(
            self._connections.values(), key=lambda each: (not (each.closed or each.ignored), each.last_frame)
        )
        for connection in found[:_MAKE_ROOM]:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        self._flush(connection)
        self._gone(connection)
        self._connections.pop(connection.number, None)
        for half in connection.halves:
            (address, port), (other, other_port) = connection.ends[half.end], connection.ends[1 - half.end]
            key = address + other + struct.pack(">HH", port, other_port)
            if self._halves.get(key) is half:
                del self._halves[key]
