"""The bench's network: does the interface exist, which ports are free, what a reader should know of it."""

from __future__ import annotations

import socket

from bench.station.bench_file import Network
from bench.station.errors import BenchError
from bench.toml_table import near_match


def check_interface(network: Network) -> list[str]:
    """Notes for the report. Raises BenchError when there is no such interface."""
    names = [name for _, name in socket.if_nameindex()]
    if network.interface not in names:
        raise BenchError(
            f"network.interface: this host has no interface {network.interface!r}"
            f"{near_match(network.interface, names)}"
        )
    if network.interface == "lo":
        return ["interface lo carries no multicast: SDP requests go to ::1 instead of ff02::1"]
    return []


def free_tcp_port(host: str) -> int:
    """A TCP port that nobody has now. Raises BenchError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise BenchError(f"{host}: no free port can be had: {error.strerror}") from error
