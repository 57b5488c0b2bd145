"""TLS of the SECC over a plain pair of asyncio streams.

asyncio's own TLS transport drops what the library has to say when a handshake fails; an EV (or whoever
measures the charger) then sees a closed connection where RFC 5246, 7.2.2 asks for a fatal alert.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

READ_BYTES = 65_536


class TlsStream:
    """The server's side of one connection; read, write and close as with a pair of asyncio streams."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self) -> None:
        """Shake hands. Raises OSError (ssl.SSLError among them); the alert is on its way then."""
        try:
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    self._flush()
                    if not await self._feed():
                        raise ConnectionError("connection closed during the handshake") from None
                else:
                    return
        finally:
            self._flush()

    async def read(self, size: int) -> bytes:
        """At most `size` bytes of content; b"" when the peer closed. Raises OSError."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                if not await self._feed():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            finally:
                self._flush()

    def write(self, data: bytes) -> None:
        """Encrypt and send. Raises OSError."""
        self._tls.write(data)
        self._flush()

    async def drain(self) -> None:
        """Wait until the peer keeps up. Raises OSError."""
        await self._writer.drain()

    def close(self) -> None:
        """Say close_notify and close; the peer's is not waited for."""
        # The answer has not come (or the handshake never ended): both are no reason not to close.
        with contextlib.suppress(OSError):
            self._tls.unwrap()
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
