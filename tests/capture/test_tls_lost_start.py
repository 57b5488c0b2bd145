"""TLS connections whose first packets were lost from the capture, between the SYN and the data."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from capture_lab import Talk, decoded, exi_messages, messages_of, v2gtp
from tls_pairs import Pair, identity

from bench.capture.decode import Decoder
from bench.capture.keylog import KeyLog

MESSAGES = exi_messages()


@pytest.mark.parametrize("syn", [True, False])
@pytest.mark.parametrize("lost", [{0}, {1}, {0, 1}, {0, 1, 2}])
def test_flights_of_the_handshake_are_lost(tmp_path: Path, lost: set[int], *, syn: bool) -> None:
    """TLS 1.3 is read all the same, though no record that begins the handshake was seen."""
    pair = Pair(tmp_path, identity(tmp_path, "secc"), version=ssl.TLSVersion.TLSv1_3).handshake()
    for index, (_, exi) in enumerate(MESSAGES):
        pair.say("s2c" if index % 2 else "c2s", v2gtp(exi))
    talk = Talk()
    frames = talk.open()[0 if syn else 1 :]
    for number, (direction, data) in enumerate(pair.wire.flights):
        said = talk.say(0 if direction == "c2s" else 1, data)
        frames += said[1:] if number in lost else said
    items = decoded([*frames, *talk.close()], decoder=Decoder(KeyLog.parse(pair.wire.keylog)))
    assert messages_of(items) == MESSAGES
    told = any(item.layer == "tcp" and "were not captured" in item.problem for item in items)
    assert told == (syn or lost != {0})  # without its SYN nobody knows where the car's stream began
    assert all(item.frame > 0 for item in items)
