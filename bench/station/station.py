"""The station: a bench file made into an opened, checked, locked bench, and back into a safe one."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.capture.sniffer import Sniffer
from bench.csms.server import Csms
from bench.ev.errors import ProfileError
from bench.ev.profile import EvProfile, load_profile
from bench.pki.hierarchy import Pki
from bench.pki.ocsp import OcspResponder
from bench.station.backend import open_csms, open_ocsp, open_pki
from bench.station.bench_file import BenchConfig, LimitsConfig, load_bench
from bench.station.charger_file import ChargerConfig, load_charger
from bench.station.child import Child
from bench.station.errors import BenchError, BenchFileError
from bench.station.health import Health
from bench.station.instruments import Instruments
from bench.station.keep_alive import KeepAlive
from bench.station.lock import BenchLock, runtime_folder, sweep
from bench.station.network import check_interface
from bench.station.provision import charger_command, fill_store, rig_command
from bench.station.run_folder import RunFolder, disk_error
from bench.station.safety import SignalGuard, make_safe
from bench.station.sampler import Sampler
from bench.timeline import Timeline, TimelineError
from bench.v2g import timers
from drivers import DriverError, PowerAnalyzer

READY_TIMEOUT_S = 30.0
FRAMES_LOST = "capture: frames lost:"
_POLL_S = 0.25
_DEATH_S = 0.1
"""A dying rig's sockets close a moment before its process can be waited for."""

Progress = Callable[[str], None]


def _silent(_text: str) -> None:
    """The progress callback of those who do not want to hear."""


