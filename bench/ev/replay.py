"""Plays a captured session against the charger that is there: the car's messages, its order, its pace.

What belongs to the moment is made anew: session and schema ids, challenges, signatures, receipts, schedules
(`bench.ev.adapt`). Where the charger is slower or quicker than the captured one, loops are extended or cut;
where it answers in another way (other message, other ResponseCode), that is a difference, and a session that
cannot go on as captured ends in order: PowerDelivery, SessionStop.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any

from bench.ev import adapt, faults
from bench.ev.battery import Battery
from bench.ev.conversation import Exchange
from bench.ev.errors import SessionEnded
from bench.ev.iso2 import flow, provisioning
from bench.ev.iso2.power import PowerHand
from bench.ev.iso2.state import GiveUp
from bench.ev.profile import OfferedProtocol
from bench.ev.script import SAP, Script, Step
from bench.ev.session import Session
from bench.ev.wire import Received

_PROVISIONING = frozenset({"CertificateInstallationReq", "CertificateUpdateReq"})
_CONTRACT_ONLY = _PROVISIONING | {"PaymentDetailsReq"}
STOP = "SessionStopReq"
LIMITS = {"PreChargeReq": "precharge_limit_s", "CableCheckReq": "cable_check_limit_s"}
"""Field of `Pace` that bounds how long a request may be repeated; others: `ongoing_limit_s`."""
JOINED = "OK_OldSessionJoined"
_AS_CAPTURED = faults.change_with(lambda body: None, "outside the schema, as captured")
MIN_REPEAT_S = 0.02
"""Pause before a request that is repeated beyond the script, however fast the script is played."""
MAX_DIFFERENCES = 1000
MAX_NOTES = 1000
VOLTAGE_SHARE = 0.3
"""A captured EVSEPresentVoltage further than this from the pre-charge voltage is not the battery's."""


@dataclass
class Difference:
    """An answer of another kind than the captured one. `count`: how often it was seen; `step` from 1."""

    step: int
    request: str
    expected: str
    actual: str
    count: int = 1

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.request} is answered by {self.actual}, in the capture by {self.expected}"


@dataclass
class Replayed:
    """How a replay went. `finished`: SessionStop was answered OK; `reason`: why it was not played to its end.

    `skipped`, `added` and `adapted` say where the requests sent are not those of the script.
    """

    finished: bool = False
    reason: str | None = None
    sent: int = 0
    energy_wh: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    adapted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    def differs(self, found: Difference) -> bool:
        """Take up a difference; False when one like it was seen before (it is counted)."""
        for known in self.differences:
            same = (known.request, known.expected, known.actual)
            if same == (found.request, found.expected, found.actual):
                known.count += 1
                return False
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(found)
        return True


class CapturedBattery(Battery):
    """A battery whose voltage is what the capture shows at each moment."""

    shown_v: float | None = None

    @property
    def ocv_v(self) -> float:
        """The captured voltage, the profile's before any was seen."""
        return super().ocv_v if self.shown_v is None else self.shown_v

    @property
    def voltage_v(self) -> float:
        """As `ocv_v`: what was captured was measured under load already."""
        return self.ocv_v


