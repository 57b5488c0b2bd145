"""The charger's decisions in SLAC, each one small and replaceable: a defect replaces one attribute.

What a good charger does with each bad message is that of ISO 15118-5, TC_SECC_CMN_VTB_CmSlacParm_* to
CmSlacMatch_*: it counts as missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.slac import mme
from bench.slac.keys import new_nmk, nid_from_nmk

_NO_ID = bytes(17)


@dataclass(frozen=True, slots=True)
class Pairing:
    """Who matches with whom: the charger's address, the car's, and the car's RunID."""

    evse_mac: bytes
    ev_mac: bytes
    run_id: bytes


class EvsePolicy:
    """Defaults: a conforming charger."""

    num_sounds = 10
    time_out = 6
    """In 100 ms: TT_EVSE_match_MNBC."""

    # --- CM_SLAC_PARM ---
    def accepts_parm(self, request: mme.SlacParmReq) -> bool:
        """Whether CM_SLAC_PARM.REQ is answered at all."""
        return request.application_type == 0 and request.security_type == 0

    def restarts(self, *, same_run_id: bool, phase: str) -> bool:
        """Whether a CM_SLAC_PARM.REQ of a car that is being matched begins a new matching: always with
        another RunID; with the same one, not while the sounds run (the car may have missed the CNF).
        """
        return not (same_run_id and phase in ("parameters", "sounding"))

    def matches_when_linked(self) -> bool:
        """Whether CM_SLAC_PARM.REQ is answered while there is a link (PLCLinkStatus_003: no)."""
        return False

    def parm_confirmation(self, pairing: Pairing) -> mme.SlacParmCnf:
        """The answer to CM_SLAC_PARM.REQ."""
        return mme.SlacParmCnf(
            num_sounds=self.num_sounds,
            time_out=self.time_out,
            forwarding_sta=pairing.ev_mac,
            run_id=pairing.run_id,
        )

    # --- attenuation ---
    def accepts_start(self, message: mme.StartAttenCharInd, pairing: Pairing) -> bool:
        """Whether CM_START_ATTEN_CHAR.IND begins the sounding."""
        return (
            message.application_type == 0
            and message.security_type == 0
            and message.num_sounds > 0
            and message.time_out > 0
            and message.resp_type == 1
            and message.forwarding_sta == pairing.ev_mac
            and message.run_id == pairing.run_id
        )

    def average(self, profiles: Sequence[bytes]) -> bytes:
        """The mean of each group over the sounds, rounded."""
        return bytes(round(sum(group) / len(group)) for group in zip(*profiles, strict=True))

    def attenuation(self, pairing: Pairing, profiles: Sequence[bytes]) -> mme.AttenCharInd:
        """CM_ATTEN_CHAR.IND from what the own modem has heard."""
        return mme.AttenCharInd(
            source_address=pairing.ev_mac,
            run_id=pairing.run_id,
            num_sounds=min(255, len(profiles)),
            aag=self.average(profiles),
        )

    def attenuation_repetitions(self, standard: int) -> int:
        """How often CM_ATTEN_CHAR.IND is repeated without a valid CM_ATTEN_CHAR.RSP."""
        return standard

    def accepts_response(self, message: mme.AttenCharRsp, pairing: Pairing) -> bool:
        """Whether CM_ATTEN_CHAR.RSP counts."""
        return (
            message.application_type == 0
            and message.security_type == 0
            and message.source_address == pairing.ev_mac
            and message.run_id == pairing.run_id
            and message.source_id == _NO_ID
            and message.resp_id == _NO_ID
            and message.result == 0
        )

    # --- CM_VALIDATE ---
    def accepts_validation(self, message: mme.ValidateReq) -> bool:
        """Whether CM_VALIDATE.REQ is looked at: the signal type must be that of the control pilot."""
        return message.signal_type == 0

    def validation(self, toggles: int) -> mme.ValidateCnf:
        """The answer after the toggles."""
        result = mme.VALIDATE_SUCCESS if 1 <= toggles <= 3 else mme.VALIDATE_FAILURE
        return mme.ValidateCnf(toggle_num=min(255, toggles), result=result)

    # --- CM_SLAC_MATCH ---
    def accepts_match(self, message: mme.SlacMatchReq, pairing: Pairing) -> bool:
        """Whether CM_SLAC_MATCH.REQ is answered."""
        return (
            message.application_type == 0
            and message.security_type == 0
            and message.mvf_length == 0x3E
            and message.pev_id == _NO_ID
            and message.pev_mac == pairing.ev_mac
            and message.evse_id == _NO_ID
            and message.evse_mac == pairing.evse_mac
            and message.run_id == pairing.run_id
        )

    def match_confirmation(self, request: mme.SlacMatchReq, nid: bytes, nmk: bytes) -> mme.SlacMatchCnf:
        """The answer to CM_SLAC_MATCH.REQ."""
        return mme.SlacMatchCnf(
            pev_id=request.pev_id,
            pev_mac=request.pev_mac,
            evse_id=request.evse_id,
            evse_mac=request.evse_mac,
            run_id=request.run_id,
            nid=nid,
            nmk=nmk,
        )

    def new_network(self) -> tuple[bytes, bytes]:
        """NID and NMK of a new network."""
        nmk = new_nmk()
        return nid_from_nmk(nmk), nmk

    def leaves_network(self) -> bool:
        """Whether the own modem gets another key when the car has gone (TP_match_leave)."""
        return True

    # --- CM_AMP_MAP ---
    def accepts_amp_map(self, message: mme.AmpMapReq) -> bool:
        """Whether CM_AMP_MAP.REQ is answered with success."""
        return message.amlen > 0
