"""The guard between the controller and the boxes: no command beyond the bench's limits leaves the
controller.
"""

from __future__ import annotations

from bench.station.bench_file import LimitsConfig
from drivers import (
    AcLoad,
    AcReading,
    DcReading,
    DcSink,
    Driver,
    Identity,
    LimitExceeded,
)

AC_PHASE_V = 230.0
_SLACK = 1e-9


def _check(name: str, quantity: str, value: float, limit: float, unit: str) -> None:
    # `not <=` also refuses NaN, which is neither below nor above a limit
    if not value <= limit * (1 + _SLACK):
        raise LimitExceeded(
            f"{name}: {quantity} {value:g} {unit} is beyond the bench's limit of {limit:g} {unit}"
        )


class _Guard(Driver):
    """Everything but the guarded commands goes straight to the driver behind it."""

    def __init__(self, behind: Driver, limits: LimitsConfig) -> None:
        super().__init__(behind.resource, name=behind.name)
        self.behind = behind
        self.limits = limits
        self.watchdog_s = behind.watchdog_s

    def open(self) -> None:
        self.behind.open()

    def close(self) -> None:
        self.behind.close()

    def identify(self) -> Identity:
        return self.behind.identify()

    def make_safe(self) -> None:
        self.behind.make_safe()

    def keep_alive(self) -> None:
        self.behind.keep_alive()


class GuardedDcSink(_Guard, DcSink):
    """A DcSink within the bench's voltage, current, and their product, the power."""

    vendor = "Plugbench"
    model = "limits guard"

    def __init__(self, sink: DcSink, limits: LimitsConfig) -> None:
        super().__init__(sink, limits)
        self._sink = sink
        self._voltage_v = 0.0
        self._current_a = 0.0
        self._on = False

    def set_voltage(self, voltage_v: float) -> None:
        with self._lock:
            self._allow(voltage_v, self._current_a)
            self._sink.set_voltage(voltage_v)
            self._voltage_v = voltage_v

    def set_current_limit(self, current_a: float) -> None:
        with self._lock:
            self._allow(self._voltage_v, current_a)
            self._sink.set_current_limit(current_a)
            self._current_a = current_a

    def _allow(self, voltage_v: float, current_a: float) -> None:
        _check(self.name, "voltage", voltage_v, self.limits.voltage_v, "V")
        _check(self.name, "current", current_a, self.limits.current_a, "A")
        if (
            self._on
        ):  # while it is off, one value is often set for a case whose other value is still the last one's
            self._allow_power(voltage_v, current_a)

    def _allow_power(self, voltage_v: float, current_a: float) -> None:
        _check(self.name, "power", voltage_v * current_a, self.limits.power_w, "W")

    def output(self, on: bool) -> None:
        with self._lock:
            if on:
                self._allow_power(self._voltage_v, self._current_a)
            self._sink.output(on)
            self._on = on

    def make_safe(self) -> None:
        with self._lock:
            self._sink.make_safe()
            self._on = False

    def measure(self) -> DcReading:
        return self._sink.measure()


class GuardedAcLoad(_Guard, AcLoad):
    """An AcLoad within the bench's current and power (at 230 V a phase)."""

    vendor = "Plugbench"
    model = "limits guard"

    def __init__(self, load: AcLoad, limits: LimitsConfig) -> None:
        super().__init__(load, limits)
        self._load = load

    def set_current(self, current_a: float, phases: int = 3) -> None:
        _check(self.name, "current", current_a, self.limits.current_a, "A")
        _check(self.name, "power", current_a * phases * AC_PHASE_V, self.limits.power_w, "W")
        self._load.set_current(current_a, phases)

    def output(self, on: bool) -> None:
        self._load.output(on)

    def measure(self) -> AcReading:
        return self._load.measure()


def guarded(driver: Driver, capability: type[Driver], limits: LimitsConfig) -> Driver:
    """The driver as the plan may use it for this capability."""
    if capability is DcSink and isinstance(driver, DcSink):
        return GuardedDcSink(driver, limits)
    if capability is AcLoad and isinstance(driver, AcLoad):
        return GuardedAcLoad(driver, limits)
    return driver
