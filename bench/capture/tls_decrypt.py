"""A captured TLS connection read with the secrets of a key log: handshake messages, alerts, plaintext.

TLS 1.2 with AES-CBC, AES-GCM, AES-CCM and ChaCha20-Poly1305, TLS 1.3 with all its suites. The bytes come from
reassembled TCP streams, the secrets from a `KeyLog` that may grow while the connection runs: records that
come before their secrets wait for them (bounded). Everything from the wire is hostile: nothing here raises
for it, what does not fit becomes a "problem" event.

Source: RFC 5246, RFC 8446; V2G2 and V2G20 name the suites, not the means.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from typing import Any

from bench.capture import tls_messages as messages
from bench.capture.keylog import MASTER_SECRET, KeyLog
from bench.capture.tls_events import Direction, Kind, TlsEvent
from bench.capture.tls_names import (
    ALERT,
    APPLICATION_DATA,
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CERTIFICATE_STATUS,
    CHANGE_CIPHER_SPEC,
    CLIENT_HELLO,
    FINISHED,
    HANDSHAKE,
    KEY_UPDATE,
    SERVER_HELLO,
    TLS13,
    alert_name,
    handshake_name,
    version_name,
)
from bench.capture.tls_protection import (
    Protection,
    Role,
    decryptable,
    next_secret,
    protection12,
    protection13,
    suite,
    suites_of_hash,
)
from bench.capture.tls_records import (
    Lost,
    Message,
    Record,
    looks_like_handshake,
)
from bench.capture.tls_state import NoProtection, Parameters, Side, Stage, other_role

__all__ = ["Direction", "KeyLog", "TlsEvent", "TlsSession"]

MAX_BACKLOG_BYTES = 1024 * 1024
MAX_BACKLOG_RECORDS = 4096
MAX_PROBLEMS = 32
# Sequence numbers tried after lost bytes, after a bad record, and when the start was not captured.
_AFTER_LOSS, _AFTER_FAILURE, _MID_SESSION = 512, 16, 1024
# Trials beyond the expected sequence number that one connection may cost.
_MAX_TRIALS = 65_536
_MAX_CANDIDATES = 16
_STAGES: tuple[Stage, ...] = ("application", "handshake")
_HASH_OF_SECRET = {32: "sha256", 48: "sha384"}


class TlsSession:
    """Reads one TLS connection. Feed the bytes of both directions as they were captured, then `finish`."""

    def __init__(self, keylog: KeyLog) -> None:
        self._keylog = keylog
        self._generation = keylog.generation
        self._sides: dict[Direction, Side] = {"c2s": Side("c2s", "client"), "s2c": Side("s2c", "server")}
        self._parameters: Parameters | None = None
        self._client_random: bytes | None = None
        self._early_data = False
        self._backlog: deque[tuple[Side, Record | Lost]] = deque()
        self._backlog_bytes = 0
        self._trials = _MAX_TRIALS
        self._problems = 0
        self._noted: set[tuple[Direction, str]] = set()

    @property
    def client_random(self) -> bytes | None:
        """The client random, by which the key log knows this connection; None before the ClientHello."""
        return self._client_random

    @property
    def waiting(self) -> int:
        """Records that wait for their secrets."""
        return len(self._backlog)

    def feed(self, direction: Direction, data: bytes, frame: int, t_ns: int) -> list[TlsEvent]:
        """Take in bytes of one direction; returns what became readable, of the backlog too."""
        out = self.poll()
        side = self._sides[direction]
        for item in side.records.feed(data, frame, t_ns):
            self._take(side, item, out)
        return out

    def gap(self, direction: Direction, n_bytes: int) -> list[TlsEvent]:
        """`n_bytes` of one direction were not captured (0: unknown). Goes on at the next record header."""
        out: list[TlsEvent] = []
        side = self._sides[direction]
        self._take(side, side.records.gap(n_bytes), out)
        return out

    def poll(self) -> list[TlsEvent]:
        """What became readable because the key log has grown."""
        out: list[TlsEvent] = []
        if self._generation != self._keylog.generation:
            self._generation = self._keylog.generation
            self._drain(out)
        return out

    def finish(self) -> list[TlsEvent]:
        """The connection has ended: what is still readable, and a problem for what is not."""
        out = self.poll()
        for side in self._sides.values():
            left = [item for each, item in self._backlog if each is side and isinstance(item, Record)]
            if left:
                text = f"{self._why_waiting(side)}: {len(left)} records not decrypted"
                self._problem(side, left[0], text, out, once=True)
            if rest := side.records.unfinished():
                last = Lost("", None, *side.records.last)
                self._problem(side, last, f"the stream ends within a record ({rest} bytes of it)", out)
        self._backlog.clear()
        self._backlog_bytes = 0
        if self._problems > MAX_PROBLEMS:
            last = Lost("", None, *self._sides["s2c"].records.last)
            text = f"{self._problems - MAX_PROBLEMS} further problems not shown"
            out.append(TlsEvent("problem", "s2c", last.frame, last.t_ns, info={"text": text}))
        return out

    def _why_waiting(self, side: Side) -> str:
        random = side.sealed.client_random if side.sealed is not None else self._client_random
        if random is not None:
            return f"no secrets in the key log for client random {random.hex()}"
        return "the start of the connection was not captured, and no secret in the key log fits"

    # -- order and waiting

    def _take(self, side: Side, item: Record | Lost, out: list[TlsEvent]) -> None:
        if side.waiting == 0:
            before = self._parameters
            if self._handle(side, item, out):
                if before is not self._parameters and self._backlog:
                    self._drain(out)
                return
        self._backlog.append((side, item))
        self._backlog_bytes += _size(item)
        side.waiting += 1
        while self._backlog_bytes > MAX_BACKLOG_BYTES or len(self._backlog) > MAX_BACKLOG_RECORDS:
            self._drop_oldest(out)

    def _drain(self, out: list[TlsEvent]) -> None:
        """Go through the backlog in the order of capture, as long as that brings something to light."""
        while self._backlog and self._drain_once(out):
            pass

    def _drain_once(self, out: list[TlsEvent]) -> bool:
        waiting, self._backlog = self._backlog, deque()
        stuck: set[Direction] = set()
        for side, item in waiting:
            # A side whose secrets are not there yet keeps its order.
            if side.direction not in stuck and self._handle(side, item, out):
                side.waiting -= 1
                self._backlog_bytes -= _size(item)
            else:
                stuck.add(side.direction)
                self._backlog.append((side, item))
        return len(self._backlog) < len(waiting)

    def _drop_oldest(self, out: list[TlsEvent]) -> None:
        side, item = self._backlog.popleft()
        self._backlog_bytes -= _size(item)
        side.waiting -= 1
        if isinstance(item, Record):
            side.sequence += 1
            side.doubt = _AFTER_LOSS
            text = f"{self._why_waiting(side)}: too many records wait, the oldest are given up"
            self._problem(side, item, text, out, once=True)

    # -- records

    def _handle(self, side: Side, item: Record | Lost, out: list[TlsEvent]) -> bool:
        """Deal with one record; False when its secrets are not there yet."""
        if isinstance(item, Lost):
            self._lost(side, item, out)
            return True
        if side.sealed is None and self._is_sealed_all_the_same(side, item):
            if self._parameters is None:
                return self._waits_for_hello(side, item, out)
            side.seal(self._parameters, doubt=_AFTER_LOSS)
        sealed = side.sealed
        if sealed is not None and sealed.version == TLS13 and item.kind == HANDSHAKE:
            self._problem(side, item, "a plain handshake record after the ServerHello", out)
            return True
        if sealed is None or (sealed.version == TLS13 and item.kind != APPLICATION_DATA):
            self._content(side, item, item.kind, item.fragment, out)
            return True
        if sealed.suite is None or not decryptable(sealed.version, sealed.suite):
            return True  # Said once, with the ServerHello.
        if not self._find_secrets(side, sealed, item):
            return False
        opened = self._open(side, sealed, item)
        if opened is not None:
            side.opened += 1
            self._content(side, item, *opened, out)
        elif sealed.version == TLS13 and side.stage == "handshake" and not side.secret:
            text = "the key log has no handshake secrets for this connection, only those of the data"
            self._problem(side, item, text, out, once=True)
        elif self._early_data and side.role == "client" and side.opened == 0:
            self._problem(side, item, "early data is not decrypted", out, once=True)
        else:
            text = f"record does not authenticate (sequence number {side.sequence})"
            self._problem(side, item, text, out)
            side.sequence += 1
            side.doubt = max(side.doubt, _AFTER_FAILURE)
        return True

    def _lost(self, side: Side, item: Lost, out: list[TlsEvent]) -> None:
        side.handshake.clear()
        if item.records is None:
            side.doubt = _AFTER_LOSS
        elif item.records:
            side.sequence += item.records
            side.doubt = max(side.doubt, _AFTER_FAILURE)
        self._problem(side, item, item.text, out)

    def _is_sealed_all_the_same(self, side: Side, record: Record) -> bool:
        """True when the change to protected records was not seen, for lost packets or a late start."""
        if record.kind == APPLICATION_DATA:
            return True
        known = self._parameters
        if record.kind != HANDSHAKE or known is None or known.version == TLS13 or side.handshake.begun:
            return False
        return not looks_like_handshake(record.fragment)

    def _waits_for_hello(self, side: Side, record: Record, out: list[TlsEvent]) -> bool:
        """Protected data before a ServerHello: early data, or the start was not captured. Try what fits."""
        if self._early_data and side.role == "client":
            return False
        # Without the start the caller may not know which end is the client.
        roles: tuple[Role, ...] = (side.role,) if self._client_random else (side.role, other_role(side.role))
        for random in self._candidates(self._client_random):
            for stage, role in itertools.product(_STAGES, roles):
                secret = self._traffic_secret(role, random, stage)
                for chosen in suites_of_hash(_HASH_OF_SECRET.get(len(secret), "")):
                    opened = self._try(side, protection13(chosen, secret), 0, _MID_SESSION, record)
                    if opened is None:
                        continue
                    sequence, self._client_random = side.sequence, random
                    self._set_roles(side, role)
                    self._parameters = Parameters(random, b"", chosen, TLS13, False)
                    for each in self._sides.values():
                        each.seal(self._parameters, doubt=_MID_SESSION)
                        each.stage = stage
                    side.secret, side.protection = secret, protection13(chosen, secret)
                    side.sequence, side.doubt = sequence, 0
                    self._content(side, record, *opened, out)
                    return True
        return False

    def _candidates(self, client_random: bytes | None) -> Iterator[bytes]:
        if client_random is not None:
            yield client_random
        else:
            yield from self._keylog.recent(_MAX_CANDIDATES)

    # -- keys

    def _find_secrets(self, side: Side, sealed: Parameters, record: Record) -> bool:
        """Set the side's protection from the key log; False when it has no secrets for it yet."""
        if side.protection is not None:
            return True
        assert sealed.suite is not None
        for random in self._candidates(sealed.client_random):
            if sealed.version == TLS13:
                secret = self._traffic_secret(side.role, random, side.stage)
                found = protection13(sealed.suite, secret) if secret else None
                if found is None and self._traffic_secret(side.role, random, "application"):
                    found = NoProtection()
            else:
                secret = self._keylog.secrets(random).get(MASTER_SECRET, b"")
                randoms = (random, sealed.server_random)
                found = None
                if secret:
                    found = protection12(
                        sealed.suite, secret, randoms, side.role, encrypt_then_mac=sealed.encrypt_then_mac
                    )
            if found is None:
                continue
            if sealed.client_random is None:
                # The ClientHello was not captured: the secret that opens the record is the one.
                if found.open(side.sequence, record.kind, record.version, record.fragment) is None:
                    continue
                sealed.client_random = self._client_random = random
            side.protection, side.secret = found, secret
            return True
        return False

    def _set_roles(self, side: Side, role: Role) -> None:
        """What a side has shown to be, whatever the caller took it for."""
        for each in self._sides.values():
            each.role = role if each is side else other_role(role)

    def _traffic_secret(self, role: Role, random: bytes, stage: Stage) -> bytes:
        """The secret of TLS 1.3 for what `role` sends; b"" when the key log has none."""
        label = "HANDSHAKE_TRAFFIC_SECRET" if stage == "handshake" else "TRAFFIC_SECRET_0"
        return self._keylog.secrets(random).get(f"{role.upper()}_{label}", b"")

    def _open(self, side: Side, sealed: Parameters, record: Record) -> tuple[int, bytes] | None:
        assert side.protection is not None
        opened = self._try(side, side.protection, side.sequence, side.doubt, record)
        if opened is not None or sealed.version != TLS13 or not (side.doubt or not side.secret):
            return opened
        # The record with the change of keys may be among the lost ones.
        assert sealed.suite is not None
        if side.stage == "application":
            secret = next_secret(side.secret, sealed.suite.prf)
        else:
            secret = self._traffic_secret(side.role, sealed.client_random or b"", "application")
        if not secret:
            return None
        protection = protection13(sealed.suite, secret)
        opened = self._try(side, protection, 0, side.doubt, record)
        if opened is not None:
            side.stage, side.secret, side.protection = "application", secret, protection
        return opened

    def _try(
        self, side: Side, protection: Protection, first: int, doubt: int, record: Record
    ) -> tuple[int, bytes] | None:
        for sequence in range(first, first + 1 + min(doubt, max(self._trials, 0))):
            opened = protection.open(sequence, record.kind, record.version, record.fragment)
            if opened is not None:
                side.sequence, side.doubt = sequence + 1, 0
                return opened
        self._trials -= doubt
        return None

    # -- content

    def _content(self, side: Side, record: Record, kind: int, content: bytes, out: list[TlsEvent]) -> None:
        if kind == HANDSHAKE:
            for message in side.handshake.feed(content):
                self._message(side, record, message, out)
        elif kind == APPLICATION_DATA:
            if content:
                out.append(self._event("application_data", side, record, content))
        elif kind == ALERT and len(content) >= 2:
            level = {1: "warning", 2: "fatal"}.get(content[0], str(content[0]))
            info = {
                "level": level,
                "description": alert_name(content[1]),
                "encrypted": content != record.fragment,
            }
            out.append(self._event("alert", side, record, content, info))
        elif kind == CHANGE_CIPHER_SPEC:
            out.append(self._event("change_cipher_spec", side, record, content))
            if self._parameters is not None and self._parameters.version != TLS13:
                side.seal(self._parameters)
        else:
            self._problem(side, record, f"record of type {kind} with {len(content)} bytes of content", out)

    def _message(self, side: Side, record: Record, message: Message, out: list[TlsEvent]) -> None:
        name = handshake_name(message.kind)
        if message.too_long:
            self._problem(side, record, f"{name} message is too long to be kept", out)
            return
        try:
            out.append(self._known_message(side, record, message, name, out))
        except messages.TlsFormatError as error:
            self._problem(side, record, f"{name} message cannot be read: {error}", out)

    def _known_message(
        self, side: Side, record: Record, message: Message, name: str, out: list[TlsEvent]
    ) -> TlsEvent:
        body = message.body
        tls13 = side.sealed is not None and side.sealed.version == TLS13
        if message.kind == CLIENT_HELLO:
            return self._event("client_hello", side, record, body, self._client_hello(side, body))
        if message.kind == SERVER_HELLO:
            return self._event(
                "server_hello", side, record, body, self._server_hello(side, record, body, out)
            )
        if message.kind == CERTIFICATE:
            chain, staples = messages.certificate(body, tls13=tls13)
            if staples:
                out.append(self._event("certificate_status", side, record, b"", {"responses": staples}))
            return self._event("certificate", side, record, body, {"chain": chain})
        if message.kind == CERTIFICATE_STATUS:
            info: dict[str, Any] = {"responses": messages.certificate_status(body)}
            return self._event("certificate_status", side, record, body, info)
        if message.kind == CERTIFICATE_REQUEST:
            info = messages.certificate_request(body, tls13=tls13)
            return self._event("certificate_request", side, record, body, info)
        if tls13 and message.kind == FINISHED and side.stage == "handshake":
            side.stage, side.protection, side.sequence, side.doubt = "application", None, 0, 0
        elif tls13 and message.kind == KEY_UPDATE and side.stage == "application" and side.sealed is not None:
            assert side.sealed.suite is not None
            side.secret = next_secret(side.secret, side.sealed.suite.prf)
            side.protection, side.sequence = protection13(side.sealed.suite, side.secret), 0
        return self._event("handshake", side, record, body, {"name": name})

    def _client_hello(self, side: Side, body: bytes) -> dict[str, Any]:
        hello = messages.client_hello(body)
        self._client_random, self._early_data = hello.random, hello.early_data
        self._set_roles(side, "client")
        return hello.info

    def _server_hello(self, side: Side, record: Record, body: bytes, out: list[TlsEvent]) -> dict[str, Any]:
        hello = messages.server_hello(body)
        self._set_roles(side, "server")
        if hello.retry:
            return hello.info
        chosen = suite(hello.suite)
        if hello.compressed:
            self._problem(side, record, "records are compressed, which is not read here", out)
            chosen = None
        elif not decryptable(hello.version, chosen):
            text = f"{version_name(hello.version)} with {hello.info['suite']} is not decrypted here"
            self._problem(side, record, text, out)
        self._parameters = Parameters(
            self._client_random, hello.random, chosen, hello.version, hello.encrypt_then_mac
        )
        if hello.version == TLS13:
            for each in self._sides.values():
                each.seal(self._parameters)
                each.stage, each.secret, each.opened = "handshake", b"", 0
        return hello.info

    @staticmethod
    def _event(
        kind: Kind, side: Side, record: Record, data: bytes, info: dict[str, Any] | None = None
    ) -> TlsEvent:
        return TlsEvent(kind, side.direction, record.frame, record.t_ns, data, info or {})

    def _problem(
        self, side: Side, at: Record | Lost, text: str, out: list[TlsEvent], *, once: bool = False
    ) -> None:
        if once:
            note = side.direction, text
            if note in self._noted or len(self._noted) >= MAX_PROBLEMS:
                return
            self._noted.add(note)
        self._problems += 1
        if self._problems <= MAX_PROBLEMS:
            out.append(TlsEvent("problem", side.direction, at.frame, at.t_ns, info={"text": text}))


def _size(item: Record | Lost) -> int:
    return len(item.fragment) if isinstance(item, Record) else 0
