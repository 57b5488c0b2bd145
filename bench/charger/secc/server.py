"""TCP and TLS server of the SECC: one task a connection, one session object each; hostile input ends only
its own.

A connection begins with supportedAppProtocol; then every payload goes through `dispatch.answer`.
Connections are
bounded in number, messages in size (`v2gtp.Parser`), silence in time (60 s, [V2G2-443]).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.charger.secc import dispatch, protocols
from bench.charger.secc.session import Session
from bench.charger.secc.tls_stream import TlsStream
from bench.v2g import codec, ports, v2gtp
from bench.v2g.messages import sap

if TYPE_CHECKING:
    from bench.charger.model import Charger

log = logging.getLogger(__name__)
MAX_CONNECTIONS = 16
READ_BYTES = 65_536
HANDSHAKE_TIMEOUT_S = 10.0
AFTER_FAILURE_S = 5.0
"""After a FAILED answer the EV has this long to send SessionStopReq or to close."""


@dataclass
class Link:
    """Byte stream of one connection with its V2GTP parser."""

    reader: asyncio.StreamReader | TlsStream
    writer: asyncio.StreamWriter | TlsStream
    parser: v2gtp.Parser
    ready: deque[tuple[int, bytes]] = field(default_factory=deque)

    async def receive(self, timeout_s: float | None) -> bytes | None:
        """Next V2G payload; None when the peer closed. Raises TimeoutError, V2GTPError, OSError.

        Payloads of another type are dropped ([V2G2-093]).
        """
        async with asyncio.timeout(timeout_s):
            while True:
                while self.ready:
                    kind, payload = self.ready.popleft()
                    if kind == v2gtp.PAYLOAD_V2G_EXI:
                        return payload
                data = await self.reader.read(READ_BYTES)
                if not data:
                    return None
                self.ready.extend(self.parser.feed(data))
                if self.parser.error is not None and not self.ready:
                    raise self.parser.error

    async def send(self, payload: bytes) -> None:
        """Send one V2G payload in one write."""
        self.writer.write(v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, payload))
        await self.writer.drain()


class Listener:
    """One listening socket, plain or TLS."""

    def __init__(self, charger: Charger, address: str, scope: int, *, tls: bool) -> None:
        self.charger = charger
        self.tls = tls
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.port = ports.bind_dynamic(self._socket, address, scope)
        self._socket.listen(MAX_CONNECTIONS)
        self._socket.setblocking(False)
        self._accepting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to accept."""
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, peer = await loop.sock_accept(self._socket)
            if len(self._tasks) >= MAX_CONNECTIONS:
                sock.close()
                continue
            task = asyncio.create_task(self._connection(sock, str(peer[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connection(self, sock: socket.socket, peer: str) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            link = await self._open(sock)
        except (OSError, TimeoutError) as error:
            log.info("handshake with %s failed: %s", peer, error)
            self.charger.tls.handshake_failed(self)
            return
        try:
            await serve(link, Session(tls=self.tls, peer=peer), self.charger)
        finally:
            await _hang_up(link.writer)

    async def _open(self, sock: socket.socket) -> Link:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=READ_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        if not self.tls:
            return Link(reader, writer, self.charger.policy.parser())
        secure = TlsStream(reader, writer, self.charger.tls.choose)
        async with contextlib.AsyncExitStack() as when_refused:
            when_refused.push_async_callback(_hang_up, writer)
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await secure.handshake()
            when_refused.pop_all()
        return Link(secure, secure, self.charger.policy.parser())

    def stop_accepting(self) -> None:
        """Take no more connections; those that are there go on."""
        if self._accepting is not None:
            self._accepting.cancel()
        self._socket.close()

    async def close(self) -> None:
        """Close the socket and every connection."""
        self.stop_accepting()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _hang_up(writer: asyncio.StreamWriter | TlsStream) -> None:
    """Close, what is written (the alert of a refused handshake, too) having a second to leave."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await writer.wait_closed()


async def serve(link: Link, session: Session, charger: Charger) -> None:
    """One connection from supportedAppProtocol to its end; the session is ended whatever happens."""
    why = "connection closed by the EV"
    try:
        if await _negotiate(link, session, charger):
            await _messages(link, session, charger)
    except TimeoutError:
        why = "no request within the sequence timeout"
    except (v2gtp.V2GTPError, dispatch.Hangup, codec.CodecError) as error:
        why = str(error)
    except OSError as error:
        why = f"connection lost: {error}"
    finally:
        log.info("session %s: %s", session.id.hex(), why)
        charger.connection_lost(session)


async def _negotiate(link: Link, session: Session, charger: Charger) -> bool:
    """supportedAppProtocol until it succeeds, which gives the session its protocol; False when the peer
    closes first."""
    while (payload := await link.receive(charger.policy.sequence_timeout_s)) is not None:
        request = codec.decode("sap", payload)
        if not isinstance(request, sap.supportedAppProtocolReq):
            raise dispatch.Hangup(f"a {type(request).__name__} instead of supportedAppProtocolReq")
        response = charger.policy.choose_protocol(request, tls=session.tls)
        await link.send(codec.encode(response, schema="sap"))
        if response.ResponseCode != sap.responseCode.Failed_NoNegotiation:
            session.protocol = protocols.agreed(request, response)
            return True
    return False


async def _messages(link: Link, session: Session, charger: Charger) -> None:
    while True:
        timeout_s = AFTER_FAILURE_S if session.failed else charger.policy.sequence_timeout_s
        payload = await link.receive(timeout_s)
        if payload is None:
            return
        response = await dispatch.answer(payload, session, charger)
        if response is not None:
            await link.send(response)
        if session.closed and not session.expected:
            # The EV closes first ([V2G2-024]); it gets a moment to do so.
            with contextlib.suppress(TimeoutError):
                await link.receive(AFTER_FAILURE_S)
            return
