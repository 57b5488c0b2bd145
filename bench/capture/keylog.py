"""TLS secrets in the NSS key log format (SSLKEYLOGFILE), as TLS libraries write them.

Source: draft-ietf-tls-keylogfile. One line a secret: label, client random (32 bytes hex), secret (hex).
A key log that grows while the session runs is the normal case: lines may come after the first record that
needs them. Test equipment may also disclose them as text in UDP packets (dSPACE's DS5366 does): such a packet
holds one or more whole lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

MASTER_SECRET = "CLIENT_RANDOM"  # noqa: S105  # A label, not a secret.
MAX_SESSIONS = 16_384
MAX_LABELS = 16
_MAX_LINE = 1024

_LINE = re.compile(r"^\s*([A-Z][A-Z0-9_]{0,63})[ \t]+([0-9A-Fa-f]{64})[ \t]+((?:[0-9A-Fa-f]{2}){16,64})\s*$")
_KNOWN = re.compile(
    r"^(CLIENT_RANDOM|(CLIENT|SERVER)_HANDSHAKE_TRAFFIC_SECRET|(CLIENT|SERVER)_TRAFFIC_SECRET_\d{1,4}"
    r"|CLIENT_EARLY_TRAFFIC_SECRET)$"
)
_DISCLOSURE = re.compile(rb"[A-Z][A-Z0-9_]{0,63}[ \t]+[0-9A-Fa-f]{64}[ \t]")
_MASTER_SECRET_BYTES = 48
_NOTHING: Mapping[str, bytes] = {}


class KeyLog:
    """The secrets of a key log by client random. Junk lines are passed over. Bounded: the oldest go first.

    `generation` counts the secrets that were new, so that a reader knows when a second look is worth while.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._sessions: dict[bytes, dict[str, bytes]] = {}
        self._unfinished = ""

    @classmethod
    def parse(cls, text: str | bytes) -> KeyLog:
        """A key log from the content of a file; never raises."""
        log = cls()
        log.add(text)
        return log

    def add(self, text: str | bytes) -> int:
        """Take in more lines; returns how many secrets were new.

        A last line without an end is read as it stands, and again with what the next call brings.
        """
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        before = self.generation
        lines = re.split(r"[\r\n]+", text)
        if self._unfinished and not self._line(self._unfinished + lines[0]):
            self._line(lines[0])
        for line in lines if not self._unfinished else lines[1:]:
            self._line(line)
        # A piece of a line that never ends must not grow without bound.
        last = (self._unfinished if len(lines) == 1 else "") + lines[-1]
        self._unfinished = last if len(last) <= _MAX_LINE else ""
        return self.generation - before

    def disclosed(self, payload: bytes) -> bool:
        """Take in the lines of a UDP packet; returns whether it held any.

        Anybody on the wire may send one: it adds what is not known, and never replaces or displaces a secret.
        """
        if not _DISCLOSURE.match(payload):
            return False
        found = False
        for line in re.split(r"[\r\n\0]+", payload.decode("latin-1")):
            found |= self._line(line, replace=False)
        return found

    def secrets(self, client_random: bytes) -> Mapping[str, bytes]:
        """The secrets of one session by label; empty when the log has none."""
        return self._sessions.get(client_random, _NOTHING)

    def recent(self, count: int) -> Iterator[bytes]:
        """Up to `count` client randoms, the newest first."""
        for index, client_random in enumerate(reversed(self._sessions)):
            if index >= count:
                return
            yield client_random

    def __len__(self) -> int:
        return len(self._sessions)

    def _line(self, line: str, *, replace: bool = True) -> bool:
        found = _LINE.match(line) if len(line) <= _MAX_LINE else None
        if found is None or not _KNOWN.match(found[1]):
            return False
        label, client_random, secret = found[1], bytes.fromhex(found[2]), bytes.fromhex(found[3])
        # The master secret has 48 bytes (RFC 5246 8.1): anything else is a line that was cut off.
        if label == MASTER_SECRET and len(secret) != _MASTER_SECRET_BYTES:
            return False
        session = self._sessions.get(client_random)
        if session is None:
            if not replace and len(self._sessions) >= MAX_SESSIONS:
                return False
            while len(self._sessions) >= MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            session = self._sessions[client_random] = {}
        known = label in session
        if session.get(label) != secret and (replace if known else len(session) < MAX_LABELS):
            session[label] = secret
            self.generation += 1
        return True
