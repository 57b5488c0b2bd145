"""One V2G session (ISO 15118-2 or DIN SPEC 70121) as a plan drives it: run until a message, look at it,
send it, deviate, charge, stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.ev import handshake
from bench.ev.conversation import Conversation
from bench.ev.errors import CarGaveUp, PlanMistake, SessionEnded
from bench.ev.faults import Fault
from bench.ev.iso2 import flow, provisioning, responses, signing
from bench.ev.iso2.power import PowerHand
from bench.ev.iso2.state import GiveUp, SessionState
from bench.ev.options import SessionOptions
from bench.ev.wire import Received, TlsOutcome, Wire, strict_refusal
from bench.v2g import sdp
from bench.v2g.connection import ClientContext

if TYPE_CHECKING:
    from bench.ev.emulator import EvEmulator
    from bench.ev.vehicle import Vehicle
    from bench.pki.credential import Credential


class Session(Conversation):
    """A session between plug-in and its end. Made by `EvEmulator.plug_in`; not for several threads."""

    def __init__(
        self,
        emulator: EvEmulator,
        options: SessionOptions,
        state: SessionState,
        *,
        wire: Wire,
        vehicle: Vehicle,
        contexts: Callable[[], tuple[ClientContext, ...]],
    ) -> None:
        super().__init__(options, state, wire=wire, vehicle=vehicle)
        self._emulator = emulator
        self._contexts = contexts
        self._power = PowerHand(vehicle, state)
        self._next: str | None = flow.FIRST
        self._ongoing_since: tuple[str, float] | None = None
        self.paused = False
        self.sdp: sdp.SdpResult | None = None
        self.tls: TlsOutcome | None = None

    # --- what a plan looks at ---

    @property
    def pending_name(self) -> str | None:
        """Name of the request that would be sent next, None when there is none."""
        return None if self.ended is not None else self._next

    @property
    def pending(self) -> Any:
        """The request body that would be sent next; edit it in place. None when the session is over."""
        if self.pending_name is None or self._next is None:
            return None
        if self._pending is None:
            try:
                self._pending = self.protocol.rows[self._next].build(self.state)
            except GiveUp as reason:
                gave_up = CarGaveUp(str(reason), self._last_name(), self._last_code())
                raise self._end(str(reason), gave_up) from reason
        return self._pending

    @property
    def session_id(self) -> bytes:
        """SessionID in use; eight zero bytes before SessionSetupRes."""
        return self.state.session_id

    @property
    def installed_contract(self) -> Credential | None:
        """The contract that this session fetched, or None."""
        return self.state.provisioned.contract if self.state.provisioned is not None else None

    @property
    def provisioned(self) -> Any:
        """What became of CertificateInstallation or CertificateUpdate (`Provisioning`), or None."""
        return self.state.provisioned

    @property
    def tariff_signature(self) -> str | None:
        """ "valid", "unsigned", "absent" or "invalid: ..."; None before a schedule came."""
        return self.state.tariff_signature

    @property
    def stop_requested(self) -> str | None:
        """Why the charger wants charging to end, or None."""
        return self.state.stop_requested

    @property
    def charging(self) -> bool:
        """True between an accepted PowerDelivery Start and its Stop."""
        return self.state.started

    @property
    def energy_wh(self) -> float:
        """Energy that the battery took in this session, Wh."""
        return self._power.energy_wh

    @property
    def steps(self) -> list[handshake.Step]:
        """The named handshake steps that have happened, with durations."""
        return handshake.steps(self)

    @property
    def handshake_s(self) -> float | None:
        """First SDP request to first PowerDeliveryRes, or None before that."""
        return handshake.total_s(self)

    # --- driving ---

    def discover(self) -> sdp.SdpResult | None:
        """Ask for the charger by SDP, once; None with a given address. Raises ChargerTimeout, EvError."""
        if self.sdp is None and self.options.address is None:
            try:
                self.sdp = self.wire.discover(
                    want_tls=self.options.tls,
                    attempts=self.options.sdp_attempts,
                    timeout_s=self.options.sdp_timeout_s,
                )
            except SessionEnded as error:
                raise self._end(error.reason, error) from error
        return self.sdp

    def connect(self) -> Session:
        """SDP, TCP and TLS, when that has not been done. Raises SessionEnded and its subclasses. Returns
        self.
        """
        if self.wire.is_open:
            return self
        self._check_alive()
        self._next = flow.FIRST
        found = self.discover()
        secure = self.options.tls
        if found is not None and found.response is not None:
            address, port = found.response.address, found.response.port
            if found.response.tls != secure:
                secure = self._agree_on_security(found.response.tls)
        else:
            assert self.options.address is not None
            address, port = self.options.address
        try:
            self.tls = self.wire.open(
                address, port, self._contexts() if secure else (), self.options.connect_timeout_s
            )
        except SessionEnded as error:
            raise self._end(error.reason, error) from error
        refusal = strict_refusal(self.tls) if self.options.verify == "strict" else None
        if refusal is not None:
            raise self._end(refusal.reason, refusal)
        return self

    def _agree_on_security(self, charger_tls: bool) -> bool:
        if charger_tls:
            raise self._end("the charger answered with TLS although the car asked for none")
        if self.options.auth == "pnc":
            raise self._end("the charger answered without TLS, which Plug and Charge needs")
        self.wire.event("step", "the charger offers no TLS: the car goes on without")
        return False

    def until(self, name: str) -> Session:
        """Run up to, not including, the sending of request `name`.

        Raises SessionEnded (or a subclass) when the session does not get there, PlanMistake for an unknown
        name.
        """
        self._known(name)
        deadline = time.monotonic() + self.options.step_limit_s
        while True:
            self._check_alive()
            if name in flow.AFTER_CHARGE and self._in_loop() and self.state.intent == "charge":
                self._intend("stop")
            if self._next == name:
                return self
            self._check_reachable(name, deadline)
            self._step()

    def through(self, name: str) -> Any:
        """`until(name)`, then send it: its response body."""
        self.until(name)
        return self.send_next()

    def charge(
        self,
        for_s: float | None = None,
        *,
        energy_wh: float | None = None,
        until_soc: float | None = None,
        until_stopped: bool = False,
    ) -> Session:
        """Charge from wherever the session is until one of the limits is met (none: until the battery is
        full).

        `for_s` counts from the first answer in the charge loop. When the charger asks to stop before that,
        the EV stops in order and SessionEnded is raised; with `until_stopped` it returns instead, before it
        says Stop.
        """
        self._reach_loop()
        started_s, energy_start_wh = time.monotonic(), self.energy_wh
        while True:
            if self.state.stop_requested is not None:
                if until_stopped:
                    return self
                reason = f"the charger ended charging: {self.state.stop_requested}"
                self._stop_in_order()
                raise SessionEnded(reason, self._last_name(), self._last_code())
            if for_s is not None and time.monotonic() - started_s >= for_s:
                return self
            if energy_wh is not None and self.energy_wh - energy_start_wh >= energy_wh:
                return self
            if until_soc is not None and self.state.battery.soc_percent >= until_soc:
                return self
            if not self._in_loop() and self.state.intent == "stop":
                return self  # the battery is full
            self._step()

    def stop(self) -> Session:
        """End in order: current to zero, PowerDelivery Stop, WeldingDetection (DC), SessionStop. Returns
        self.
        """
        if self.ended == "finished":
            return self
        self._check_alive()
        self._stop_in_order()
        return self

    def pause(self) -> Session:
        """Pause: as `stop`, with SessionStop Pause; `resume` goes on. Returns self."""
        self._check_alive()
        self._intend("pause")
        self._finish()
        self.paused = True
        return self

    def resume(self, **overrides: Any) -> Session:
        """A new session that joins this paused one (same SessionID, new connection). Raises PlanMistake."""
        if not self.paused:
            raise PlanMistake("only a session that was paused can be resumed")
        return self._emulator.resume(self, **overrides)

    def renegotiate(self) -> Session:
        """PowerDelivery Renegotiate, ChargeParameterDiscovery, back into the charge loop. Returns self."""
        if not self.state.started:
            self._reach_loop()
        self._intend("renegotiate")
        deadline = time.monotonic() + self.options.step_limit_s
        while True:
            self._step()
            if self._in_loop() and self.state.intent == "charge" and not self.state.renegotiating:
                return self
            self._check_time("the end of the renegotiation", deadline)

    def run(self, for_s: float | None = 1.0, **limits: Any) -> Session:
        """`charge` and `stop`."""
        return self.charge(for_s, **limits).stop()

    def send_next(self) -> Any:
        """Send the pending request and return the response body; a refusal is returned, not raised.

        Raises ChargerTimeout, ChargerClosed, ChargerGarbage; SessionEnded when there is nothing to send any
        more or the car itself will not go on; MissingPower when the bench lacks an instrument for the step.
        """
        self._check_alive()
        self.connect()
        name, body = self._next, self.pending
        assert name is not None
        try:
            self.protocol.note_sent(self.state, body)
            self._power.before(name)
        except GiveUp as reason:
            gave_up = CarGaveUp(str(reason), self._last_name(), self._last_code())
            raise self._end(str(reason), gave_up) from reason
        self._pace(name)
        self._pending = None
        received = self._exchange(name, body)
        self._take(name, received)
        return received.body

    def send(self, body: Any, *faults: Fault, expect_answer: bool = True) -> Any:
        """Send any message now, out of order, and return the response body (None with `expect_answer=False`).

        The state of the session does not move: what would have been next still is. Raises as `send_next`.
        """
        self.connect()
        name = type(body).__name__
        if not expect_answer:
            self._transmit(name, body, list(faults))
            return None
        return self._exchange(name, body, extra=list(faults)).body

    def wait_closed(self, timeout_s: float) -> float | None:
        """Seconds until the charger closes the connection, None when it does not within `timeout_s`."""
        return self.wire.wait_closed(timeout_s)

    def close(self, *, reset: bool = False) -> None:
        """Close the connection as it is, without a word (with a TCP reset when asked)."""
        if self.ended is None:
            self.ended = "closed by the plan"
        self._wake.set()
        self.wire.close(reset=reset)

    # --- inside ---

    def _check_alive(self) -> None:
        if self.ended is not None:
            raise SessionEnded(self.ended, self._last_name(), self._last_code())

    def _check_time(self, goal: str, deadline: float) -> None:
        if time.monotonic() >= deadline:
            limit_s = self.options.step_limit_s
            reason = f"{goal} was not reached within {limit_s:g} s, the session is at {self._next}"
            raise SessionEnded(reason, self._last_name(), self._last_code())

    def _check_reachable(self, name: str, deadline: float) -> None:
        self._check_time(name, deadline)
        passed = self._in_loop() and name not in flow.IN_LOOP | flow.AFTER_CHARGE
        if passed and self.state.intent == "charge" and not self.state.renegotiating:
            reason = f"the session went on to {self._next} without a {name}"
            raise SessionEnded(reason, self._last_name(), self._last_code())

    def _in_loop(self) -> bool:
        return self.state.started and self._next == self.state.loop_request

    def _reach_loop(self) -> None:
        deadline = time.monotonic() + self.options.step_limit_s
        while not self.state.started:
            self._check_alive()
            self._check_time("the charge loop", deadline)
            self._step()
        self._check_alive()

    def _step(self) -> None:
        self.send_next()
        self._check_alive_or_over()

    def _check_alive_or_over(self) -> None:
        if self.ended is not None:
            self.wire.close()
            raise SessionEnded(self.ended, self._last_name(), self._last_code())

    def _intend(self, intent: str) -> None:
        """Change the intent and see what is next now."""
        state = self.state
        if state.intent == intent:
            return
        state.intent = intent  # type: ignore[assignment]
        if self._in_loop():
            state.ramp_rounds = 0
            self._next, self._pending = responses.next_in_loop(state), None
        elif intent in ("stop", "pause") and not state.started and self._next != "SessionStopReq":
            after_charge = self._next in flow.AFTER_CHARGE
            self._next = self._next if after_charge else "SessionStopReq"
            self._pending = None

    def _stop_in_order(self) -> None:
        self._intend("stop")
        self._finish()

    def _finish(self) -> None:
        """Run to the end of the session; a session that never connected just ends."""
        if not self.wire.is_open and not self.history:
            self.ended = "stopped before it began"
            return
        deadline = time.monotonic() + self.options.step_limit_s
        while self.ended is None:
            self.send_next()
            if self._next is None:
                return
            self._check_time("SessionStopRes", deadline)
        self.wire.close()
        raise SessionEnded(self.ended, self._last_name(), self._last_code())

    def _take(self, name: str, received: Received) -> None:
        """Let the answer move the session: refusal, wrong answer, or the handler of its kind."""
        state, body = self.state, received.body
        wanted = flow.response_name(name)
        if received.name != wanted:
            self._end(f"{name} was answered by {received.name}")
            return
        code = str(getattr(body, "ResponseCode", ""))
        if code.upper().startswith("FAILED") and name != flow.FIRST:
            self._power.after(name, received.t_ns, accepted=False)
            if name in ("CertificateInstallationReq", "CertificateUpdateReq"):
                state.provisioned = provisioning.refused(name, code)
            self._end(f"{received.name}: {code}")
            return
        if received.invalid is not None:
            # A real car's codec refuses such a message; nothing of it may be sent back as if it were good.
            self._end(f"{received.name} is outside the schema: {received.invalid}")
            return
        try:
            self._look_closer(name, received)
            following = self.protocol.rows[name].absorb(state, body)
        except (GiveUp, AttributeError, TypeError, ValueError, OverflowError) as reason:
            # What a handler cannot use of a decoded message is the charger's fault, not a crash.
            self._end(
                str(reason) if isinstance(reason, GiveUp) else f"{received.name} cannot be used: {reason}"
            )
            return
        self._power.after(name, received.t_ns, accepted=True)
        self._next = following
        if following != name:
            self._ongoing_since = None
        if following is None:
            self.ended = "finished"
            self.wire.close()
        elif following == name and (problem := self._ongoing_too_long(name)):
            self._end(problem)

    def _look_closer(self, name: str, received: Received) -> None:
        """What needs more than the body: the session id of the header, signatures, a wrapped key."""
        state = self.state
        if name == "SessionSetupReq":
            state.session_id = bytes(received.header.SessionID)
        elif name in ("CertificateInstallationReq", "CertificateUpdateReq"):
            state.provisioned = provisioning.take(state, name, received)
            self.wire.event("step", "new contract", **state.provisioned.as_data())
        elif name == "ChargeParameterDiscoveryReq":
            state.tariff_signature = signing.judge_tariff(state, received)

    def _ongoing_too_long(self, name: str) -> str | None:
        limit_field = self.protocol.rows[name].ongoing_limit
        if limit_field is None:
            return None
        now = time.monotonic()
        if self._ongoing_since is None or self._ongoing_since[0] != name:
            self._ongoing_since = (name, now)
        limit_s = float(getattr(self.state.profile.pace, limit_field))
        if now - self._ongoing_since[1] < limit_s:
            return None
        return f"the charger kept {name} going for more than {limit_s:g} s"
