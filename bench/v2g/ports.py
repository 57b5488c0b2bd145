"""Ports of V2G communication: car and charger take dynamic ones, 49152 to 65535 (RFC 6335 section 6).

Source: ISO 15118-2:2014 clause 7, tables of the supported ports: V2G_SRC_TCP_DATA, V2G_DST_TCP_DATA,
V2G_UDP_SDP_CLIENT. The system's own choice will not do: Linux hands out ports from 32768 on, and a peer may
refuse an SDP response that names such a port.
"""

from __future__ import annotations

import errno
import random
import socket

DYNAMIC = range(49_152, 65_536)
_TRIES = 200


def bind_dynamic(sock: socket.socket, address: str = "::", scope: int = 0) -> int:
    """Bind an IPv6 socket to a free dynamic port of `address` and return it. Raises OSError."""
    candidates = random.sample(DYNAMIC, _TRIES)
    for port in candidates:
        try:
            sock.bind((address, port, 0, scope))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return port
    raise OSError(errno.EADDRINUSE, f"no free port from {DYNAMIC[0]} to {DYNAMIC[-1]} in {_TRIES} tries")
