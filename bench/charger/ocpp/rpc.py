"""The charger's end of a connection: one call at a time, answers matched, calls of the backend dispatched.

Source: OCPP 2.0.1 part 4, 4.1 (one outstanding CALL), 4.2.3 (CALLERROR).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from bench.csms import frames, schemas
from bench.csms.frames import Frame, FrameError, FrameType

VERSION: schemas.Version = "2.0.1"
MAX_RUNNING_CALLS = 16


class RpcError(Exception):
    """A call got no usable answer."""


class LinkLostError(RpcError):
    """The connection ended before the answer."""


class RefusedError(RpcError):
    """The backend answered CALLERROR."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code


class CommandError(Exception):
    """A handler's way to answer CALLERROR."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.description = description


After = Callable[[], Awaitable[None]]
Handler = Callable[[dict[str, Any]], Awaitable[tuple[dict[str, Any], After | None]]]
Find = Callable[[str], Handler | None]


class Rpc:
    """One connection; `find` looks up the handler of an action of the backend.

    `on_unreadable(text, error)` is called for what is no frame, `on_invalid_answer(action, payload, why)` for
    an answer that breaks its schema. The call that waits fails in both cases.
    """

    def __init__(
        self,
        socket: Connection,
        find: Find,
        *,
        on_unreadable: Callable[[str], None],
        on_invalid_answer: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._socket = socket
        self._find = find
        self._on_unreadable = on_unreadable
        self._on_invalid_answer = on_invalid_answer
        self._turn = asyncio.Lock()
        self._waiting: tuple[str, str, asyncio.Future[dict[str, Any]]] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._exchanges: set[asyncio.Task[dict[str, Any]]] = set()
        self.lost = False

    async def run(self) -> None:
        """Read until the connection ends."""
        try:
            while True:
                raw = await self._socket.recv()
                self._arrived(raw if isinstance(raw, str) else raw.decode("utf-8", "replace"))
        except ConnectionClosed:
            return
        finally:
            self.lost = True
            self._fail(LinkLostError("the connection ended"))
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def close(self) -> None:
        """Close the connection in the orderly way."""
        await self._socket.close()

    async def call(self, action: str, payload: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Send a CALL when it is its turn; returns the payload of the answer. Raises RpcError and its kinds.

        `timeout_s` counts from the sending (OCPPCommCtrlr.MessageTimeout). A caller that gives up earlier
        does not free the line: the next CALL waits until this one is answered or timed out (part 4, 4.1.1).
        """
        sent = asyncio.Event()
        exchange = asyncio.create_task(self._exchange(action, payload, timeout_s, sent))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanged)
        try:
            return await asyncio.shield(exchange)
        except asyncio.CancelledError:
            if not sent.is_set():
                exchange.cancel()
            raise

    def _exchanged(self, exchange: asyncio.Task[dict[str, Any]]) -> None:
        self._exchanges.discard(exchange)
        if not exchange.cancelled():
            exchange.exception()  # seen, also when nobody waits for it any more

    async def _exchange(
        self, action: str, payload: dict[str, Any], timeout_s: float, sent: asyncio.Event
    ) -> dict[str, Any]:
        async with self._turn:
            if self.lost:
                raise LinkLostError("the connection ended")
            frame_id = frames.new_id()
            future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            self._waiting = (frame_id, action, future)
            sent.set()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._socket.send(frames.call(frame_id, action, payload))
                    return await future
            except TimeoutError:
                raise RpcError(f"{action}: no answer within {timeout_s:g} s") from None
            except ConnectionClosed:
                raise LinkLostError("the connection ended") from None
            finally:
                self._waiting = None

    def _arrived(self, raw: str) -> None:
        try:
            frame = frames.parse(raw)
            if frame.type not in (FrameType.CALL, FrameType.CALLRESULT, FrameType.CALLERROR):
                raise FrameError("MessageTypeNotSupported", f"no {frame.type.name} in 2.0.1", frame.id)
        except FrameError as error:
            self._on_unreadable(raw)
            # With one call outstanding, an answer that cannot be read can only have been meant for that one.
            self._fail(RpcError(f"unreadable frame: {error}"))
            if raw.lstrip().startswith("[2"):
                self._spawn(self._send(frames.error(error.frame_id, error.code, error.text)))
            return
        if frame.type is FrameType.CALL:
            if len(self._running) >= MAX_RUNNING_CALLS:
                self._spawn(self._send(frames.error(frame.id, "InternalError", "too many calls")))
            else:
                self._spawn(self._handle(frame))
        elif self._waiting is not None and self._waiting[0] == frame.id:
            self._answered(frame)

    def _answered(self, frame: Frame) -> None:
        assert self._waiting is not None
        _, action, future = self._waiting
        if future.done():
            return
        if frame.type is FrameType.CALLERROR:
            future.set_exception(RefusedError((frame.code or "")[:60], frame.description[:200]))
            return
        violation = schemas.check(VERSION, action, frame.payload, response=True)
        if violation is None:
            future.set_result(frame.payload)
            return
        self._on_invalid_answer(action, frame.payload)
        self._fail(RpcError(f"{action}: the answer breaks the schema: {violation}"))

    def _fail(self, error: RpcError) -> None:
        if self._waiting is not None and not self._waiting[2].done():
            self._waiting[2].set_exception(error)

    async def _handle(self, frame: Frame) -> None:
        action = frame.action or ""
        after: After | None = None
        try:
            violation = schemas.check(VERSION, action, frame.payload)
            handler = self._find(action)
            if violation is not None:
                raise CommandError(violation.code, violation.text)
            if handler is None:
                raise CommandError(
                    "NotSupported" if action else "NotImplemented", f"{action} is not supported"
                )
            payload, after = await handler(frame.payload)
            text = frames.result(frame.id, payload)
        except schemas.UnknownActionError:
            text = frames.error(frame.id, "NotImplemented", f"no action {action[:50]}")
        except CommandError as error:
            text = frames.error(frame.id, error.code, error.description)
        await self._send(text)
        if after is not None:
            await after()

    async def _send(self, text: str) -> None:
        try:
            await self._socket.send(text.encode("utf-8", "replace").decode())
        except ConnectionClosed:
            self.lost = True  # the reader ends by itself

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
