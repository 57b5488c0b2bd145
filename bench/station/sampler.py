"""The sampler: power analyzer, energy meter and pilot, about 20 times a second, onto the timeline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bench.station.instruments import Instruments
from bench.timeline import Timeline, now_ns
from drivers import ControlPilot, Driver, DriverError, EnergyMeter, PowerAnalyzer

PERIOD_S = 0.05
_MANUAL = "manual"


class Sampler:
    """`start` and `stop` as often as wanted. A lost instrument is told to `on_lost` once and sampled no
    more.
    """

    def __init__(self, instruments: Instruments, timeline: Timeline, on_lost: Callable[[str], None]) -> None:
        self._timeline = timeline
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._tasks: list[tuple[Driver, Callable[[], None]]] = []
        analyzer, meter = instruments.find(PowerAnalyzer), instruments.find(EnergyMeter)
        pilot = instruments.find(ControlPilot)
        if analyzer is not None:
            self._tasks.append((analyzer, lambda: self._power(analyzer)))
        if meter is not None:
            self._tasks.append((meter, lambda: self._meter(meter)))
        # an operator is not asked 20 times a second what the scope shows
        if pilot is not None and not pilot.model.startswith(_MANUAL):
            self._tasks.append((pilot, lambda: self._pilot(pilot)))

    @property
    def running(self) -> bool:
        """Whether samples are being taken."""
        return self._thread is not None

    def start(self) -> None:
        """Sample from now on; does nothing when it runs already."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Sample no more; does nothing when it does not run."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=10)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + PERIOD_S, time.monotonic())
            for task in list(self._tasks):
                driver, take = task
                try:
                    with driver.quiet():
                        take()
                except DriverError as error:
                    self._tasks.remove(task)
                    if not self._stop.is_set():
                        self._on_lost(str(error))

    def _power(self, analyzer: PowerAnalyzer) -> None:
        before = now_ns()
        reading = analyzer.measure()
        data = {
            "mode": reading.mode,
            "voltage_v": reading.voltage_v,
            "current_a": reading.current_a,
            "power_w": reading.power_w,
            "energy_wh": reading.energy_wh,
        }
        self._timeline.append("analyzer", "power", "sample", data, t_ns=_middle(before))

    def _meter(self, meter: EnergyMeter) -> None:
        before = now_ns()
        reading = meter.read()
        data = {"power_w": reading.power_w, "import_wh": reading.import_wh}
        self._timeline.append("meter", "meter", "sample", data, t_ns=_middle(before))

    def _pilot(self, pilot: ControlPilot) -> None:
        before = now_ns()
        reading = pilot.measure()
        data = {
            "state": reading.state,
            "duty_percent": reading.duty_percent,
            "high_v": reading.high_v,
            "low_v": reading.low_v,
            "oscillator": reading.oscillator,
        }
        self._timeline.append("pilot", "pilot", "measured", data, t_ns=_middle(before))


def _middle(before_ns: int) -> int:
    """The best guess for when a box measured: half way between question and answer."""
    return (before_ns + now_ns()) // 2
