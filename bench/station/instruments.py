"""The bench's instruments: opened by the bench file, asked for by capability."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from bench.station.bench_file import BenchConfig, InstrumentConfig
from bench.station.errors import BenchError, MissingCapability
from bench.station.limits import guarded
from bench.timeline import Timeline
from drivers import CAPABILITIES, Driver, DriverError, Identity, registry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Instrument:
    """An opened box: its part of the bench file, its driver, who answered, and whether it is simulated."""

    config: InstrumentConfig
    driver: Driver
    identity: Identity
    simulated: bool

    def describe(self) -> dict[str, Any]:
        """Its entry in run.json."""
        accuracy = self.config.accuracy or getattr(self.driver, "accuracy", None)
        return {
            "name": self.config.name,
            "capability": ", ".join(self.config.capabilities),
            "driver": self.config.driver,
            "model": self.identity.model or self.driver.model,
            "vendor": self.identity.vendor or self.driver.vendor,
            "serial": self.identity.serial,
            "firmware": self.identity.firmware,
            "calibrated": self.config.calibrated,
            "calibration_due": self.config.calibration_due,
            "accuracy": None if accuracy is None else str(accuracy),
            "verified_on": self.driver.verified_on,
            "simulated": self.simulated,
            "resource": self.driver.resource,
        }


class Instruments:
    """`get(capability)` for plans; iteration over `Instrument` for the station."""

    def __init__(self, bench: BenchConfig, timeline: Timeline) -> None:
        self._bench = bench
        self._timeline = timeline
        self._open: list[Instrument] = []
        self._served: dict[str, Driver] = {}

    def open(
        self,
        endpoints: Mapping[str, str],
        progress: Callable[[str], None],
        opened: Callable[[Driver], None],
    ) -> None:
        """Open every instrument of the bench file; `endpoints` are those of the simulated rig, `opened` is
        told each driver as soon as it is open.

        Raises BenchError with the first that does not answer; the others are closed again.
        """
        try:
            for config in self._bench.instruments:
                progress(f"instrument {config.name}: {config.driver} at {config.resource}")
                opened(self._open_one(config, endpoints))
        except DriverError as error:
            self.close()
            raise BenchError(
                f"{error}; check its power and cable, and [instruments.{config.name}] in {self._bench.file}"
            ) from error
        except BaseException:
            self.close()
            raise

    def _open_one(self, config: InstrumentConfig, endpoints: Mapping[str, str]) -> Driver:
        def trace(command: str, data: dict[str, Any]) -> None:
            self._timeline.append(config.name, "instrument", command, data)

        endpoint = config.rig_endpoint
        if endpoint is not None and endpoint not in endpoints:
            raise BenchError(f"{config.name}: the rig offers no {endpoint!r}")
        resource = config.resource if endpoint is None else endpoints[endpoint]
        make = registry.driver_class(config.driver)
        driver = make(resource, name=config.name, trace=trace, **config.options)
        driver.open()
        try:
            identity = driver.identify()
        except DriverError:
            driver.close()
            raise
        self._open.append(Instrument(config, driver, identity, endpoint is not None))
        for name in config.capabilities:
            self._served[name] = guarded(driver, CAPABILITIES[name], self._bench.limits)
        return driver

    def get(self, capability: Callable[..., T]) -> T:
        """The driver that serves a capability (a class of `drivers`). Raises MissingCapability."""
        name = getattr(capability, "__name__", str(capability))
        found = self._served.get(name)
        if found is None:
            raise MissingCapability(
                f"bench {self._bench.name!r} has no {name};"
                f" it has {', '.join(sorted(self._served)) or 'nothing'}"
            )
        return found  # type: ignore[return-value]

    def find(self, capability: Callable[..., T]) -> T | None:
        """As `get`, but None when the bench has no such instrument."""
        try:
            return self.get(capability)
        except MissingCapability:
            return None

    def __iter__(self) -> Iterator[Instrument]:
        return iter(tuple(self._open))

    def describe(self) -> list[dict[str, Any]]:
        """The list `bench.instruments` of run.json."""
        return [instrument.describe() for instrument in self._open]

    def notes(self) -> list[str]:
        """What a reader of the report should know: calibrations that are overdue or absent."""
        today = datetime.now(UTC).date().isoformat()
        found = []
        for instrument in self._open:
            due = instrument.config.calibration_due
            if due is not None and due < today:
                found.append(f"the calibration of {instrument.config.name} was due on {due}")
        return found

    def close(self) -> None:
        """Let go of every wire; never raises."""
        for instrument in reversed(self._open):
            instrument.driver.close()
        self._open.clear()
        self._served.clear()
