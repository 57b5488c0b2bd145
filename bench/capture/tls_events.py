"""What a captured TLS connection showed, one event a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Direction = Literal["c2s", "s2c"]
Kind = Literal[
    "client_hello",
    "server_hello",
    "certificate",
    "certificate_request",
    "certificate_status",
    "handshake",
    "change_cipher_spec",
    "alert",
    "application_data",
    "problem",
]


@dataclass(frozen=True, slots=True)
class TlsEvent:
    """Something that a TLS connection showed. `frame` and `t_ns` are those of the packet that completed it.

    `data`: the plaintext of "application_data", the body of a handshake message, the record of an alert.
    `info` by kind: "client_hello" version, versions, suites, sni, groups, extensions, random, session_id;
    "server_hello" version, suite, group, extensions, random, session_id, hello_retry_request; "certificate"
    chain (DER, leaf first); "certificate_request" authorities (DER names), signature_algorithms;
    "certificate_status" responses (OCSP, DER); "handshake" name; "alert" level, description, encrypted;
    "problem" text.
    """

    kind: Kind
    direction: Direction
    frame: int
    t_ns: int
    data: bytes = b""
    info: dict[str, Any] = field(default_factory=dict)
