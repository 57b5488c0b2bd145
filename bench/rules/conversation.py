"""The V2G messages of a timeline, by connection, up to where the bench left the protocol on purpose.

Where the bench is the car, the timeline has every message. Of a foreign car (`foreign`) there is a capture:
it may begin late and lack bytes, and the car may err. A rule must hold neither against the charger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.timeline import Event

HANDSHAKE = "supportedAppProtocol"
SNIFFER = "sniffer"


@dataclass(slots=True)
class Conversation:
    """The messages of one TCP connection in order; `deviated` when the EV broke the protocol, `messages` end
    there. `holes`: indexes of the messages before which a capture may lack others; `lossy`: it lacks bytes,
    and where is not known, because a gap shows only some messages later.
    """

    connection: object
    messages: list[Event] = field(default_factory=list)
    deviated: bool = False
    holes: set[int] = field(default_factory=set)
    lossy: bool = False

    @property
    def ended_by_stop(self) -> bool:
        """Whether SessionStopRes was received."""
        return any(is_response(event) and event.name == "SessionStopRes" for event in self.messages)


def foreign(event: Event) -> bool:
    """Whether the EV of this event is none of the bench: it was overheard (source `sniffer`)."""
    return event.source == SNIFFER


def is_message(event: Event) -> bool:
    """A V2G message, sent or received."""
    return event.kind == "v2g" and event.data.get("dir") in ("tx", "rx")


def is_request(event: Event) -> bool:
    """A V2G message that the EV sent."""
    return event.kind == "v2g" and event.data.get("dir") == "tx"


def is_response(event: Event) -> bool:
    """A V2G message that the charger sent."""
    return event.kind == "v2g" and event.data.get("dir") == "rx"


def conversations(events: Sequence[Event], *, past_deviations: bool = False) -> list[Conversation]:
    """The conversations among `events`, in order of their first message.

    A conversation is cut before the first request that the EV altered (`deviation`), since from there on the
    charger answers to something else than the protocol; `past_deviations` keeps the rest.
    """
    found: list[Conversation] = []
    running: dict[object, Conversation] = {}
    begun: set[object] = set()
    for event in events:
        connection = event.data.get("connection")
        if event.kind == "tcp" and event.name == "connect":
            if foreign(event):
                begun.add(connection)
                running.pop(connection, None)
            else:
                running.clear()  # connection numbers count within a session and come again in the next
        lacks = event.kind == "v2g-error" and foreign(event)
        if not is_message(event) and not lacks:
            continue
        if connection not in running:
            running[connection] = Conversation(connection)
            found.append(running[connection])
            if foreign(event) and connection not in begun:
                running[connection].holes.add(0)
        one = running[connection]
        if lacks:
            # Of a whole message that cannot be read, and of what was left out of a long session, the place is
            # known.
            if event.data.get("exi") or event.data.get("left_out"):
                one.holes.add(len(one.messages))
            else:
                one.lossy = True
            continue
        if event.data.get("deviation") and is_request(event):
            one.deviated = True
        if past_deviations or not one.deviated:
            one.messages.append(event)
    return found


def base_name(name: str) -> str:
    """`PaymentDetails` of `PaymentDetailsReq` and `PaymentDetailsRes`."""
    return name[:-3] if name.endswith(("Req", "Res")) else name


def code(event: Event) -> str:
    """The response code of a response, "" when it has none."""
    return str(event.data.get("response_code") or "")


def refused(event: Event) -> bool:
    """Whether a response refuses its request (`FAILED...`, or the app protocol's `Failed_NoNegotiation`)."""
    return code(event).upper().startswith("FAILED")
