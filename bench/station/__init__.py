"""The station: bench file -> opened, checked, locked bench; safe state; run folder and evidence manifest."""

from bench.station.bench_file import BenchConfig, load_bench
from bench.station.charger_file import ChargerConfig, load_charger
from bench.station.errors import BenchError, BenchFileError, BenchInUse, MissingCapability
from bench.station.run_folder import RunFolder
from bench.station.station import Station

__all__ = [
    "BenchConfig",
    "BenchError",
    "BenchFileError",
    "BenchInUse",
    "ChargerConfig",
    "MissingCapability",
    "RunFolder",
    "Station",
    "load_bench",
    "load_charger",
]
