"""A SCPI instrument's side of a TCP socket: lines in, answers out, an error queue, and faults for tests."""

from __future__ import annotations

import asyncio
import contextlib
import math
from abc import ABC, abstractmethod
from collections import deque

MAX_LINE_BYTES = 4096
MAX_COMMANDS = 32
MAX_CONNECTIONS = 8


class ScpiError(Exception):
    """An entry of the error queue: number and text after SCPI-99, 21.8."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


def split_commands(line: str) -> list[tuple[str, str]]:
    """Header (upper case, full path, no leading colon) and parameters of each command of a line.

    A command behind `;` that does not start with `:` or `*` continues the path of the one before (SCPI-99,
    6.2.4). Raises ScpiError for a line with too many commands.
    """
    commands: list[tuple[str, str]] = []
    path = ""
    parts = line.split(";")
    if len(parts) > MAX_COMMANDS:
        raise ScpiError(-223, "Too much data")
    for part in parts:
        header, _, parameters = part.strip().partition(" ")
        header = header.upper()
        if not header:
            continue
        if header.startswith("*"):
            commands.append((header, parameters.strip()))
            continue
        full = header[1:] if header.startswith(":") else path + header
        path = full.rpartition(":")[0]
        path = path + ":" if path else ""
        commands.append((full, parameters.strip()))
    return commands


def parameter(text: str, low: float, high: float) -> float:
    """A numeric parameter within its range. Raises ScpiError as an instrument would."""
    try:
        value = float(text)
    except ValueError:
        raise ScpiError(-104, "Data type error") from None
    if not math.isfinite(value) or not low <= value <= high:
        raise ScpiError(-222, "Data out of range")
    return value


def switch(text: str) -> bool:
    """ON/OFF or 1/0. Raises ScpiError."""
    word = text.upper()
    if word in ("ON", "1"):
        return True
    if word in ("OFF", "0"):
        return False
    raise ScpiError(-104, "Data type error")


class ScpiServer(ABC):
    """One simulated instrument. `error_query` differs by vendor."""

    idn: str
    error_query = "SYST:ERR?"

    def __init__(self) -> None:
        self.port = 0
        self.muted = False
        self._errors: deque[str] = deque(maxlen=16)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def resource(self) -> str:
        """VISA resource of the instrument."""
        return f"TCPIP0::127.0.0.1::{self.port}::SOCKET"

    async def start(self) -> None:
        """Listen on a free port of the loopback (the same again when it was unplugged)."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=MAX_LINE_BYTES)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Pull the network plug."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    @abstractmethod
    def execute(self, header: str, parameters: str) -> str | None:
        """Do one command; the answer when it is a question. Raises ScpiError."""

    def heard(self) -> None:  # noqa: B027 - most instruments need not know
        """A line has come in."""

    def link_lost(self) -> None:  # noqa: B027 - most instruments need not know
        """The last connection has ended."""

    def answer(self, line: str) -> str | None:
        """What the instrument answers to a line, None for silence."""
        self.heard()
        answers: list[str] = []
        try:
            for header, parameters in split_commands(line):
                if header == "*IDN?":
                    answers.append(self.idn)
                elif header == self.error_query:
                    answers.append(self._errors.popleft() if self._errors else '0,"No error"')
                else:
                    answer = self.execute(header, parameters)
                    if answer is not None:
                        answers.append(answer)
        except ScpiError as error:
            self._errors.append(f'{error.number},"{error}"')
        return ";".join(answers) if answers else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                answer = self.answer(line.decode("ascii", errors="replace").strip())
                if answer is not None and not self.muted:
                    writer.write(answer.encode("ascii", errors="replace") + b"\n")
                    await writer.drain()
        except (ValueError, ConnectionError):
            self._errors.append('-363,"Input buffer overrun"')  # or the link broke: nobody will ask
        finally:
            self._writers.discard(writer)
            if not self._writers:
                self.link_lost()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
