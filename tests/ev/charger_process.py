"""The simulated charger as a process of its own on loopback, for what only a charger can answer."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def charger(*arguments: str | Path) -> Iterator[dict[str, Any]]:
    """`plugbench charger serve` on `lo`, ready; gives what it says about its sockets."""
    command = [sys.executable, "-m", "bench.cli", "charger", "serve", "--interface", "lo", "--sdp-port", "0"]
    process = subprocess.Popen(
        [*command, "--ready-json", "--lifeline", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said, "the charger did not start"
        yield json.loads(said)
    finally:
        process.stdin.close()  # its lifeline
        try:
            process.wait(15)
        finally:
            process.kill()
            process.wait(5)
            process.stdout.close()
