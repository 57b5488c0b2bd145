"""What the charger knows of one V2G session, and the sessions that may be resumed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509

from bench.charger.backend import IdToken
from bench.v2g.messages import iso2, xmldsig

ProtocolName = Literal["iso2", "din"]
NO_SESSION = bytes(8)
MAX_PAUSED = 8


@dataclass
class Session:
    """One V2G session on one TCP connection.

    `expected` are the requests that may come next; handlers read the request's raw bytes and signature from
    `payload`
    and `signature`, which the dispatcher sets for each message.
    """

    tls: bool = False
    peer: str = ""
    protocol: ProtocolName = "iso2"
    """What supportedAppProtocol agreed on; DIN sessions keep their data in the types of ISO 15118-2."""
    id: bytes = NO_SESSION
    expected: frozenset[str] = frozenset({"SessionSetupReq"})
    payload: bytes = b""
    signature: xmldsig.Signature | None = None
    evccid: bytes = b""

    payment: iso2.paymentOption | None = None
    emaid: str = ""
    contract_chain: tuple[x509.Certificate, ...] = ()
    challenge: bytes | None = None
    decision: asyncio.Task[iso2.responseCode] | None = None
    """The backend's verdict on the contract, while it is under way."""
    authorized: bool = False
    token: IdToken | None = None
    """Who pays for this session, once authorised."""
    ongoing_since_s: float | None = None
    """When the present run of EVSEProcessing Ongoing answers began (loop time)."""

    energy_mode: iso2.EnergyTransferMode | None = None
    schedule_ids: frozenset[int] = frozenset({1})
    schedule_id: int = 1
    renegotiating: bool = False
    insulation: asyncio.Task[bool] | None = None
    insulation_ok: bool = False
    charging: bool = False
    loops: int = 0
    meter_info: iso2.MeterInfo | None = None
    """What the last CurrentDemandRes or ChargingStatusRes said: a receipt must repeat it."""
    receipt_due: bool = False

    resumed: bool = False
    paused: bool = False
    failed: bool = False
    closed: bool = False
    """The session is over: SessionStop was answered, or it ended otherwise."""
    memory: dict[str, object] = field(default_factory=dict)
    """Scratch space for defects (a counter, a former answer)."""

    @property
    def dc(self) -> bool:
        """True for a DC session (known after ChargeParameterDiscoveryReq)."""
        return self.energy_mode is not None and self.energy_mode.value.startswith("DC")

    def cancel_tasks(self) -> None:
        """Stop what runs in the background for this session."""
        for task in (self.decision, self.insulation):
            if task is not None and not task.done():
                task.cancel()


class PausedSessions:
    """Sessions that ended with SessionStop Pause, by session id; bounded, oldest forgotten first."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def keep(self, session: Session) -> None:
        """Remember a paused session."""
        self._sessions[session.id] = session
        while len(self._sessions) > MAX_PAUSED:
            self._sessions.popitem(last=False)

    def take(self, session_id: bytes) -> Session | None:
        """The paused session with this id, which is then no longer paused; None when there is none."""
        return self._sessions.pop(session_id, None)

    def clear(self) -> list[Session]:
        """Forget all (the vehicle left); returns them."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        return sessions
