"""The events of a capture, sorted into plug-ins: SLAC, SDP, TLS and TCP of one car's stay make one `Session`.

What belongs together is told by addresses: the EV's MAC in SLAC, its IP address from SDP on. SLAC and IP
have no address in common, so the SDP request of a car that is not known yet joins the plug-in that matched
last and has gone no further.

Everything here is bounded: of a long session the middle is not kept (`Session.left_out`), and of many open
sessions the oldest is closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.rules.conversation import is_message, is_request, is_response
from bench.timeline import Event
from bench.v2g import timers

MAX_FIRST, MAX_LAST = 8_000, 2_000
"""Events kept of a session: so many from its beginning, so many before its end."""
MAX_OPEN = 12
"""Sessions that may still get events, the oldest is judged when there are more."""
MAX_LISTED = 200
MAX_CONNECTIONS = 4096
_ENTRY_SLAC = "CM_SLAC_PARM.REQ"
_FIRST_SIGNS = frozenset(("connect", "ClientHello", "ServerHello", "handshake", "undecodable", "gap"))
"""What an unknown connection may begin with, beside a message."""
_KEPT_SLAC = frozenset(("CM_ATTEN_PROFILE.IND",))


@dataclass(slots=True)
class Link:
    """One TCP connection of a session.

    `whole`: its beginning was captured. `pending`: the request that waits for an answer, `last` the last
    message. `refusals`: responses FAILED with their requests. `closed_by`: "EV" or "charger", whoever ended
    it first. `gaps`: how often bytes are missing. `unread`: texts on TLS that could not be decrypted,
    `undecodable`: messages that no schema fits.
    """

    number: int
    whole: bool
    messages: int = 0
    pending: Event | None = None
    last: Event | None = None
    refusals: list[tuple[Event | None, Event]] = field(default_factory=list)
    stopping: Event | None = None
    stopped: Event | None = None
    closed_by: str = ""
    closed_ns: int | None = None
    gaps: int = 0
    tls: bool = False
    version: str = ""
    secured: Event | None = None
    alert: Event | None = None
    unread: list[str] = field(default_factory=list)
    undecodable: int = 0


@dataclass(slots=True)
class Slac:
    """How far matching came. `count`: frames by name. `at`: stamp of the last one of each name."""

    count: dict[str, int] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    last_ns: int = 0

    @property
    def matched(self) -> bool:
        """Whether the charger confirmed the match."""
        return "CM_SLAC_MATCH.CNF" in self.count

    def add(self, event: Event) -> None:
        """Take note of a frame."""
        self.count[event.name] = self.count.get(event.name, 0) + 1
        self.at[event.name] = event.t_ns
        self.last_ns = event.t_ns


class Session:
    """One plug-in. `ev_mac`, `ev_ip`: the car's addresses as far as they are known, "" if not."""

    def __init__(self, number: int, first_ns: int) -> None:
        self.number = number
        self.first_ns = self.last_ns = first_ns
        self.ev_mac = self.ev_ip = ""
        self.slac = Slac()
        self.sdp_requests = self.sdp_responses = 0
        self.sdp_last_ns = 0
        self.links: dict[int, Link] = {}
        self.attenuations: list[Event] = []
        self.left_out = 0
        self._first: list[Event] = []
        self._last: deque[Event] = deque()
        self._torn: set[int] = set()

    @property
    def spoke(self) -> bool:
        """Whether a TCP connection of it was seen."""
        return bool(self.links)

    @property
    def stranger(self) -> bool:
        """Whether this is TLS that nothing ties to charging: no SLAC or SDP before it, nothing readable in
        it, and addresses that are not link-local (V2G has no others).
        """
        known = self.slac.count or self.sdp_requests or self.messages or self.ev_ip.startswith("fe80:")
        return not known and all(link.tls and not link.undecodable for link in self.links.values())

    @property
    def messages(self) -> int:
        """How many V2G messages there were."""
        return sum(link.messages for link in self.links.values())

    def events(self) -> Iterator[Event]:
        """What was kept, in order. Where events were left out, each connection has a `gap` event, so that no
        rule takes what comes after for what follows.
        """
        yield from self._first
        if self.left_out and self._last:
            after = self._last[0]
            for number in self._torn:
                text = f"{self.left_out} events are not kept for judging"
                data = {"connection": number, "text": text, "left_out": True}
                yield Event(after.seq, after.t_ns, "sniffer", "v2g-error", "gap", data)
        yield from self._last

    def keep(self, event: Event) -> None:
        """Add an event."""
        self.first_ns = min(self.first_ns, event.t_ns)
        self.last_ns = max(self.last_ns, event.t_ns)
        if len(self._first) < MAX_FIRST:
            self._first.append(event)
            return
        self._last.append(event)
        if len(self._last) > MAX_LAST:
            gone = self._last.popleft()
            self.left_out += 1
            number = gone.data.get("connection")
            if isinstance(number, int):
                self._torn.add(number)

    def note(self, event: Event) -> None:
        """Take note of what an event says about how far the session came, and keep it."""
        self.keep(event)
        if event.kind == "slac":
            self._slac(event)
        elif event.kind == "sdp":
            self._sdp(event)
        elif isinstance(event.data.get("connection"), int):
            self._link(event)

    def _slac(self, event: Event) -> None:
        self.slac.add(event)
        if event.name == "CM_ATTEN_CHAR.IND" and len(self.attenuations) < MAX_LISTED:
            self.attenuations.append(event)

    def _sdp(self, event: Event) -> None:
        self.sdp_last_ns = event.t_ns
        if event.data.get("dir") == "tx":
            self.sdp_requests += 1
            self.ev_ip = self.ev_ip or str(event.data.get("src") or "")
        elif event.name == "SDPRes":
            self.sdp_responses += 1

    def _link(self, event: Event) -> None:
        data, number = event.data, event.data["connection"]
        link = self.links.get(number)
        if link is None:
            begins = event.kind == "tcp" and event.name == "connect"
            link = self.links[number] = Link(number, begins)
        from_charger = data.get("dir") == "rx"
        if event.kind == "tcp" and event.name in ("close", "reset"):
            if link.closed_ns is None and "dir" in data:
                link.closed_by = "charger" if from_charger else "EV"
                link.closed_ns = event.t_ns
            link.closed_ns = link.closed_ns or event.t_ns
        elif event.kind == "v2g-error":
            link.gaps += event.name == "gap"
            link.undecodable += event.name == "undecodable"
            link.pending = None if from_charger else link.pending
        elif event.kind == "tls":
            self._tls(link, event)
        elif is_message(event):
            link.messages += 1
            link.last = event
            if is_request(event):
                link.pending = event
                if event.name == "SessionStopReq":
                    link.stopping = event
            elif is_response(event):
                if str(data.get("response_code") or "").upper().startswith("FAILED"):
                    if len(link.refusals) < MAX_LISTED:
                        link.refusals.append((link.pending, event))
                elif event.name == "SessionStopRes":
                    link.stopped = event
                link.pending = None

    @staticmethod
    def _tls(link: Link, event: Event) -> None:
        link.tls = True
        if event.name == "ServerHello":
            link.version = str(event.data.get("version") or "")
        elif event.name == "handshake":
            link.secured = event
        elif event.name in ("failed", "alert") and event.data.get("alert") != "close_notify":
            link.alert = link.alert or event
        elif event.name == "undecodable" and len(link.unread) < MAX_LISTED:
            link.unread.append(str(event.data.get("text") or "")[:300])


