"""The EV's line to the charger: discovery, TCP, TLS, frames and messages, each one event on the timeline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bench.capture.frames import Flow
from bench.ev.errors import ChargerClosed, ChargerGarbage, ChargerTimeout, EvError, PlanMistake, SessionEnded
from bench.ev.faults import Fault, Outgoing
from bench.timeline import Timeline, now_ns
from bench.v2g import codec, sdp, tls, v2gtp
from bench.v2g.connection import (
    ClientContext,
    ConnectionClosed,
    ReceiveTimeout,
    TransportError,
    V2GConnection,
)

Schema = Literal["sap", "iso2", "din"]
CONNECT_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 5.0
MAX_DELAY_S = 600.0


@dataclass
class TlsOutcome:
    """A completed handshake as the car judges it; `problems` is empty when the chain is good."""

    version: str
    cipher: str
    chain: list[x509.Certificate]
    duration_s: float
    problems: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    root: x509.Certificate | None = None
    alert: str | None = None


@dataclass(frozen=True)
class Received:
    """A message that came in; `t_ns` is the arrival of its last byte."""

    name: str
    body: Any
    header: Any
    exi: bytes
    t_ns: int
    findings: tuple[str, ...] = ()
    invalid: str | None = None
    """Where the message leaves the schema (a length, a range, a foreign element), None where it does not."""


def pem(certificate: x509.Certificate) -> str:
    """The certificate as PEM text."""
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


class Wire:
    """One connection after another to one charger; `number` counts them (1 is the first)."""

    def __init__(self, timeline: Timeline, interface: str, sdp_port: int, tap: Any = None) -> None:
        self.timeline, self.interface, self.sdp_port, self.tap = timeline, interface, sdp_port, tap
        self.number = 0
        self.connection: V2GConnection | None = None
        self.first_sdp_ns: int | None = None
        self.last_sdp_ns: int | None = None
        self.sdp_answer_ns: int | None = None
        self.secured_ns: int | None = None
        """When the connection was ready for the first message."""
        self._flow: Flow | None = None
        self._opened_ns = 0

    def event(self, kind: str, name: str, t_ns: int | None = None, **data: Any) -> None:
        """Append an event of the EV."""
        self.timeline.append("ev", kind, name, data, t_ns=t_ns)

    # --- discovery ---

    def discover(
        self, *, want_tls: bool, attempts: int, timeout_s: float, request: bytes | None = None
    ) -> sdp.SdpResult:
        """Find the charger. Raises ChargerTimeout when nobody answers, EvError when the interface cannot do
        SDP.
        """
        result: sdp.SdpResult | None = None
        try:
            result = sdp.discover(
                self.interface,
                tls=want_tls,
                port=self.sdp_port,
                timeout_s=timeout_s,
                attempts=attempts,
                request=request,
                on_event=lambda kind, data: self._on_sdp(kind, data, want_tls),
            )
        except sdp.SdpError as error:
            raise EvError(f"SDP is not possible: {error}") from error
        if result.note:
            self.event("step", result.note)
        if result.response is None:
            raise ChargerTimeout(
                f"no SDP answer to {result.attempts} requests in {result.duration_s:.2f} s "
                f"on {self.interface}",
                "SDPReq",
            )
        return result

    def _on_sdp(self, kind: str, data: dict[str, Any], want_tls: bool) -> None:
        stamp = now_ns()
        raw = bytes.fromhex(str(data.get("raw", "")))
        if kind == "request":
            self.first_sdp_ns = self.first_sdp_ns or stamp
            self.last_sdp_ns = stamp
            destination = str(data.get("destination", ""))
            self.event(
                "sdp",
                "SDPReq",
                stamp,
                dir="tx",
                raw=raw.hex(),
                destination=destination,
                port=self.sdp_port,
                security="tls" if want_tls else "none",
                transport="tcp",
                attempt=data.get("attempt"),
            )
            self._tap_udp(destination, raw, stamp, outgoing=True)
        elif kind == "response":
            self.sdp_answer_ns = stamp
            self.event(
                "sdp",
                "SDPRes",
                stamp,
                dir="rx",
                raw=raw.hex(),
                address=data.get("address"),
                port=data.get("port"),
                security="tls" if data.get("security") == sdp.SECURITY_TLS else "none",
                transport="tcp",
                source=data.get("source"),
            )
            self._tap_udp(str(data.get("address", "")), raw, stamp, outgoing=False)
        else:
            self.event("sdp", "finding", stamp, dir="rx", **data)

    def _tap_udp(self, remote: str, raw: bytes, stamp: int, *, outgoing: bool) -> None:
        if self.tap is not None:
            flow = Flow("::", 0, remote.partition("%")[0] or "::", self.sdp_port)
            self.tap.udp(flow, raw, stamp, outgoing=outgoing)

    # --- connection ---

    def open(
        self,
        address: str,
        port: int,
        contexts: Sequence[ClientContext] = (),
        timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> TlsOutcome | None:
        """Connect, with TLS when there are `contexts`; what the car thinks of the certificate is in the
        outcome.

        Each context after the first is another offer, made in a connection of its own when the charger found
        no suite in the one before. Raises ChargerClosed (refused, TLS failed) or ChargerTimeout.
        """
        for context in contexts[:-1]:
            try:
                return self._open(address, port, context, timeout_s)
            except ChargerClosed as refused:
                cause = refused.__cause__
                if not isinstance(cause, tls.TlsFailure) or cause.alert != "handshake_failure":
                    raise
                self.event("step", "no cipher suite in common: the car offers others in a second connection")
        return self._open(address, port, contexts[-1] if contexts else None, timeout_s)

    def _open(
        self, address: str, port: int, context: ClientContext | None, timeout_s: float
    ) -> TlsOutcome | None:
        self.number += 1
        started = now_ns()
        try:
            connection = V2GConnection.open(address, port, self.interface, context, timeout_s)
        except tls.TlsFailure as failure:
            self.event(
                "tls",
                "failed",
                alert=failure.alert,
                alert_sent=failure.alert_sent,
                duration_s=failure.duration_s,
                problems=[failure.text],
                chain=[pem(each) for each in failure.chain],
                connection=self.number,
            )
            kind = ChargerTimeout if failure.timeout else ChargerClosed
            raise kind(f"TLS handshake failed: {failure.text}", "TLS") from failure
        except TransportError as error:
            self.event("tcp", "refused", address=address, port=port, reason=str(error))
            raise ChargerClosed(str(error), "TCP") from error
        self.connection = connection
        self._opened_ns = connection.opened_ns
        self.event(
            "tcp",
            "connect",
            connection.opened_ns,
            address=address,
            port=port,
            duration_s=(connection.opened_ns - started) / 1e9,
            connection=self.number,
        )
        self.secured_ns = now_ns()
        if self.tap is not None:
            local, local_port = connection.local_address
            self._flow = Flow(local.partition("%")[0], local_port, address.partition("%")[0], port)
            self.tap.tcp_open(self._flow, connection.opened_ns)
        if connection.tls is None:
            return None
        return self._judge(connection.tls)

    def _judge(self, info: tls.TlsInfo) -> TlsOutcome:
        check = info.check
        outcome = TlsOutcome(info.version, info.cipher, info.chain, info.duration_s, alert=info.alert)
        if check is not None:
            outcome.problems = [str(each) for each in check.problems]
            outcome.codes = list(check.codes)
            if check.path and check.path[-1].subject == check.path[-1].issuer:
                outcome.root = check.path[-1]
        if info.bad:
            outcome.problems.append(f"malformed: {info.bad} entries of the chain are no certificates")
            outcome.codes.append("malformed")
        self.event(
            "tls",
            "handshake",
            self.secured_ns,
            version=info.version,
            cipher=info.cipher,
            chain=[pem(each) for each in info.chain],
            duration_s=info.duration_s,
            problems=outcome.problems,
            alert=info.alert,
            root=pem(outcome.root) if outcome.root is not None else None,
            connection=self.number,
        )
        return outcome

    @property
    def is_open(self) -> bool:
        """True between `open` and `close`."""
        return self.connection is not None

    def close(self, *, reset: bool = False) -> None:
        """Close the connection, with a TCP reset when asked; does nothing without one."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        if reset:
            connection.abort()
        else:
            connection.close()
        self._tap_close(outgoing=True)
        self.event(
            "tcp", "close", by="ev", connection=self.number, duration_s=(now_ns() - self._opened_ns) / 1e9
        )

    def _tap_close(self, *, outgoing: bool) -> None:
        if self.tap is not None and self._flow is not None:
            self.tap.tcp_close(self._flow, now_ns(), outgoing=outgoing)
            self._flow = None

    def wait_closed(self, timeout_s: float) -> float | None:
        """Seconds until the charger closed, or None when it did not within `timeout_s`."""
        if self.connection is None:
            return 0.0
        started = now_ns()
        closed_ns = self.connection.wait_closed(timeout_s)
        if closed_ns is None:
            return None
        self._tap_close(outgoing=False)
        self.event("tcp", "close", closed_ns, by="charger", connection=self.number)
        return max(0.0, (closed_ns - started) / 1e9)

    # --- messages ---

    def send(self, out: Outgoing, schema: Schema, faults: Sequence[Fault], message: Any) -> int:
        """Encode and write `message` (the body of `out` in its envelope); the stamp after the last byte.

        Faults of the stages "exi" and "frame" are applied here. Raises ChargerClosed when the charger is
        gone, PlanMistake for a message that no stage was told to spoil and that still does not fit the
        schema.
        """
        try:
            out.exi = codec.encode(message, schema, deviations=bool(out.notes))
        except codec.CodecError as error:
            raise PlanMistake(
                f"{out.name} does not fit the schema ({error}); a deviation belongs in session.deviate(...)"
            ) from error
        _apply(out, faults, "exi")
        out.frame = v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, out.exi)
        _apply(out, faults, "frame")
        connection = self.connection
        if connection is None:
            raise ChargerClosed("there is no connection", out.name)
        if out.delay_s:
            time.sleep(min(out.delay_s, MAX_DELAY_S))
        begun = stamp = now_ns()
        try:
            for _ in range(out.copies):
                begun, stamp = self._write(connection, out)
        except ConnectionClosed as error:
            self._lost(out.name, str(error))
            raise ChargerClosed(f"the charger closed before {out.name} could be sent", out.name) from error
        except TransportError as error:
            self._lost(out.name, str(error))
            raise ChargerClosed(f"{out.name} could not be sent: {error}", out.name) from error
        # The event comes after the write, so that writing the timeline costs the handshake nothing before it;
        # its stamp is from before: a quick charger has already asked its backend when this thread comes
        # to run again, and a request must not stand behind what it caused.
        self.event(
            "v2g",
            out.name,
            begun,
            dir="tx",
            schema=schema,
            session_id=out.header.SessionID.hex() if out.header is not None else None,
            response_code=None,
            exi=out.exi.hex(),
            deviation="; ".join(out.notes) or None,
            connection=self.number,
        )
        if self.tap is not None and self._flow is not None:
            for _ in range(out.copies):
                self.tap.tcp_data(self._flow, out.frame, stamp, outgoing=True)
        if out.close:
            self.close()
        return stamp

    def _write(self, connection: V2GConnection, out: Outgoing) -> tuple[int, int]:
        """Write the frame; returns the stamps (ns) before its last piece and after it."""
        begun = now_ns()
        if out.segments <= 1 or len(out.frame) < 2:
            return begun, connection.send(0, b"", raw=out.frame, timeout_s=SEND_TIMEOUT_S)
        size = -(-len(out.frame) // out.segments)
        stamp = begun
        for start in range(0, len(out.frame), size):
            if start and out.gap_s:
                time.sleep(out.gap_s)
            begun = now_ns()
            stamp = connection.send(0, b"", raw=out.frame[start : start + size], timeout_s=SEND_TIMEOUT_S)
        return begun, stamp

    def _lost(self, after: str, text: str) -> None:
        self.event("v2g-error", "closed", after=after, text=text)
        self._tap_close(outgoing=False)
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def receive(
        self, after: str, schema: Schema, sent_ns: int, limit_s: float, patience_s: float
    ) -> Received:
        """The next message. Waits `patience_s`; says on the timeline when `limit_s` has passed before that.

        Raises ChargerTimeout, ChargerClosed, ChargerGarbage.
        """
        connection = self.connection
        if connection is None:
            raise ChargerClosed("the connection is closed", after)
        try:
            kind, exi, t_ns = self._wait(connection, after, limit_s, patience_s)
        except ReceiveTimeout as error:
            text = f"no answer to {after} within {patience_s:g} s"
            self.event(
                "v2g-error", "timeout", after=after, text=text, limit_s=limit_s, pending_bytes=error.pending
            )
            raise ChargerTimeout(text, after) from error
        except v2gtp.V2GTPError as error:
            self.event("v2g-error", "v2gtp", after=after, text=str(error), exi=error.header.hex())
            raise ChargerGarbage(f"the answer to {after} is no V2GTP: {error}", after) from error
        except TransportError as error:
            self._lost(after, str(error))
            raise ChargerClosed(f"the charger closed the connection after {after}", after) from error
        if self.tap is not None and self._flow is not None:
            self.tap.tcp_data(self._flow, v2gtp.pack(kind, exi), t_ns, outgoing=False)
        self._check_type(after, kind, exi, t_ns)
        return self._decode(after, schema, exi, t_ns, sent_ns)

    def _check_type(self, after: str, kind: int, exi: bytes, t_ns: int) -> None:
        if kind != v2gtp.PAYLOAD_V2G_EXI:
            text = f"payload type {kind:#06x} instead of {v2gtp.PAYLOAD_V2G_EXI:#06x}"
            self.event("v2g-error", "v2gtp", t_ns, after=after, text=text, exi=exi.hex())
            raise ChargerGarbage(f"the answer to {after} has {text}", after)

    def _wait(
        self, connection: V2GConnection, after: str, limit_s: float, patience_s: float
    ) -> tuple[int, bytes, int]:
        if patience_s <= limit_s:
            return connection.receive(patience_s)
        try:
            return connection.receive(limit_s)
        except ReceiveTimeout:
            self.event(
                "v2g-error", "late", after=after, text=f"no answer to {after} within {limit_s:g} s yet"
            )
            return connection.receive(patience_s - limit_s)

    def _decode(self, after: str, schema: Schema, exi: bytes, t_ns: int, sent_ns: int) -> Received:
        findings: list[str] = []
        try:
            message = codec.decode(schema, exi, findings=findings)
            body, header = unwrap(message, schema)
        except (codec.CodecError, AttributeError) as error:
            self.event("v2g-error", "undecodable", t_ns, after=after, text=str(error), exi=exi.hex())
            raise ChargerGarbage(f"the answer to {after} cannot be decoded: {error}", after) from error
        invalid = _outside_schema(message, schema)
        if invalid is not None:
            findings.append(f"outside the schema: {invalid}")
        name = type(body).__name__
        code = getattr(body, "ResponseCode", None)
        session_id = getattr(header, "SessionID", None)
        self.event(
            "v2g",
            name,
            t_ns,
            dir="rx",
            schema=schema,
            session_id=session_id.hex() if isinstance(session_id, bytes) else None,
            response_code=str(code) if code is not None else None,
            exi=exi.hex(),
            deviation=None,
            connection=self.number,
            rtt_s=(t_ns - sent_ns) / 1e9,
            **_said_of(findings),
        )
        return Received(name, body, header, exi, t_ns, tuple(findings), invalid)


def unwrap(message: Any, schema: Schema) -> tuple[Any, Any]:
    """Body and header of a decoded message (header None for supportedAppProtocol). Raises AttributeError."""
    if schema == "sap":
        return message, None
    body = message.Body.BodyElement
    if body is None:
        raise AttributeError("the Body is empty")
    return body, message.Header


def _said_of(findings: Sequence[str]) -> dict[str, Any]:
    """Data of the event: `problem` is what breaks the standard, `tolerated` what is merely uncommon,
    `findings` all that has a name and a place in the stream.
    """
    # What has no place (a length facet) was found by validation: EXI carries what the schema does not allow.
    wrong = [each for each in findings if not isinstance(each, codec.Finding) or each.breach]
    mild = [each for each in findings if isinstance(each, codec.Finding) and not each.breach]
    placed = [each.as_data() for each in findings if isinstance(each, codec.Finding)]
    texts = dict.fromkeys(each.located for each in mild)
    said: dict[str, Any] = {"problem": "; ".join(wrong), "tolerated": "; ".join(texts), "findings": placed}
    return {key: value for key, value in said.items() if value}


def _outside_schema(message: Any, schema: Schema) -> str | None:
    """What the schema does not allow in a decoded message: EXI carries lengths and ranges unchecked."""
    try:
        codec.encode(message, schema)
    except codec.CodecError as error:
        return str(error)
    return None


def _apply(out: Outgoing, faults: Sequence[Fault], stage: str) -> None:
    for fault in faults:
        if fault.stage == stage:
            fault.apply(out)


def strict_refusal(outcome: TlsOutcome | None) -> SessionEnded | None:
    """The end of the session that a car with verify="strict" makes of a bad chain."""
    if outcome is None or not outcome.problems:
        return None
    return SessionEnded(f"the car does not trust the charger's certificate: {outcome.problems[0]}", "TLS")
