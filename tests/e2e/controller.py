"""`plugbench` as a user has it: a real process, watched through its run folder and the rig's window."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bench.timeline import Event, TimelineError, read

T = TypeVar("T")
PLUGBENCH = (sys.executable, "-c", "import sys; from bench.cli import main; sys.exit(main())")
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
LONG_PLAN = Path(__file__).with_name("long_charge.py")
OPEN_S = 60.0
"""A bench on a busy host with two cores takes its time to open."""
_POLL_S = 0.02


def until(look: Callable[[], T | None], within_s: float, what: str) -> T:
    """The first answer of `look` that is not None: other processes tell nothing, they can only be watched."""
    deadline = time.monotonic() + within_s
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(_POLL_S)
    return found


def _sigint_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Controller:
    """One `plugbench` (or pytest) in a process group of its own."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        cwd: Path | None = None,
        sigint_ignored: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._out, self._err = folder / "out.txt", folder / "err.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd or folder,
                start_new_session=True,
                preexec_fn=_sigint_ignored if sigint_ignored else None,  # noqa: PLW1509 - as a shell does it
            )

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def finish(self, within_s: float = OPEN_S) -> int:
        """Its exit code."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"still runs after {within_s:g} s; it said {self.out}{self.err}") from error

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Watched(Controller):
    """A run whose folder is looked into while it goes on. `results` holds no other run."""

    def __init__(self, results: Path, bench: Path, *arguments: str | Path, **options: Any) -> None:
        super().__init__(
            [*PLUGBENCH, "run", *arguments, "--bench", bench, "--results", results],
            results.parent / f"{results.name}.said",
            **options,
        )
        self.results = results

    @property
    def folder(self) -> Path:
        [found] = self.results.iterdir()
        return found

    def events(self) -> list[Event]:
        try:
            return list(read(self.folder / "timeline.jsonl"))
        except (ValueError, OSError, TimelineError):
            return []  # not there yet

    def event(self, wanted: Callable[[Event], bool], what: str, within_s: float = OPEN_S) -> Event:
        """The first event that is wanted."""

        def look() -> Event | None:
            assert self.process.poll() is None, f"ended before {what}: {self.out}{self.err}"
            return next(filter(wanted, self.events()), None)

        return until(look, within_s, what)

    def pid_of(self, which: str) -> int:
        """The process of the simulated `rig` or `charger`."""
        ready = self.event(lambda event: event.name == f"simulated {which} ready", f"{which} ready")
        return int(ready.data["pid"])

    @contextmanager
    def window(self) -> Iterator[Callable[..., dict[str, Any] | None]]:
        """The rig's window: `look(unplug="meter")` returns the true state, or None once the rig has gone."""
        ready = self.event(lambda event: event.name == "simulated rig ready", "rig ready")
        host, port = str(ready.data["endpoints"]["inspect"]).rsplit(":", 1)
        with socket.create_connection((host, int(port)), 5) as link, link.makefile("rwb") as stream:

            def look(**command: str) -> dict[str, Any] | None:
                try:
                    stream.write(json.dumps(command).encode() + b"\n")
                    stream.flush()
                    line = stream.readline()
                except ConnectionError:
                    return None
                return json.loads(line) if line else None

            yield look

    def in_mid_charge(self, look: Callable[..., dict[str, Any] | None]) -> None:
        """Wait until the endless case of `long_charge.py` charges."""
        self.event(lambda event: event.kind == "case" and event.name == "END-02", "END-02 begins")

        def charging() -> bool | None:
            state = look()
            assert state is not None, "the rig has gone"
            flows = state["dc"]["current_a"] > 1.0 and state["vehicle"]["contactor_closed"]
            return (flows and state["vehicle"]["pilot_state"] in "CD") or None

        until(charging, 30, "current flows")


def is_safe(state: dict[str, Any]) -> bool:
    """Pilot A, sink and load off, contactor open: the true state of the world."""
    vehicle = state["vehicle"]
    return (
        vehicle["pilot_state"] == "A"
        and not vehicle["contactor_closed"]
        and not vehicle["sink_on"]
        and not any(vehicle["load_on"])
    )


def comes_to_safety(look: Callable[..., dict[str, Any] | None], within_s: float = 2.0) -> dict[str, Any]:
    """The first state that is safe; a rig that ends before it was seen safe fails the test."""

    def safe() -> dict[str, Any] | None:
        state = look()
        assert state is not None, "the rig ended before the bench was safe"
        return state if is_safe(state) else None

    return until(safe, within_s, "the safe state")


def processes_of(runtime: Path) -> list[str]:
    """Command lines of the processes that run with this runtime folder: controllers, rigs, chargers."""
    mark = f"PLUGBENCH_RUNTIME_DIR={runtime}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(f"{entry.name} {command}")
        except OSError:
            continue  # it has ended, or is not ours
    return found
