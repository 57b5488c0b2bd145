"""The charger's side of SLAC (ISO 15118-3 clause A.9) for the simulated charger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from bench.slac import mme
from bench.slac.config import EVSE_LIMITS, EvseConfig, Limits
from bench.slac.evse_modem import OwnModem
from bench.slac.evse_policy import EvsePolicy, Pairing
from bench.slac.evse_session import EvseSession, Shared
from bench.slac.machine import Action, Input, Link, Pilot, Send, Step
from bench.slac.mme import BROADCAST, Frame, Mme, build_frame

State = Literal["unplugged", "unmatched", "matching", "matched", "failed"]
MAX_SESSIONS = 8
PLUGGED = ("B", "C", "D")
_SESSION_MMES = (
    mme.StartAttenCharInd,
    mme.AttenCharRsp,
    mme.ValidateReq,
    mme.SlacMatchReq,
)
_MODEM_MMES = (mme.SetKeyCnf, mme.VsLnkStatusCnf)


class EvseMatcher:
    """Matches as a charger with the host address `mac`; as of `Machine`: inputs go in, actions come out.

    Inputs: frames from the own port, `Pilot` at each change of state (A: unplugged), `Link` from who watches
    the modem (with `config.set_key` the matcher sets keys and watches the modem itself). Actions: Send, Step.
    `state`: "unplugged"; "unmatched" while a CM_SLAC_PARM.REQ is awaited; "matching"; "matched" while there
    is a link; "failed" when TT_EVSE_SLAC_init has passed or the link was lost: nothing is answered until the
    next `start`. `reason` has the last failure; a single failed matching leads back to "unmatched".
    """

    def __init__(
        self, mac: bytes, config: EvseConfig | None = None, policy: EvsePolicy | None = None
    ) -> None:
        self.mac = mac
        self.config = config or EvseConfig()
        self.policy = policy or EvsePolicy()
        self.limits = Limits(EVSE_LIMITS, self.config.overrides)
        self.state: State = "unplugged"
        self.reason = ""
        self.failures = 0
        self.ev_mac: bytes | None = None
        self.modem = OwnModem(mac)
        self._shared = Shared(self.config, self.limits, self.policy)
        self._sessions: dict[bytes, EvseSession] = {}
        self._pilot = "A"
        self._init_until: float | None = None
        self._amp_map_due: float | None = None
        self._amp_map_left = 0
        self._handed_out = False
        self._out: list[Action] = []

    @property
    def nid(self) -> bytes:
        """The network that a car is given."""
        return self._shared.nid

    @property
    def nmk(self) -> bytes:
        """Its key."""
        return self._shared.nmk

    @property
    def due(self) -> float | None:
        """When `tick` is to be called at the latest."""
        times = [self._init_until, self._amp_map_due, self.modem.due]
        times += [session.due for session in self._sessions.values()]
        return min((each for each in times if each is not None), default=None)

    # --- inputs ---

    def start(self, t: float) -> list[Action]:
        """A car is plugged in, or SLAC may begin again: wait for CM_SLAC_PARM.REQ for TT_EVSE_SLAC_init."""
        self._begin(t)
        return self._taken()

    def stop(self, t: float) -> list[Action]:
        """The car is unplugged: all matching ends, and the network is left."""
        self._end(t)
        return self._taken()

    def receive(self, what: Input, t: float) -> list[Action]:
        """`what` came at `t`."""
        self._expire(t)
        if isinstance(what, Pilot):
            self._heard_pilot(what, t)
        elif isinstance(what, Link):
            self._link(what.up, t)
        else:
            self._heard(what, t)
        self._settle(t)
        return self._taken()

    def tick(self, t: float) -> list[Action]:
        """It is `t` now: serve the timers that have run out."""
        self._expire(t)
        self._settle(t)
        return self._taken()

    # --- control pilot and link ---

    def _begin(self, t: float) -> None:
        self._forget()
        self.state = "unmatched"
        self._init_until = t + self.limits["TT_EVSE_SLAC_init"]
        if self._handed_out or not self._shared.nmk or self.modem.keyed is False:
            self._new_network(t)
        self._step("SLAC awaited", limit_s=self.limits["TT_EVSE_SLAC_init"])

    def _end(self, t: float) -> None:
        self._forget()
        self.state = "unplugged"
        if self._handed_out and self.policy.leaves_network():
            self._new_network(t)

    def _heard_pilot(self, what: Pilot, t: float) -> None:
        before, self._pilot = self._pilot, what.state
        if what.state == "A":
            if self.state != "unplugged":
                self._end(t)
        elif self.state == "unplugged" and what.state in PLUGGED and before not in PLUGGED:
            self._begin(t)
        else:
            for session in self._sessions.values():
                self._out += session.receive(what, t)

    def _link(self, up: bool, t: float) -> None:
        matched = [each for each in self._sessions.values() if each.phase == "matched"]
        if up and matched:
            self.state, self.ev_mac = "matched", matched[0].pairing.ev_mac
            self._sessions.clear()
            self._step("matched", ev_mac=self.ev_mac.hex(":"), nid=self.nid.hex())
            if self.config.amp_map:
                self._amp_map_left = 1 + self.limits.count("C_EV_match_retry")
                self._limit_car(t)
        elif not up and self.state == "matched":
            self._fail_all("link lost", t)

    def _fail_all(self, reason: str, t: float) -> None:
        self._forget()
        self.state, self.reason = "failed", reason
        self.failures += 1
        self._step("SLAC failed", reason=reason)
        if self._handed_out and self.policy.leaves_network():
            self._new_network(t)

    def _forget(self) -> None:
        self._sessions.clear()
        self._shared.validating = None
        self._init_until = self._amp_map_due = None
        self.ev_mac = None

    def _new_network(self, t: float) -> None:
        self._shared.nid, self._shared.nmk = self.policy.new_network()
        self._handed_out = False
        if self.config.set_key:
            self._out += self.modem.set_key(self._shared.nid, self._shared.nmk, t)

    # --- frames ---

    def _heard(self, frame: Frame, t: float) -> None:
        message = frame.mme
        if isinstance(message, _MODEM_MMES):
            self._out += self.modem.receive(frame, t)
        elif self.state in ("unplugged", "failed") or frame.source == self.mac:
            return
        elif isinstance(message, mme.AttenProfileInd):
            session = self._sessions.get(message.pev_mac)
            if session is not None:
                self._out += session.receive(frame, t)
        elif frame.destination not in (self.mac, BROADCAST):
            return
        elif isinstance(message, mme.SlacParmReq):
            self._parameters_asked(frame.source, message, t)
        elif isinstance(message, mme.AmpMapReq | mme.AmpMapCnf):
            self._amplitude_map(frame.source, message)
        elif isinstance(message, _SESSION_MMES) and (session := self._sessions.get(frame.source)):
            self._out += session.receive(frame, t)

    def _parameters_asked(self, ev_mac: bytes, request: mme.SlacParmReq, t: float) -> None:
        if not self.policy.accepts_parm(request):
            return
        if self.state == "matched" and not self.policy.matches_when_linked():
            return
        old = self._sessions.get(ev_mac)
        if old is None and any(each.phase == "matched" for each in self._sessions.values()):
            return  # another car has the key already
        if old is not None:
            same = old.pairing.run_id == request.run_id
            if not self.policy.restarts(same_run_id=same, phase=old.phase):
                self._out += old.parameters_asked_again(t)
                return
            self._drop(old)
        if len(self._sessions) >= MAX_SESSIONS:
            self._drop(next(iter(self._sessions.values())))
        session = EvseSession(Pairing(self.mac, ev_mac, request.run_id), self._shared)
        self._sessions[ev_mac] = session
        self.state, self._init_until = "matching", None
        self._step(
            "matching begun", ev_mac=ev_mac.hex(":"), run_id=request.run_id.hex(), anew=old is not None
        )
        self._out += session.start(t)

    def _drop(self, session: EvseSession) -> None:
        session.stop()
        self._sessions.pop(session.pairing.ev_mac, None)

    # --- CM_AMP_MAP ---

    def _amplitude_map(self, source: bytes, message: mme.AmpMapReq | mme.AmpMapCnf) -> None:
        if self.state != "matched" or source != self.ev_mac:
            return
        if isinstance(message, mme.AmpMapReq):
            if self.policy.accepts_amp_map(message):
                self._step("amplitude map taken", levels=message.amdata.hex())
                self._send(mme.AmpMapCnf(res_type=0), source)
        elif message.res_type == 0:
            self._amp_map_due = None

    def _limit_car(self, t: float) -> None:
        if self._amp_map_left == 0 or self.ev_mac is None:
            self._fail_all("no CM_AMP_MAP.CNF with success", t)
            return
        self._amp_map_left -= 1
        data = self.config.amp_map
        self._send(mme.AmpMapReq(amlen=2 * len(data), amdata=data), self.ev_mac)
        self._amp_map_due = t + self.limits["TT_amp_map_exchange"]

    # --- timers ---

    def _expire(self, t: float) -> None:
        for machine in (self.modem, *self._sessions.values()):
            self._out += machine.tick(t)
        if self._init_until is not None and self._init_until <= t:
            limit = self.limits["TT_EVSE_SLAC_init"]
            self._fail_all(f"no CM_SLAC_PARM.REQ within {limit:g} s", t)
        if self._amp_map_due is not None and self._amp_map_due <= t:
            self._limit_car(t)

    def _settle(self, t: float) -> None:
        """Draw the conclusions from what sessions and modem have come to."""
        for session in list(self._sessions.values()):
            if session.phase == "failed":
                self._failed(session, t)
            elif session.phase == "matched" and len(self._sessions) > 1:
                for other in [each for each in self._sessions.values() if each is not session]:
                    self._drop(other)
            if session.phase == "matched" and not self.modem.watching:
                self._handed_out = True
                self._out += self.modem.watch(t)
        if self.modem.keyed is False and self.state in ("unmatched", "matching"):
            self._fail_all("the own modem takes no key", t)
        if self.config.set_key and self.modem.running and self.modem.up != (self.state == "matched"):
            self._link(self.modem.up, t)

    def _failed(self, session: EvseSession, t: float) -> None:
        self._drop(session)
        self.reason = session.reason
        self.failures += 1
        self._step("matching failed", ev_mac=session.pairing.ev_mac.hex(":"), reason=session.reason)
        if not self._sessions:
            self.state = "unmatched"
            self._init_until = t + self.limits["TT_EVSE_SLAC_init"]
            if self._handed_out:
                self._new_network(t)

    # --- actions ---

    def _send(self, message: Mme, destination: bytes) -> None:
        self._out.append(Send(message.name, build_frame(message, destination=destination, source=self.mac)))

    def _step(self, name: str, **data: Any) -> None:
        self._out.append(Step(name, data))

    def _taken(self) -> list[Action]:
        out, self._out = self._out, []
        return out

    def sessions(self) -> Sequence[EvseSession]:
        """The matchings under way."""
        return tuple(self._sessions.values())
