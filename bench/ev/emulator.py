"""The EV: plugged in, one session after another, unplugged."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from bench.ev.battery import Battery
from bench.ev.credentials import Credentials
from bench.ev.errors import PlanMistake
from bench.ev.iso2.state import Auth, Energy, SessionState
from bench.ev.iso2.warm_up import codec_ready
from bench.ev.options import SessionOptions
from bench.ev.profile import EvProfile, load_profile
from bench.ev.protocols import PROTOCOLS
from bench.ev.session import Session
from bench.ev.tls_options import TlsOptions, contexts_for
from bench.ev.vehicle import Vehicle
from bench.ev.wire import Wire
from bench.pki.credential import Credential
from bench.timeline import Timeline
from bench.v2g.connection import ClientContext
from bench.v2g.sdp import PORT

_OPTION_NAMES = frozenset(each.name for each in dataclasses.fields(SessionOptions))


class EvEmulator:
    """A car on a cable: its instruments, its profile, what it knows of certificates.

    `defaults` are SessionOptions that hold for every plug-in. `tap` is a `bench.capture.sniffer.Tap` that
    gets what the sockets carry. The battery lives as long as the emulator, so that a second session finds it
    as the first left it.
    """

    def __init__(
        self,
        vehicle: Vehicle | None = None,
        profile: EvProfile | None = None,
        timeline: Timeline | None = None,
        *,
        interface: str = "lo",
        sdp_port: int = PORT,
        credentials: Credentials | None = None,
        defaults: SessionOptions | None = None,
        tap: Any = None,
    ) -> None:
        self.vehicle = vehicle if vehicle is not None else Vehicle.without_power()
        self.profile = profile if profile is not None else load_profile()
        self.timeline = timeline if timeline is not None else Timeline()
        self.interface, self.sdp_port, self.tap = interface, sdp_port, tap
        self.credentials = credentials if credentials is not None else Credentials()
        self.defaults = defaults if defaults is not None else SessionOptions()
        self.battery: Battery = self.profile.new_battery()
        self.session: Session | None = None
        self.vehicle.timeline = self.timeline
        self._tls_contexts: dict[TlsOptions, tuple[ClientContext, ...]] = {}
        # What costs time once is paid for here, not in the first handshake.
        codec_ready()
        self._contexts(self.defaults.tls_options)

    @property
    def contract(self) -> Credential:
        """The car's contract. Raises PlanMistake when it has none."""
        if self.credentials.contract is None:
            raise PlanMistake("the car has no contract")
        return self.credentials.contract

    @property
    def oem(self) -> Credential:
        """The car's OEM provisioning certificate. Raises PlanMistake when it has none."""
        if self.credentials.oem is None:
            raise PlanMistake("the car has no OEM provisioning certificate")
        return self.credentials.oem

    def _contexts(self, options: TlsOptions) -> tuple[ClientContext, ...]:
        if options not in self._tls_contexts:
            self._tls_contexts[options] = contexts_for(self.credentials.v2g_roots, options)
        return self._tls_contexts[options]

    def plug_in(
        self,
        energy: Energy | None = None,
        auth: Auth | None = None,
        tls: bool | None = None,
        **overrides: Any,
    ) -> Session:
        """Plug in (pilot B) and be ready to talk; nothing is sent yet.

        `overrides` are fields of SessionOptions, of EvProfile (`soc_percent=99`, `pace__charge_loop_s=0.1`),
        `profile` or `battery`. A session that is still open is closed first; a car that is plugged in already
        stays so. Raises PlanMistake for an unknown override or a missing credential.
        """
        chosen = {"energy": energy, "auth": auth, "tls": tls}
        overrides.update({key: value for key, value in chosen.items() if value is not None})
        profile: EvProfile = overrides.pop("profile", self.profile)
        battery: Battery | None = overrides.pop("battery", None)
        known = {key: overrides.pop(key) for key in list(overrides) if key in _OPTION_NAMES}
        options = dataclasses.replace(self.defaults, **known)
        if overrides or profile is not self.profile:
            profile = profile.with_changes(**overrides) if overrides else profile
            battery = battery or profile.new_battery()
        if battery is not None:
            self.battery = battery
        session = self._new_session(options, profile)
        if self.vehicle.pilot_state != "B":
            self.vehicle.look_at_inlet("before plug-in")
            self.vehicle.set_pilot("B", "plug-in")
            self.vehicle.measure_pilot()
        self.timeline.append("ev", "step", "plugged in", {"energy": options.energy, "auth": options.auth})
        return session

    def _new_session(self, options: SessionOptions, profile: EvProfile) -> Session:
        if self.session is not None:
            self.session.close()
        protocol = PROTOCOLS[options.protocol]
        if options.protocol == "din":
            if options.energy != "dc" or options.auth != "eim" or options.tls:
                raise PlanMistake("DIN SPEC 70121 is DC with external payment and without TLS")
            own = tuple(each for each in profile.protocols if each.namespace == protocol.namespace)
            profile = profile.with_changes(protocols=own or (protocol.offer(),))
            codec_ready("din")
        inlet = profile.dc if options.energy == "dc" else profile.ac
        if options.energy not in ("ac", "dc") or options.auth not in ("eim", "pnc"):
            raise PlanMistake(
                f"energy {options.energy!r} with auth {options.auth!r}: use ac or dc, eim or pnc"
            )
        if inlet is None:
            raise PlanMistake(f"the car {profile.name!r} has no {options.energy.upper()} inlet")
        contract = None if options.no_contract else options.contract or self.credentials.contract
        oem = options.oem or self.credentials.oem
        provisioning = options.certificate
        if provisioning == "auto":
            provisioning = (
                "install" if options.auth == "pnc" and contract is None and oem is not None else "none"
            )
        if options.auth == "pnc":
            if provisioning == "install" and oem is None:
                raise PlanMistake(
                    "installing a contract needs an OEM provisioning certificate, the car has none"
                )
            if provisioning != "install" and contract is None:
                raise PlanMistake("Plug and Charge needs a contract (or an OEM provisioning certificate)")
        state = SessionState(
            profile=profile,
            battery=self.battery,
            credentials=dataclasses.replace(self.credentials, contract=contract, oem=oem),
            energy=options.energy,
            auth=options.auth,
            provisioning=provisioning if options.auth == "pnc" else "none",
            resume_session_id=options.resume,
            namespace=protocol.namespace,
            contract=contract,
        )
        wire = Wire(self.timeline, self.interface, self.sdp_port, self.tap)
        contexts = functools.partial(self._contexts, options.tls_options)
        self.session = Session(self, options, state, wire=wire, vehicle=self.vehicle, contexts=contexts)
        return self.session

    def resume(self, paused: Session, **overrides: Any) -> Session:
        """Join a paused session again (`Session.resume`): same SessionID, new discovery and connection."""
        options = dataclasses.replace(paused.options, resume=paused.session_id, **overrides)
        session = self._new_session(options, paused.state.profile)
        if paused.installed_contract is not None:
            session.state.contract, session.state.provisioning = paused.installed_contract, "none"
        return session

    def unplug(self, *, keep_link: bool = False) -> None:
        """Pull the plug: pilot A, contactor open, everything off; the connection is torn down unless
        `keep_link`.
        """
        self.vehicle.unplug()
        self.timeline.append("ev", "step", "unplugged")
        if self.session is not None and not keep_link:
            self.session.close(reset=True)

    def close(self) -> None:
        """Unplug and forget the session."""
        self.unplug()
        self.session = None
