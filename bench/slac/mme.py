"""HomePlug Green PHY management messages (MMEs), to and from Ethernet frames.

On the wire: Ethernet header, optional 802.1Q tags, EtherType 0x88E1, MMV (1), MMTYPE (2, little-endian), FMI
(2, only when MMV is not 0), payload, zeros up to 60 bytes. Vendor MMEs of Qualcomm (0xA000 up) have MMV 0, no
FMI, and begin with the OUI 00:B0:52. The messages themselves are in `bench.slac.messages`.
"""

from __future__ import annotations

import dataclasses
import struct
from dataclasses import dataclass
from typing import Any

from bench.slac.layout import AvNetwork, Codec, MmeError, mac_text
from bench.slac.messages import (
    BROADCAST,
    GROUPS,
    VALIDATE_FAILURE,
    VALIDATE_NOT_READY,
    VALIDATE_NOT_REQUIRED,
    VALIDATE_READY,
    VALIDATE_SUCCESS,
    AmpMapCnf,
    AmpMapReq,
    AttenCharInd,
    AttenCharRsp,
    AttenProfileInd,
    GetKeyCnf,
    GetKeyReq,
    Mme,
    MnbcSoundInd,
    NwInfoCnf,
    NwInfoReq,
    SetKeyCnf,
    SetKeyReq,
    SlacMatchCnf,
    SlacMatchReq,
    SlacParmCnf,
    SlacParmReq,
    StartAttenCharInd,
    UnknownMme,
    ValidateCnf,
    ValidateReq,
    VsLnkStatusCnf,
    VsLnkStatusReq,
    VsRsDevCnf,
    VsRsDevReq,
    VsSwVerCnf,
    VsSwVerReq,
)

__all__ = [
    "BROADCAST",
    "ETHERTYPE",
    "GROUPS",
    "LOCAL_MODEM",
    "MIN_FRAME_BYTES",
    "OUI_QUALCOMM",
    "VALIDATE_FAILURE",
    "VALIDATE_NOT_READY",
    "VALIDATE_NOT_REQUIRED",
    "VALIDATE_READY",
    "VALIDATE_SUCCESS",
    "AmpMapCnf",
    "AmpMapReq",
    "AttenCharInd",
    "AttenCharRsp",
    "AttenProfileInd",
    "AvNetwork",
    "Frame",
    "GetKeyCnf",
    "GetKeyReq",
    "Mme",
    "MmeError",
    "MnbcSoundInd",
    "NwInfoCnf",
    "NwInfoReq",
    "SetKeyCnf",
    "SetKeyReq",
    "SlacMatchCnf",
    "SlacMatchReq",
    "SlacParmCnf",
    "SlacParmReq",
    "StartAttenCharInd",
    "UnknownMme",
    "ValidateCnf",
    "ValidateReq",
    "VsLnkStatusCnf",
    "VsLnkStatusReq",
    "VsRsDevCnf",
    "VsRsDevReq",
    "VsSwVerCnf",
    "VsSwVerReq",
    "build_frame",
    "decode",
    "encode",
    "fields",
    "known_mmes",
    "mac_text",
    "parse_frame",
    "wrap",
]

ETHERTYPE = 0x88E1
VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
MAX_VLAN_TAGS = 2
MIN_FRAME_BYTES = 60
LOCAL_MODEM = bytes.fromhex("00b052000001")
"""Address that every Qualcomm modem answers on its host port, and never forwards."""
OUI_QUALCOMM = bytes.fromhex("00b052")

_HEADER_BYTES = 14
_FMI_NONE = b"\x00\x00"


@dataclass(frozen=True, slots=True)
class Frame:
    """A HomePlug frame. `vlan` is the VLAN id of its (outermost) tag."""

    destination: bytes
    source: bytes
    vlan: int | None
    mme: Mme


_KNOWN: dict[tuple[int, int], type[Mme]] = {
    (each.mmv, each.mmtype): each
    for each in (
        SlacParmReq,
        SlacParmCnf,
        StartAttenCharInd,
        MnbcSoundInd,
        AttenProfileInd,
        AttenCharInd,
        AttenCharRsp,
        ValidateReq,
        ValidateCnf,
        SlacMatchReq,
        SlacMatchCnf,
        SetKeyReq,
        SetKeyCnf,
        GetKeyReq,
        GetKeyCnf,
        NwInfoReq,
        NwInfoCnf,
        AmpMapReq,
        AmpMapCnf,
        VsSwVerReq,
        VsSwVerCnf,
        VsRsDevReq,
        VsRsDevCnf,
        VsLnkStatusReq,
        VsLnkStatusCnf,
    )
}
_LAYOUTS: dict[type[Mme], tuple[tuple[str, Codec], ...]] = {
    kind: tuple((each.name, each.metadata["codec"]) for each in dataclasses.fields(kind))  # type: ignore[arg-type]
    for kind in _KNOWN.values()
}


