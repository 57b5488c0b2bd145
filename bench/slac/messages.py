"""The management messages of matching and of modem control, one frozen dataclass each.

A field has the standard's name in snake_case and is a plain value with a default, so that a deviating message
is `dataclasses.replace(message, run_id=other)`. Counts and lengths are fields of their own and are written as
they stand. Sources: HomePlug Green PHY 1.1 clause 11.5, ISO 15118-3 annex A; the layouts of the SLAC sequence
(CM_VALIDATE and CM_AMP_MAP excepted), CM_SET_KEY and CM_NW_INFO are checked against captures of real cars,
chargers and modems.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.slac.layout import (
    AvNetwork,
    CipherSuite,
    CipherSuites,
    Counted,
    Networks,
    Version,
    mac,
    mme_field,
    raw,
    u8,
    u16,
    u32,
)

BROADCAST = b"\xff" * 6
GROUPS = 58
"""Groups of carriers that an attenuation profile has (ISO 15118-3 A.9.2)."""


class Mme:
    """A management message; subclasses are frozen dataclasses with one field for each of the payload."""

    __slots__ = ()
    mmv: ClassVar[int] = 1
    mmtype: ClassVar[int]
    name: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SlacParmReq(Mme):
    """EV to all: who matches? (ISO 15118-3 A.9.1)"""

    mmtype: ClassVar[int] = 0x6064
    name: ClassVar[str] = "CM_SLAC_PARM.REQ"
    application_type: int = u8()
    security_type: int = u8()
    run_id: bytes = raw(8)
    cipher_suites: tuple[int, ...] = mme_field(CipherSuites(), ())


@dataclass(frozen=True, slots=True)
class SlacParmCnf(Mme):
    """EVSE to EV: how to sound. `time_out` in 100 ms."""

    mmtype: ClassVar[int] = 0x6065
    name: ClassVar[str] = "CM_SLAC_PARM.CNF"
    m_sound_target: bytes = mac(BROADCAST)
    num_sounds: int = u8(10)
    time_out: int = u8(6)
    resp_type: int = u8(1)
    forwarding_sta: bytes = mac()
    application_type: int = u8()
    security_type: int = u8()
    run_id: bytes = raw(8)
    cipher_suite: int | None = mme_field(CipherSuite(), None)


@dataclass(frozen=True, slots=True)
class StartAttenCharInd(Mme):
    """EV to all, three times: the sounds begin. `time_out` in 100 ms."""

    mmtype: ClassVar[int] = 0x606A
    name: ClassVar[str] = "CM_START_ATTEN_CHAR.IND"
    application_type: int = u8()
    security_type: int = u8()
    num_sounds: int = u8(10)
    time_out: int = u8(6)
    resp_type: int = u8(1)
    forwarding_sta: bytes = mac()
    run_id: bytes = raw(8)


@dataclass(frozen=True, slots=True)
class MnbcSoundInd(Mme):
    """EV to all: one sound; `cnt` counts down to 0."""

    mmtype: ClassVar[int] = 0x6076
    name: ClassVar[str] = "CM_MNBC_SOUND.IND"
    application_type: int = u8()
    security_type: int = u8()
    sender_id: bytes = raw(17)
    cnt: int = u8()
    run_id: bytes = raw(8)
    rsvd: bytes = raw(8)
    rnd: bytes = raw(16)


@dataclass(frozen=True, slots=True)
class AttenProfileInd(Mme):
    """A modem to its own host: how one sound of `pev_mac` was heard, in dB for each group."""

    mmtype: ClassVar[int] = 0x6086
    name: ClassVar[str] = "CM_ATTEN_PROFILE.IND"
    pev_mac: bytes = mac()
    num_groups: int = u8(GROUPS)
    rsvd: int = u8()
    aag: bytes = mme_field(Counted("num_groups"), bytes(GROUPS))


@dataclass(frozen=True, slots=True)
class AttenCharInd(Mme):
    """EVSE to EV: the average attenuation in dB of each group."""

    mmtype: ClassVar[int] = 0x606E
    name: ClassVar[str] = "CM_ATTEN_CHAR.IND"
    application_type: int = u8()
    security_type: int = u8()
    source_address: bytes = mac()
    run_id: bytes = raw(8)
    source_id: bytes = raw(17)
    resp_id: bytes = raw(17)
    num_sounds: int = u8(10)
    num_groups: int = u8(GROUPS)
    aag: bytes = mme_field(Counted("num_groups"), bytes(GROUPS))


@dataclass(frozen=True, slots=True)
class AttenCharRsp(Mme):
    """EV to EVSE: the attenuation has come; `result` 0."""

    mmtype: ClassVar[int] = 0x606F
    name: ClassVar[str] = "CM_ATTEN_CHAR.RSP"
    application_type: int = u8()
    security_type: int = u8()
    source_address: bytes = mac()
    run_id: bytes = raw(8)
    source_id: bytes = raw(17)
    resp_id: bytes = raw(17)
    result: int = u8()


VALIDATE_NOT_READY, VALIDATE_READY, VALIDATE_SUCCESS, VALIDATE_FAILURE, VALIDATE_NOT_REQUIRED = range(5)


@dataclass(frozen=True, slots=True)
class ValidateReq(Mme):
    """EV to EVSE: count the toggles of my control pilot. `timer` in 100 ms, less one; `result` VALIDATE_*."""

    mmtype: ClassVar[int] = 0x6078
    name: ClassVar[str] = "CM_VALIDATE.REQ"
    signal_type: int = u8()
    timer: int = u8()
    result: int = u8()


@dataclass(frozen=True, slots=True)
class ValidateCnf(Mme):
    """EVSE to EV: `toggle_num` toggles were seen; `result` VALIDATE_*."""

    mmtype: ClassVar[int] = 0x6079
    name: ClassVar[str] = "CM_VALIDATE.CNF"
    signal_type: int = u8()
    toggle_num: int = u8()
    result: int = u8()


@dataclass(frozen=True, slots=True)
class SlacMatchReq(Mme):
    """EV to the EVSE it has chosen."""

    mmtype: ClassVar[int] = 0x607C
    name: ClassVar[str] = "CM_SLAC_MATCH.REQ"
    application_type: int = u8()
    security_type: int = u8()
    mvf_length: int = u16(0x3E)
    pev_id: bytes = raw(17)
    pev_mac: bytes = mac()
    evse_id: bytes = raw(17)
    evse_mac: bytes = mac()
    run_id: bytes = raw(8)
    rsvd: bytes = raw(8)


@dataclass(frozen=True, slots=True)
class SlacMatchCnf(Mme):
    """EVSE to EV: the network to join, and its key."""

    mmtype: ClassVar[int] = 0x607D
    name: ClassVar[str] = "CM_SLAC_MATCH.CNF"
    application_type: int = u8()
    security_type: int = u8()
    mvf_length: int = u16(0x56)
    pev_id: bytes = raw(17)
    pev_mac: bytes = mac()
    evse_id: bytes = raw(17)
    evse_mac: bytes = mac()
    run_id: bytes = raw(8)
    rsvd: bytes = raw(8)
    nid: bytes = raw(7)
    rsvd2: int = u8()
    nmk: bytes = raw(16)


@dataclass(frozen=True, slots=True)
class SetKeyReq(Mme):
    """Host to its modem: use this network key (`key_type` 1: NMK, `pid` 4: HLE protocol)."""

    mmtype: ClassVar[int] = 0x6008
    name: ClassVar[str] = "CM_SET_KEY.REQ"
    key_type: int = u8(1)
    my_nonce: int = u32()
    your_nonce: int = u32()
    pid: int = u8(4)
    prn: int = u16()
    pmn: int = u8()
    cco_capability: int = u8()
    nid: bytes = raw(7)
    new_eks: int = u8(1)
    new_key: bytes = raw(16)


@dataclass(frozen=True, slots=True)
class SetKeyCnf(Mme):
    """Modem to its host. `result`: 0 is success in the specification; Qualcomm modems say 1 for it."""

    mmtype: ClassVar[int] = 0x6009
    name: ClassVar[str] = "CM_SET_KEY.CNF"
    result: int = u8()
    my_nonce: int = u32()
    your_nonce: int = u32()
    pid: int = u8(4)
    prn: int = u16()
    pmn: int = u8()
    cco_capability: int = u8()


@dataclass(frozen=True, slots=True)
class GetKeyReq(Mme):
    """Host to modem: which key is in use? (layout from memory of HomePlug AV 1.1, read back by tshark)"""

    mmtype: ClassVar[int] = 0x600C
    name: ClassVar[str] = "CM_GET_KEY.REQ"
    request_type: int = u8()
    requested_key_type: int = u8(1)
    nid: bytes = raw(7)
    my_nonce: int = u32()
    pid: int = u8(4)
    prn: int = u16()
    pmn: int = u8()


@dataclass(frozen=True, slots=True)
class GetKeyCnf(Mme):
    """Modem to host: the key in use (layout as of `GetKeyReq`)."""

    mmtype: ClassVar[int] = 0x600D
    name: ClassVar[str] = "CM_GET_KEY.CNF"
    result: int = u8()
    requested_key_type: int = u8(1)
    my_nonce: int = u32()
    your_nonce: int = u32()
    nid: bytes = raw(7)
    eks: int = u8()
    pid: int = u8(4)
    prn: int = u16()
    pmn: int = u8()
    key: bytes = raw(16)


@dataclass(frozen=True, slots=True)
class NwInfoReq(Mme):
    """Host to modem: which networks do you belong to?"""

    mmtype: ClassVar[int] = 0x6038
    name: ClassVar[str] = "CM_NW_INFO.REQ"


@dataclass(frozen=True, slots=True)
class NwInfoCnf(Mme):
    """Modem to host: its networks."""

    mmtype: ClassVar[int] = 0x6039
    name: ClassVar[str] = "CM_NW_INFO.CNF"
    num_avlns: int = u8()
    networks: tuple[AvNetwork, ...] = mme_field(Networks(), ())


@dataclass(frozen=True, slots=True)
class AmpMapReq(Mme):
    """Either host to the other: send with less power on these carriers (4 bits each, ISO 15118-3 A.9.6)."""

    mmtype: ClassVar[int] = 0x601C
    name: ClassVar[str] = "CM_AMP_MAP.REQ"
    amlen: int = u16()
    amdata: bytes = mme_field(Counted("amlen", nibbles=True, hexadecimal=True), b"")


@dataclass(frozen=True, slots=True)
class AmpMapCnf(Mme):
    """The map was taken (`res_type` 0) or not."""

    mmtype: ClassVar[int] = 0x601D
    name: ClassVar[str] = "CM_AMP_MAP.CNF"
    res_type: int = u8()


class VendorMme(Mme):
    """A vendor MME of Qualcomm."""

    __slots__ = ()
    mmv: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class VsSwVerReq(VendorMme):
    """Host to modem: which firmware?"""

    mmtype: ClassVar[int] = 0xA000
    name: ClassVar[str] = "VS_SW_VER.REQ"


@dataclass(frozen=True, slots=True)
class VsSwVerCnf(VendorMme):
    """Modem to host: its firmware."""

    mmtype: ClassVar[int] = 0xA001
    name: ClassVar[str] = "VS_SW_VER.CNF"
    mstatus: int = u8()
    mdevice_id: int = u8()
    mversion: bytes = mme_field(Version(), b"")


@dataclass(frozen=True, slots=True)
class VsRsDevReq(VendorMme):
    """Host to modem: restart."""

    mmtype: ClassVar[int] = 0xA01C
    name: ClassVar[str] = "VS_RS_DEV.REQ"


@dataclass(frozen=True, slots=True)
class VsRsDevCnf(VendorMme):
    """Modem to host: it restarts now (`mstatus` 0)."""

    mmtype: ClassVar[int] = 0xA01D
    name: ClassVar[str] = "VS_RS_DEV.CNF"
    mstatus: int = u8()


@dataclass(frozen=True, slots=True)
class VsLnkStatusReq(VendorMme):
    """Host to modem: is there a link?"""

    mmtype: ClassVar[int] = 0xA0B8
    name: ClassVar[str] = "VS_LNK_STATUS.REQ"


@dataclass(frozen=True, slots=True)
class VsLnkStatusCnf(VendorMme):
    """Modem to host: `link_status` 1 when a station of the same network is heard."""

    mmtype: ClassVar[int] = 0xA0B9
    name: ClassVar[str] = "VS_LNK_STATUS.CNF"
    mstatus: int = u8()
    link_status: int = u8()


@dataclass(frozen=True, slots=True)
class UnknownMme(Mme):
    """Any other MME: `payload` is all that follows MMTYPE, with the padding of the frame."""

    name: ClassVar[str] = "unknown MME"
    mmv: int = 1  # type: ignore[misc]
    mmtype: int = 0  # type: ignore[misc]
    payload: bytes = b""
