"""SDP server: tells EVs where the SECC listens (ISO 15118-2 clause 7.10.1)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.v2g import sdp

if TYPE_CHECKING:
    from bench.charger.model import Charger

log = logging.getLogger(__name__)

Answer = Callable[[sdp.SdpRequest], sdp.SdpResponse | None]


class SdpServer(asyncio.DatagramProtocol):
    """Answers each request at once, with TLS where it is asked for and available."""

    def __init__(self, charger: Charger, address: str, *, tcp_port: int, tls_port: int | None) -> None:
        self.charger = charger
        self.address = address
        self.tcp_port = tcp_port
        self.tls_port = tls_port
        self.answer: Answer = self.default_answer
        """The response to a request, or None for silence. Defects replace it."""
        self._transport: asyncio.DatagramTransport | None = None

    def default_answer(self, request: sdp.SdpRequest) -> sdp.SdpResponse | None:
        """TLS when asked for and possible, else none; nothing for a transport that is not TCP."""
        if request.transport != sdp.TRANSPORT_TCP or not self.charger.pilot.accepting:
            return None
        if request.security == sdp.SECURITY_TLS and self.tls_port is not None:
            return sdp.SdpResponse(self.address, self.tls_port, sdp.SECURITY_TLS)
        if request.security in (sdp.SECURITY_TLS, sdp.SECURITY_NONE):
            return sdp.SdpResponse(self.address, self.tcp_port, sdp.SECURITY_NONE)
        return None

    async def start(self, sock: socket.socket) -> None:
        """Serve on a socket of `bench.v2g.sdp.open_sdp_socket`."""
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sock)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        try:
            request = sdp.decode_request(data)
            response = self.answer(request)
            if response is not None and self._transport is not None:
                self._transport.sendto(sdp.encode_response(response), addr)
        except sdp.SdpError as error:
            log.info("SDP request dropped: %s", error)

    def error_received(self, exc: Exception) -> None:
        log.info("SDP: %s", exc)

    def close(self) -> None:
        """Fall silent."""
        if self._transport is not None:
            self._transport.close()
