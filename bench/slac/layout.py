"""How the fields of a management message lie in its payload. Integers are little-endian."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class MmeError(ValueError):
    """Bytes that are no such MME, or a value that does not fit; the text names MME, field and offset."""


def mac_text(mac: bytes) -> str:
    """`mac` as "00:b0:52:00:00:01"."""
    return mac.hex(":")


class Codec(Protocol):
    """How one field is read and written. `before` has the fields of the same message that come earlier."""

    def parse(self, data: bytes, offset: int, before: Mapping[str, Any]) -> tuple[Any, int]: ...
    def build(self, value: Any) -> bytes: ...
    def show(self, value: Any) -> object: ...


def _take(data: bytes, offset: int, size: int) -> bytes:
    if offset + size > len(data):
        raise MmeError(f"{size} bytes needed at offset {offset}, {max(0, len(data) - offset)} are there")
    return data[offset : offset + size]


@dataclass(frozen=True, slots=True)
class Int:
    """An unsigned integer of `size` bytes, little-endian."""

    size: int

    def parse(self, data: bytes, offset: int, before: Mapping[str, Any]) -> tuple[int, int]:
        return int.from_bytes(_take(data, offset, self.size), "little"), offset + self.size

    def build(self, value: int) -> bytes:
        try:
            return value.to_bytes(self.size, "little")
        except OverflowError:
            raise MmeError(f"{value} does not fit {self.size} bytes") from None

    def show(self, value: int) -> object:
        return value


@dataclass(frozen=True, slots=True)
class Raw:
    """`size` bytes; `address` shows them as an address."""

    size: int
    address: bool = False

    def parse(self, data: bytes, offset: int, before: Mapping[str, Any]) -> tuple[bytes, int]:
        return _take(data, offset, self.size), offset + self.size

    def build(self, value: bytes) -> bytes:
        if len(value) != self.size:
            raise MmeError(f"{len(value)} bytes given, {self.size} needed")
        return value

    def show(self, value: bytes) -> object:
        return mac_text(value) if self.address else value.hex()


@dataclass(frozen=True, slots=True)
class Counted:
    """Bytes, as many as an earlier field says: one for each, or (nibbles) one for each two."""

    count: str
    nibbles: bool = False
    hexadecimal: bool = False

    def parse(self, data: bytes, offset: int, before: Mapping[str, Any]) -> tuple[bytes, int]:
        size = (before[self.count] + 1) // 2 if self.nibbles else before[self.count]
        return _take(data, offset, size), offset + size

    def build(self, value: bytes) -> bytes:
        return value

    def show(self, value: bytes) -> object:
        return value.hex() if self.hexadecimal else list(value)


class CipherSuites:
    """CIPHER_SUITE_SET_SIZE and CIPHER_SUITE[], there only when SECURITY_TYPE is 1 (secure SLAC)."""

    def parse(self, data: bytes, offset: int, before: Mapping[str, Any]) -> tuple[tuple[int, ...], int]:
        if before["security_type"] != 1:
            return (), offset
        count = _take(data, offset, 1)[0]
        suites = struct.unpack(f"<{count}H", _take(data, offset + 1, 2 * count))
        return suites, offset + 1 + 2 * count

    def build(self, value: tuple[int, ...]) -> bytes:
        return struct.pack(f"<B{len(value)}H", len(value), *value) if value else b""

    def show(self, value: tuple[int, ...]) -> object:
        return list(value)


class CipherSuite:
    """CIPHER_SUITE, there only when SECURITY_TYPE is 1."""

    def parse(self, data: bytes, offset: int, before: Mapping[str, Any]) -> tuple[int | None, int]:
        if before["security_type"] != 1:
            return None, offset
        return int.from_bytes(_take(data, offset, 2), "little"), offset + 2

    def build(self, value: int | None) -> bytes:
        return b"" if value is None else struct.pack("<H", value)

    def show(self, value: int | None) -> object:
        return value


class Version:
    """MVERLENGTH and MVERSION: text of the firmware in 254 bytes, filled with zeros (fewer are read too)."""

    def parse(self, data: bytes, offset: int, before: Mapping[str, Any]) -> tuple[bytes, int]:
        length = min(_take(data, offset, 1)[0], len(data) - offset - 1)
        end = offset + 1 + length
        return data[offset + 1 : end].split(b"\0", 1)[0], min(len(data), max(end, offset + 255))

    def build(self, value: bytes) -> bytes:
        if len(value) > 254:
            raise MmeError(f"{len(value)} bytes given, 254 at most")
        return bytes([len(value)]) + value.ljust(254, b"\0")

    def show(self, value: bytes) -> object:
        return value.decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class AvNetwork:
    """A logical network that a modem belongs to. `sta_role`: 0 station, 1 proxy, 2 coordinator (CCo)."""

    nid: bytes = bytes(7)
    snid: int = 0
    tei: int = 0
    sta_role: int = 0
    cco_mac: bytes = bytes(6)
    access: int = 0
    num_cord_nws: int = 0


class Networks:
    """The logical networks of CM_NW_INFO.CNF, as many as num_avlns says."""

    _LAYOUT = struct.Struct("<7sBBB6sBB")

    def parse(self, data: bytes, offset: int, before: Mapping[str, Any]) -> tuple[tuple[AvNetwork, ...], int]:
        count = before["num_avlns"]
        block = _take(data, offset, count * self._LAYOUT.size)
        return tuple(AvNetwork(*each) for each in self._LAYOUT.iter_unpack(block)), offset + len(block)

    def build(self, value: tuple[AvNetwork, ...]) -> bytes:
        return b"".join(self._LAYOUT.pack(*dataclasses.astuple(each)) for each in value)

    def show(self, value: tuple[AvNetwork, ...]) -> object:
        return [
            {**dataclasses.asdict(each), "nid": each.nid.hex(), "cco_mac": mac_text(each.cco_mac)}
            for each in value
        ]


def mme_field(codec: Codec, default: Any) -> Any:
    """A dataclass field that `codec` reads and writes."""
    return dataclasses.field(default=default, metadata={"codec": codec})


def u8(default: int = 0) -> Any:
    """One byte."""
    return mme_field(Int(1), default)


def u16(default: int = 0) -> Any:
    """Two bytes."""
    return mme_field(Int(2), default)


def u32(default: int = 0) -> Any:
    """Four bytes."""
    return mme_field(Int(4), default)


def raw(size: int) -> Any:
    """`size` bytes as they are."""
    return mme_field(Raw(size), bytes(size))


def mac(default: bytes = bytes(6)) -> Any:
    """An Ethernet address."""
    return mme_field(Raw(6, address=True), default)
