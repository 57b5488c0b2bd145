"""The V2G messages of a timeline, by connection, up to where the bench left the protocol on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.timeline import Event

HANDSHAKE = "supportedAppProtocol"


@dataclass(slots=True)
class Conversation:
    """The messages of one TCP connection in order; `deviated` when the EV broke the protocol, `messages` end
    there.
    """

    connection: object
    messages: list[Event] = field(default_factory=list)
    deviated: bool = False

    @property
    def ended_by_stop(self) -> bool:
        """Whether SessionStopRes was received."""
        return any(is_response(event) and event.name == "SessionStopRes" for event in self.messages)


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
    for event in events:
        if event.kind == "tcp" and event.name == "connect":
            running.clear()  # connection numbers count within a session and come again in the next
        if not is_message(event):
            continue
        connection = event.data.get("connection")
        if connection not in running:
            running[connection] = Conversation(connection)
            found.append(running[connection])
        one = running[connection]
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
