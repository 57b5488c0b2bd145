"""One WebSocket connection of one charger: reads, stamps, records, answers, calls.

A reader stamps every frame the moment it arrives, never in a handler: a stamp taken later would hide a
charger that sends a second call before the first is answered. Handlers run beside it; a writer sends, so that
a charger that does not read can block neither. All queues are bounded: what overflows ends the link, with the
reason on record.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from bench.csms import frames, schemas
from bench.csms.errors import CallError, CsmsTimeout, NotConnected
from bench.csms.frames import Frame, FrameError, FrameType
from bench.csms.payload import Payload
from bench.csms.record import Recorder
from bench.timeline import now_ns

MAX_RUNNING_CALLS = 32
MAX_OUTGOING = 64
MAX_FRAMES_PER_S = 1000
MAX_CHARACTERS_PER_S = 8 * 1024 * 1024
REMEMBERED_IDS = 1024
SEND_TIMEOUT_S = 10.0
# Which types a version has; anything else is answered MessageTypeNotSupported.
_TYPES = {
    "1.6": frozenset({FrameType.CALL, FrameType.CALLRESULT, FrameType.CALLERROR}),
    "2.0.1": frozenset({FrameType.CALL, FrameType.CALLRESULT, FrameType.CALLERROR}),
    "2.1": frozenset(FrameType),
}


@dataclass(frozen=True)
class Text:
    """What goes out: a text, with what the record says of it."""

    text: str
    kind: str
    action: str
    frame_id: str | None = None
    payload: dict[str, Any] | None = None


class Owner(Protocol):
    """What a link needs of the CSMS."""

    version: schemas.Version
    strict: bool

    async def answer(self, link: Link, call: Payload, frame: Frame) -> None:
        """Handle a call; sends the answer itself through the link."""
        ...

    def received(self, link: Link, payload: Payload) -> None:
        """A call (or SEND) has arrived; called at once, in order."""
        ...


class Link:
    """A connection; `number` counts from 1 within a CSMS, `charger` is the station id of the URL."""

    def __init__(
        self, owner: Owner, socket: Connection, charger: str, number: int, recorder: Recorder
    ) -> None:
        self.owner = owner
        self.socket = socket
        self.charger = charger
        self.number = number
        self.recorder = recorder
        self.close_reason: str | None = None
        self._outgoing: asyncio.Queue[Text] = asyncio.Queue(MAX_OUTGOING)
        self._running: set[asyncio.Task[None]] = set()
        self._unanswered: OrderedDict[str, str] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._pending: dict[str, tuple[str, asyncio.Future[Payload]]] = {}
        self._turn = asyncio.Lock()
        self._window = (0, 0, 0)

    async def run(self) -> None:
        """Serve until the connection ends; `close_reason` then says why."""
        writer = asyncio.create_task(self._write())
        try:
            while True:
                raw = await self.socket.recv()
                self._arrived(raw, now_ns())
        except ConnectionClosed as end:
            if self.close_reason is None:
                self.close_reason = _reason_of(end)
        finally:
            tasks = [writer, *self._running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for action, future in self._pending.values():
                if not future.done():
                    future.set_exception(NotConnected(f"{action}: the link closed before the answer"))

    @property
    def busy(self) -> int:
        """How many calls are being handled."""
        return len(self._running)

    def abort(self, reason: str) -> None:
        """Cut the TCP connection without a closing handshake."""
        if self.close_reason is None:
            self.close_reason = reason
        self.socket.transport.abort()

    # --- incoming -------------------------------------------------------------------------------------------

    def _arrived(self, raw: str | bytes, t_ns: int) -> None:
        if self._flooded(len(raw), t_ns):
            return
        if isinstance(raw, bytes):
            text = raw.decode("utf-8", "backslashreplace")
            self._refuse(text, t_ns, FrameError("RpcFrameworkError", "a binary WebSocket message"))
            return
        try:
            frame = frames.parse(raw)
            if frame.type not in _TYPES[self.owner.version]:
                text = f"{frame.type.name} does not exist in OCPP {self.owner.version}"
                raise FrameError("MessageTypeNotSupported", text, frame.id)
        except FrameError as error:
            self._refuse(raw, t_ns, error)
            return
        if frame.type in (FrameType.CALL, FrameType.SEND):
            self._call_arrived(frame, raw, t_ns)
        else:
            self._answer_arrived(frame, raw, t_ns)

    def _flooded(self, size: int, t_ns: int) -> bool:
        start, count, characters = self._window
        if t_ns - start > 1_000_000_000:
            start, count, characters = t_ns, 0, 0
        self._window = (start, count + 1, characters + size)
        if count < MAX_FRAMES_PER_S and characters < MAX_CHARACTERS_PER_S:
            return False
        self.abort(
            f"flood: more than {MAX_FRAMES_PER_S} frames or {MAX_CHARACTERS_PER_S} characters in a second"
        )
        return True

    def _refuse(self, raw: str, t_ns: int, error: FrameError) -> None:
        self._record_rx(raw, t_ns, "?", "?", frame=None, problem=f"{error.code}: {error.text}")
        # An unreadable answer must not be answered: the peer is not waiting for anything.
        if self.owner.strict and not raw.lstrip().startswith(("[3", "[4", "[5")):
            self.send_error(error.frame_id, "?", error.code, error.text)

    def _call_arrived(self, frame: Frame, raw: str, t_ns: int) -> None:
        action = frame.action or ""
        problems = list(frame.problems)
        if frame.type is FrameType.CALL:
            if self._unanswered:
                other = next(iter(self._unanswered))
                problems.append(f"sent while the call {other} is unanswered (part 4, 4.1.1)")
            if frame.id in self._ids:
                problems.append("message id used before (part 4, 4.1.4)")
            self._remember(frame.id)
        violation: schemas.Violation | None = None
        unknown = False
        try:
            violation = schemas.check(self.owner.version, action, frame.payload)
        except schemas.UnknownActionError:
            unknown = True
            problems.append(f"OCPP {self.owner.version} has no action {action[:40]!r}")
        if violation is not None:
            problems.append(str(violation))
        problem = "; ".join(problems) or None
        seq = self._record_rx(raw, t_ns, frame.type.name, action, frame=frame, problem=problem)
        payload = Payload(frame.payload, ocpp_action=action, t_ns=t_ns, seq=seq, problem=problem)
        self.owner.received(self, payload)
        if frame.type is FrameType.SEND:
            return
        if unknown:
            self.send_error(frame.id, action, "NotImplemented", f"no action {action[:40]}")
        elif violation is not None and self.owner.strict:
            self.send_error(frame.id, action, violation.code, violation.text)
        elif len(self._running) >= MAX_RUNNING_CALLS:
            self.send_error(frame.id, action, "InternalError", "too many calls at once")
        else:
            self._unanswered[frame.id] = action
            self._spawn(self.owner.answer(self, payload, frame))

    def _remember(self, frame_id: str) -> None:
        self._ids[frame_id] = None
        if len(self._ids) > REMEMBERED_IDS:
            self._ids.popitem(last=False)

    def _answer_arrived(self, frame: Frame, raw: str, t_ns: int) -> None:
        problems = list(frame.problems)
        action, future = self._pending.pop(frame.id, ("?", None))
        if future is None:
            problems.append("answers no open call (late, or never asked)")
        elif frame.type is FrameType.CALLRESULT:
            violation = schemas.check(self.owner.version, action, frame.payload, response=True)
            if violation is not None:
                problems.append(str(violation))
        problem = "; ".join(problems) or None
        seq = self._record_rx(raw, t_ns, frame.type.name, action, frame=frame, problem=problem)
        if future is None or future.done():
            return
        if frame.type is FrameType.CALLRESULT:
            future.set_result(Payload(frame.payload, ocpp_action=action, t_ns=t_ns, seq=seq, problem=problem))
        else:
            code = frame.code or "GenericError"
            future.set_exception(CallError(action, code[:100], frame.description[:255], frame.payload))

    def _record_rx(
        self, raw: str, t_ns: int, kind: str, action: str, *, frame: Frame | None, problem: str | None
    ) -> int:
        return self.recorder.frame(
            "rx",
            self.charger,
            self.number,
            raw,
            t_ns=t_ns,
            kind=kind,
            action=action,
            frame_id=frame.id if frame is not None else None,
            payload=frame.payload if frame is not None else None,
            problem=problem,
        ).seq

    # --- outgoing -------------------------------------------------------------------------------------------

    def send_result(self, frame_id: str, action: str, payload: dict[str, Any]) -> None:
        """Queue a CALLRESULT."""
        self._answered(frame_id)
        self._send(Text(frames.result(frame_id, payload), "CALLRESULT", action, frame_id, payload))

    def send_error(self, frame_id: str, action: str, code: str, description: str) -> None:
        """Queue a CALLERROR."""
        self._answered(frame_id)
        # What a hostile frame made us say may hold lone surrogates, which no text frame can carry.
        clean = description.encode("utf-8", "replace").decode()
        safe_id = frame_id.encode("utf-8", "replace").decode()
        self._send(
            Text(frames.error(safe_id, code, clean), "CALLERROR", action, frame_id, {"errorCode": code})
        )

    def send_text(self, frame_id: str, action: str, text: str) -> None:
        """Queue a text that need not be a frame."""
        self._answered(frame_id)
        self._send(Text(text, "?", action, frame_id))

    def leave_unanswered(self, frame_id: str) -> None:
        """Say that the call will get no answer, so that the next one is not held against the charger for
        ever."""
        self._answered(frame_id)

    async def call(self, action: str, payload: dict[str, Any], timeout_s: float) -> Payload:
        """Send a CALL and return the payload of its CALLRESULT.

        One call at a time goes out (part 4, 4.1.1); waiting for its turn counts against `timeout_s`. Raises
        CallError, CsmsTimeout, and NotConnected when the link closes meanwhile.
        """
        frame_id = frames.new_id()
        future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s), self._turn:
                self._pending[frame_id] = (action, future)
                self._send(Text(frames.call(frame_id, action, payload), "CALL", action, frame_id, payload))
                return await future
        except TimeoutError:
            raise CsmsTimeout(f"{action}: no answer within {timeout_s:g} s") from None
        finally:
            self._pending.pop(frame_id, None)

    def _answered(self, frame_id: str) -> None:
        self._unanswered.pop(frame_id, None)

    def _send(self, text: Text) -> None:
        try:
            self._outgoing.put_nowait(text)
        except asyncio.QueueFull:
            self.abort(f"the charger does not read: {MAX_OUTGOING} frames wait")

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside the reader; it ends with the link."""
        self._spawn(work)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _write(self) -> None:
        while True:
            item = await self._outgoing.get()
            self.recorder.frame(
                "tx",
                self.charger,
                self.number,
                item.text,
                t_ns=now_ns(),
                kind=item.kind,
                action=item.action,
                frame_id=item.frame_id,
                payload=item.payload,
            )
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self.socket.send(item.text)
            except TimeoutError:
                self.abort(f"the charger did not read for {SEND_TIMEOUT_S:g} s")
                return
            except UnicodeEncodeError as error:  # a scripted text with a lone surrogate
                self.abort(f"the answer cannot be sent: {error}")
                return
            except ConnectionClosed:
                return


def _reason_of(end: ConnectionClosed) -> str:
    if end.sent is not None and (end.rcvd is None or not end.rcvd_then_sent):
        return f"closed by the CSMS: {end.sent}"[:200]
    if end.rcvd is not None:
        return f"closed by the charger: {end.rcvd}"[:200]
    return "connection lost without a closing handshake"
