"""The mock CSMS: its own event loop in a thread, with a plain synchronous face.

```python
csms = Csms(timeline, pki, ocpp="2.0.1", security_profile=1, station_id="CS01", password="...").start()
csms.on("Authorize", Delay(5.0), times=1)
csms.wait_for("TransactionEvent", where=lambda p: p.eventType == "Ended", timeout_s=5)
csms.call("SetVariables", {...})
```
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, get_args

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from bench.csms import behaviour as behaviours
from bench.csms.backoffice import BackOffice
from bench.csms.behaviour import Behaviour, Behaviours
from bench.csms.calls import Calls
from bench.csms.errors import CallError, CsmsError, CsmsTimeout, NotConnected
from bench.csms.frames import Frame
from bench.csms.handlers import HandlerError, Reply, conforming_201
from bench.csms.link import Link
from bench.csms.payload import Payload
from bench.csms.record import Recorder, RecordError
from bench.csms.schemas import SUBPROTOCOLS, Version
from bench.csms.security import (
    SecurityProfile,
    charger_of,
    check_basic_auth,
    describe_failure,
    peer_name,
    server_context,
)
from bench.pki import Pki
from bench.timeline import Timeline

MAX_FRAME_BYTES = 256 * 1024
MAX_LINKS = 8
MAX_HELD = 16
"""Dropped calls of a link that are remembered, to be answered when the script ends."""
MAX_SEEN = 50_000
"""Payloads kept for `seen`; older ones are only in the timeline."""
OPEN_TIMEOUT_S = 10.0
PATIENCE_S = 1.0
"""A charger may give up on a call that is answered this late by script, and send the next one."""
MAX_ID_CHARACTERS = 48

T = TypeVar("T")


class Csms(Calls):
    """A scripted, recording CSMS for one charging station (any, when `station_id` is None).

    `contracts` and `tokens` are its registries, `provisioning` its stand-in for the provisioning service.
    `strict` answers frames that break the schema or part 4 with CALLERROR (otherwise they are recorded and
    handled as far as possible). `start` raises CsmsError when the port cannot be had.
    """

    def __init__(
        self,
        timeline: Timeline,
        pki: Pki | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ocpp: Version = "2.0.1",
        security_profile: SecurityProfile = 0,
        station_id: str | None = None,
        password: str | bytes | None = None,
        record: Path | None = None,
        strict: bool = True,
        accept_unknown: bool = False,
    ) -> None:
        if ocpp not in get_args(Version):
            raise CsmsError(f"OCPP {ocpp} is not known; {', '.join(get_args(Version))} are")
        if ocpp != "2.0.1":
            raise CsmsError(f"OCPP {ocpp} comes in a later version; this one speaks 2.0.1")
        if security_profile not in get_args(SecurityProfile):
            raise CsmsError(f"security profile {security_profile}: 0 to 3")
        if security_profile in (1, 2) and not password:
            raise CsmsError(f"security profile {security_profile} needs a password")
        if security_profile in (2, 3) and pki is None:
            raise CsmsError(f"security profile {security_profile} needs a PKI for the server certificate")
        if not 0 <= port <= 65_535:
            raise CsmsError(f"port {port}: 0 to 65535")
        self.timeline = timeline
        self.pki = pki
        self.host = host
        self.version: Version = ocpp
        self.security_profile: SecurityProfile = security_profile
        self.station_id = station_id
        self.strict = strict
        self.office = BackOffice(timeline, pki, accept_unknown=accept_unknown)
        self.contracts = self.office.contracts
        self.tokens = self.office.tokens
        self.provisioning = self.office.provisioning
        self.handlers = conforming_201()
        self.behaviours = Behaviours()
        self._password = password.encode() if isinstance(password, str) else password
        self._port = port
        try:
            self.recorder = Recorder(timeline, record)
        except RecordError as error:
            raise CsmsError(str(error)) from error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: Server | None = None
        self._reserved: socket.socket | None = None
        self._context: ssl.SSLContext | None = None
        self._script_over = asyncio.Event()
        self._changed = threading.Condition()
        self._links: list[Link] = []
        self._link_count = 0
        self._seen: deque[Payload] = deque(maxlen=MAX_SEEN)

    # --- life -----------------------------------------------------------------------------------------------

    def start(self) -> Csms:
        """Listen; returns self. Raises CsmsError when the address cannot be had."""
        if self._thread is not None:
            raise CsmsError("the CSMS was started before")
        try:
            self._reserved = self._reserve(self._port)
        except OSError as error:
            self.recorder.close()
            raise CsmsError(f"{self.host}:{self._port}: {error.strerror or error}") from error
        self._port = int(self._reserved.getsockname()[1])
        if self.security_profile >= 2 and self.pki is not None:
            client_root = self.pki.csms_root.certificate if self.security_profile == 3 else None
            self._context = server_context(self.pki.csms, client_root, self._tls_failed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="csms", daemon=True)
        self._thread.start()
        self._do(self._listen(), timeout_s=10.0)
        return self

    def _run(self) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def close(self) -> None:
        """Close links, listener, record and thread; safe to call twice."""
        if self._thread is not None and self._loop is not None and self._thread.is_alive():
            try:
                self._do(self._stop_listening(), timeout_s=10.0)
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(timeout=10.0)
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        self.recorder.close()

    def __enter__(self) -> Csms:
        return self if self._thread is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise CsmsError("the CSMS is not running")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            if future.done():  # the coroutine's own
                raise
            future.cancel()
            raise CsmsTimeout(f"the CSMS did not finish within {timeout_s:g} s") from None

    def _reserve(self, port: int) -> socket.socket:
        """A bound socket that does not listen: connecting to it is refused, and nobody else can take the
        port."""
        family, kind, number, _, address = socket.getaddrinfo(
            self.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        reserved = socket.socket(family, kind, number)
        try:
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind(address)
        except OSError:
            reserved.close()
            raise
        return reserved

    async def _listen(self) -> None:
        if self._server is not None or self._reserved is None:
            return
        listening, self._reserved = self._reserved, None
        # Not stated: without a subprotocol in common the handshake fails, with the reason on record.
        self._server = await serve(
            self._serve,
            sock=listening,
            ssl=self._context,
            subprotocols=None,
            select_subprotocol=self._select_subprotocol,
            process_request=self._process_request,
            max_size=MAX_FRAME_BYTES,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=2.0,
            ping_interval=None,
        )

    async def _stop_listening(self, reason: str = "closed by the CSMS") -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for link in list(self._links):
            link.abort(reason)
        server.close()
        await server.wait_closed()
        self._reserved = self._reserve(self._port)

    # --- connecting -----------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The TCP port, once started."""
        return self._port

    @property
    def url(self) -> str:
        """The URL to give to a charger, without the station id."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.security_profile >= 2 else 'ws'}://{host}:{self._port}"

    def _tls_failed(self, error: ssl.SSLError) -> None:
        self.recorder.link("handshake-failed", None, None, describe_failure(error), self.security_profile)

    def _refuse(
        self, connection: ServerConnection, charger: str | None, reason: str, status: int
    ) -> Response:
        self.recorder.link(
            "handshake-failed", charger, None, reason, self.security_profile, http_status=status
        )
        return connection.respond(http.HTTPStatus(status), reason.encode("ascii", "replace").decode() + "\n")

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        charger = charger_of(request.path)
        if not charger or len(charger) > MAX_ID_CHARACTERS:
            return self._refuse(connection, None, "no station id at the end of the URL", 404)
        if self.station_id is not None and charger != self.station_id:
            return self._refuse(connection, charger, f"unknown station id, not {self.station_id}", 404)
        if len(self._links) >= MAX_LINKS:
            return self._refuse(connection, charger, f"more than {MAX_LINKS} links", 503)
        if self.security_profile in (1, 2):
            try:
                header = request.headers.get("Authorization")
            except MultipleValuesError:
                header = "(several)"
            problem = check_basic_auth(header, charger, self._password or b"")
            if problem is not None:
                refusal = self._refuse(connection, charger, problem, 401)
                refusal.headers["WWW-Authenticate"] = 'Basic realm="CSMS"'
                return refusal
        return None

    def _select_subprotocol(self, connection: ServerConnection, offered: Any) -> Subprotocol | None:
        wanted = SUBPROTOCOLS[self.version]
        if wanted in offered:
            return Subprotocol(wanted)
        request = connection.request
        charger = charger_of(request.path) if request is not None else None
        reason = (
            f"no subprotocol {wanted}, offered: {', '.join(str(each) for each in offered)[:100] or '(none)'}"
        )
        self.recorder.link("handshake-failed", charger, None, reason, self.security_profile, http_status=400)
        raise NegotiationError(reason)

    async def _serve(self, connection: ServerConnection) -> None:
        request = connection.request
        charger = charger_of(request.path) if request is not None else "?"
        self._link_count += 1
        link = Link(self, connection, charger, self._link_count, self.recorder)
        more: dict[str, Any] = {"subprotocol": connection.subprotocol}
        tls = connection.transport.get_extra_info("ssl_object")
        if tls is not None:
            more |= {"tls": tls.version(), "cipher": tls.cipher()[0], "peer": peer_name(tls.getpeercert())}
        self.recorder.link("connected", charger, link.number, None, self.security_profile, **more)
        self._with_change(lambda: self._links.append(link))
        try:
            await link.run()
        finally:
            self._with_change(lambda: self._links.remove(link))
            self.recorder.link("closed", charger, link.number, link.close_reason, self.security_profile)

    def _with_change(self, change: Callable[[], object]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    # --- answering (on the loop) ----------------------------------------------------------------------------

    def received(self, link: Link, payload: Payload) -> None:
        """A call has arrived (called by the link)."""
        self._with_change(lambda: self._seen.append(payload))

    async def answer(self, link: Link, call: Payload, frame: Frame) -> None:
        """Answer a call, as scripted or conforming (called by the link)."""
        how = self.behaviours.take(call.ocpp_action)
        if how != Behaviour():
            self.timeline.append(
                "csms", "backend", f"{call.ocpp_action} {type(how).__name__}", {"id": frame.id}
            )
        if isinstance(how, behaviours.Drop):
            link.leave_unanswered(frame.id)
            if link.busy > MAX_HELD:
                return
            # Until the script ends, so that a charger that still waits is free for the next case.
            await self._scripted_wait(None)
            link.send_error(frame.id, call.ocpp_action, "GenericError", "dropped by script")
            return
        if isinstance(how, behaviours.Error):
            link.send_error(frame.id, call.ocpp_action, how.code, how.description)
            return
        if isinstance(how, behaviours.Malformed):
            link.send_text(frame.id, call.ocpp_action, how.text.replace("{id}", frame.id))
            return
        if isinstance(how, behaviours.Answer) and not how.merge:
            link.send_result(frame.id, call.ocpp_action, dict(how.payload))
            return
        reply = self._conforming(link, call, frame)
        if reply is None:
            return
        payload = reply.payload
        if isinstance(how, behaviours.Answer):
            payload = {**payload, **how.payload}
        elif isinstance(how, behaviours.Reject):
            payload = behaviours.rejected(call.ocpp_action, payload, how)
        delay_s = reply.delay_s + (how.delay_s if isinstance(how, behaviours.Delay) else 0.0)
        if delay_s >= PATIENCE_S:
            link.leave_unanswered(frame.id)  # a charger that gives up and goes on breaks no rule
        if delay_s > 0:
            await self._scripted_wait(delay_s)
        link.send_result(frame.id, call.ocpp_action, payload)
        if reply.then is not None and not isinstance(how, behaviours.Reject | behaviours.Answer):
            await self._follow_up(link, reply)

    async def _scripted_wait(self, delay_s: float | None) -> None:
        """The scripted lateness (None: for ever); it ends early when the behaviour is reset."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._script_over.wait()

    async def _end_script(self) -> None:
        over, self._script_over = self._script_over, asyncio.Event()
        over.set()

    def _conforming(self, link: Link, call: Payload, frame: Frame) -> Reply | None:
        handler = self.handlers.get(call.ocpp_action)
        if handler is None:
            link.send_error(frame.id, call.ocpp_action, "NotSupported", "not an action of a charging station")
            return None
        try:
            return handler(self.office, call)
        except HandlerError as error:
            link.send_error(frame.id, call.ocpp_action, error.code, error.description)
        except (
            Exception
        ) as error:  # a handler that trips over a hostile payload must not take the CSMS with it
            self.timeline.append(
                "csms", "backend", "handler failed", {"action": call.ocpp_action, "error": repr(error)}
            )
            link.send_error(frame.id, call.ocpp_action, "InternalError", type(error).__name__)
        return None

    async def _follow_up(self, link: Link, reply: Reply) -> None:
        assert reply.then is not None

        async def call(action: str, payload: dict[str, Any]) -> Payload:
            return await link.call(action, payload, 10.0)

        try:
            await reply.then(call)
        except (CallError, CsmsTimeout) as error:
            self.timeline.append("csms", "backend", "follow-up failed", {"error": str(error)})

    # --- the plan's face ------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """True while a charger is connected."""
        return bool(self._links)

    @property
    def boot(self) -> Payload | None:
        """The last BootNotification, or None."""
        found = self.seen("BootNotification")
        return found[-1] if found else None

    def wait_connected(self, timeout_s: float = 10.0) -> None:
        """Wait for a link; raises CsmsTimeout."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._links), timeout_s):
                raise CsmsTimeout(f"no charger connected within {timeout_s:g} s")

    def mark(self) -> int:
        """This moment, for `since=`: the sequence number of the timeline's next event."""
        return self.timeline.mark()

    def seen(self, action: str, *, since: int = 0) -> list[Payload]:
        """Payloads of the calls of `action` received since the mark, oldest first."""
        with self._changed:
            return [each for each in self._seen if each.ocpp_action == action and each.seq >= since]

    def wait_for(
        self,
        action: str,
        where: Callable[[Payload], bool] | None = None,
        timeout_s: float = 5.0,
        since: int = 0,
    ) -> Payload:
        """The first call of `action` since the mark that `where` accepts; raises CsmsTimeout."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for each in self._seen:
                    if each.ocpp_action == action and each.seq >= since and (where is None or where(each)):
                        return each
                left = deadline - time.monotonic()
                if left <= 0:
                    raise CsmsTimeout(f"no {action} {'as wanted ' if where else ''}within {timeout_s:g} s")
                self._changed.wait(left)

    def call(self, action: str, payload: Mapping[str, Any] | None = None, timeout_s: float = 5.0) -> Payload:
        """Call the charger; raises CallError, CsmsTimeout, and NotConnected (a CsmsTimeout) when nobody is
        there.

        The payload goes out as it is, also when it breaks the schema.
        """
        with self._changed:
            link = self._links[-1] if self._links else None
        if link is None:
            raise NotConnected(f"{action}: no charger is connected")
        return self._do(link.call(action, dict(payload or {}), timeout_s), timeout_s + 5.0)

    def on(self, action: str, behaviour: Behaviour, times: int | None = None) -> None:
        """Script the next `times` calls of `action` (all, when None); see `bench.csms.behaviour`."""
        self.timeline.append(
            "csms", "backend", f"on {action}", {"behaviour": repr(behaviour)[:500], "times": times}
        )
        self.behaviours.set(action, behaviour, times)

    def reset_behaviour(self) -> None:
        """Back to the conforming backend, online; accepted contracts and tokens stay. Raises CsmsError.

        What a script still holds back (Delay, a slow provisioning service) is answered now, what it dropped
        is answered with CALLERROR, so that no charger goes into the next case with a call outstanding.
        """
        self.behaviours.clear()
        self.office.reset()
        self._do(self._end_script(), timeout_s=10.0)
        self.online()

    def offline(self) -> None:
        """Cut every link and refuse connections, as if the backend were gone."""
        self.timeline.append("csms", "backend", "offline")
        self._do(self._stop_listening("the CSMS went offline"), timeout_s=10.0)

    def online(self) -> None:
        """Take connections again; does nothing when online."""
        if self._server is None:
            self.timeline.append("csms", "backend", "online")
            self._do(self._listen(), timeout_s=10.0)

    def drop_link(self) -> None:
        """Cut every link without a closing handshake; reconnecting is welcome. Returns when they are gone."""
        self.timeline.append("csms", "backend", "drop link")
        with self._changed:
            links = list(self._links)
        if self._loop is None:
            return
        for link in links:
            self._loop.call_soon_threadsafe(link.abort, "dropped by the CSMS")
        with self._changed:
            self._changed.wait_for(lambda: not any(each in self._links for each in links), 5.0)
