"""The cable: the copper between the simulated charger and the bench.

`TcpCable` speaks the line protocol of `docs/internals.md` (one JSON object a line, whole state each time)
with the
simulated rig. `IdealCable` is a connector with a willing vehicle at its end, for a charger that runs alone.

Lengths and rates from the rig are bounded; a line that makes no sense is dropped, the last good state stays.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 0.05
MAX_LINE_BYTES = 8192
CONNECT_TIMEOUT_S = 10.0
CABLE_DEAD_S = 1.0
"""A rig that says nothing for this long is gone; the charger treats that as a vehicle unplugged."""
AC_NOMINAL_V = 230.0


@dataclass(frozen=True, slots=True)
class Output:
    """What the charger puts on the cable: pilot generator, DC stage, AC contactor, lock."""

    oscillator: bool = False
    duty_percent: float = 100.0
    fault: str | None = None
    dc_enabled: bool = False
    dc_voltage_v: float = 0.0
    dc_current_a: float = 0.0
    bleed: bool = True
    contactor: bool = False
    phases: int = 3
    lock: bool = False

    def to_wire(self) -> dict[str, Any]:
        """The JSON object of one line."""
        return {
            "pilot": {"oscillator": self.oscillator, "duty_percent": self.duty_percent, "fault": self.fault},
            "dc": {
                "enabled": self.dc_enabled,
                "voltage_v": self.dc_voltage_v,
                "current_a": self.dc_current_a,
                "bleed": self.bleed,
            },
            "ac": {"contactor": self.contactor, "voltage_v": AC_NOMINAL_V, "phases": self.phases},
            "lock": self.lock,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What the charger sees at the connector; `state` is the pilot state "A" to "F"."""

    state: str = "A"
    dc_voltage_v: float = 0.0
    dc_current_a: float = 0.0
    ac_voltage_v: float = 0.0
    ac_current_a: float = 0.0
    ac_power_w: float = 0.0

    @property
    def power_w(self) -> float:
        """DC plus AC power at the connector."""
        return self.dc_voltage_v * self.dc_current_a + self.ac_power_w


class CableError(Exception):
    """The rig cannot be reached; the text is one line."""


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"not a number: {value!r}")
    return float(value)


def parse_line(line: bytes) -> tuple[Seen, int, str | None]:
    """Read a line of the rig: what is seen, its `ack`, and an RFID token held to the reader (or None).

    Raises ValueError for a line that is not one.
    """
    try:
        raw = json.loads(line)
        state = raw["pilot"]["state"]
        if state not in ("A", "B", "C", "D", "E", "F"):
            raise ValueError(f"pilot state {state!r}")
        dc, ac = raw.get("dc", {}), raw.get("ac", {})
        seen = Seen(
            state,
            _number(dc.get("voltage_v", 0.0)),
            _number(dc.get("current_a", 0.0)),
            _number(ac.get("voltage_v", 0.0)),
            _number(ac.get("current_a", 0.0)),
            _number(ac.get("power_w", 0.0)),
        )
        ack = int(_number(raw.get("ack", 0)))
        token = raw.get("rfid")
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"not a line of the rig: {error}") from error
    return seen, ack, token[:36] if isinstance(token, str) and token else None


