"""A SCPI instrument behind VISA: the link, the parsing of its answers, and the base class of its drivers.

pyvisa-py has habits that this module hides (measured with 0.8): opening succeeds even when the port is
refused; a dead link raises plain OSErrors; after a timeout the late answer is taken for the answer to the
next question, so the link is closed and opened anew; an answer without an end is read for ever, so the
reading is bounded here.
"""

from __future__ import annotations

import math
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pyvisa
from pyvisa import errors as visa_errors

from drivers.base import Driver, Identity, Trace

MAX_REPLY_BYTES = 8192
"""An answer longer than this is nonsense: the longest that is asked for here has some hundred bytes."""
_SLICE_MS = 100
_CHUNK_BYTES = 512
_TCP_SOCKET = re.compile(r"TCPIP\d*::([^:]+)::(\d{1,5})::SOCKET", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_T = TypeVar("_T")
_NOT_A_NUMBER = 9.9e37
"""SCPI-99 7.2.1: 9.91E37 stands for NaN, 9.9E37 for infinity."""


class ScpiParseError(ValueError):
    """An answer is not what SCPI allows there."""


def parse_number(text: str, unit: str = "") -> float:
    """A SCPI decimal number, with the unit behind it when the dialect adds one (`"399.8 V"`).

    Raises ScpiParseError for anything else, for NaN, and for the figures by which SCPI says "no value".
    """
    plain = text.strip()
    if unit and plain.endswith(unit):
        plain = plain[: -len(unit)].rstrip()
    if not _NUMBER.fullmatch(plain):
        raise ScpiParseError(f"{text[:40]!r} is not a number")
    value = float(plain)
    if not math.isfinite(value) or abs(value) >= _NOT_A_NUMBER:
        raise ScpiParseError(f"{text[:40]!r} means that there is no value")
    return value


def parse_numbers(text: str, count: int, separator: str = ",", units: tuple[str, ...] = ()) -> list[float]:
    """Exactly `count` numbers in one answer. Raises ScpiParseError."""
    fields = text.strip().split(separator)
    if len(fields) != count:
        raise ScpiParseError(f"{len(fields)} values where {count} were asked for: {text[:60]!r}")
    return [parse_number(field, units[i] if i < len(units) else "") for i, field in enumerate(fields)]


def parse_identity(text: str) -> Identity:
    """The answer to `*IDN?`: vendor, model, serial, firmware (IEEE 488.2, 10.14). Raises ScpiParseError."""
    fields = [field.strip().strip('"')[:80] for field in text.strip().split(",", 3)]
    if len(fields) < 2 or not fields[0] or not fields[1]:
        raise ScpiParseError(f"{text[:60]!r} is not an identification")
    fields += ["", ""]
    return Identity(fields[0], fields[1], fields[2], fields[3])


def parse_error(text: str) -> tuple[int, str]:
    """The answer to `SYST:ERR?`: number (0: none) and text. Raises ScpiParseError."""
    number, _, words = text.strip().partition(",")
    if not re.fullmatch(r"[+-]?[0-9]{1,6}", number.strip()):
        raise ScpiParseError(f"{text[:60]!r} is not an error report")
    return int(number), words.strip().strip('"')[:120]


class ScpiLink:
    """One VISA connection on which text lines go out and come back. Not thread-safe: the driver holds the
    lock.

    Raises OSError (of which TimeoutError is one) for everything that can go wrong on the wire.
    """

    _manager: pyvisa.ResourceManager | None = None
    _manager_lock = threading.Lock()

    def __init__(self, resource: str, *, timeout_s: float, terminator: str = "\n") -> None:
        self.resource = resource
        self.timeout_s = timeout_s
        self.terminator = terminator
        self._visa: Any = None
        self._socket: socket.socket | None = None

    @classmethod
    def _shared_manager(cls) -> pyvisa.ResourceManager:
        with cls._manager_lock:
            if cls._manager is None:
                cls._manager = pyvisa.ResourceManager("@py")
            return cls._manager

    def open(self) -> None:
        """Connect. Raises OSError."""
        if address := _TCP_SOCKET.fullmatch(self.resource):
            # pyvisa-py leaks its socket when the name cannot be resolved
            socket.getaddrinfo(address.group(1), int(address.group(2)), type=socket.SOCK_STREAM)
        try:
            visa: Any = self._shared_manager().open_resource(
                self.resource, open_timeout=int(self.timeout_s * 1000)
            )
        except (visa_errors.Error, ValueError, OSError) as error:
            raise OSError(str(error) or type(error).__name__) from error
        except Exception as error:  # pyvisa-py raises bare Exception when it cannot connect
            raise OSError(str(error)) from error
        visa.timeout = _SLICE_MS
        visa.read_termination = self.terminator
        visa.write_termination = self.terminator
        if hasattr(visa, "interface_type"):
            self._tune(visa)
        self._visa = visa

    def _tune(self, visa: Any) -> None:
        """On a TCP socket: hand out what has come, send at once, and see when the peer hangs up."""
        session = getattr(visa.visalib, "sessions", {}).get(visa.session)
        interface = getattr(session, "interface", None)
        if isinstance(interface, socket.socket):
            visa.set_visa_attribute(pyvisa.constants.ResourceAttribute.suppress_end_enabled, False)
            interface.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = interface

    def close(self) -> None:
        """Hang up; never raises."""
        visa, self._visa, self._socket = self._visa, None, None
        if visa is not None:
            try:
                visa.close()
            except (visa_errors.Error, OSError, AttributeError):
                return  # the link was dead already, which is what was wanted

    def write(self, command: str) -> None:
        """Send one line. Raises OSError."""
        if self._visa is None:
            raise ConnectionError("the link is closed")
        try:
            self._visa.write(command)
        except visa_errors.Error as error:
            raise OSError(str(error)) from error

    def read(self) -> str:
        """One line, without its end. Raises OSError; TimeoutError when it does not come in time."""
        if self._visa is None:
            raise ConnectionError("the link is closed")
        deadline = time.monotonic() + self.timeout_s
        end = self.terminator.encode()
        line = bytearray()
        while True:
            try:
                with self._visa.ignore_warning(pyvisa.constants.StatusCode.success_max_count_read):
                    data, _status = self._visa.visalib.read(self._visa.session, _CHUNK_BYTES)
            except visa_errors.VisaIOError as error:
                if error.error_code != pyvisa.constants.StatusCode.error_timeout:
                    raise OSError(str(error)) from error
                data = b""
            line += data
            if line.endswith(end):
                return line[: -len(end)].decode("ascii", errors="replace").rstrip("\r")
            if len(line) > MAX_REPLY_BYTES:
                raise OSError("an answer without an end")
            if not data and self._hung_up():
                raise ConnectionResetError("the instrument hung up")
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer within {self.timeout_s:g} s")

    def _hung_up(self) -> bool:
        if self._socket is None:
            return False
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False


class ScpiDriver(Driver):
    """What SCPI drivers share: `_query`, `_set` (a command followed by a look into the error queue),
    identification.
    """

    error_query = "SYST:ERR?"
    retry_after_timeout = False
    """Whether a question may be asked again on a new link. Not for a box that switches off when its link
    is lost.
    """

    def __init__(
        self, resource: str, *, name: str, trace: Trace | None = None, timeout_s: float = 2.0
    ) -> None:
        super().__init__(resource, name=name, trace=trace)
        self._link = ScpiLink(resource, timeout_s=self._within("timeout_s", timeout_s, 0.05, 60.0))
        self._identity: Identity | None = None
        self._interrupted = False

    def open(self) -> None:
        with self._lock:
            try:
                self._link.open()
                self._identity = parse_identity(self._exchange("*IDN?"))
            except (OSError, ScpiParseError) as error:
                self._link.close()
                raise self._not_found(f"nobody answers *IDN?: {_text(error)}") from error
            try:
                self._prepare()
            except Exception:
                self._link.close()
                raise

    def _prepare(self) -> None:
        """What the instrument must be told after each opening."""

    def close(self) -> None:
        with self._lock:
            self._link.close()

    def identify(self) -> Identity:
        text = self._query("*IDN?")
        return self._parsed("*IDN?", parse_identity, text)

    def keep_alive(self) -> None:
        self._query(self.error_query)

    def _fresh(self) -> None:
        # A signal (Ctrl-C) may have torn an exchange apart: its answer must not be taken for the next one.
        if self._interrupted:
            self._link.close()
            self._link.open()
            self._interrupted = False

    def _exchange(self, command: str) -> str:
        self._fresh()
        self._interrupted = True
        try:
            self._link.write(command)
            answer = self._link.read()
        except OSError:
            self._interrupted = False
            raise
        self._interrupted = False
        self._note(command, answer)
        return answer

    def _query(self, command: str) -> str:
        """Ask and wait for the answer. Raises InstrumentLost."""
        with self._lock:
            try:
                return self._exchange(command)
            except TimeoutError as error:
                self._link.close()  # the late answer must not be taken for the next one
                if not self.retry_after_timeout:
                    raise self._lost(command, _text(error)) from error
            except OSError as error:
                self._link.close()
                raise self._lost(command, _text(error)) from error
            self._note(command, error="no answer in time; asked again on a new link")
            try:
                self._link.open()
                return self._exchange(command)
            except OSError as error:
                self._link.close()
                raise self._lost(command, _text(error)) from error

    def _set(self, command: str) -> None:
        """Command, then ask whether it was taken. Raises InstrumentLost, InstrumentRefused."""
        with self._lock:
            try:
                self._fresh()
                self._link.write(command)
            except OSError as error:
                self._link.close()
                raise self._lost(command, _text(error)) from error
            self._note(command)
            number, words = self._parsed(command, parse_error, self._query(self.error_query))
            if number != 0:
                raise self._refused(command, f"error {number} {words}")

    def _parsed(self, command: str, parse: Callable[[str], _T], text: str) -> _T:
        """The answer, understood. Raises InstrumentLost when it makes no sense."""
        try:
            return parse(text)
        except ScpiParseError as error:
            raise self._lost(command, f"it answered nonsense: {error}") from error


def _text(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
