"""From one payload to the next: the one place for session ids, message order, time limits and FAILED
answers."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from bench.charger.secc import protocols, transitions
from bench.charger.secc.iso2.common import Refusal, Reply
from bench.charger.secc.session import NO_SESSION, Session
from bench.v2g import codec
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

log = logging.getLogger(__name__)
_Code = iso2.responseCode


class Hangup(Exception):  # noqa: N818 - an outcome, not an error of the program
    """The connection is to be closed without an answer; the text says why."""


async def answer(payload: bytes, session: Session, charger: Charger) -> bytes | None:
    """Answer one V2G message: the payload of the response, or None to send nothing.

    Raises Hangup for bytes that are no request of the protocol agreed on.
    """
    protocol = protocols.of(session)
    try:
        message, valid = charger.policy.decode(payload, protocol.name)
        request = _request(message, session, charger)
        header_id = message.Header.SessionID if valid else _bytes(message.Header)
    except codec.CodecError as error:
        reply = charger.policy.undecodable(session, charger, error)
        if reply is None:
            raise Hangup(f"not a message of {protocol.namespace}: {error}") from error
        return reply
    name = type(request).__name__
    session.payload = payload
    if valid:
        session.signature = message.Header.Signature
        outcome = await _handle(name, request, header_id, session, charger)
    else:
        # Only the kind of the request is sure: nothing in it may be looked at.
        code = charger.policy.check_session_id(name, header_id, session) or _Code.FAILED
        outcome = _refuse(name, code, f"{name} with content that the schema does not allow", session, charger)
    final = await charger.policy.before_answer(name, outcome, session, charger)
    if final is None:
        return None
    if final.raw is not None:
        return final.raw
    kinds = protocol.messages
    header = kinds.MessageHeader(SessionID=charger.policy.header_id(session), Signature=final.signature)
    return charger.policy.encode(kinds.V2G_Message(Header=header, Body=kinds.Body(BodyElement=final.body)))


def _request(message: Any, session: Session, charger: Charger) -> Any:
    request = getattr(message.Body, "BodyElement", None)
    known = isinstance(request, protocols.of(session).messages.BodyElement)
    if not known or type(request).__name__ not in charger.handlers_of(session):
        raise codec.CodecError(f"{type(request).__name__} is no request")
    return request


def _bytes(header: object) -> bytes:
    found = getattr(header, "SessionID", b"")
    return found if isinstance(found, bytes) else b""


async def _handle(name: str, request: Any, header_id: bytes, session: Session, charger: Charger) -> Reply:
    protocol = protocols.of(session)
    code = charger.policy.check_session_id(name, header_id, session) or charger.policy.check_order(
        name, request, session
    )
    if code is not None:
        return _refuse(name, code, f"{name} in the wrong place", session, charger)
    if session.closed and not session.failed and not protocol.may_end(name, request):
        return _refuse(name, _Code.FAILED, f"{name} after the charger ended the session", session, charger)
    if name == "SessionSetupReq":
        # The handler sees the id that the EV asks for and replaces it.
        session.id = header_id if len(header_id) == len(NO_SESSION) else NO_SESSION
    try:
        async with asyncio.timeout(charger.policy.time_limit_s(name, protocol.name)):
            outcome = await charger.handlers_of(session)[name](request, session, charger)
    except Refusal as refusal:
        return _refuse(name, refusal.code, str(refusal), session, charger)
    except TimeoutError:
        return _refuse(name, _Code.FAILED, f"{name} took too long", session, charger)
    reply = outcome if isinstance(outcome, Reply) else Reply(outcome)
    given = getattr(reply.body, "ResponseCode", _Code.OK)
    if given.value.startswith("FAILED"):
        charger.session_failed(session, given.value)
        session.expected = transitions.AFTER_FAILURE
    else:
        session.expected = protocol.after(name, request, reply.body, session)
    return reply


def _refuse(name: str, code: _Code, why: str, session: Session, charger: Charger) -> Reply:
    log.info("%s -> %s: %s", name, code.value, why)
    charger.session_failed(session, why)
    session.expected = transitions.AFTER_FAILURE
    return Reply(charger.policy.failed(name, code, session, charger))
