"""Defects of discovery, transport and codec: SDP, V2GTP framing, EXI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.defects import defect
from bench.charger.secc.session import Session
from bench.v2g import sdp, v2gtp
from bench.v2g.messages import sap

if TYPE_CHECKING:
    from bench.charger.model import Charger


@defect(
    "sdp-ignores-first-request",
    protocol="sdp",
    wrong="the first SDP request after each plug-in gets no answer",
)
def sdp_ignores_first_request(charger: Charger) -> None:
    """SDP: silence once a plug-in."""
    waiting = [True]
    charger.pilot.on_connect.append(lambda: waiting.__setitem__(0, True))

    def listening() -> None:
        good = charger.sdp.answer

        def answer(request: sdp.SdpRequest) -> sdp.SdpResponse | None:
            if waiting[0]:
                waiting[0] = False
                return None
            response: sdp.SdpResponse | None = good(request)
            return response

        charger.sdp.answer = answer

    charger.on_listening.append(listening)


@defect(
    "sdp-answers-without-tls", protocol="sdp", wrong="SDP says 'no TLS' though TLS is asked for and available"
)
def sdp_answers_without_tls(charger: Charger) -> None:
    """SDP: security none to every request."""

    def listening() -> None:
        good = charger.sdp.answer
        charger.sdp.answer = lambda request: good(sdp.SdpRequest(sdp.SECURITY_NONE, request.transport))

    charger.on_listening.append(listening)


class _OneSegment:
    """A parser that takes each piece of the stream for a whole message."""

    pending = 0
    error: v2gtp.V2GTPError | None = None

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The piece as one message; raises V2GTPError when it is not exactly that."""
        return [v2gtp.unpack(data)]


@defect(
    "reads-one-segment-per-message",
    protocol="v2g",
    wrong="a V2GTP message in two TCP segments breaks the session",
)
def reads_one_segment_per_message(charger: Charger) -> None:
    """V2GTP: one read is one message (as a stack in the field does)."""
    charger.policy.parser = _OneSegment  # type: ignore[method-assign, assignment]


@defect(
    "dies-on-malformed-exi",
    protocol="v2g",
    wrong="malformed EXI makes the charger deaf until it is restarted",
)
def dies_on_malformed_exi(charger: Charger) -> None:
    """EXI: after a bad stream the charger answers nothing, on any connection."""
    good = charger.policy.undecodable

    def undecodable(session: Session, charger: Charger, error: Exception) -> bytes | None:
        fall_silent(charger)
        return good(session, charger, error)

    charger.policy.undecodable = undecodable  # type: ignore[method-assign]


def fall_silent(charger: Charger) -> None:
    """What a crash looks like from outside while the process still lives: no SDP, no answer, no power."""
    charger.power.off()
    if charger.sdp is not None:
        charger.sdp.answer = lambda _request: None
    charger.policy.choose_protocol = _hang  # type: ignore[method-assign]


def _hang(request: sap.supportedAppProtocolReq, *, tls: bool = False) -> sap.supportedAppProtocolRes:
    raise OSError("this charger has crashed")


@defect("accepts-unknown-protocol", protocol="v2g", wrong="a protocol that it does not speak is negotiated")
def accepts_unknown_protocol(charger: Charger) -> None:
    """SAP: whatever the EV wants most is agreed to."""
    good = charger.policy.choose_protocol

    def choose(request: sap.supportedAppProtocolReq, *, tls: bool = False) -> sap.supportedAppProtocolRes:
        answer = good(request, tls=tls)
        if answer.ResponseCode != sap.responseCode.Failed_NoNegotiation:
            return answer
        first = min(request.AppProtocol, key=lambda each: each.Priority)
        return sap.supportedAppProtocolRes(
            ResponseCode=sap.responseCode.OK_SuccessfulNegotiation, SchemaID=first.SchemaID
        )

    charger.policy.choose_protocol = choose  # type: ignore[method-assign]


@defect(
    "exi-trailing-bytes",
    protocol="v2g",
    wrong="three bytes of rubbish follow the EXI stream of each response",
)
def exi_trailing_bytes(charger: Charger) -> None:
    """EXI: trailing bytes within the V2GTP payload."""
    good = charger.policy.encode
    charger.policy.encode = lambda message: good(message) + b"\x00\xca\xfe"  # type: ignore[method-assign]
