"""TLS secrets that test equipment discloses in UDP packets, one or several key log lines each."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest
from capture_lab import Talk, decoded, ethernet, exi_messages, ipv6, messages_of, problems_of, udp, v2gtp
from tls_pairs import Pair, identity

from bench.capture import keylog as keylog_module
from bench.capture.decode import Decoder
from bench.capture.keylog import KeyLog

MESSAGES = exi_messages()
RANDOM = "ab" * 32


def disclosure(text: str) -> bytes:
    return ethernet(ipv6(udp(text.encode(), source_port=52345, target_port=52345), protocol=17))


def tls_session(folder: Path, version: ssl.TLSVersion) -> tuple[list[bytes], list[str]]:
    """The frames of a session over TLS, and the lines of its key log."""
    pair = Pair(folder, identity(folder, "secc"), version=version).handshake()
    for index, (_, exi) in enumerate(MESSAGES):
        pair.say("s2c" if index % 2 else "c2s", v2gtp(exi))
    talk = Talk()
    frames = talk.open()
    for direction, data in pair.wire.flights:
        frames += talk.say(0 if direction == "c2s" else 1, data)
    lines = re.findall(r"^[A-Z].*", pair.wire.keylog, re.MULTILINE)
    return frames + talk.close(), lines


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("place", [0, 9, -3])
def test_disclosed_secrets_decrypt(
    tmp_path: Path, version: ssl.TLSVersion, place: int, *, together: bool
) -> None:
    """At any time before the connection ends: what came earlier waits for them."""
    frames, lines = tls_session(tmp_path, version)
    assert messages_of(decoded(frames)) == []
    texts = ["\r\n".join(lines)] if together else lines
    frames[place:place] = [disclosure(text) for text in texts]
    items = decoded(frames)
    assert messages_of(items) == MESSAGES
    assert all(item.tls for item in items if item.layer == "v2g")
    assert problems_of(items) == []


def test_what_the_key_log_has_is_not_replaced(tmp_path: Path) -> None:
    """Anybody on the wire can send such a packet."""
    frames, lines = tls_session(tmp_path, ssl.TLSVersion.TLSv1_2)
    label, client_random, secret = lines[0].split()
    wrong = disclosure(f"{label} {client_random} {'00' * (len(secret) // 2)}")
    items = decoded([wrong, *frames], decoder=Decoder(KeyLog.parse("\n".join(lines))))
    assert messages_of(items) == MESSAGES


def test_a_flood_of_them_does_not_displace_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keylog_module, "MAX_SESSIONS", 3)
    log = KeyLog.parse(f"CLIENT_RANDOM {RANDOM} {'01' * 48}\n")
    took = [log.disclosed(f"CLIENT_RANDOM {n:064x} {'02' * 48}".encode()) for n in range(9)]
    assert took == [True] * 2 + [False] * 7
    assert len(log) == 3
    assert log.secrets(bytes.fromhex(RANDOM))


@pytest.mark.parametrize(
    "payload", [b"", b"CLIENT_RANDOM", b"CLIENT_RANDOM zz 00", f"HELLO {RANDOM} {'01' * 48}".encode()]
)
def test_other_packets_are_no_disclosure(payload: bytes) -> None:
    log = KeyLog()
    assert not log.disclosed(payload)
    assert len(log) == 0


def test_a_line_of_the_file_that_is_half_written_is_not_disturbed() -> None:
    line = f"CLIENT_RANDOM {RANDOM} {'01' * 48}\n"
    log = KeyLog()
    log.add(line[:50])
    log.disclosed(f"CLIENT_RANDOM {'cd' * 32} {'02' * 48}".encode())
    log.add(line[50:])
    assert len(log) == 2
