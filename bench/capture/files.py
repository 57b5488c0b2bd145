"""Capture files as a stream of packets: pcap and pcapng of any size, also gzip, cut off or damaged.

    with open_capture(path) as reader:
        for packet in reader:
            ...
    reader.problems     # what could not be read, with the offset in the file
    reader.secrets      # TLS key log lines found in the file

Source: draft-ietf-opsawg-pcapng, draft-ietf-opsawg-pcap. At most one block (or packet) and one chunk are in
memory. Packet numbers are the frame numbers that Wireshark shows.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Protocol

from bench.capture.pcapng import MAX_PACKET_BYTES, SECRETS_TLS_KEY_LOG, CaptureError

__all__ = ["CaptureError", "CaptureReader", "Packet", "open_capture"]

MAX_BLOCK_BYTES = 16 * 1024 * 1024
MAX_INTERFACES = 4096
MAX_SECRETS_BYTES = 4 * 1024 * 1024
MAX_PROBLEMS = 20
_CHUNK = 512 * 1024

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_NUMBERED = frozenset((0x00000009, 0x00000BAD, 0x40000BAD, 0x00000204, 0x00000208, 0x00000216, 0x00000221))
"""Blocks that are no packets but get a frame number in Wireshark: journal entries, custom blocks, sysdig
events."""
_SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_OPT_TSRESOL, _OPT_TSOFFSET = 9, 14
_SECOND = 1_000_000_000

_PCAP_MAGIC = {
    0xA1B2C3D4: (1000, 16),
    0xA1B23C4D: (1, 16),
    0xA1B2CD34: (1000, 24),  # Kuznetzov's variant, with 8 more bytes a packet
}
"""Magic -> nanoseconds a tick, length of a packet header."""


class Packet(NamedTuple):
    """One captured packet (a tuple, because a file has millions of them).

    ``number``: from 1, as Wireshark counts frames. ``t_ns``: nanoseconds since the epoch. ``link``: LINKTYPE
    number. ``truncated``: fewer bytes were captured than were on the wire.
    """

    number: int
    t_ns: int
    link: int
    data: bytes
    truncated: bool


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Gunzip:
    """Decompresses as it is read. What stands before a damaged place is handed out; `problem` names it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self.problem = ""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, fewer only at the end (or at the damage)."""
        parts: list[bytes] = []
        while size > 0 and not self.problem:
            self._waiting = self._waiting or self._file.read(_CHUNK)
            if not self._waiting:
                if not self._inflate.eof:
                    self.problem = "the compressed data ends early"
                break
            if self._inflate.eof:
                if not self._waiting.startswith(b"\x1f\x8b"):
                    break  # padding behind the last member
                self._inflate = zlib.decompressobj(wbits=31)
            try:
                part = self._inflate.decompress(self._waiting, size)
            except zlib.error as error:
                self.problem = f"the compressed data is damaged ({error})"
                break
            self._waiting = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class _Interface(NamedTuple):
    link: int
    snaplen: int
    ticks: int
    offset_ns: int

    def t_ns(self, stamp: int) -> int:
        return stamp * _SECOND // self.ticks + self.offset_ns


def open_capture(path: str | Path) -> CaptureReader:
    """Open a capture file and look at its beginning.

    Raises CaptureError, one line, when there is no such file or it is no pcap, pcapng or gzip of one.
    """
    return CaptureReader(Path(path))


class CaptureReader:
    """Iterates once over the packets of a file; a context manager.

    ``problems``: what is missing or damaged and where (byte offset in the uncompressed file), complete after
    the iteration. ``secrets``: TLS key log text of the decryption secrets blocks met so far; `scan_secrets`
    finds those that stand behind the packets. ``size`` and ``position``: bytes of the file as it lies on the
    disk, for progress. ``format``: "pcap" or "pcapng".
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.secrets: list[str] = []
        self.number = 0
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._secrets_bytes = 0
        try:
            self._file: BinaryIO = path.open("rb")
            try:
                status = os.fstat(self._file.fileno())
                self.size = status.st_size
                self._regular = stat.S_ISREG(status.st_mode)
                self._source, self._start = self._open(self._file)
            except BaseException:
                self._file.close()
                raise
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror or error}") from error
        self.format = "pcapng" if self._start == _SECTION_MAGIC else "pcap"

    def _open(self, file: BinaryIO) -> tuple[_Source, bytes]:
        start = file.read(2)
        source: _Source = file
        if start == b"\x1f\x8b":
            if self._regular:
                file.seek(0)
                source = _Gunzip(file)
            else:
                raise CaptureError(f"{self.path}: a compressed capture must be a file, not a pipe")
            start = b""
        start += source.read(4 - len(start))
        known = start == _SECTION_MAGIC or _pcap_order(start) is not None
        if not known:
            what = getattr(source, "problem", "")
            what = what or (f"begins with {start.hex()}" if start else "empty")
            raise CaptureError(f"{self.path}: not a capture file, neither pcap nor pcapng ({what})")
        return source, start

    @property
    def position(self) -> int:
        """Bytes of the file read so far; 0 where that cannot be told."""
        return self._file.tell() if self._regular and not self._file.closed else 0

    def __enter__(self) -> CaptureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def __iter__(self) -> Iterator[Packet]:
        try:
            yield from self._pcapng() if self.format == "pcapng" else self._pcap()
        except OSError as error:
            self._problem(0, f"cannot be read any further: {error.strerror or error}")

    def _problem(self, offset: int, text: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"at byte {offset}: {text}")

    def _cut_off(self, offset: int, left: int, what: str) -> None:
        damage = getattr(self._source, "problem", "")
        if damage:
            self._problem(offset + left, damage)
        if left:
            self._problem(offset, f"the file ends within {what} ({left} bytes of it are there)")

    def _rest(self, held: int) -> str:
        """How much is not read because of damage, as far as the size of the file tells."""
        if not self._regular or isinstance(self._source, _Gunzip):
            return "nothing after it was read"
        return f"{self.size - self._file.tell() + held} bytes from there on were not read"

    def _pcap(self) -> Iterator[Packet]:
        read = self._source.read
        header = self._start + read(20)
        known = _pcap_order(header[:4])
        if len(header) < 24 or known is None:
            self._cut_off(0, len(header), "the file header")
            return
        order, scale, header_length = known
        link = struct.unpack_from(order + "I", header, 20)[0] & 0xFFFF
        unpack = struct.Struct(order + "IIII").unpack_from
        buffer, position, base, number = b"", 0, 24, 0
        while True:
            end = len(buffer)
            while (start := position + header_length) <= end:
                seconds, fraction, kept, length = unpack(buffer, position)
                if kept > MAX_PACKET_BYTES:
                    self._problem(
                        base + position, f"a packet of {kept} bytes: damaged; {self._rest(end - position)}"
                    )
                    return
                stop = start + kept
                if stop > end:
                    break
                self.number = number = number + 1
                t_ns = seconds * _SECOND + fraction * scale
                yield Packet(number, t_ns, link, buffer[start:stop], kept < length)
                position = stop
            more = read(_CHUNK)
            if not more:
                self._cut_off(base + position, end - position, f"packet {number + 1}")
                return
            buffer = buffer[position:] + more
            base, position = base + position, 0

    def _pcapng(self) -> Iterator[Packet]:
        read = self._source.read
        buffer, position, base = self._start + read(_CHUNK), 0, 0
        while True:
            end = len(buffer)
            while position + 12 <= end:
                if buffer.startswith(_SECTION_MAGIC, position):
                    order = _BYTE_ORDERS.get(buffer[position + 8 : position + 12])
                    if order is None:
                        self._damaged(base + position, "a section without a byte-order mark", end - position)
                        return
                    self._order = order
                    self._interfaces = []
                kind, total = struct.unpack_from(self._order + "II", buffer, position)
                stop = position + total
                if total < 12 or total % 4 or total > MAX_BLOCK_BYTES:
                    self._damaged(base + position, f"a block of {total} bytes", end - position)
                    return
                if stop > end:
                    break
                if struct.unpack_from(self._order + "I", buffer, stop - 4)[0] != total:
                    self._damaged(base + position, "the two lengths of a block differ", end - position)
                    return
                if kind == _ENHANCED:
                    packet = self._enhanced(buffer, position + 8, stop - 4, base)
                    if packet is not None:
                        yield packet
                else:
                    packet = self._other(kind, buffer[position + 8 : stop - 4], base + position)
                    if packet is not None:
                        yield packet
                position = stop
            more = read(_CHUNK)
            if not more:
                self._cut_off(base + position, end - position, "a block")
                return
            buffer = buffer[position:] + more
            base, position = base + position, 0

    def _damaged(self, offset: int, text: str, held: int) -> None:
        self._problem(offset, f"{text}: damaged; {self._rest(held)}")

    def _enhanced(self, buffer: bytes, start: int, stop: int, base: int) -> Packet | None:
        """The packet of an enhanced packet block whose body lies at `start` to `stop`."""
        self.number += 1
        if stop - start < 20:
            self._problem(base + start - 8, "a packet block without its fields")
            return None
        index, high, low, kept, length = struct.unpack_from(self._order + "IIIII", buffer, start)
        start += 20
        return self._made(
            index, high << 32 | low, buffer[start : min(start + kept, stop)], kept, length, base + start
        )

    def _made(  # noqa: PLR0917
        self, index: int, stamp: int, data: bytes, kept: int, length: int, offset: int
    ) -> Packet | None:
        if index >= len(self._interfaces):
            self._problem(offset, f"packet {self.number} is of interface {index}, which is not described")
            return None
        if kept > len(data):
            self._problem(offset, f"packet {self.number} of {kept} bytes has only {len(data)}")
        interface = self._interfaces[index]
        return Packet(self.number, interface.t_ns(stamp), interface.link, data, len(data) < length)

    def _other(self, kind: int, body: bytes, offset: int) -> Packet | None:
        """Any block but an enhanced packet; the packet, where it is one."""
        if kind == _INTERFACE:
            self._described(body, offset)
        elif kind == _SECRETS:
            self._keep_secrets(body, offset)
        elif kind == _SIMPLE:
            return self._simple(body, offset)
        elif kind == _OLD_PACKET:
            self.number += 1
            if len(body) < 20:
                self._problem(offset, "a packet block without its fields")
                return None
            index, _, high, low, kept, length = struct.unpack_from(self._order + "HHIIII", body)
            return self._made(index, high << 32 | low, body[20 : 20 + kept], kept, length, offset)
        elif kind in _NUMBERED:
            self.number += 1
        return None

    def _simple(self, body: bytes, offset: int) -> Packet | None:
        self.number += 1
        if len(body) < 4:
            self._problem(offset, "a packet block without its fields")
            return None
        (length,) = struct.unpack_from(self._order + "I", body)
        limit = self._interfaces[0].snaplen if self._interfaces else 0
        kept = min(length, limit) if limit else length
        return self._made(0, 0, body[4 : 4 + kept], kept, length, offset)

    def _described(self, body: bytes, offset: int) -> None:
        if len(body) < 8 or len(self._interfaces) >= MAX_INTERFACES:
            self._problem(offset, "an interface description that cannot be used")
            return
        link, _, snaplen = struct.unpack_from(self._order + "HHI", body)
        options = self._options(body)
        resolution = options.get(_OPT_TSRESOL, b"\x06")[:1] or b"\x06"
        exponent = resolution[0] & 0x7F
        if exponent > 63:
            self._problem(offset, f"a time resolution of exponent {exponent}; taken for microseconds")
            resolution, exponent = b"\x06", 6
        shift = options.get(_OPT_TSOFFSET, b"")
        seconds = struct.unpack(self._order + "q", shift)[0] if len(shift) == 8 else 0
        ticks = 2**exponent if resolution[0] & 0x80 else 10**exponent
        self._interfaces.append(_Interface(link, snaplen, ticks, seconds * _SECOND))

    def _options(self, body: bytes) -> dict[int, bytes]:
        """The first value of each option of an interface; ends at one that does not fit."""
        options: dict[int, bytes] = {}
        position = 8
        while position + 4 <= len(body):
            code, length = struct.unpack_from(self._order + "HH", body, position)
            if code == 0 or position + 4 + length > len(body):
                break
            options.setdefault(code, body[position + 4 : position + 4 + length])
            position += 4 + length + (-length % 4)
        return options

    def _keep_secrets(self, body: bytes, offset: int) -> None:
        if len(body) < 8:
            self._problem(offset, "a secrets block without its fields")
            return
        kind, length = struct.unpack_from(self._order + "II", body)
        if kind != SECRETS_TLS_KEY_LOG:
            return
        text = body[8 : 8 + length].decode("ascii", "replace")
        if self._secrets_bytes + len(text) > MAX_SECRETS_BYTES:
            self._problem(offset, f"more than {MAX_SECRETS_BYTES} bytes of secrets; the rest is left out")
            return
        self._secrets_bytes += len(text)
        self.secrets.append(text)

    def scan_secrets(self) -> list[str]:
        """The secrets of the whole file, also those that the iteration has not come to yet.

        Opens the file once more and goes from block to block. Nothing for a pcap file or a pipe.
        """
        if self.format != "pcapng" or not self._regular:
            return []
        other = CaptureReader(self.path)
        with other:
            if isinstance(other._source, _Gunzip):
                for _ in other:
                    pass
            else:
                other._skim(other._file)
        return other.secrets

    def _skim(self, file: BinaryIO) -> None:
        """Collect the secrets, and jump over everything else."""
        file.seek(0)
        offset = 0
        while len(start := file.read(12)) == 12:
            if start.startswith(_SECTION_MAGIC):
                order = _BYTE_ORDERS.get(start[8:])
                if order is None:
                    return
                self._order = order
            kind, total = struct.unpack_from(self._order + "II", start)
            if total < 12 or total % 4 or total > MAX_BLOCK_BYTES:
                return
            if kind == _SECRETS:
                body = start[8:] + file.read(total - 12)
                if len(body) < total - 8:
                    return
                self._keep_secrets(body[:-4], offset)
            offset += total
            file.seek(offset)


def _pcap_order(magic: bytes) -> tuple[str, int, int] | None:
    """Byte order, nanoseconds a tick and length of a packet header; None when it is no pcap."""
    if len(magic) == 4:
        for order in ("<", ">"):
            found = _PCAP_MAGIC.get(struct.unpack(order + "I", magic)[0])
            if found is not None:
                return order, *found
    return None
