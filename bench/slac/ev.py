"""The car's side of SLAC (ISO 15118-3 clause A.9): find the charger on the cable, join its network."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from bench.slac import mme
from bench.slac.config import EV_LIMITS, EvConfig, Limits
from bench.slac.ev_checks import attenuation_faults, match_faults, match_problems, parm_faults, parm_problems
from bench.slac.faults import Fault
from bench.slac.machine import Flow, Input, Link, Machine, Send, SetKey, SetPilot, VehicleState
from bench.slac.mme import BROADCAST, Frame, Mme, mac_text
from bench.slac.result import EvseSeen, MatchResult, StepTaken

MAX_EVSES = 32
MAX_PROBLEMS = 100
MAX_DEVIATIONS = 1000
TOGGLES = range(1, 4)

_T = TypeVar("_T")
_Wait = Generator[float | None, Input | None, _T]


class _MatchingError(Exception):
    """This matching has failed; the text is the reason."""


class _RestartError(Exception):
    """The car was told to begin anew."""


class EvMatcher(Machine):
    """Matches as a car with the address `mac`. `result` is complete when `running` is false after `start`.

    Actions to carry out: Send, SetKey (answer with `Link`), SetPilot (the toggles of a validation), Step.
    Raises ValueError for a configuration that is outside the standard's limits.
    """

    def __init__(
        self,
        mac: bytes,
        config: EvConfig | None = None,
        faults: Sequence[Fault] = (),
        *,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        super().__init__()
        self.mac = mac
        self.config = config or EvConfig()
        if self.config.toggles not in TOGGLES:
            raise ValueError(f"{self.config.toggles} toggles: a validation has 1 to 3")
        if self.config.sound_interval_s <= 0:
            raise ValueError(f"a sound interval of {self.config.sound_interval_s:g} s: it must be above 0")
        self.limits = Limits(EV_LIMITS, self.config.overrides)
        self.result = MatchResult()
        self._faults = tuple(faults)
        self._random = random_bytes
        self._sent: Counter[str] = Counter()
        self._began = 0.0
        self._seen: dict[bytes, EvseSeen] = {}
        self._parm_at = self._sounding_at = 0.0
        self._run_id = b""
        self._hesitates = False

    def _main(self) -> Flow:
        self._began = self.now
        self._sent.clear()
        self.result = result = MatchResult(limits=self.limits.to_json())
        attempts = self.config.attempts or self.limits.count("C_conn_max_match_min")
        last_start = self.now + self.limits["TT_matching_repetition"]
        pause_s = 0.0
        while True:
            try:
                yield from self._pause(pause_s)
                pause_s = 0.0
                result.attempts += 1
                yield from self._matching()
            except _RestartError:
                result.attempts = max(0, result.attempts - 1)
                pause_s = 0.0
                self._step("matching begun anew", run_id=result.run_id.hex())
                continue
            except _MatchingError as error:
                result.reason = str(error)
                self._step("matching failed", reason=result.reason, attempt=result.attempts)
                pause_s = self.limits["TT_matching_rate"]
                if result.attempts < attempts and self.now + pause_s <= last_start:
                    continue
            break
        result.duration_s = self.now - self._began
        self._step("matching ended", linked=result.linked, matched=result.matched, reason=result.reason)

    def _matching(self) -> Flow:
        result = self.result
        self._run_id = result.run_id = self._random(8)
        result.matched = result.linked = False
        result.evse_mac = result.nid = result.nmk = result.average_db = result.toggles_counted = None
        result.groups_db, result.found, result.reason = (), "", ""
        self._seen, self._hesitates = {}, False
        result.evses = []
        yield from self._ask_parameters()
        yield from self._sound()
        evse = yield from self._choose()
        yield from self._match(evse)
        if not self.config.join:
            result.reason = "matched; the network was not joined, as asked"
            return
        yield from self._join()
        if self.config.amp_map:
            yield from self._limit_charger(evse)
        yield from self._pause(self.config.listen_s)

    # --- the steps of a matching ---

    def _ask_parameters(self) -> Flow:
        limit = self.limits["TT_match_response"]
        step = self._begin("CM_SLAC_PARM", limit)
        for _ in self._tries("CM_SLAC_PARM.REQ"):
            yield from self._send(BROADCAST, mme.SlacParmReq(run_id=self._run_id))
            self._parm_at = self.now
            yield from self._until(self.now + limit, self._parameters_known)
            if self._parameters_known():
                return self._end(step, "answered")
        self._end(step, "no answer")
        raise _MatchingError(
            f"no valid CM_SLAC_PARM.CNF within {limit:g} s, asked {1 + self._retry()} times{self._refused()}"
        )

    def _parameters_known(self) -> bool:
        return any(each.parm_response_s is not None for each in self._seen.values())

    def _sound(self) -> Flow:
        first = next(iter(self._seen.values()))
        count = max((each.num_sounds for each in self._seen.values()), default=0)
        count = count or self.limits.count("C_EV_match_MNBC")
        interval = self.config.sound_interval_s
        step = self._begin("sounding")
        start = mme.StartAttenCharInd(num_sounds=count, forwarding_sta=self.mac, run_id=self._run_id)
        for number in range(self.limits.count("C_EV_start_atten_char_inds")):
            yield from self._send(BROADCAST, start)
            self._sounding_at = self._sounding_at if number else self.now
            yield from self._pause(interval)
        gaps: list[float] = []
        before: float | None = None
        for left in reversed(range(count)):
            sound = mme.MnbcSoundInd(cnt=left, run_id=self._run_id, rnd=self._random(16))
            if before is not None:
                gaps.append(self.now - before)
            before = self.now
            yield from self._send(BROADCAST, sound)
            if left:
                yield from self._pause(interval)
        self.result.sounds = count
        self.result.sound_interval_s = (min(gaps), max(gaps)) if gaps else None
        self._end(step, f"{count} sounds to {len(self._seen)} charger(s), the first {mac_text(first.mac)}")

    def _choose(self) -> _Wait[EvseSeen]:
        limit = self.limits["TT_EV_atten_results"]
        step = self._begin("attenuation", limit, since=self._sounding_at)
        until = self._sounding_at + limit
        yield from self._until(until, lambda: all(each.groups_db for each in self._seen.values()))
        heard = sorted(
            (each for each in self._seen.values() if each.average_db is not None),
            key=lambda each: each.average_db or 0.0,
        )
        if not heard:
            self._end(step, "none")
            raise _MatchingError(
                f"no valid CM_ATTEN_CHAR.IND within {limit:g} s of the first CM_START_ATTEN_CHAR.IND"
                f"{self._refused()}"
            )
        self._end(step, f"{len(heard)} of {len(self._seen)} charger(s)")
        direct, indirect = self.limits["direct_db"], self.limits["indirect_db"]
        lowest = heard[0]
        average = lowest.average_db or 0.0
        if average <= direct and self.config.validate != "always":
            self.result.found = "direct"
            return lowest
        near = [each for each in heard if (each.average_db or 0.0) <= indirect]
        if self.config.validate == "never" or not near:
            raise _MatchingError(
                f"no charger found: the lowest attenuation is {average:.1f} dB ({mac_text(lowest.mac)}),"
                f" the limits are {direct:g} dB (direct) and {indirect:g} dB (after validation)"
            )
        for each in near:
            found = yield from self._validate(each)
            if found:
                self.result.found = found
                return each
        raise _MatchingError(f"no charger found: {len(near)} validated, none with success{self._refused()}")

    def _validate(self, evse: EvseSeen) -> _Wait[str]:
        """ "validated", "not required", or "" when this charger is not the one."""
        step = self._begin("validation", self.limits["TP_EV_vald_toggle"])
        for _ in self._tries("CM_VALIDATE.REQ"):
            yield from self._send(evse.mac, mme.ValidateReq(result=mme.VALIDATE_READY))
            answer = yield from self._validation(evse, self.now + self.limits["TT_match_response"])
            if answer is None:
                continue
            if answer.result == mme.VALIDATE_NOT_REQUIRED:
                self._end(step, "not required")
                return "not required"
            if answer.result == mme.VALIDATE_READY:
                found = yield from self._toggle(evse)
                self._end(step, found or "no success")
                return found
            if answer.result == mme.VALIDATE_FAILURE:
                self.problem(f"CM_VALIDATE.CNF of {mac_text(evse.mac)}: it cannot validate (result failure)")
                self._end(step, "failure")
                return ""
            if answer.result != mme.VALIDATE_NOT_READY:
                self.problem(
                    f"CM_VALIDATE.CNF of {mac_text(evse.mac)}: result {answer.result} in the first step"
                )
            yield from self._pause(self.limits["TT_match_sequence"])
        self._end(step, "not ready or no answer")
        return ""

    def _toggle(self, evse: EvseSeen) -> _Wait[str]:
        state_s, toggles = self.config.toggle_state_s, self.config.toggles
        before_s = self.limits["TP_match_sequence"]  # until the charger has read the message and counts
        tenths = math.ceil((before_s + 2 * toggles * state_s + 0.1) * 10 - 1e-9)
        yield from self._send(evse.mac, mme.ValidateReq(timer=tenths - 1, result=mme.VALIDATE_READY))
        until = self.now + tenths / 10 + self.limits["TT_match_response"]
        answer = yield from self._validation(evse, self.now + before_s, second=True, full=True)
        states: tuple[VehicleState, ...] = ("C", "B") * toggles
        for state in states:
            self._out.append(SetPilot(state))
            if answer is None:
                answer = yield from self._validation(evse, self.now + state_s, second=True, full=True)
            else:
                yield from self._pause(state_s)
        if answer is None:
            answer = yield from self._validation(evse, until, second=True)
        if answer is None:
            self.problem(f"no CM_VALIDATE.CNF of {mac_text(evse.mac)} after the toggles")
            return ""
        self.result.toggles_counted = answer.toggle_num
        if answer.result != mme.VALIDATE_SUCCESS or answer.toggle_num != toggles:
            self.problem(
                f"CM_VALIDATE.CNF of {mac_text(evse.mac)}: result {answer.result},"
                f" {answer.toggle_num} toggles; {toggles} were made"
            )
            return ""
        return "validated"

    def _validation(
        self, evse: EvseSeen, until: float, *, second: bool = False, full: bool = False
    ) -> _Wait[mme.ValidateCnf | None]:
        """The next CM_VALIDATE.CNF of `evse` to the first or `second` step; `full`: it is not sooner over."""
        found: list[mme.ValidateCnf] = []

        def take(frame: Frame) -> bool:
            if not isinstance(frame.mme, mme.ValidateCnf) or frame.source != evse.mac:
                return False
            if second and frame.mme.result == mme.VALIDATE_READY:
                return True  # the first answer once more
            if frame.mme.signal_type != 0:
                self.problem(f"CM_VALIDATE.CNF of {mac_text(evse.mac)}: signal type {frame.mme.signal_type}")
            else:
                found.append(frame.mme)
            return True

        yield from self._until(until, lambda: bool(found) and not full, take)
        return found[0] if found else None

    def _match(self, evse: EvseSeen) -> Flow:
        limit = self.limits["TT_match_response"]
        step = self._begin("CM_SLAC_MATCH", limit)
        request = mme.SlacMatchReq(pev_mac=self.mac, evse_mac=evse.mac, run_id=self._run_id)
        found: list[mme.SlacMatchCnf] = []

        def take(frame: Frame) -> bool:
            if not isinstance(frame.mme, mme.SlacMatchCnf) or frame.source != evse.mac:
                return False
            if not self._refuse(frame, match_faults(frame.mme, request)):
                found.append(frame.mme)
            return True

        for _ in self._tries("CM_SLAC_MATCH.REQ"):
            yield from self._send(evse.mac, request)
            yield from self._until(self.now + limit, lambda: bool(found), take)
            if found:
                break
        else:
            self._end(step, "no answer")
            raise _MatchingError(
                f"no valid CM_SLAC_MATCH.CNF of {mac_text(evse.mac)} within {limit:g} s,"
                f" asked {1 + self._retry()} times{self._refused()}"
            )
        self._end(step, "answered")
        confirmation, result = found[0], self.result
        for text in match_problems(confirmation):
            self.problem(f"CM_SLAC_MATCH.CNF of {mac_text(evse.mac)}: {text}")
        result.matched, result.evse_mac = True, evse.mac
        result.nid, result.nmk = confirmation.nid, confirmation.nmk
        result.average_db, result.groups_db = evse.average_db, evse.groups_db

    def _join(self) -> Flow:
        limit = self.limits["TT_match_join"]
        step = self._begin("join", limit)
        until = self.now + limit
        self._out.append(SetKey(self.result.nid or b"", self.result.nmk or b"", limit))
        while self.now < until:
            what = yield until
            if isinstance(what, Frame):
                yield from self._heard(what)
            elif isinstance(what, Link):
                if what.up:
                    self.result.linked, self.result.reason = True, "linked"
                    return self._end(step, "link up")
                break
        self._end(step, "no link")
        raise _MatchingError(
            f"no link within {limit:g} s of CM_SLAC_MATCH.CNF: the modem has the key, but hears no station"
        )

    def _limit_charger(self, evse: EvseSeen) -> Flow:
        data = self.config.amp_map
        limit = self.limits["TT_amp_map_exchange"]
        answered: list[int] = []

        def take(frame: Frame) -> bool:
            if not isinstance(frame.mme, mme.AmpMapCnf) or frame.source != evse.mac:
                return False
            if frame.mme.res_type == 0:
                answered.append(0)
            else:
                self.problem(f"CM_AMP_MAP.CNF of {mac_text(evse.mac)}: result {frame.mme.res_type}")
            return True

        step = self._begin("CM_AMP_MAP", limit)
        for _ in self._tries("CM_AMP_MAP.REQ"):
            yield from self._send(evse.mac, mme.AmpMapReq(amlen=2 * len(data), amdata=data))
            yield from self._until(self.now + limit, lambda: bool(answered), take)
            if answered:
                return self._end(step, "taken")
        self._end(step, "not taken")
        self.problem(f"no CM_AMP_MAP.CNF with success of {mac_text(evse.mac)} within {limit:g} s")

    # --- what comes in at any time ---

    def _heard(self, frame: Frame) -> Flow:
        if frame.destination not in (self.mac, BROADCAST) or frame.source == self.mac:
            return
        message = frame.mme
        if isinstance(message, mme.SlacParmCnf):
            self._heard_parm(frame, message)
        elif isinstance(message, mme.AttenCharInd):
            yield from self._heard_attenuation(frame, message)
        elif (
            isinstance(message, mme.AmpMapReq) and self.result.linked and frame.source == self.result.evse_mac
        ):
            self._step("amplitude map asked for", levels=message.amdata.hex())
            yield from self._send(frame.source, mme.AmpMapCnf(res_type=0))

    def _linked_to(self) -> bytes | None:
        return self.result.evse_mac if self.result.linked else None

    def _heard_parm(self, frame: Frame, message: mme.SlacParmCnf) -> None:
        faults = parm_faults(message, self.mac, self._run_id)
        problems = parm_problems(message)
        if self._refuse(frame, faults + (problems if self.config.strict else [])):
            return
        evse = self._evse(frame.source)
        if evse is None or evse.parm_response_s is not None:
            return
        for text in problems:
            self.problem(f"CM_SLAC_PARM.CNF of {mac_text(frame.source)}: {text}")
        evse.parm_response_s = self.now - self._parm_at
        evse.num_sounds = message.num_sounds

    def _heard_attenuation(self, frame: Frame, message: mme.AttenCharInd) -> Flow:
        if self._refuse(frame, attenuation_faults(message, self.mac, self._run_id)):
            return
        evse = self._evse(frame.source)
        if evse is None:
            return
        evse.attenuation_indications += 1
        evse.groups_db = tuple(message.aag)
        evse.num_sounds = message.num_sounds
        yield from self._send(frame.source, mme.AttenCharRsp(source_address=self.mac, run_id=self._run_id))

    def _evse(self, mac: bytes) -> EvseSeen | None:
        if mac not in self._seen:
            if len(self._seen) >= MAX_EVSES:
                return None
            self._seen[mac] = EvseSeen(mac)
            self.result.evses.append(self._seen[mac])
        return self._seen[mac]

    def _refuse(self, frame: Frame, faults: list[str]) -> bool:
        for text in faults:
            self.problem(f"{frame.mme.name} of {mac_text(frame.source)} refused: {text}")
        return bool(faults)

    def _refused(self) -> str:
        refused = [text for text in self.result.problems if " refused: " in text]
        return f"; {refused[-1]}" if refused else ""

    def problem(self, text: str) -> None:
        """Note a deviation of the other side; each text once, and not without end."""
        if text not in self.result.problems and len(self.result.problems) < MAX_PROBLEMS:
            self.result.problems.append(text)
            self._step("problem", text=text)

    # --- sending and waiting ---

    def _send(self, destination: bytes, message: Mme) -> Flow:
        self._sent[message.name] += 1
        faults = [each for each in self._faults if each.applies(message.name, self._sent[message.name])]
        outgoing: list[Mme | bytes] = [message]
        for fault in faults:
            if len(self.result.deviations) < MAX_DEVIATIONS:
                self.result.deviations.append(f"{message.name}: {fault.text}")
            if fault.delay_s and not self._hesitates:
                self._hesitates = True
                yield from self._pause(fault.delay_s)
                self._hesitates = False
            if fault.pilot is not None:
                self._out.append(SetPilot(fault.pilot))
            if fault.change is not None:
                outgoing = fault.change(outgoing)
        text = ", ".join(fault.text for fault in faults)
        for each in outgoing:
            data = each if isinstance(each, bytes) else mme.encode(each)
            frame = mme.wrap(data, destination=destination, source=self.mac)
            self._out.append(Send(message.name, frame, text))
        if any(fault.restart for fault in faults):
            raise _RestartError

    def _until(
        self, until: float, enough: Callable[[], bool], take: Callable[[Frame], bool] = lambda _: False
    ) -> Flow:
        """Deal with what comes in until it is `enough`, or time. `take` sees frames to this car first."""
        while self.now < until and not enough():
            what = yield until
            if isinstance(what, Frame) and not (what.destination == self.mac and take(what)):
                yield from self._heard(what)

    def _pause(self, seconds: float) -> Flow:
        yield from self._until(self.now + seconds, lambda: False)

    def _retry(self) -> int:
        return self.limits.count("C_EV_match_retry")

    def _tries(self, message: str) -> Generator[int, None, None]:
        """0 for the first sending, then the repetitions, which are counted."""
        for number in range(1 + self._retry()):
            if number:
                self.result.retries[message] = self.result.retries.get(message, 0) + 1
            yield number

    def _begin(self, name: str, limit_s: float | None = None, *, since: float | None = None) -> StepTaken:
        step = StepTaken(name, (self.now if since is None else since) - self._began, limit_s=limit_s)
        self.result.steps.append(step)
        return step

    def _end(self, step: StepTaken, outcome: str) -> None:
        step.duration_s, step.outcome = self.now - self._began - step.t_s, outcome
        self._step(step.name, duration_s=step.duration_s, limit_s=step.limit_s, outcome=outcome)
