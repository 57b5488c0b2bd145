"""Where each direction of a TLS connection stands: what protects its records, and which comes next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bench.capture.tls_events import Direction
from bench.capture.tls_protection import Protection, Role, Suite
from bench.capture.tls_records import HandshakeBuffer, RecordBuffer

Stage = Literal["handshake", "application"]


@dataclass(slots=True)
class Parameters:
    """What the hellos agreed on; `client_random` None when the ClientHello was not captured."""

    client_random: bytes | None
    server_random: bytes
    suite: Suite | None
    version: int
    encrypt_then_mac: bool


@dataclass(slots=True)
class Side:
    """One direction of the connection."""

    direction: Direction
    role: Role
    records: RecordBuffer = field(default_factory=RecordBuffer)
    handshake: HandshakeBuffer = field(default_factory=HandshakeBuffer)
    sealed: Parameters | None = None  # What its records are protected with; None while they are plain.
    stage: Stage = "handshake"  # Of TLS 1.3.
    secret: bytes = b""
    protection: Protection | None = None
    sequence: int = 0
    doubt: int = 0  # How many sequence numbers beyond the expected one may be tried.
    opened: int = 0
    waiting: int = 0

    def seal(self, parameters: Parameters, *, doubt: int = 0) -> None:
        """From the next record on, records are protected with new keys."""
        self.sealed, self.protection, self.sequence, self.doubt = parameters, None, 0, doubt
        self.handshake.clear()


def other_role(role: Role) -> Role:
    """The role of the other end."""
    return "server" if role == "client" else "client"


class NoProtection:
    """Stands for secrets that the key log will not have: opens nothing."""

    def open(self, sequence: int, kind: int, version: int, fragment: bytes) -> tuple[int, bytes] | None:
        return None
