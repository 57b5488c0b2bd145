"""A virtual Ethernet cable for tests that need one: root, or they are skipped and say so."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_FOR_TESTS = 0x88B5
"""EtherType that IEEE 802 keeps for local experiments."""


@contextmanager
def veth_pair() -> Iterator[tuple[str, str]]:
    """Names of two ends that are up and carry frames both ways."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make a veth pair")
    stem = f"pb{uuid.uuid4().hex[:8]}"
    ends = (f"{stem}a", f"{stem}b")
    made = subprocess.run(
        ["ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1]],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"no veth pair can be made: {made.stderr.decode().strip()}")
    try:
        for end in ends:
            subprocess.run(["ip", "link", "set", end, "up"], check=True, capture_output=True)
        for sender, receiver in (ends, ends[::-1]):
            _carries(sender, receiver)
        yield ends
    finally:
        subprocess.run(["ip", "link", "del", ends[0]], capture_output=True, check=False)


def _carries(sender: str, receiver: str) -> None:
    """Wait until a frame gets through: the kernel drops them for a moment after both ends are up."""
    deadline = time.monotonic() + 30
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_FOR_TESTS)) as into,
    ):
        out.bind((sender, 0))
        into.bind((receiver, _FOR_TESTS))
        into.settimeout(0.05)
        while True:
            out.send(b"\xff" * 6 + bytes(6) + _FOR_TESTS.to_bytes(2, "big") + bytes(46))
            try:
                into.recv(100)
                return
            except TimeoutError:
                assert time.monotonic() < deadline, f"{sender} carries nothing to {receiver}"
