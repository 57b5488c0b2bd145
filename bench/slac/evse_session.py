"""One car's matching as the charger sees it, from CM_SLAC_PARM.CNF to CM_SLAC_MATCH.CNF."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Literal, TypeGuard, TypeVar

from bench.slac import mme
from bench.slac.config import EvseConfig, Limits
from bench.slac.evse_policy import EvsePolicy, Pairing
from bench.slac.machine import Flow, Input, Machine, Pilot, Send
from bench.slac.mme import Frame, Mme, build_frame

Phase = Literal["parameters", "sounding", "response", "decision", "validation", "matched", "failed"]
MAX_PROFILES = 255

_T = TypeVar("_T")
_Wait = Generator[float | None, Input | None, _T]


@dataclass(slots=True)
class Shared:
    """What the sessions of one charger share: its network, and which of them counts toggles."""

    config: EvseConfig
    limits: Limits
    policy: EvsePolicy
    nid: bytes = b""
    nmk: bytes = field(default=b"", repr=False)
    validating: EvseSession | None = None


class EvseSession(Machine):
    """Begins with an accepted CM_SLAC_PARM.REQ. `phase` tells how far it is, `reason` why it failed."""

    def __init__(self, pairing: Pairing, shared: Shared) -> None:
        super().__init__()
        self.pairing = pairing
        self.phase: Phase = "parameters"
        self.reason = ""
        self.groups_db: tuple[int, ...] = ()
        self.toggles: int | None = None
        self._shared = shared
        self._policy = shared.policy
        self._offered = False

    def _main(self) -> Flow:
        policy, limits = self._policy, self._shared.limits
        self._confirm_parameters()
        limit = limits["TT_match_sequence"]
        start = yield from self._awaited_start(self.now + limit)
        if start is None:
            return self._fail(f"no valid CM_START_ATTEN_CHAR.IND within {limit:g} s of CM_SLAC_PARM.CNF")
        self.phase = "sounding"
        profiles = yield from self._profiles(start)
        if not profiles:
            return self._fail("the own modem has heard no sound")
        self.phase = "response"
        indication = policy.attenuation(self.pairing, profiles)
        self.groups_db = tuple(indication.aag)
        answered = yield from self._responded(indication)
        if not answered:
            return self._fail("no valid CM_ATTEN_CHAR.RSP")
        self.phase = "decision"
        yield from self._decision(self.now + limits["TT_EVSE_match_session"])

    def parameters_asked_again(self, t: float) -> list[Send]:
        """The same CM_SLAC_PARM.REQ once more: the answer to it was lost."""
        self.now = max(self.now, t)
        self._confirm_parameters()
        return [each for each in self._taken() if isinstance(each, Send)]

    def _confirm_parameters(self) -> None:
        self._send(self._policy.parm_confirmation(self.pairing))

    def _awaited_start(
        self, until: float
    ) -> Generator[float | None, Input | None, mme.StartAttenCharInd | None]:
        while self.now < until:
            what = yield until
            message = self._message(what)
            if isinstance(message, mme.StartAttenCharInd) and self._policy.accepts_start(
                message, self.pairing
            ):
                return message
        return None

    def _is_start(self, message: Mme | None) -> TypeGuard[mme.StartAttenCharInd]:
        return isinstance(message, mme.StartAttenCharInd) and self._policy.accepts_start(
            message, self.pairing
        )

    def _profiles(self, start: mme.StartAttenCharInd) -> _Wait[list[bytes]]:
        """One profile for each sound, until all have come or TT_EVSE_match_MNBC is over."""
        limit = self._shared.limits["TT_EVSE_match_MNBC"]
        until = self.now + limit
        profiles: list[bytes] = []
        while self.now < until and len(profiles) < min(start.num_sounds, MAX_PROFILES):
            what = yield until
            message = self._message(what)
            if isinstance(message, mme.AttenProfileInd):
                if message.pev_mac == self.pairing.ev_mac and message.num_groups == mme.GROUPS:
                    profiles.append(message.aag)
            elif profiles and self._is_start(message):
                # the other two of three come before the first sound: this car sounds anew
                profiles.clear()
                start, until = message, self.now + limit
        return profiles

    def _responded(self, indication: mme.AttenCharInd) -> _Wait[bool]:
        limits = self._shared.limits
        for _ in range(1 + self._policy.attenuation_repetitions(limits.count("C_EV_match_retry"))):
            self._send(indication)
            until = self.now + limits["TT_match_response"]
            while self.now < until:
                what = yield until
                message = self._message(what)
                if isinstance(message, mme.AttenCharRsp) and self._policy.accepts_response(
                    message, self.pairing
                ):
                    return True
        return False

    def _decision(self, until: float) -> Flow:
        """The car validates, or matches, until TT_EVSE_match_session is over."""
        while self.now < until:
            what = yield until
            message = self._message(what)
            if isinstance(message, mme.SlacMatchReq) and self._policy.accepts_match(message, self.pairing):
                return (yield from self._matched(message))
            if isinstance(message, mme.ValidateReq):
                yield from self._validation(message)
            if self.phase == "failed":
                return None
        limit = self._shared.limits["TT_EVSE_match_session"]
        return self._fail(f"no valid CM_SLAC_MATCH.REQ within {limit:g} s of CM_ATTEN_CHAR.RSP")

    def _matched(self, request: mme.SlacMatchReq) -> Flow:
        """Confirm, and again when asked again, until the charger sees a link and drops this session."""
        limit = self._shared.limits["TT_match_join"]
        until = self.now + limit
        self.phase = "matched"
        message: Mme | None = request
        while self.now < until:
            if isinstance(message, mme.SlacMatchReq) and self._policy.accepts_match(message, self.pairing):
                self._send(self._policy.match_confirmation(message, self._shared.nid, self._shared.nmk))
            message = self._message((yield until))
        self._fail(f"no link within {limit:g} s of CM_SLAC_MATCH.CNF")

    # --- CM_VALIDATE ---

    def _validation(self, first: mme.ValidateReq) -> Flow:
        config, shared = self._shared.config, self._shared
        if config.validation == "failure":
            return self._send(mme.ValidateCnf(result=mme.VALIDATE_FAILURE))
        if not self._policy.accepts_validation(first):
            return None
        if shared.validating not in (None, self):
            return self._send(mme.ValidateCnf(result=mme.VALIDATE_NOT_READY))
        if self._offered:  # said to be not required, and the car goes on with it
            return (yield from self._second_step(first))
        if first.timer != 0 or first.result != mme.VALIDATE_READY:
            return None
        if config.validation == "not_required":
            self._offered = True
            return self._send(mme.ValidateCnf(result=mme.VALIDATE_NOT_REQUIRED))
        shared.validating = self
        try:
            yield from self._validated()
        finally:
            shared.validating = None
        return None

    def _validated(self) -> Flow:
        limits = self._shared.limits
        self.phase = "validation"
        for _ in range(1 + limits.count("C_EV_match_retry")):
            self._send(mme.ValidateCnf(result=mme.VALIDATE_READY))
            until = self.now + limits["TT_match_sequence"]
            while self.now < until:
                what = yield until
                message = self._message(what)
                if not isinstance(message, mme.ValidateReq) or not self._policy.accepts_validation(message):
                    continue
                if message.timer == 0 and message.result == mme.VALIDATE_READY:
                    break  # the first step once more: its answer was lost
                return (yield from self._second_step(message))
        return self._fail("no valid second CM_VALIDATE.REQ")

    def _second_step(self, message: mme.ValidateReq) -> Flow:
        if message.result != mme.VALIDATE_READY:
            self._send(mme.ValidateCnf(result=mme.VALIDATE_FAILURE))
            return self._fail(f"CM_VALIDATE.REQ with result {message.result} in the second step")
        until = self.now + (message.timer + 1) / 10
        toggles = 0
        while self.now < until:
            what = yield until
            if isinstance(what, Pilot) and what.state == "B":  # the pilot tells changes: back from C
                toggles += 1
        self.toggles = toggles
        answer = self._policy.validation(toggles)
        self._send(answer)
        if answer.result != mme.VALIDATE_SUCCESS:
            return self._fail(f"validation without success: {toggles} toggles seen")
        self._offered = False
        self.phase = "decision"
        return None

    # --- what all steps use ---

    def _message(self, what: Input | None) -> Mme | None:
        return what.mme if isinstance(what, Frame) else None

    def _send(self, message: Mme) -> None:
        frame = build_frame(message, destination=self.pairing.ev_mac, source=self.pairing.evse_mac)
        self._out.append(Send(message.name, frame))

    def _fail(self, reason: str) -> None:
        self.phase, self.reason = "failed", reason
