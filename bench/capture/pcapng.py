"""Capture files: a pcapng writer that flushes as things happen, and a bounded reader of pcapng and pcap.

Source: draft-ietf-opsawg-pcapng (section header, interface description, enhanced packet, decryption secrets
block) and draft-ietf-opsawg-pcap. Times are nanoseconds since the epoch; the writer keeps the offset between
the bench's monotonic clock and the epoch in the section's comment, so that a capture and a timeline can be
laid side by side.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

LINKTYPE_ETHERNET = 1
SECRETS_TLS_KEY_LOG = 0x544C534B

_SHB = 0x0A0D0D0A
_IDB = 0x00000001
_SPB = 0x00000003
_ISB = 0x00000005
_EPB = 0x00000006
_DSB = 0x0000000A
_BYTE_ORDER = 0x1A2B3C4D
_OPT_END, _OPT_COMMENT = 0, 1
_IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL = 2, 3, 9
_SHB_USERAPPL = 4
_ISB_RECEIVED, _ISB_DROPPED = 4, 5
_enhanced_start = struct.Struct("<IIIIIII").pack

MAX_BLOCK_BYTES = 4 * 1024 * 1024
MAX_INTERFACES = 256
MAX_PACKET_BYTES = 262_144


class CaptureError(ValueError):
    """A capture file that cannot be read or written; the text names the file and the place in it."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One captured packet: `number` counts from 1, `t_ns` since the epoch, `length` on the wire (>=
    len(data)).
    """

    number: int
    t_ns: int
    interface: int
    linktype: int
    data: bytes
    length: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Secrets:
    """A decryption secrets block; `kind` SECRETS_TLS_KEY_LOG has NSS key log lines in `data`."""

    kind: int
    data: bytes


def clock_offset_ns() -> int:
    """What to add to a monotonic stamp to get nanoseconds since the epoch, now."""
    return time.time_ns() - time.monotonic_ns()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _options(*options: tuple[int, str]) -> bytes:
    present = [_option(code, text.encode("utf-8")[:4096]) for code, text in options if text]
    return b"".join(present) + struct.pack("<HH", _OPT_END, 0) if present else b""


def _block(kind: int, body: bytes) -> bytes:
    total = len(body) + 12
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)


class PcapngWriter:
    """Writes one pcapng section; every block is on its way to the disk when the call returns. Thread-safe.

    Raises OSError when the file cannot be made or written.
    """

    def __init__(self, path: Path, *, application: str = "Plugbench") -> None:
        self.path = path
        self.packets = 0
        self.offset_ns = clock_offset_ns()
        self._interfaces = 0
        self._lock = threading.Lock()
        self._file: BinaryIO = path.open("wb", buffering=0)
        comment = f"monotonic offset {self.offset_ns} ns"
        body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
        self._write(_block(_SHB, body + _options((_OPT_COMMENT, comment), (_SHB_USERAPPL, application))))

    def add_interface(
        self, name: str, *, linktype: int = LINKTYPE_ETHERNET, description: str = "", snaplen: int = 0
    ) -> int:
        """Describe an interface (nanosecond stamps) and return its number."""
        resolution = _option(_IF_TSRESOL, b"\x09")
        body = struct.pack("<HHI", linktype, 0, snaplen) + resolution
        body += _options((_IF_NAME, name), (_IF_DESCRIPTION, description)) or struct.pack("<HH", _OPT_END, 0)
        with self._lock:
            self._write(_block(_IDB, body))
            self._interfaces += 1
            return self._interfaces - 1

    def packet(
        self, data: bytes, t_ns: int, *, interface: int = 0, length: int | None = None, comment: str = ""
    ) -> None:
        """Write one packet stamped `t_ns` since the epoch; more than MAX_PACKET_BYTES are cut off."""
        kept = data[:MAX_PACKET_BYTES]
        high, low = divmod(t_ns & 0xFFFF_FFFF_FFFF_FFFF, 2**32)
        body = struct.pack("<IIIII", interface, high, low, len(kept), len(data) if length is None else length)
        with self._lock:
            self._write(_block(_EPB, body + _padded(kept) + _options((_OPT_COMMENT, comment))))
            self.packets += 1

    def packets_at_once(
        self, batch: Iterable[tuple[int, bytes, int]], *, interface: int = 0, comment: str = ""
    ) -> None:
        """Write many packets in one go: (t_ns since the epoch, data, length on the wire) each; `comment` is
        that of the first.
        """
        blocks = bytearray()
        count = 0
        for t_ns, data, length in batch:
            kept = data if len(data) <= MAX_PACKET_BYTES else data[:MAX_PACKET_BYTES]
            size = len(kept)
            options = _options((_OPT_COMMENT, comment)) if comment and not count else b""
            total = 32 + size + (-size % 4) + len(options)
            high, low = (t_ns >> 32) & 0xFFFF_FFFF, t_ns & 0xFFFF_FFFF
            blocks += _enhanced_start(_EPB, total, interface, high, low, size, length)
            blocks += kept + bytes(-size % 4) + options + total.to_bytes(4, "little")
            count += 1
        with self._lock:
            self._write(blocks)
            self.packets += count

    def statistics(self, *, received: int, dropped: int, t_ns: int, interface: int = 0) -> None:
        """Write how many packets were captured and how many the system dropped for lack of room."""
        high, low = divmod(t_ns & 0xFFFF_FFFF_FFFF_FFFF, 2**32)
        body = struct.pack("<III", interface, high, low)
        body += _option(_ISB_RECEIVED, struct.pack("<Q", received))
        body += _option(_ISB_DROPPED, struct.pack("<Q", dropped)) + struct.pack("<HH", _OPT_END, 0)
        with self._lock:
            self._write(_block(_ISB, body))

    def packet_monotonic(self, data: bytes, t_ns: int, *, interface: int = 0, comment: str = "") -> None:
        """Write one packet stamped with the bench's clock (monotonic ns)."""
        self.packet(data, t_ns + self.offset_ns, interface=interface, comment=comment)

    def secrets(self, key_log: bytes) -> None:
        """Write TLS key log lines as a decryption secrets block; nothing for an empty text."""
        if key_log:
            body = struct.pack("<II", SECRETS_TLS_KEY_LOG, len(key_log)) + _padded(key_log)
            with self._lock:
                self._write(_block(_DSB, body))

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def _write(self, data: bytes | bytearray) -> None:
        # Unbuffered and whole: after a crash the file ends with a complete block.
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def __enter__(self) -> PcapngWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CaptureReader:
    """Iterates over the `Packet` and `Secrets` of a pcapng or pcap file, one at a time in memory.

    `truncated` is True after the iteration when the file ends within a block (a capture cut off, not an
    error). Raises CaptureError for a file that is no capture or has impossible sizes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.truncated = False
        self.comment = ""
        self._order = "<"
        self._interfaces: list[tuple[int, int, int]] = []  # link type, ticks a second, offset in seconds
        self._number = 0

    def __iter__(self) -> Iterator[Packet | Secrets]:
        try:
            with self.path.open("rb") as file:
                magic = file.read(4)
                file.seek(0)
                if magic == b"\x0a\x0d\x0d\x0a":
                    yield from self._pcapng(file)
                else:
                    yield from self._pcap(file, magic)
        except OSError as error:
            raise CaptureError(f"{self.path}: {error.strerror or error}") from error

    def packets(self) -> Iterator[Packet]:
        """The packets alone."""
        return (each for each in self if isinstance(each, Packet))

    def _error(self, file: BinaryIO, text: str) -> CaptureError:
        return CaptureError(f"{self.path}: {text} (before byte {file.tell()})")

    def _pcapng(self, file: BinaryIO) -> Iterator[Packet | Secrets]:
        while True:
            start = file.read(8)
            if len(start) < 8:
                self.truncated = bool(start)
                return
            if start[:4] == b"\x0a\x0d\x0d\x0a":
                self._order = self._byte_order(file)
            kind, total = struct.unpack(self._order + "II", start)
            if total < 12 or total % 4 or total > MAX_BLOCK_BYTES:
                raise self._error(file, f"block of {total} bytes")
            body = file.read(total - 12)
            end = file.read(4)
            if len(body) < total - 12 or len(end) < 4:
                self.truncated = True
                return
            if struct.unpack(self._order + "I", end)[0] != total:
                raise self._error(file, "the two lengths of a block differ")
            try:
                item = self._item(kind, body)
            except (struct.error, IndexError, ValueError) as error:
                raise self._error(file, f"bad block of type 0x{kind:08x}: {error}") from error
            if item is not None:
                yield item

    def _byte_order(self, file: BinaryIO) -> str:
        mark = file.read(4)
        file.seek(-len(mark), os.SEEK_CUR)
        if mark == struct.pack("<I", _BYTE_ORDER):
            return "<"
        if mark == struct.pack(">I", _BYTE_ORDER):
            return ">"
        raise self._error(file, "no byte-order mark in a section header")

    def _item(self, kind: int, body: bytes) -> Packet | Secrets | None:
        if kind == _EPB:
            return self._enhanced(body)
        if kind == _SPB:
            if not self._interfaces:
                raise ValueError("packet before any interface")
            (length,) = struct.unpack_from(self._order + "I", body)
            return self._packet(0, 0, body[4 : 4 + min(length, len(body) - 4)], length)
        if kind == _SHB:
            self._interfaces = []
            self.comment = self._option_texts(body[16:]).get(_OPT_COMMENT, b"").decode("utf-8", "replace")
        elif kind == _IDB:
            self._interface(body)
        elif kind == _DSB:
            secrets_type, length = struct.unpack_from(self._order + "II", body)
            if length > len(body) - 8:
                raise ValueError(f"{length} bytes of secrets in a block of {len(body)}")
            return Secrets(secrets_type, body[8 : 8 + length])
        return None

    def _interface(self, body: bytes) -> None:
        if len(self._interfaces) >= MAX_INTERFACES:
            raise ValueError(f"more than {MAX_INTERFACES} interfaces")
        linktype = struct.unpack_from(self._order + "H", body)[0]
        options = self._option_texts(body[8:])
        resolution = options.get(_IF_TSRESOL, b"\x06")[:1] or b"\x06"
        exponent = resolution[0] & 0x7F
        if exponent > 63:
            raise ValueError(f"time resolution exponent {exponent}")
        ticks = 2**exponent if resolution[0] & 0x80 else 10**exponent
        offset = options.get(14, b"")
        offset_s = struct.unpack(self._order + "q", offset)[0] if len(offset) == 8 else 0
        self._interfaces.append((linktype, ticks, offset_s))

    def _enhanced(self, body: bytes) -> Packet:
        interface, high, low, kept, length = struct.unpack_from(self._order + "IIIII", body)
        if interface >= len(self._interfaces):
            raise ValueError(f"interface {interface} is not described")
        if kept > len(body) - 20:
            raise ValueError(f"packet of {kept} bytes in a block of {len(body)}")
        _, ticks, offset_s = self._interfaces[interface]
        t_ns = (high << 32 | low) * 1_000_000_000 // ticks + offset_s * 1_000_000_000
        options = body[20 + kept + (-kept % 4) :]
        comment = self._option_texts(options).get(_OPT_COMMENT, b"") if options else b""
        return self._packet(interface, t_ns, body[20 : 20 + kept], length, comment.decode("utf-8", "replace"))

    def _packet(self, interface: int, t_ns: int, data: bytes, length: int, comment: str = "") -> Packet:
        self._number += 1
        return Packet(
            self._number,
            t_ns,
            interface,
            self._interfaces[interface][0],
            data,
            max(length, len(data)),
            comment,
        )

    def _option_texts(self, data: bytes) -> dict[int, bytes]:
        """The first value of each option; stops at the end mark or at an option that does not fit."""
        options: dict[int, bytes] = {}
        position = 0
        while position + 4 <= len(data):
            code, length = struct.unpack_from(self._order + "HH", data, position)
            if code == _OPT_END or position + 4 + length > len(data):
                break
            options.setdefault(code, data[position + 4 : position + 4 + length])
            position += 4 + length + (-length % 4)
        return options

    def _pcap(self, file: BinaryIO, magic: bytes) -> Iterator[Packet]:
        scales = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
        header = file.read(24)
        for order in ("<", ">"):
            if len(header) == 24 and struct.unpack(order + "I", magic)[0] in scales:
                scale = scales[struct.unpack(order + "I", magic)[0]]
                break
        else:
            raise self._error(file, "neither pcapng nor pcap")
        self._interfaces = [(struct.unpack_from(order + "I", header, 20)[0] & 0xFFFF, 1_000_000_000, 0)]
        while True:
            start = file.read(16)
            if len(start) < 16:
                self.truncated = bool(start)
                return
            seconds, fraction, kept, length = struct.unpack(order + "IIII", start)
            if kept > MAX_BLOCK_BYTES:
                raise self._error(file, f"packet of {kept} bytes")
            data = file.read(kept)
            if len(data) < kept:
                self.truncated = True
                return
            yield self._packet(0, seconds * 1_000_000_000 + fraction * scale, data, length)


def secrets_first(path: Path) -> None:
    """Rewrite a capture made by `PcapngWriter` with its secrets in front of the packets.

    Tools that read a file once decrypt only what follows the secrets; a capture as it happens has them late.
    The file is replaced in one step. Raises CaptureError or OSError and leaves it as it was then.
    """
    reader = CaptureReader(path)
    secrets = [each.data for each in reader if isinstance(each, Secrets)]
    if not secrets:
        return
    temporary = path.with_name(path.name + ".part")
    try:
        with path.open("rb") as source, temporary.open("wb") as target:
            written = False
            while len(start := source.read(8)) == 8:
                kind, total = struct.unpack("<II", start)
                if not 12 <= total <= MAX_BLOCK_BYTES:
                    break  # The reader above has accepted the file, so this is its truncated end.
                block = start + source.read(total - 8)
                if kind == _DSB:
                    continue
                target.write(block)
                if kind == _SHB and not written:
                    body = struct.pack("<II", SECRETS_TLS_KEY_LOG, len(b"".join(secrets)))
                    target.write(_block(_DSB, body + _padded(b"".join(secrets))))
                    written = True
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