def known_mmes() -> tuple[type[Mme], ...]:
    """The classes of all MMEs that are taken apart."""
    return tuple(_KNOWN.values())


def encode(mme: Mme) -> bytes:
    """The bytes of `mme` from MMV on, without padding. Raises MmeError when a value does not fit."""
    head = struct.pack("<BH", mme.mmv, mme.mmtype)
    if isinstance(mme, UnknownMme):
        return head + mme.payload
    parts = [head, _prefix(type(mme))]
    for name, codec in _LAYOUTS[type(mme)]:
        try:
            parts.append(codec.build(getattr(mme, name)))
        except (MmeError, struct.error) as error:
            raise MmeError(f"{mme.name}: {name}: {error}") from None
    return b"".join(parts)


def _prefix(kind: type[Mme]) -> bytes:
    return OUI_QUALCOMM if kind.mmv == 0 else _FMI_NONE


def build_frame(mme: Mme, *, destination: bytes, source: bytes, vlan: int | None = None) -> bytes:
    """An Ethernet frame of `mme`, padded to 60 bytes. Raises MmeError like `encode`."""
    return wrap(encode(mme), destination=destination, source=source, vlan=vlan)


def wrap(data: bytes, *, destination: bytes, source: bytes, vlan: int | None = None) -> bytes:
    """An Ethernet frame, padded to 60 bytes, of what follows EtherType 0x88E1, whatever it is. Raises
    MmeError for an address that has not 6 bytes.
    """
    if len(destination) != 6 or len(source) != 6:
        raise MmeError("destination and source are 6 bytes each")
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    frame = destination + source + tag + struct.pack(">H", ETHERTYPE) + data
    return frame.ljust(MIN_FRAME_BYTES, b"\0")


def parse_frame(frame: bytes) -> Frame | None:
    """The HomePlug frame in `frame`; None when it is none (another EtherType, or shorter than a header).

    Bytes behind the message (padding) are left out. What is not known (see `known_mmes`), fragmented or of
    another version becomes an `UnknownMme`. Raises MmeError for a message that is cut short.
    """
    vlan: int | None = None
    offset = _HEADER_BYTES - 2
    for _ in range(MAX_VLAN_TAGS + 1):
        if len(frame) < offset + 2:
            return None
        ethertype = int.from_bytes(frame[offset : offset + 2], "big")
        if ethertype not in VLAN_TYPES:
            break
        if len(frame) < offset + 4:
            return None
        if vlan is None:
            vlan = int.from_bytes(frame[offset + 2 : offset + 4], "big") & 0xFFF
        offset += 4
    if ethertype != ETHERTYPE:
        return None
    return Frame(frame[:6], frame[6:12], vlan, _decode(frame, offset + 2))


def decode(data: bytes) -> Mme:
    """The MME in `data`, which begins with MMV: inverse of `encode`. Raises MmeError when it is cut short."""
    return _decode(data, 0)


def _decode(data: bytes, offset: int) -> Mme:
    if len(data) < offset + 3:
        raise MmeError(f"MME header: 3 bytes needed at offset {offset}, {len(data) - offset} are there")
    mmv, mmtype = struct.unpack_from("<BH", data, offset)
    offset += 3
    kind = _KNOWN.get((mmv, mmtype))
    if kind is None:
        return UnknownMme(mmv, mmtype, data[offset:])
    prefix = _prefix(kind)
    if len(data) < offset + len(prefix):
        left = len(data) - offset
        raise MmeError(
            f"{kind.name}: header: {len(prefix)} bytes needed at offset {offset}, {left} are there"
        )
    if data[offset : offset + len(prefix)] != prefix:
        return UnknownMme(mmv, mmtype, data[offset:])
    offset += len(prefix)
    values: dict[str, Any] = {}
    for name, codec in _LAYOUTS[kind]:
        try:
            values[name], offset = codec.parse(data, offset, values)
        except MmeError as error:
            raise MmeError(f"{kind.name}: {name}: {error}") from None
    return kind(**values)


def fields(mme: Mme) -> dict[str, object]:
    """The fields of `mme` as JSON has them: addresses as text, other bytes as hex, attenuations as a list."""
    if isinstance(mme, UnknownMme):
        return {"mmv": mme.mmv, "mmtype": mme.mmtype, "payload": mme.payload.hex()}
    return {name: codec.show(getattr(mme, name)) for name, codec in _LAYOUTS[type(mme)]}
