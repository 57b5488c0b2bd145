"""The simulated charger, assembled: pilot, power, meter, V2G server, contracts and backend, and who pays
for what.

Everything runs on one event loop. `Charger` is what a defect may change after assembly and what the backend
may command
(`bench.charger.backend.Commands`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bench.charger.backend import Backend, BackendUnavailable, IdToken, StopReason, Variables
from bench.charger.cable import Cable
from bench.charger.contract import ContractPolicy
from bench.charger.meter import Meter
from bench.charger.pilot import Pilot
from bench.charger.power import AcStage, DcStage, Power
from bench.charger.profile import ChargerProfile
from bench.charger.secc.din import HANDLERS as DIN_HANDLERS
from bench.charger.secc.din import Handler as DinHandler
from bench.charger.secc.iso2 import HANDLERS, Handler
from bench.charger.secc.iso2.common import Refusal
from bench.charger.secc.policy import Policy
from bench.charger.secc.session import PausedSessions, Session
from bench.charger.secc.tls import SeccTls
from bench.charger.slac import Slac
from bench.charger.standalone import StandaloneBackend
from bench.charger.store import CertificateStore
from bench.v2g.messages import iso2

log = logging.getLogger(__name__)
REMOTE_CARD_PATIENCE_S = 30.0


class Charger:
    """The charger without its sockets (`bench.charger.service` adds those)."""

    def __init__(
        self, profile: ChargerProfile, store: CertificateStore, variables: Variables, cable: Cable
    ) -> None:
        self.profile = profile
        self.store = store
        self.variables = variables
        self.cable = cable
        self.backend: Backend = StandaloneBackend()
        """Set by the service before `start`; an in-process one until then."""
        self.meter = Meter(cable, start_wh=profile.meter_start_wh)
        self.power = Power(
            DcStage(cable, profile.dc, insulation_hold_s=profile.insulation_hold_s),
            AcStage(cable, max_current_a=profile.ac_max_current_a),
        )
        self.pilot = Pilot(cable, power_off=lambda: self.power.unplugged())  # noqa: PLW0108 - looked up late: a defect may replace it
        self.contracts = ContractPolicy(store, variables, lambda: self.backend)
        self.policy = Policy()
        self.policy.protocols = profile.protocols
        self.handlers: dict[str, Handler] = dict(HANDLERS)
        self.din_handlers: dict[str, DinHandler] = dict(DIN_HANDLERS)
        """DIN SPEC 70121; what means the same there is passed on to `handlers`."""
        self.tls = SeccTls(store)
        self.sdp: Any = None
        """The SDP server (`bench.charger.secc.sdp.SdpServer`) once the service listens."""
        self.on_listening: list[Any] = []
        """Called with the service once it listens: for what can be changed only then (the SDP server)."""

        self.slac = Slac(self)
        """Matching over the charger's own PLC modem; the service opens it where there is one."""

        self.granted: IdToken | None = None
        """Who is authorised to charge in this plug-in: a card, a remote start, or the contract of the
        session."""
        self.on_card_wanted: list[Callable[[], None]] = []
        """Called when an EV waits for external payment: a human would see it on the display."""
        self.card_refused = False
        """The last card was refused; a new V2G session or a new card clears it."""
        self.paused = PausedSessions()
        self.active: Session | None = None
        """The session that has the power stage."""
        self.transaction_open = False
        """Somebody was authorised and the backend has not yet been told that charging is over."""
        self.stop_requested = False
        """A remote stop is under way: EVs are notified with StopCharging."""
        self._stop_timer: asyncio.TimerHandle | None = None
        self._card = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.pilot.on_connect.append(self.vehicle_connected)
        self.pilot.on_disconnect.append(self.vehicle_disconnected)
        cable.on_card.append(lambda token: self.background(self.present_card(IdToken(token, "ISO14443"))))

    # --- what others read ---------------------------------------------------------------------------------
    @property
    def plugged(self) -> bool:
        """A vehicle is connected."""
        return self.pilot.connected

    @property
    def charging(self) -> bool:
        """Energy may flow: PowerDelivery Start was answered and nothing stopped it since."""
        return self.active is not None and self.active.charging

    @property
    def receipts_required(self) -> bool:
        """Metering receipts are asked for in contract sessions."""
        return self.profile.receipt_required or self.variables.flag("ISO15118Ctrlr", "RequestMeteringReceipt")

    def handlers_of(self, session: Session) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """The handlers of the protocol that a session speaks."""
        return self.din_handlers if session.protocol == "din" else self.handlers

    def max_power_w(self, session: Session) -> float:
        """The most that a session may draw."""
        if session.dc:
            return self.profile.dc.max_power_w
        return self.profile.ac_voltage_v * self.profile.ac_max_current_a * 3

    def background(self, work: Any) -> None:
        """Run a coroutine beside everything else, and keep it from being collected."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- vehicle ------------------------------------------------------------------------------------------
    def vehicle_connected(self) -> None:
        """Pilot left state A."""
        self.power.plugged()
        self.backend.plugged_in()
        self.backend.status_changed("Occupied")

    def vehicle_disconnected(self) -> None:
        """Pilot is in state A; the power is off already."""
        for session in [*self.paused.clear(), *([self.active] if self.active else [])]:
            self.session_ended(session, "EVDisconnected")
        self._transaction_over("EVDisconnected")
        self.granted = None
        self.card_refused = False
        self.backend.unplugged()
        self.backend.status_changed("Available")

    # --- who pays -----------------------------------------------------------------------------------------
    async def present_card(self, token: IdToken) -> bool:
        """A card is held to the reader, or a remote start is to be checked first; True when it is
        accepted."""
        self.card_refused = False
        try:
            async with asyncio.timeout(REMOTE_CARD_PATIENCE_S):
                accepted = await self.card_accepted(token)
        except (BackendUnavailable, TimeoutError) as error:
            log.info("card %s: %s", token.id_token, error)
            accepted = self.backend.known_offline(token)
        if accepted:
            self.grant(token)
        else:
            self.card_refused = True
            self._card_event()
        return accepted

    async def card_accepted(self, token: IdToken) -> bool:
        """The backend's word on a card. Raises BackendUnavailable."""
        if not self.backend.online:
            return self.backend.known_offline(token)
        return (await self.backend.authorize_token(token)).accepted

    def grant(self, token: IdToken) -> None:
        """`token` may charge in this plug-in (or at the next one)."""
        self.granted = token
        self.card_refused = False
        self.transaction_open = True
        self.backend.authorized(token)
        self._card_event()

    def _card_event(self) -> None:
        self._card.set()
        self._card = asyncio.Event()

    async def wait_for_card(self, timeout_s: float) -> None:
        """Wait until a card was accepted or refused, at most `timeout_s`."""
        event = self._card
        for callback in tuple(self.on_card_wanted):
            callback()
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            return

    def authorize(self, session: Session, token: IdToken) -> None:
        """A session is authorised with `token`; the backend hears of a contract here (of a card it did
        before)."""
        session.authorized = True
        session.token = token
        if self.granted != token:
            self.grant(token)

    # --- sessions -----------------------------------------------------------------------------------------
    def session_opened(self, session: Session) -> None:
        """SessionSetup was answered."""
        self.card_refused = False

    def claim_power(self, session: Session) -> None:
        """Give the power stage to an authorised session; Refusal when it is not, or another session has
        it."""
        if not session.authorized:
            raise Refusal(iso2.responseCode.FAILED, "not authorized")
        if self.active is not None and self.active is not session:
            raise Refusal(iso2.responseCode.FAILED, "another session has the power")
        self.active = session

    def delivery_allowed(self, session: Session) -> bool:
        """True while this session may draw current."""
        return session.charging and self.active is session and not session.closed

    def charging_started(self, session: Session) -> None:
        """PowerDelivery Start."""
        session.charging = True
        session.loops = 0
        self.pilot.charge_started()
        self.backend.charging_started()

    def charging_halted(self, session: Session) -> None:
        """PowerDelivery Stop: power off; the session goes on to its SessionStop."""
        was_charging, session.charging = session.charging, False
        session.receipt_due = False
        if self.active in (None, session):
            self.power.off()
        if was_charging:
            self.backend.charging_suspended("EVSE" if self.stop_requested else "EV")

    def session_paused(self, session: Session) -> None:
        """SessionStop Pause: the transaction goes on, the session may come back."""
        self.charging_halted(session)
        self._release(session)
        session.paused = session.closed = True
        self.paused.keep(session)

    def session_failed(self, session: Session, why: str) -> None:
        """A request was answered FAILED: no power, the transaction (if this session had one) ends."""
        session.failed = True
        self.pilot.session_failed()
        self.session_ended(session, "Other")

    def session_ended(self, session: Session, reason: StopReason) -> None:
        """The session is over, whichever way; safe to call again."""
        if session.closed and not session.paused:
            return
        session.closed, session.paused = True, False
        session.cancel_tasks()
        self.charging_halted_quietly(session)
        self._release(session)
        if session.authorized:
            self._transaction_over("Remote" if self.stop_requested else reason)

    def charging_halted_quietly(self, session: Session) -> None:
        """Power off without telling of a suspension: the end follows at once."""
        session.charging = False
        if self.active in (None, session):
            self.power.off()

    def connection_lost(self, session: Session) -> None:
        """The TCP connection is gone. A paused session outlives it; any other ends here."""
        if not session.closed:
            self.session_ended(session, "Other")
        if not session.paused and self.active is None:
            self.cable.let_go()

    def communication_lost(self) -> None:
        """The powerline to the EV is gone, or never was: no power, and the session on it is over."""
        for session in [*self.paused.clear(), *([self.active] if self.active else [])]:
            self.session_ended(session, "Other")
        self.power.off()

    def _release(self, session: Session) -> None:
        if self.active is session:
            self.active = None

    def _transaction_over(self, reason: StopReason) -> None:
        if self._stop_timer is not None:
            self._stop_timer.cancel()
            self._stop_timer = None
        self.stop_requested = False
        self.granted = None
        if self.transaction_open:
            self.transaction_open = False
            self.backend.charging_stopped(reason)

    # --- commands of the backend ----------------------------------------------------------------------------
    async def remote_start(self, token: IdToken) -> bool:
        """The backend vouches for `token`. False when somebody is authorised already."""
        if self.granted is not None:
            return False
        self.grant(token)
        return True

    async def remote_stop(self) -> bool:
        """Ask the EV to stop, and stop without it after the grace time. False when nothing is running."""
        if not self.transaction_open:
            return False
        self.stop_requested = True
        if self._stop_timer is None:
            loop = asyncio.get_running_loop()
            grace_s = self.profile.stop_grace_s if self.active is not None else 0.0
            self._stop_timer = loop.call_later(grace_s, self._stop_now)
        return True

    def _stop_now(self) -> None:
        self._stop_timer = None
        self.power.off()
        for session in [*self.paused.clear(), *([self.active] if self.active else [])]:
            self.session_ended(session, "Remote")
        self._transaction_over("Remote")

    async def reset(self, *, immediate: bool) -> None:
        """Power off and every session ended; the backend link is the backend's business."""
        reason: StopReason = "ImmediateReset" if immediate else "Remote"
        self.power.off()
        for session in [*self.paused.clear(), *([self.active] if self.active else [])]:
            self.session_ended(session, reason)
        self._transaction_over(reason)

    def safe_state(self) -> None:
        """No power, oscillator at rest; at once."""
        self.pilot.unplugged()
        # Not `power.off`, which a defect may have replaced: a bench must find its charger off.
        self.power.dc.off()
        self.power.ac.off()

    async def close(self) -> None:
        """End background work."""
        if self._stop_timer is not None:
            self._stop_timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