class Player:
    """Plays `script` in `session` (plugged in, nothing sent yet); `speed` divides the captured delays.

    `loops`: of each charge loop at most so many messages (None: all).
    """

    def __init__(
        self, session: Session, script: Script, *, speed: float = 1.0, loops: int | None = None
    ) -> None:
        self.session, self.script, self.speed, self.loops = session, script, speed, loops
        self.result = Replayed()
        state = session.state
        self.battery = CapturedBattery(state.profile.battery, state.battery.soc_percent)
        state.battery = self.battery
        self._hands = PowerHand(session.vehicle, state)
        offers = _offers(script)
        if offers:
            state.profile = dataclasses.replace(state.profile, protocols=offers)
        self._sink_a = _largest_target_a(script)
        self._precharge_v: float | None = None
        self._step = 0
        self._over = False

    def play(self) -> Replayed:
        """Play to the end. Raises EvError, but no SessionEnded: no SDP on the interface, a broken bench."""
        session = self.session
        session.wire.event("step", "replay", source=self.script.source, steps=len(self.script.steps))
        try:
            session.connect()
            self._play()
            if not self._over:
                self._end_in_order()
        except SessionEnded as ending:
            self.result.reason = self.result.reason or ending.reason
        except GiveUp as reason:
            self._stuck(str(reason))
        if self.result.finished and session.ended is None:
            session.ended = "finished"
        session.close()
        self.result.energy_wh = self._hands.energy_wh
        return self.result

    # --- the course of it ---

    def _play(self) -> None:
        runs = self.script.runs()
        if runs[0][0].name != SAP:
            self._note(self.result.added, SAP)
            self._exchange(self.session.protocol.rows[SAP].build(self.session.state), None)
        position = 0
        while position < len(runs) and not self._over and self.result.reason is None:
            self._run(runs[position])
            position += 1
            if self.session.state.stop_requested is not None and self.session.state.started:
                ahead = [n for n in range(position, len(runs)) if runs[n][0].name == "PowerDeliveryReq"]
                position = ahead[0] if ahead else len(runs)

    def _run(self, run: tuple[Step, ...]) -> None:
        """Play the steps of one name: all of them, or as many as a waiting loop takes."""
        name, first = run[0].name, self._step + 1
        self._step += len(run)
        if (why := self._why_skip(name, run[0])) is not None:
            self._note(self.result.skipped, f"{name}: {why}")
            return
        if name in flow.LOOP and self.loops is not None and len(run) > self.loops:
            self._note(self.result.skipped, f"{name}: {len(run) - self.loops} of {len(run)}")
            run = run[: self.loops]
        started = time.monotonic()
        done, waiting = 0, True
        while waiting and self.result.reason is None and not self._over:
            extra = done >= len(run)
            step = run[min(done, len(run) - 1)]
            if extra and time.monotonic() - started > self._patience_s(name):
                self._stuck(f"the charger kept {name} going for more than {self._patience_s(name):g} s")
                return
            answer = self._send(step, first + min(done, len(run) - 1), extra=extra)
            done += 1
            waiting = self._goes_on(name, answer, run, done)
        if done > len(run):
            self._note(self.result.added, f"{name}: {done - len(run)} more than captured")
        elif done < len(run) and self.result.reason is None:
            self._note(self.result.skipped, f"{name}: {len(run) - done} of {len(run)}, the charger was ready")

    def _goes_on(self, name: str, answer: Any, run: tuple[Step, ...], done: int) -> bool:
        """Whether the request of this name is to be sent again, after `done` times."""
        if hasattr(answer, "EVSEProcessing"):
            return str(answer.EVSEProcessing) != "Finished"
        if name == "PreChargeReq":
            return not self._precharged(answer, run[-1])
        if name in flow.LOOP and self.session.state.stop_requested is not None:
            return False
        return done < len(run)

    def _precharged(self, answer: Any, last: Step) -> bool:
        dc = self.session.state.profile.dc
        tolerance_v = dc.voltage_tolerance_v if dc is not None else 0.0
        target_v: float = last.body().EVTargetVoltage.value
        present_v = getattr(getattr(answer, "EVSEPresentVoltage", None), "value", None)
        return isinstance(present_v, float) and abs(present_v - target_v) <= tolerance_v

    def _patience_s(self, name: str) -> float:
        return float(getattr(self.session.state.profile.pace, LIMITS.get(name, "ongoing_limit_s")))

    def _why_skip(self, name: str, step: Step) -> str | None:
        state = self.session.state
        if name == "ServiceDetailReq":
            wanted: int = step.body().ServiceID
            offered = adapt.offered(self.session.responses.get("ServiceDiscoveryRes"))
            return (
                None if wanted in offered | {state.charge_service_id} else f"no service {wanted} is offered"
            )
        if name in _CONTRACT_ONLY and state.auth != "pnc":
            return "replayed with external payment"
        if name == "MeteringReceiptReq":
            return "receipts are sent when this charger asks for one"
        return None

    def _end_in_order(self) -> None:
        """What the script does not have any more: PowerDelivery Stop while charging, SessionStop."""
        state = self.session.state
        state.intent = "stop"
        try:
            for name in (*(("PowerDeliveryReq",) if state.started else ()), STOP):
                if self._over or not self.session.history:
                    return
                self._note(self.result.added, name)
                self._exchange(self.session.protocol.rows[name].build(state), None)
        except GiveUp as reason:
            self._stuck(str(reason))

    def _stuck(self, reason: str) -> None:
        self.result.reason = self.result.reason or reason
        self.session.wire.event("step", "the replay cannot go on", reason=reason)

    # --- one request ---

    def _send(self, step: Step, number: int, *, extra: bool) -> Any:
        session, state = self.session, self.session.state
        delay_s = step.delay_s / self.speed
        session.rest(max(delay_s, MIN_REPEAT_S) if extra else delay_s)
        body = step.body()
        for note in adapt.adapt(body, state, session.responses.get("ServiceDiscoveryRes")):
            self._note(self.result.adapted, f"{step.name}: {note}")
        self._follow(step, body)
        answer = self._exchange(body, step)
        self._compare(step, number, answer)
        if state.receipt is not None and not self._over and self.result.reason is None:
            self._note(self.result.added, "MeteringReceiptReq")
            self._exchange(session.protocol.rows["MeteringReceiptReq"].build(state), None)
        return answer

    def _follow(self, step: Step, body: Any) -> None:
        """Let the battery stand where the capture has it, and the sink take no more than was asked for."""
        state = self.session.state
        if step.name == "PreChargeReq":
            self._precharge_v = self.battery.shown_v = body.EVTargetVoltage.value
        near_v = VOLTAGE_SHARE * (self._precharge_v or 0.0)
        seen_v = step.voltage_v if step.name == "CurrentDemandReq" else None
        if seen_v is not None and abs(seen_v - (self._precharge_v or 0.0)) <= near_v:
            self.battery.shown_v = seen_v
        status = getattr(body, "DC_EVStatus", None)
        if status is not None:
            self.battery.soc_percent = float(status.EVRESSSOC)
        dc = state.profile.dc
        if dc is not None and self._sink_a is not None:
            most_a = min(
                [dc.max_current_a, max(self._sink_a, 1.0), state.evse_max_current_a or dc.max_current_a]
            )
            if most_a != dc.max_current_a:
                state.profile = dataclasses.replace(
                    state.profile, dc=dataclasses.replace(dc, max_current_a=most_a)
                )

    def _exchange(self, body: Any, step: Step | None) -> Any:
        """Move the hands, send, and let the answer move the state of the session."""
        session, state, name = self.session, self.session.state, type(body).__name__
        session.protocol.note_sent(state, body)
        self._hands.before(name)
        as_it_was = (_AS_CAPTURED,) if step is not None and step.deviates else ()
        answer = session.send(body, *as_it_was)
        self.result.sent += 1
        past = session.history[-1]
        code = str(getattr(answer, "ResponseCode", ""))
        right = type(answer).__name__ == flow.response_name(name)
        accepted = right and not code.upper().startswith("FAILED") and past.invalid is None
        if accepted:
            self._absorb(name, answer, past)
        self._hands.after(name, past.t_ns, accepted=accepted)
        if name == STOP and right:
            self._over, self.result.finished = True, accepted
            if not accepted:
                self.result.reason = self.result.reason or f"{type(answer).__name__}: {code}"
        elif not accepted and (step is None or not step.response_code.upper().startswith("FAILED")):
            said = f"{type(answer).__name__}: {past.invalid or code}"
            self._refused(name, said if right else type(answer).__name__)
        return answer

    def _refused(self, name: str, said: str) -> None:
        """The session cannot go on as captured: power off, SessionStop, and that is why."""
        self._stuck(f"{name} did not succeed: {said}")
        self.session.state.started = False
        self.session.vehicle.stop_power()
        if name not in (SAP, STOP):
            self._end_in_order()

    def _absorb(self, name: str, answer: Any, past: Exchange) -> None:
        """Let the answer move the state, as in a session of the car's own."""
        state = self.session.state
        try:
            if name == "SessionSetupReq":
                state.session_id = bytes(past.header.SessionID)
            elif name in _PROVISIONING:
                taken = Received(type(answer).__name__, answer, past.header, past.response_exi, past.t_ns)
                state.provisioned = provisioning.take(state, name, taken)
                self.session.wire.event("step", "new contract", **state.provisioned.as_data())
            self.session.protocol.rows[name].absorb(state, answer)
        except GiveUp as reason:
            if name == SAP or name in _PROVISIONING:
                raise
            self._note(self.result.adapted, f"{name}: the car of the profile would end here: {reason}")
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            self._stuck(f"{type(answer).__name__} cannot be used: {error}")

    def _compare(self, step: Step, number: int, answer: Any) -> None:
        code = getattr(answer, "ResponseCode", None)
        actual = _shown(type(answer).__name__, "" if code is None else str(code))
        if not step.answer and number == len(self.script.steps):
            return  # the capture ends with the request
        if step.response_code == JOINED and actual == _shown(step.answer, "OK_NewSessionEstablished"):
            self._note(
                self.result.adapted, "SessionSetupReq: a new session, in the capture an old one goes on"
            )
            return
        expected = _shown(step.answer, step.response_code) if step.answer else "nothing"
        if actual == expected:
            return
        found = Difference(number, step.name, expected, actual)
        if self.result.differs(found):
            self.session.wire.event(
                "finding",
                "REPLAY",
                severity="warning",
                message=found.text,
                requirements=[],
                case=None,
                step=number,
            )

    def _note(self, where: list[str], text: str) -> None:
        if text not in where and len(where) < MAX_NOTES:
            where.append(text)
            self.session.wire.event("step", "replay", note=text)


def _shown(name: str, code: str) -> str:
    return f"{name} {code}".strip()


def _offers(script: Script) -> tuple[OfferedProtocol, ...]:
    """What the captured car offered in supportedAppProtocolReq; empty where that was not captured."""
    return tuple(
        OfferedProtocol(
            each.ProtocolNamespace,
            each.VersionNumberMajor,
            each.VersionNumberMinor,
            each.SchemaID,
            each.Priority,
        )
        for step in script.steps[:1]
        if step.name == SAP
        for each in step.body().AppProtocol
    )


def _largest_target_a(script: Script) -> float | None:
    """The most current that the car asked for, A; None when it never did."""
    steps = [step for step in script.steps if step.name == "CurrentDemandReq"]
    return max((float(step.body().EVTargetCurrent.value) for step in steps), default=None)
