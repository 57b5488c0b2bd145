"""TLS of the SECC over a plain pair of asyncio streams.

asyncio's own TLS transport drops what the library has to say when a handshake fails; an EV (or whoever
measures the charger) then sees a closed connection where RFC 5246, 7.2.2 asks for a fatal alert.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from bench.v2g.tls12.server import ServerContext, ServerEngine, offered_suites

READ_BYTES = 65_536


class TlsStream:
    """The server's side of one connection; read, write and close as with a pair of asyncio streams."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        choose: Callable[[frozenset[int]], ssl.SSLContext | ServerContext],
    ) -> None:
        """`choose` tells the context for a ClientHello that offers these suites; it may raise OSError."""
        self._reader = reader
        self._writer = writer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._choose = choose
        self._tls: ssl.SSLObject | ServerEngine | None = None

    async def handshake(self) -> None:
        """Shake hands. Raises OSError (ssl.SSLError among them); the alert is on its way then."""
        secured = self._tls = await self._open()
        try:
            while True:
                try:
                    secured.do_handshake()
                except ssl.SSLWantReadError:
                    self._flush()
                    if not await self._feed():
                        raise ConnectionError("connection closed during the handshake") from None
                else:
                    return
        finally:
            self._flush()

    async def _open(self) -> ssl.SSLObject | ServerEngine:
        """Take in the ClientHello: only with it can be told whose the handshake is."""
        hello = b""
        while (offered := offered_suites(hello)) is None:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise ConnectionError("connection closed before a ClientHello")
            hello += data
        self._incoming.write(hello)
        return self._choose(offered).wrap_bio(self._incoming, self._outgoing, server_side=True)

    def _secured(self) -> ssl.SSLObject | ServerEngine:
        if self._tls is None:
            raise ConnectionError("no handshake yet")
        return self._tls

    async def read(self, size: int) -> bytes:
        """At most `size` bytes of content; b"" when the peer closed. Raises OSError."""
        secured = self._secured()
        while True:
            try:
                return secured.read(size)
            except ssl.SSLWantReadError:
                if not await self._feed():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            finally:
                self._flush()

    def write(self, data: bytes) -> None:
        """Encrypt and send. Raises OSError."""
        self._secured().write(data)
        self._flush()

    async def drain(self) -> None:
        """Wait until the peer keeps up. Raises OSError."""
        await self._writer.drain()

    def close(self) -> None:
        """Say close_notify and close; the peer's is not waited for."""
        # The answer has not come (or the handshake never ended): both are no reason not to close.
        with contextlib.suppress(OSError):
            self._secured().unwrap()
        self._flush()
        self._writer.close()

    async def wait_closed(self) -> None:
        """Wait until everything is sent and the socket is closed. Raises OSError."""
        await self._writer.wait_closed()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._writer.write(data)

    async def _feed(self) -> bool:
        data = await self._reader.read(READ_BYTES)
        self._incoming.write(data)
        return bool(data)
