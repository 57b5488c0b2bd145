"""What one plug-in may be told to do differently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bench.ev.iso2.state import Auth, Energy
from bench.ev.protocols import ProtocolName
from bench.ev.tls_options import TlsOptions
from bench.pki.credential import Credential

Verify = Literal["record", "strict"]
Certificate = Literal["auto", "none", "install", "update"]


@dataclass(frozen=True)
class SessionOptions:
    """Options of a plug-in; every field can be given to `EvEmulator.plug_in` by name.

    `contract`/`oem`: other credentials than the car's. `certificate`: fetch a contract first ("auto": when
    the car has none but has an OEM provisioning certificate). `verify`: "record" notes what is wrong with the
    charger's certificate and goes on, "strict" ends the session. `receive_patience_s`: wait this long for
    every answer (a breach of the message timeout is noted on the timeline), None for the standard's times.
    `address`: go there instead of asking by SDP, (IPv6 address, port). `resume`: SessionID to join.
    """

    protocol: ProtocolName = "iso2"
    """"din": DIN SPEC 70121, which is DC with external payment and without TLS."""
    energy: Energy = "dc"
    auth: Auth = "pnc"
    tls: bool = True
    contract: Credential | None = None
    no_contract: bool = False
    """Leave the contract at home, even where the car has one."""
    oem: Credential | None = None
    certificate: Certificate = "auto"
    verify: Verify = "record"
    receive_patience_s: float | None = None
    address: tuple[str, int] | None = None
    sdp_attempts: int = 50
    sdp_timeout_s: float = 0.25
    connect_timeout_s: float = 5.0
    tls_options: TlsOptions = field(default_factory=TlsOptions)
    resume: bytes | None = None
    step_limit_s: float = 120.0
    """Longest time that `until`, `through` and the like may take altogether."""