@dataclass
class Cable:
    """Common part of both cables: the present output, what is seen, and who wants to know of changes."""

    output: Output = field(default_factory=Output)
    seen: Seen = field(default_factory=Seen)
    on_seen: list[Callable[[Seen, Seen], None]] = field(default_factory=list)
    """Called with (before, now) at each line from the rig."""
    on_card: list[Callable[[str], None]] = field(default_factory=list)
    """Called with the token of a card held to the reader."""
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, **changes: Any) -> None:
        """Change the output (fields of `Output`); it is on the wire at once."""
        changed = replace(self.output, **changes)
        if changed != self.output:
            self.output = changed
            self._sent()

    def _sent(self) -> None:
        raise NotImplementedError

    def _take(self, seen: Seen) -> None:
        before, self.seen = self.seen, seen
        for callback in tuple(self.on_seen):
            callback(before, seen)
        self._wake()

    def _wake(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    async def until(self, condition: Callable[[Seen], bool], timeout_s: float) -> bool:
        """Wait until what is seen satisfies `condition`; False when it does not within `timeout_s`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not condition(self.seen):
            left = deadline - loop.time()
            if left <= 0:
                return False
            try:
                await asyncio.wait_for(self._change.wait(), left)
            except TimeoutError:
                return condition(self.seen)
        return True

    async def vehicle_in(self, states: Collection[str], timeout_s: float) -> bool:
        """Wait until the vehicle shows one of these pilot states; False when it does not within
        `timeout_s`."""
        return await self.until(lambda seen: seen.state in states, timeout_s)

    async def settled(self, timeout_s: float = 0.02) -> None:
        """Wait until what is seen answers the output as it is now, at most `timeout_s`."""
        raise NotImplementedError

    def let_go(self) -> None:
        """The vehicle's session is over for good: an ideal vehicle leaves, a real one does what it likes."""

    async def start(self) -> None:
        """Begin; raises CableError."""

    async def close(self) -> None:
        """End; the far side sees the wire go dead."""


class TcpCable(Cable):
    """The cable to the simulated rig."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.host, self.port = host, port
        self.lost = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._count = self._ack = 0
        self._heard_s = 0.0

    async def start(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, self._writer = await asyncio.open_connection(
                    self.host, self.port, limit=MAX_LINE_BYTES
                )
        except (OSError, TimeoutError) as error:
            raise CableError(f"no rig at {self.host}:{self.port}: {error}") from error
        self._heard_s = asyncio.get_running_loop().time()
        self._sent()
        self._tasks = [asyncio.create_task(self._read(reader)), asyncio.create_task(self._keep_alive())]
        await self.settled(1.0)

    def _sent(self) -> None:
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        self._count += 1
        writer.write(json.dumps(self.output.to_wire(), separators=(",", ":")).encode() + b"\n")

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.lost.is_set():
            await asyncio.sleep(KEEP_ALIVE_S)
            self._sent()
            if loop.time() - self._heard_s > CABLE_DEAD_S:
                self._take(Seen())

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                try:
                    seen, ack, card = parse_line(line)
                except ValueError as error:
                    log.warning("%s", error)
                    continue
                self._heard_s = asyncio.get_running_loop().time()
                self._ack = max(self._ack, ack)
                self._take(seen)
                if card is not None:
                    for callback in tuple(self.on_card):
                        callback(card)
        except (OSError, ValueError) as error:  # ValueError: a line longer than the limit
            log.warning("cable: %s", error)
        self._take(Seen())
        self.lost.set()

    async def settled(self, timeout_s: float = 0.02) -> None:
        wanted = self._count
        await self.until(lambda _seen: self._ack >= wanted, timeout_s)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class IdealCable(Cable):
    """A connector with a willing vehicle: it is in every state it is waited for, and takes what it is given.

    Its battery draws the offered current while the DC stage is enabled, and 16 A a phase behind the AC
    contactor.
    """

    IDEAL_AC_CURRENT_A = 16.0

    def _sent(self) -> None:
        self._follow(self.seen.state)

    def _follow(self, state: str) -> None:
        out = self.output
        ready = state in ("C", "D")
        on = out.dc_enabled
        ac_on = out.contactor and ready
        current = self.IDEAL_AC_CURRENT_A if ac_on else 0.0
        self._take(
            Seen(
                state,
                out.dc_voltage_v if on else 0.0,
                out.dc_current_a if on and ready else 0.0,
                AC_NOMINAL_V if out.contactor else 0.0,
                current,
                AC_NOMINAL_V * current * out.phases,
            )
        )

    async def vehicle_in(self, states: Collection[str], timeout_s: float) -> bool:
        if self.seen.state not in states:
            self._follow(next(iter(states)))
        return True

    async def settled(self, timeout_s: float = 0.02) -> None:
        return

    def let_go(self) -> None:
        if self.seen.state != "A":
            self._follow("A")


class Plug(Protocol):
    """Who is told that a vehicle came or left; `bench.charger.model.Charger` is one."""

    def vehicle_connected(self) -> None:
        """Pilot left state A."""

    def vehicle_disconnected(self) -> None:
        """Pilot is in state A again; power is off already."""