class Grouper:
    """Sorts events into sessions: `take` gives the session of an event (None: it belongs to none), and
    `closed` the sessions that no event can belong to any more, in order; `finish` closes the rest.
    """

    def __init__(self) -> None:
        self.count = 0
        self.closed: list[Session] = []
        self._open: list[Session] = []
        self._of_connection: dict[int, Session] = {}
        self._by_mac: dict[str, Session] = {}
        self._by_ip: dict[str, Session] = {}
        self._repetition_ns = int(timers.get("slac.TT_matching_repetition").value * 1e9)
        self._setup_ns = int(timers.get("iso2.V2G_EVCC_CommunicationSetup_Timeout").value * 1e9)

    def take(self, event: Event) -> Session | None:
        """The session of an event, which has taken note of it."""
        if event.kind == "slac":
            session = self._of_slac(event)
        elif event.kind == "sdp":
            session = self._of_sdp(event)
        elif isinstance(event.data.get("connection"), int):
            session = self._of_link(event)
        else:
            return None
        if session is not None:
            session.note(event)
        return session

    def finish(self) -> list[Session]:
        """Close every session; returns those that were still open, in order."""
        self.closed += sorted(self._open, key=lambda one: one.first_ns)
        self._open.clear()
        return self.take_closed()

    def take_closed(self) -> list[Session]:
        """The sessions closed since the last call."""
        closed, self.closed = self.closed, []
        return closed

    def _new(self, event: Event) -> Session:
        while len(self._open) >= MAX_OPEN:
            self._close(self._open[0])
        self.count += 1
        session = Session(self.count, event.t_ns)
        self._open.append(session)
        return session

    def _close(self, session: Session) -> None:
        """Nothing can belong to `session` any more."""
        self._retire(session)
        self._open.remove(session)
        self.closed.append(session)
        for number in session.links:
            self._of_connection.pop(number, None)

    def _retire(self, session: Session) -> None:
        """The car of `session` has begun another; what its connections still say belongs to it."""
        for known in (self._by_mac, self._by_ip):
            for key in [key for key, value in known.items() if value is session]:
                del known[key]

    def _of_slac(self, event: Event) -> Session | None:
        way, data = event.data.get("dir"), event.data
        mac = str(data.get("src" if way == "tx" else "dst") or "")
        if way is None:
            if event.name not in _KEPT_SLAC:
                return None  # talk between a host and its modem
            fields = data.get("fields")
            mac = str(fields.get("pev_mac") or "") if isinstance(fields, dict) else ""
            return self._by_mac.get(mac)
        session = self._by_mac.get(mac)
        if event.name == _ENTRY_SLAC and session is not None and self._begins(session, event):
            self._retire(session)
            session = None
        if session is None:
            if way == "rx":
                return None  # an answer to a car that was not heard
            session = self._new(event)
            session.ev_mac = mac
            self._by_mac[mac] = session
        return session

    def _begins(self, session: Session, event: Event) -> bool:
        """Whether this CM_SLAC_PARM.REQ is of another plug-in than the session of the same car."""
        if session.spoke or session.sdp_requests or session.slac.matched:
            return True
        return event.t_ns - session.slac.last_ns > self._repetition_ns

    def _of_sdp(self, event: Event) -> Session | None:
        ip = str(event.data.get("src" if event.name == "SDPReq" else "dst") or "")
        session = self._by_ip.get(ip)
        if event.name != "SDPReq":
            return session
        waiting = self._matched_last()
        if session is not None and (
            session.messages
            or (waiting is not None and session.slac.last_ns < waiting.slac.last_ns)
            or event.t_ns - max(session.sdp_last_ns, session.last_ns) > self._setup_ns
        ):
            self._retire(session)
            session = None
        if session is None:
            session = waiting or self._new(event)
            session.ev_ip = ip
            self._by_ip[ip] = session
        return session

    def _asked_last(self, ip: str, t_ns: int) -> Session | None:
        """The plug-in of the car at `ip` that asked for the charger last before `t_ns`, and has no message
        yet. A connection is told with its first data: by then the car may have begun another plug-in.
        """
        found = [
            each
            for each in self._open
            if each.ev_ip == ip and each.sdp_requests and not each.messages and each.sdp_last_ns <= t_ns
        ]
        return max(found, key=lambda each: each.sdp_last_ns, default=None)

    def _matched_last(self) -> Session | None:
        """The plug-in that matched last and has gone no further."""
        found = [
            each
            for each in self._open
            if not each.ev_ip and not each.spoke and each.slac.count and each.ev_mac
        ]
        done = [each for each in found if each.slac.matched] or found
        return max(done, key=lambda each: each.slac.last_ns, default=None)

    def _of_link(self, event: Event) -> Session | None:
        number = event.data["connection"]
        session = self._of_connection.get(number)
        if session is None:
            if not is_message(event) and event.name not in _FIRST_SIGNS:
                return None  # the end of a connection that has been judged
            session = self._of_new_link(event)
            while len(self._of_connection) >= MAX_CONNECTIONS:
                del self._of_connection[next(iter(self._of_connection))]
            self._of_connection[number] = session
        return session

    def _of_new_link(self, event: Event) -> Session:
        data: dict[str, Any] = event.data
        begins = event.kind == "tcp" and event.name == "connect"
        ip = str(data.get("dst" if data.get("dir") == "rx" else "src") or "")
        if begins and (asked := self._asked_last(ip, event.t_ns)) is not None:
            return asked
        session = self._by_ip.get(ip)
        if session is not None and begins and not session.messages:
            return session
        if session is not None and not begins and not session.spoke and session.sdp_responses:
            return session  # only the beginning of its connection is missing
        waiting = self._matched_last()
        if begins and session is not None:
            self._retire(session)
        # A plug-in that matched, and whose SDP is not in the capture; else one of its own.
        session = waiting if begins and waiting is not None else self._new(event)
        session.ev_ip = ip
        if begins:
            self._by_ip[ip] = session
        return session
