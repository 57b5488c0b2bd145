"""Frames built and shown with scapy. Importing scapy takes about a second, so it happens on first use
only.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any

MAX_SEGMENT = 1440
_LOCAL_MAC = "02:00:00:00:00:01"
_REMOTE_MAC = "02:00:00:00:00:02"
_MAX_FRAME = 65_535
_MAX_FIELDS = 400
_MAX_TEXT = 256


def scapy_loaded() -> bool:
    """True when `load_scapy` would return at once."""
    return "scapy.layers.inet6" in sys.modules and "scapy.contrib.homepluggp" in sys.modules


def load_scapy() -> None:
    """Import the layers needed here; takes about a second the first time."""
    with warnings.catch_warnings():
        # Deprecations inside scapy are not ours to fix, and must not stop a run that turns warnings into
        # errors.
        warnings.simplefilter("ignore")
        import scapy.contrib.homepluggp
        import scapy.layers.inet
        import scapy.layers.inet6
        import scapy.layers.l2  # noqa: F401


@dataclass(frozen=True, slots=True)
class Flow:
    """The two ends of an exchange; `local` is the bench's side. Addresses are IPv6 texts."""

    local: str
    local_port: int
    remote: str
    remote_port: int


def _ends(flow: Flow, *, outgoing: bool) -> tuple[str, str, str, str, int, int]:
    if outgoing:
        return _LOCAL_MAC, _REMOTE_MAC, flow.local, flow.remote, flow.local_port, flow.remote_port
    return _REMOTE_MAC, _LOCAL_MAC, flow.remote, flow.local, flow.remote_port, flow.local_port


def udp_frame(flow: Flow, payload: bytes, *, outgoing: bool) -> bytes:
    """An Ethernet/IPv6/UDP frame with right lengths and checksum."""
    load_scapy()
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    source_mac, target_mac, source, target, source_port, target_port = _ends(flow, outgoing=outgoing)
    frame = (
        Ether(src=source_mac, dst=target_mac)
        / IPv6(src=source, dst=target)
        / UDP(sport=source_port, dport=target_port)
        / Raw(payload)
    )
    return bytes(frame)


def tcp_frame(
    flow: Flow, payload: bytes, *, outgoing: bool, flags: str, sequence: int, acknowledged: int
) -> bytes:
    """An Ethernet/IPv6/TCP frame with right lengths and checksum; `flags` as scapy writes them ("PA")."""
    load_scapy()
    from scapy.layers.inet import TCP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    source_mac, target_mac, source, target, source_port, target_port = _ends(flow, outgoing=outgoing)
    segment = TCP(
        sport=source_port,
        dport=target_port,
        flags=flags,
        seq=sequence & 0xFFFF_FFFF,
        ack=acknowledged & 0xFFFF_FFFF,
    )
    frame = Ether(src=source_mac, dst=target_mac) / IPv6(src=source, dst=target) / segment
    return bytes(frame / Raw(payload) if payload else frame)


def describe(frame: bytes) -> list[dict[str, Any]]:
    """The detail view of one Ethernet frame: one dict a layer, {"layer": name, "fields": {name: text}}.

    For display only. Bounded in size; a frame that scapy cannot dissect ends in a layer "Raw" or
    "undecodable".
    """
    load_scapy()
    from scapy.layers.l2 import Ether
    from scapy.packet import Packet

    layers: list[dict[str, Any]] = []
    try:
        packet: Packet = Ether(frame[:_MAX_FRAME])
        while packet and len(layers) < 16:
            fields = {
                name: str(packet.getfieldval(name))[:_MAX_TEXT]
                for name in [each.name for each in packet.fields_desc][:_MAX_FIELDS]
            }
            layers.append({"layer": packet.name, "fields": fields})
            packet = packet.payload
    except Exception as error:
        # scapy's dissectors raise whatever their arithmetic meets on a hostile frame: there is no list to
        # name.
        layers.append(
            {"layer": "undecodable", "fields": {"error": f"{type(error).__name__}: {error}"[:_MAX_TEXT]}}
        )
    return layers
