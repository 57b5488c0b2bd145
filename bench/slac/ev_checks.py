"""What the car looks at in the charger's messages before it believes them (ISO 15118-3 clause A.9).

A fault makes a message count as missing; a problem is a deviation with which matching still works.
"""

from __future__ import annotations

from bench.slac import mme
from bench.slac.keys import nid_from_nmk
from bench.slac.mme import mac_text

_NO_ID = bytes(17)


def _common(application_type: int, security_type: int) -> list[str]:
    faults = []
    if application_type != 0:
        faults.append(f"APPLICATION_TYPE 0x{application_type:02x}, not 0x00")
    if security_type != 0:
        faults.append(f"SECURITY_TYPE 0x{security_type:02x}, not 0x00")
    return faults


def _run_id(found: bytes, expected: bytes) -> list[str]:
    return [] if found == expected else [f"RunID {found.hex()}, not {expected.hex()}"]


def _address(name: str, found: bytes, expected: bytes) -> list[str]:
    return [] if found == expected else [f"{name} {mac_text(found)}, not {mac_text(expected)}"]


def _no_id(name: str, found: bytes) -> list[str]:
    return [] if found == _NO_ID else [f"{name} {found.hex()}, not zero"]


def parm_faults(message: mme.SlacParmCnf, mac: bytes, run_id: bytes) -> list[str]:
    """Why this CM_SLAC_PARM.CNF is not for this matching of this car."""
    return [
        *_common(message.application_type, message.security_type),
        *_run_id(message.run_id, run_id),
        *_address("FORWARDING_STA", message.forwarding_sta, mac),
    ]


def parm_problems(message: mme.SlacParmCnf) -> list[str]:
    """Which of its sounding parameters are not those of the standard."""
    problems = _address("M-SOUND_TARGET", message.m_sound_target, mme.BROADCAST)
    for name, found, expected in (
        ("NUM_SOUNDS", message.num_sounds, 10),
        ("TIME_OUT", message.time_out, 6),
        ("RESP_TYPE", message.resp_type, 1),
    ):
        if found != expected:
            problems.append(f"{name} {found}, not {expected}")
    return problems


def attenuation_faults(message: mme.AttenCharInd, mac: bytes, run_id: bytes) -> list[str]:
    """Why this CM_ATTEN_CHAR.IND is not for this matching of this car."""
    faults = [
        *_common(message.application_type, message.security_type),
        *_address("SOURCE_ADDRESS", message.source_address, mac),
        *_run_id(message.run_id, run_id),
        *_no_id("SOURCE_ID", message.source_id),
        *_no_id("RESP_ID", message.resp_id),
    ]
    if message.num_groups != mme.GROUPS:
        faults.append(f"NumGroups {message.num_groups}, not {mme.GROUPS}")
    if message.num_sounds == 0:
        faults.append("NUM_SOUNDS 0: no sound was heard")
    return faults


def match_faults(message: mme.SlacMatchCnf, request: mme.SlacMatchReq) -> list[str]:
    """Why this CM_SLAC_MATCH.CNF does not answer `request`."""
    faults = [
        *_common(message.application_type, message.security_type),
        *_no_id("PEV_ID", message.pev_id),
        *_address("PEV_MAC", message.pev_mac, request.pev_mac),
        *_no_id("EVSE_ID", message.evse_id),
        *_address("EVSE_MAC", message.evse_mac, request.evse_mac),
        *_run_id(message.run_id, request.run_id),
    ]
    if message.mvf_length != 0x56:
        faults.append(f"MVFLength 0x{message.mvf_length:04x}, not 0x0056")
    if not any(message.nmk):
        faults.append("NMK is zero")
    return faults


def match_problems(message: mme.SlacMatchCnf) -> list[str]:
    """Which of its values are odd."""
    expected = nid_from_nmk(message.nmk)
    if message.nid == expected:
        return []
    return [f"NID {message.nid.hex()} is not that of the NMK ({expected.hex()})"]
