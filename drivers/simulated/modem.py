"""One simulated modem: its key, its answers to its host, and the quirks by which real ones differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bench.slac import mme
from drivers.simulated.modem_host import HostLink

FIRMWARE = b"MAC-QCA7005-1.1.0.730-SIMULATED"
_DEVICE_ID = 0x20
_NETWORK_NUMBER = 5


@dataclass(frozen=True, slots=True)
class Quirks:
    """How this modem differs from a plain one. Times in seconds, attenuation in dB."""

    set_key_result: int = 1
    """Code of success in CM_SET_KEY.CNF: 1 on Qualcomm's, 0 in the specification."""
    answers_set_key: bool = True
    """False: it takes the key and says nothing."""
    takes_key: bool = True
    """False: it says yes and stays in the network that it was in."""
    refusals_after_match: int = 0
    """How many CM_SET_KEY it refuses (result 2) after each match that passed it."""
    reboot_s: float = 0.0
    """Silence after CM_SET_KEY, in which it restarts; the key is kept."""
    restart_s: float = 0.05
    """Silence after VS_RS_DEV; the key is lost."""
    join_s: float = 0.05
    """From the key to the membership."""
    joins: bool = True
    """False: it never becomes a member."""
    link_status: str = "true"
    """What VS_LNK_STATUS says: "true", "down" whatever is, or "none": it does not know that request."""
    answers_nw_info: bool = True
    mute: bool = False
    """It passes frames on, and answers nothing."""
    lost_sounds: int = 0
    """How many sounds of each run of a car get lost on the line."""
    profiles: bool = True
    """False: an EVSE's modem tells its host nothing of the sounds."""
    profile_groups: int = 58
    attenuation_db: float = 12.0
    jitter_db: float = 2.0
    vlan: int = 0
    """Id of the 802.1Q tag on every frame to its host; 0: none."""
    firmware: str = FIRMWARE.decode()


class Modem:
    """`side` is "ev" or "evse"; `has_link` is set by the line, which knows the others."""

    def __init__(self, name: str, side: str, mac: bytes, *, quirks: Quirks, host: HostLink) -> None:
        self.name, self.side, self.mac, self.quirks, self.host = name, side, mac, quirks, host
        self.key: tuple[bytes, bytes] | None = None
        self.has_link: Callable[[], bool] = lambda: False
        self.set_keys = 0
        self.bad_frames = 0
        self._loop = asyncio.get_running_loop()
        self._joins_at = 0.0
        self._wakes_at = 0.0
        self._refusals_left = 0
        self._sounds_lost: tuple[bytes, int] = (b"", 0)

    @property
    def awake(self) -> bool:
        """Whether it is not restarting."""
        return self._loop.time() >= self._wakes_at

    @property
    def joined(self) -> bool:
        """Whether it is a member of its network."""
        return (
            self.key is not None and self.quirks.joins and self.awake and self._loop.time() >= self._joins_at
        )

    def state(self) -> dict[str, Any]:
        """What there is to know, as JSON."""
        return {
            "side": self.side,
            "resource": self.host.resource,
            "mac": mme.mac_text(self.mac),
            "nid": None if self.key is None else self.key[0].hex(),
            "nmk": None if self.key is None else self.key[1].hex(),
            "set_keys": self.set_keys,
            "awake": self.awake,
            "bad_frames": self.bad_frames,
            "dropped_frames": self.host.dropped,
            "quirks": asdict(self.quirks),
        }

    def concerns(self, frame: bytes) -> bool:
        """Whether a frame of its host is for the modem itself."""
        return frame[:6] in (mme.LOCAL_MODEM, self.mac)

    def answer(self, frame: bytes) -> None:
        """Do what the host asks; what is not understood is not answered."""
        try:
            parsed = mme.parse_frame(frame)
        except mme.MmeError:
            self.bad_frames += 1
            return
        if parsed is None or self.quirks.mute:
            return
        reply = self._reply(parsed.mme)
        if reply is not None:
            self._tell(reply, parsed.source)
        self._act(parsed.mme)

    def _reply(self, request: mme.Mme) -> mme.Mme | None:
        quirks = self.quirks
        match request:
            case mme.SetKeyReq():
                return self._set_key(request)
            case mme.NwInfoReq() if quirks.answers_nw_info:
                return self._networks()
            case mme.VsSwVerReq():
                return mme.VsSwVerCnf(mdevice_id=_DEVICE_ID, mversion=quirks.firmware.encode())
            case mme.VsRsDevReq():
                return mme.VsRsDevCnf()
            case mme.VsLnkStatusReq() if quirks.link_status != "none":
                up = self.has_link() and quirks.link_status == "true"
                return mme.VsLnkStatusCnf(link_status=int(up))
            case mme.AmpMapReq():
                return mme.AmpMapCnf()
        return None

    def _set_key(self, request: mme.SetKeyReq) -> mme.SetKeyCnf | None:
        self.set_keys += 1
        result = self.quirks.set_key_result
        if self._refusals_left:
            self._refusals_left -= 1
            result = 2
        elif self.quirks.takes_key:
            self.key = (request.nid, request.new_key)
            self._joins_at = self._loop.time() + self.quirks.reboot_s + self.quirks.join_s
        if not self.quirks.answers_set_key:
            return None
        return mme.SetKeyCnf(result=result, my_nonce=request.your_nonce, your_nonce=request.my_nonce)

    def _act(self, request: mme.Mme) -> None:
        """What follows the answer."""
        if isinstance(request, mme.SetKeyReq) and self.quirks.reboot_s:
            self._wakes_at = self._loop.time() + self.quirks.reboot_s
        elif isinstance(request, mme.VsRsDevReq):
            self.key = None
            self._wakes_at = self._loop.time() + self.quirks.restart_s

    def _networks(self) -> mme.NwInfoCnf:
        """The coordinator is the EVSE's modem; a modem alone says that it is in no network."""
        if self.key is None or not self.has_link():
            return mme.NwInfoCnf()
        first = self.side == "evse"
        network = mme.AvNetwork(
            nid=self.key[0], snid=_NETWORK_NUMBER, tei=1 if first else 2, sta_role=2 if first else 0
        )
        return mme.NwInfoCnf(num_avlns=1, networks=(network,))

    def notice(self, message: mme.Mme | None) -> None:
        """A message of a host passes by."""
        if isinstance(message, mme.SlacMatchCnf):
            self._refusals_left = self.quirks.refusals_after_match

    def loses_sound(self, run_id: bytes) -> bool:
        """Whether the sound that its host sends now gets lost."""
        run, lost = self._sounds_lost
        lost = lost if run == run_id else 0
        loses = lost < self.quirks.lost_sounds
        self._sounds_lost = (run_id, lost + loses)
        return loses

    def profile(self, pev_mac: bytes, groups_db: bytes) -> None:
        """Tell the host how a car's sound was heard."""
        if self.quirks.profiles:
            profile = mme.AttenProfileInd(pev_mac=pev_mac, num_groups=len(groups_db), aag=groups_db)
            self._tell(profile, mme.BROADCAST)

    def _tell(self, message: mme.Mme, destination: bytes) -> None:
        self.to_host(mme.build_frame(message, destination=destination, source=self.mac))

    def to_host(self, frame: bytes) -> None:
        """A frame for the host, with the tag that this modem puts on it."""
        if self.quirks.vlan:
            frame = frame[:12] + (0x8100_0000 | self.quirks.vlan).to_bytes(4, "big") + frame[12:]
        self.host.send(frame)
