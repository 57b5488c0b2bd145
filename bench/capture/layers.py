"""From the link layer to what lies on it: where a packet's network layer begins, and where its TCP or UDP.

Link types: Ethernet, Linux cooked (SLL, SLL2), raw IP, BSD loopback; 802.1Q and 802.1ad tags on any of them.
Source: IEEE 802.1Q, the tcpdump.org list of link types, RFC 8200 section 4 (IPv6 extension headers), RFC 791.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

ETHERNET = 1
IPV4, IPV6, HOMEPLUG_AV = 0x0800, 0x86DD, 0x88E1
TCP, UDP = 6, 17
_VLAN = frozenset((0x8100, 0x88A8, 0x9100))
_MAX_TAGS = 8
_EXTENSION_COUNT = range(16)
_COOKED, _COOKED_2 = 113, 276
_RAW = frozenset((12, 14, 101, 228, 229))
_LOOPBACK = frozenset((0, 108))
_FAMILIES = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""Address families of Linux, the BSDs and macOS."""
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _MOBILITY = 0, 43, 44, 51, 60, 135
_PLAIN = frozenset((TCP, UDP))
_EXTENSIONS = frozenset((_HOP_BY_HOP, _ROUTING, _DESTINATION, _MOBILITY))


class Transport(NamedTuple):
    """Where TCP or UDP lies in a packet.

    ``source``, ``target``: addresses (4 or 16 bytes). ``start``, ``end``: offsets of header and of the
    payload's end as the network layer says; ``end`` may lie beyond the data captured. ``fragment``: a part of
    a fragmented datagram, which is not put together.
    """

    protocol: int
    source: bytes
    target: bytes
    start: int
    end: int
    fragment: bool = False


def network(link: int, data: bytes) -> tuple[int, int]:
    """Ether type and offset of the network layer; (0, 0) when there is none that is known."""
    if link == ETHERNET:
        kind, offset = int.from_bytes(data[12:14], "big"), 14
    elif link == _COOKED:
        kind, offset = int.from_bytes(data[14:16], "big"), 16
    elif link == _COOKED_2:
        kind, offset = int.from_bytes(data[0:2], "big"), 20
    elif link in _RAW:
        version = data[0] >> 4 if data else 0
        return {4: (IPV4, 0), 6: (IPV6, 0)}.get(version, (0, 0))
    elif link in _LOOPBACK:
        # In the byte order of the host that captured, whichever that was.
        family = min(int.from_bytes(data[:4], "big"), int.from_bytes(data[:4], "little"))
        return _FAMILIES.get(family, 0), 4
    else:
        return 0, 0
    last = offset + 4 * _MAX_TAGS
    while kind in _VLAN and offset < last:
        kind = int.from_bytes(data[offset + 2 : offset + 4], "big")
        offset += 4
    return (kind, offset) if offset <= len(data) else (0, 0)


def known_link(link: int) -> bool:
    """Whether packets of this link type can be read."""
    return link in (ETHERNET, _COOKED, _COOKED_2) or link in _RAW or link in _LOOPBACK


def stations(link: int, data: bytes) -> tuple[bytes, bytes]:
    """Source and destination MAC address (6 bytes each), zeros where the link layer does not tell."""
    if link == ETHERNET:
        return data[6:12], data[0:6]
    if link == _COOKED:
        return data[6:12], bytes(6)
    if link == _COOKED_2:
        return data[12:18], bytes(6)
    return bytes(6), bytes(6)


def transport(kind: int, data: bytes, offset: int) -> Transport | None:
    """What an IP packet at `offset` carries; None when it is no IP, or cut off within its headers."""
    if kind == IPV6:
        return _ipv6(data, offset)
    if kind == IPV4:
        return _ipv4(data, offset)
    return None


def _ipv6(data: bytes, offset: int) -> Transport | None:
    if len(data) < offset + 40 or data[offset] >> 4 != 6:
        return None
    length = data[offset + 4] << 8 | data[offset + 5]
    protocol, start = data[offset + 6], offset + 40
    # No length: a packet that the network card was to split (segmentation offload), or a jumbogram.
    end = start + length if length else len(data)
    fragment = False
    for _ in _EXTENSION_COUNT:
        if protocol in _PLAIN:
            break
        if protocol in _EXTENSIONS or protocol == _AUTHENTICATION:
            if len(data) < start + 2:
                return None
            size = (data[start + 1] + 2) * 4 if protocol == _AUTHENTICATION else (data[start + 1] + 1) * 8
            protocol, start = data[start], start + size
        elif protocol == _FRAGMENT:
            if len(data) < start + 4:
                return None
            # The lowest bit says that more follow, the upper 13 are the offset; both zero is a whole packet.
            fragment = bool((data[start + 2] << 8 | data[start + 3]) & 0xFFF9)
            protocol, start = data[start], start + 8
        else:
            break
    if start > end:
        return None
    return Transport(
        protocol, data[offset + 8 : offset + 24], data[offset + 24 : offset + 40], start, end, fragment
    )


def _ipv4(data: bytes, offset: int) -> Transport | None:
    if len(data) < offset + 20 or data[offset] >> 4 != 4:
        return None
    header = (data[offset] & 0x0F) * 4
    length = data[offset + 2] << 8 | data[offset + 3]
    start = offset + header
    end = offset + length if length else len(data)
    if header < 20 or start > end:
        return None
    fragment = bool((data[offset + 6] << 8 | data[offset + 7]) & 0x3FFF)
    return Transport(
        data[offset + 9],
        data[offset + 12 : offset + 16],
        data[offset + 16 : offset + 20],
        start,
        end,
        fragment,
    )


def address_text(address: bytes) -> str:
    """An address (4 or 16 bytes) or a MAC address (6) as text."""
    if len(address) == 4:
        return str(ipaddress.IPv4Address(address))
    if len(address) == 16:
        return str(ipaddress.IPv6Address(address))
    return address.hex(":")
