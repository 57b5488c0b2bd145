"""Talks to a real rig process: starts it, looks through its window, plays the charger's end of the cable."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any


class RigProcess:
    """`python -m drivers.simulated` as the station starts it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "drivers.simulated", "--ready-json", "--lifeline", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.endpoints: dict[str, str] = json.loads(self.process.stdout.readline())
        self._window = _connect(self.endpoints["inspect"])
        self._stream = self._window.makefile("rwb")

    def look(self, **command: Any) -> dict[str, Any]:
        """The true state; `unplug="analyzer"` and so on do that first."""
        self._stream.write(json.dumps(command).encode() + b"\n")
        self._stream.flush()
        state: dict[str, Any] = json.loads(self._stream.readline())
        assert state["problem"] is None, state["problem"]
        return state

    def close(self) -> None:
        self._stream.close()
        self._window.close()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.terminate()
        assert self.process.wait(5) == 0
        self.process.stdin.close()
        self.process.stdout.close()


class ChargerEnd:
    """The charger's end of the cable: sends a state, returns what the rig answers to it."""

    def __init__(self, address: str) -> None:
        self._socket = _connect(address)
        self._stream = self._socket.makefile("rwb")
        self._lines = 0
        self.cards: list[str] = []

    def put(self, *, duty: float | None = 5.0, ac: bool = False, **dc: Any) -> dict[str, Any]:
        state = {
            "pilot": {"oscillator": duty is not None, "duty_percent": duty or 100.0, "fault": None},
            "dc": {"enabled": False, "voltage_v": 0.0, "current_a": 0.0, "bleed": True, **dc},
            "ac": {"contactor": ac, "voltage_v": 230.0, "phases": 3},
            "lock": True,
        }
        return self.raw(json.dumps(state).encode())

    def raw(self, line: bytes) -> dict[str, Any]:
        self._stream.write(line + b"\n")
        self._stream.flush()
        self._lines += 1
        while True:
            answer = self.read()
            if answer["ack"] >= self._lines:
                return answer

    def read(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._stream.readline())
        if "rfid" in answer:
            self.cards.append(answer["rfid"])
        return answer

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def _connect(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=5)