class Station:
    """An open bench. Make it with `Station.open`; use it as a context manager, or call `close`.

    `timeline`, `run` (RunFolder), `bench` (BenchConfig), `charger` (ChargerConfig), `pki`, `ocsp`, `csms`,
    `instruments`, `limits`, `sampler` (running), `sniffer`, `sdp_port` (the one in use), `notes` (text for
    the report), `ready` (what the simulated charger said when it was ready; empty for a real one),
    `charger_silent` (the last car that asked by SDP got no answer).
    """

    timeline: Timeline
    run: RunFolder
    pki: Pki
    ocsp: OcspResponder
    csms: Csms
    instruments: Instruments
    sampler: Sampler
    sniffer: Sniffer
    ev_profile: EvProfile

    def __init__(self, bench: BenchConfig, charger: ChargerConfig, defects: Sequence[str] = ()) -> None:
        self.bench = bench
        self.charger = charger
        self.defects = tuple(defects)
        self.limits: LimitsConfig = bench.limits
        self.sdp_port = bench.network.sdp_port
        self.notes: list[str] = []
        self.ready: dict[str, Any] = {}
        self.charger_silent = False
        self.rig: Child | None = None
        self.rig_endpoints: dict[str, str] = {}
        self.charger_process: Child | None = None
        self._health: Health | None = None
        self._stack = contextlib.ExitStack()
        self._signals = SignalGuard()
        self._closing = threading.RLock()
        self._closed = False
        self._powered = False

    @classmethod
    def open(
        cls,
        bench_file: str | Path = "embedded",
        charger_file: str | Path | None = None,
        *,
        defects: Sequence[str] = (),
        results: Path | str = Path("results"),
        progress: Progress | None = None,
    ) -> Station:
        """Open everything that the bench file names, in this order: files, interface, lock, run folder,
        PKI, OCSP, CSMS, rig, instruments, capture, charger; then wait for the charger to boot at the CSMS.

        `bench_file` and `charger_file` are names of files that come with the package, or paths. `progress`
        is told each step. Raises BenchFileError, or BenchError with one line; whatever was opened is
        closed again.
        """
        bench = load_bench(bench_file)
        if charger_file is not None:
            charger = load_charger(charger_file)
        elif bench.charger.file is not None:
            charger = load_charger(bench.charger.file, beside=bench.file)
        elif bench.charger.simulated:
            charger = load_charger("simulated")
        else:
            raise BenchFileError(
                f"{bench.file}: charger.file: is missing; name the charger's file, or give --charger"
            )
        if defects and not bench.charger.simulated:
            raise BenchError(
                f"bench {bench.name!r} has a real charger: defects ({', '.join(defects)}) are for the"
                " simulated one"
            )
        station = cls(bench, charger, defects)
        try:
            station.ev_profile = load_profile(bench.ev_profile)
        except ProfileError as error:
            raise BenchFileError(f"{bench.file}: ev.profile: {error}") from error
        try:
            station._open(Path(results), progress or _silent)
        except BaseException as error:
            station.close()
            if isinstance(error, DriverError):
                raise BenchError(str(error)) from error
            raise
        return station

    # --- opening ----------------------------------------------------------------------------

    def _open(self, results: Path, progress: Progress) -> None:
        self.notes += check_interface(self.bench.network)
        lock = BenchLock(self.bench.name)
        lock.acquire()
        self._stack.callback(lock.release)
        sweep(self.bench.name)
        self._signals.install()
        self._stack.callback(self._signals.restore)
        atexit.register(self.close)
        self._stack.callback(atexit.unregister, self.close)
        self._stack.enter_context(
            timers.overridden(
                self.bench.timing.overrides, f"bench file {self.bench.file.name}: timing.overrides"
            )
        )
        self._open_run(results)
        progress("certificates and OCSP responder")
        self.pki = open_pki(self.bench)
        self.ocsp = open_ocsp(self.bench, self.pki)
        self._stack.callback(self.ocsp.stop)
        self.csms = open_csms(self.bench, self.pki, self.timeline, self.run.path_of("ocpp.jsonl"))
        self._stack.callback(self.csms.close)
        progress(f"CSMS at {self.csms.url}")
        endpoints = self._start_rig(progress) if self.bench.rig_simulated else {}
        self._open_instruments(endpoints, progress)
        self._start_capture(progress)
        self._start_charger(endpoints, progress)
        self._await_charger(progress)

    def _open_run(self, results: Path) -> None:
        self.run = RunFolder(results, self.bench.name)
        try:
            self.timeline = Timeline(self.run.path_of("timeline.jsonl"))
        except TimelineError as error:
            raise BenchError(str(error)) from error
        self._stack.callback(self._close_run)
        self._health = Health(self.timeline)
        self.run.write_text("bench.toml", self.bench.text)
        self.run.write_text("charger.toml", self.charger.text)

    def _start_rig(self, progress: Progress) -> dict[str, str]:
        progress("simulated rig")
        self.rig = Child("the simulated rig", rig_command(self.bench), self.run.path_of("rig.log"))
        self._stack.callback(self.rig.stop)
        ready = self.rig.start(READY_TIMEOUT_S, self._broke)
        self.rig_endpoints = {str(name): str(place) for name, place in ready.items()}
        # Where the rig's window is, is told on the timeline: so the true state can be looked at from outside.
        self.timeline.append(
            "bench", "step", "simulated rig ready", {"pid": self.rig.pid, "endpoints": self.rig_endpoints}
        )
        return self.rig_endpoints

    def _open_instruments(self, endpoints: dict[str, str], progress: Progress) -> None:
        self.instruments = Instruments(self.bench, self.timeline)
        self._stack.callback(self.instruments.close)
        keep_alive = KeepAlive(self.lost)
        self._stack.callback(keep_alive.stop)
        self.instruments.open(endpoints, progress, keep_alive.feed)
        self._powered = True
        self.notes += self.instruments.notes()
        self._stack.callback(self._depower)
        self.safe_state()
        analyzer = self.instruments.find(PowerAnalyzer)
        if analyzer is not None:
            analyzer.integrate_reset()
            analyzer.integrate_start()
        self.sampler = Sampler(self.instruments, self.timeline, self.lost)
        self._stack.callback(self.sampler.stop)
        self.sampler.start()

    def _start_capture(self, progress: Progress) -> None:
        path = self.run.path_of("capture.pcapng")
        self.sniffer = Sniffer(
            self.bench.network.interface,
            path,
            keylog=self.run.path_of("tls.keylog"),
            on_lost=self._frames_lost,
        )
        try:
            self.sniffer.start()
        except OSError as error:
            raise disk_error(path, error) from error
        self._stack.callback(self._stop_capture)
        progress(f"capture by {self.sniffer.method}: {self.sniffer.reason}")

    def _frames_lost(self, count: int) -> None:
        """Say so where the run is judged: evidence with holes must not look whole."""
        total = self.sniffer.dropped
        self.timeline.append("sniffer", "capture", "frames lost", {"count": count, "total": total})
        self.notes[:] = [each for each in self.notes if not each.startswith(FRAMES_LOST)]
        self.notes.append(f"{FRAMES_LOST} {total} in all, {self.sniffer.path.name} is not whole")

    def _start_charger(self, endpoints: dict[str, str], progress: Progress) -> None:
        if not self.bench.charger.simulated:
            if self.bench.pki_folder is None:
                self.notes.append(
                    "the PKI is new in each run: set pki.folder to install its roots in a charger once"
                )
            return
        progress("simulated charger" + (f" with {', '.join(self.defects)}" if self.defects else ""))
        store = Path(tempfile.mkdtemp(prefix=f"{self.bench.name}-", dir=runtime_folder()))
        self._stack.callback(shutil.rmtree, store, ignore_errors=True)
        fill_store(store, self.pki)
        command = charger_command(
            self.bench,
            store=store,
            cable=endpoints["cable"],
            csms_url=self.bench.csms.external_url or self.csms.url,
            defects=self.defects,
            plc=endpoints.get("plc-evse") if self.bench.matches else None,
        )
        child = Child("the simulated charger", command, self.run.path_of("charger.log"))
        self.charger_process = child
        self._stack.callback(child.stop)
        self.ready = child.start(READY_TIMEOUT_S, self.lost)
        self.timeline.append("bench", "step", "simulated charger ready", {"pid": child.pid})
        port = self.ready.get("sdp_port")
        if isinstance(port, int) and 0 < port < 65536:
            self.sdp_port = port
            self.bench = replace(self.bench, network=replace(self.bench.network, sdp_port=port))

    def _await_charger(self, progress: Progress) -> None:
        url = self.bench.csms.external_url or self.csms.url
        who = f"charger {self.bench.csms.station_id!r}"
        limit_s = self.bench.charger.boot_timeout_s
        progress(f"waiting for {who} at {url}")
        deadline = time.monotonic() + limit_s
        while not (self.csms.connected and self.csms.boot is not None):
            cause = self.health()
            if cause is not None:
                raise BenchError(cause)
            if time.monotonic() > deadline:
                if self.csms.connected:
                    raise BenchError(
                        f"{who} is connected to {url} but sent no BootNotification in {limit_s:g} s"
                    )
                raise BenchError(
                    f"{who} has not connected to {url} within {limit_s:g} s;"
                    " check its backend address and identity"
                )
            self.timeline.wait_for(
                lambda event: event.kind in ("ocpp", "ocpp-link"), _POLL_S, since=self.timeline.mark()
            )

    # --- while open -------------------------------------------------------------------------

    def _broke(self, cause: str) -> None:
        if self._health is None or self._closed:
            return
        if self._health.note(cause) and self._powered:
            # Whoever noticed must not wait for the other boxes, and the plan may be deep in a charge.
            threading.Thread(target=self._retreat, name="safe state", daemon=True).start()

    def _retreat(self) -> None:
        for problem in make_safe(self.instruments):
            if self._health is not None and not self._closed:
                self._health.note(f"safe state: {problem}")

    def lost(self, symptom: str) -> None:
        """Something fell silent: when that is because the rig behind it died, then that is the cause."""
        rig_died = None if self.rig is None or self._closed else self.rig.death(_DEATH_S)
        self._broke(rig_died or symptom)

    def health(self) -> str | None:
        """The first cause that broke the bench, for good; None while it is whole."""
        if self._health is None:
            return None
        cause = self._health.cause()
        if cause is None and not self._closed:
            # a dead process is seen here before the thread that waits for it has told
            deaths = (child.death(0.0) for child in (self.rig, self.charger_process) if child is not None)
            if (death := next((text for text in deaths if text is not None), None)) is not None:
                self._broke(death)
                cause = self._health.cause()
        return cause

    def safe_state(self) -> None:
        """Sink and load off, contactor open, pilot A: every step is tried, may be called at any time and
        again.

        Raises BenchError, and breaks the bench, when a box did not obey.
        """
        if not self._powered:
            return
        # From here on the bench, not the charger, decides what is on the pilot: rules must know.
        self.timeline.append("bench", "bench", "safe state")
        with self._signals:
            problems = make_safe(self.instruments)
        for problem in problems:
            self.lost(f"safe state: {problem}")
        if problems:
            raise BenchError(f"safe state: {problems[0]}")

    def describe(self) -> dict[str, Any]:
        """The parts `bench` and `charger` of run.json."""
        boot = self.csms.boot
        return {
            "bench": {
                **self.bench.describe(),
                "capture": {
                    "method": self.sniffer.method,
                    "reason": self.sniffer.reason,
                    "file": self.sniffer.path.name,
                    "packets": self.sniffer.packets,
                    "dropped": self.sniffer.dropped,
                    "problem": self.sniffer.error or None,
                },
                "instruments": self.instruments.describe(),
            },
            "charger": {
                **self.charger.describe(),
                "station_id": self.bench.csms.station_id,
                "simulated": self.bench.charger.simulated,
                "ocpp_boot": None if boot is None else getattr(boot, "data", None) or _plain(boot),
            },
        }

    # --- the end ----------------------------------------------------------------------------

    def _make_safe_at_end(self) -> None:
        try:
            self.safe_state()
        except BenchError:
            return  # noted as the cause already; the boxes' watchdogs do the rest once nobody feeds them

    def _depower(self) -> None:
        # once more, after the charger has gone and before nobody feeds the boxes
        self._make_safe_at_end()
        self._powered = False

    def _stop_capture(self) -> None:
        try:
            self.sniffer.stop()
        except OSError as error:
            self.notes.append(f"capture: {disk_error(self.sniffer.path, error)}")

    def _close_run(self) -> None:
        self.timeline.close()
        try:
            self.run.write_manifest()
        except BenchError as error:
            self.notes.append(str(error))

    def close(self) -> None:
        """Safe state first, then everything in the reverse order of opening; never interrupted, may be
        called twice.
        """
        with self._closing:
            if self._closed:
                return
            with self._signals:
                try:
                    self._make_safe_at_end()
                    self._stack.close()
                finally:
                    self._closed = True

    def __enter__(self) -> Station:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _plain(payload: Any) -> Any:
    """A CSMS payload as JSON-able data."""
    return payload if isinstance(payload, dict) else getattr(payload, "raw", None)
