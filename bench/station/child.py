"""A process that belongs to the bench (rig, simulated charger): started, awaited, watched, ended.

It runs in a session of its own, so that Ctrl-C at the terminal reaches only the controller, which then
makes the bench safe while rig and charger still live. Its standard input is its lifeline: when the
controller dies, it is closed.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from bench.station.errors import BenchError

MAX_READY_BYTES = 64 * 1024
_TAIL_BYTES = 4096
_STOP_S = 3.0


def how_it_ended(code: int) -> str:
    """`exit code 3`, or `killed by SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


class Child:
    """One process. `start` returns the JSON object of its first line of output."""

    def __init__(self, what: str, command: Sequence[str], log: Path) -> None:
        self.what = what
        self.log = log
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None
        self._watcher: threading.Thread | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Its process id, once started."""
        return None if self._process is None else self._process.pid

    def start(self, timeout_s: float, on_death: Callable[[str], None]) -> dict[str, Any]:
        """Start it and wait until it says that it is ready; `on_death` hears how it ended, unless it was
        stopped.

        Raises BenchError with the last line of its log when it does not get ready in time.
        """
        try:
            self._log_file = self.log.open("ab")
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log_file,
                start_new_session=True,
            )
        except OSError as error:
            self.stop()
            raise BenchError(f"{self.what} cannot be started: {error.strerror}") from error
        try:
            ready = self._ready(timeout_s)
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(
            target=self._watch, args=(on_death,), name=f"watch {self.what}", daemon=True
        )
        self._watcher.start()
        return ready

    def _output(self) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout

    def _ready(self, timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        handle = self._output().fileno()
        line = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_READ)
            while b"\n" not in line:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise BenchError(
                        f"{self.what} did not get ready within {timeout_s:g} s{self._last_words()}"
                    )
                data = os.read(handle, 4096)
                if not data:
                    raise BenchError(f"{self.what} ended at once ({self._ending()}){self._last_words()}")
                line += data
                if len(line) > MAX_READY_BYTES:
                    raise BenchError(f"{self.what} said something else than that it is ready; see {self.log}")
        try:
            ready = json.loads(bytes(line).split(b"\n", 1)[0])
        except (ValueError, RecursionError) as error:
            raise BenchError(f"{self.what} said something else than that it is ready: {error}") from error
        if not isinstance(ready, dict):
            raise BenchError(f"{self.what} said something else than that it is ready; see {self.log}")
        return ready

    def _ending(self) -> str:
        assert self._process is not None
        try:
            return how_it_ended(self._process.wait(_STOP_S))
        except subprocess.TimeoutExpired:
            return "its output is closed"

    def _last_words(self) -> str:
        try:
            with self.log.open("rb") as handle:
                handle.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                lines = handle.read().decode("utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        said = [line.strip() for line in lines if line.strip()]
        return f": {said[-1][:300]} (see {self.log})" if said else ""

    def _watch(self, on_death: Callable[[str], None]) -> None:
        process, output = self._process, self._output()
        assert process is not None
        try:
            while data := os.read(
                output.fileno(), 4096
            ):  # nobody else reads it: a full pipe would stop the process
                if self._log_file is not None:
                    self._log_file.write(data)
        except (OSError, ValueError):
            self._stopping = self._stopping or process.poll() is None  # stop() closed the pipe under us
        code = process.wait()
        if not self._stopping:
            on_death(f"{self.what} died: {how_it_ended(code)}{self._last_words()}")

    def death(self, wait_s: float) -> str | None:
        """How it died, if it does within `wait_s` (0: has already) without having been stopped; else None."""
        if self._process is None or self._stopping:
            return None
        try:
            code = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return None
        return f"{self.what} died: {how_it_ended(code)}{self._last_words()}"

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL; never raises, may be called twice."""
        self._stopping = True
        process = self._process
        if process is not None:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if self._watcher is not None:
                self._watcher.join(_STOP_S)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._log_file is not None:
            self._log_file.close()
            self._log_file = None
