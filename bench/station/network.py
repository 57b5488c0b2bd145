"""The bench's network: does the interface exist, which ports are free, what a reader should know of it."""

from __future__ import annotations

import socket

from bench.station.bench_file import Network
from bench.station.errors import BenchError
from bench.station.toml_table import near_match


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


def free_udp_port() -> int:
    """A UDP port over IPv6 that nobody has now (SDP of an embedded bench). Raises BenchError."""
    return _free_port(socket.AF_INET6, socket.SOCK_DGRAM, "::")


def free_tcp_port(host: str) -> int:
    """A TCP port that nobody has now. Raises BenchError."""
    return _free_port(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, host)


def _free_port(family: int, kind: int, host: str) -> int:
    try:
        with socket.socket(family, kind) as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise BenchError(f"{host}: no free port can be had: {error.strerror}") from error
