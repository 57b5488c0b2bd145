"""The verdict on a session of a capture, in words.

`fail` only for what the charger did: it broke a rule, refused, closed in the middle, or fell silent for
longer than the EV has to wait. What the car did, and what the capture does not show (its beginning, its end,
bytes, the keys of TLS, the plug), leaves the session `inconclusive`. `pass`: it came to its end in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.plan.capture_sessions import Link, Session
from bench.plan.verdict import Judgement, Verdict, one_line
from bench.rules.conversation import base_name
from bench.rules.finding import EV, Finding
from bench.rules.timing import limit_of
from bench.timeline import Event
from bench.v2g import timers

KEYS = (
    "the secrets of its TLS are missing: capture again with a key log (SSLKEYLOGFILE of the car or the "
    "charger) and give it with --keylog"
)
_EV_CERTIFICATE_ALERTS = frozenset(
    (
        "bad_certificate", "unsupported_certificate", "certificate_revoked", "certificate_expired",
        "certificate_unknown", "unknown_ca", "certificate_required", "no_certificate",
    )
)  # fmt: skip
MATCH_REQUESTS = 1 + int(timers.get("slac.C_EV_match_retry").value)
_AUTHORIZING = frozenset(
    (
        "Authorization", "ContractAuthentication", "PaymentDetails", "CertificateInstallation",
        "CertificateUpdate",
    )
)  # fmt: skip
"""A refusal of these is decided by contracts, cards and backends, not by the charger alone."""
_UNHEARD = "no frame of an EVSE is in this matching: it was silent, or its frames were not captured"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the whole file says: stamp of its last packet, and whether it is cut off or damaged (then nothing
    can be said of a silence at its end).
    """

    end_ns: int
    cut: bool


@dataclass(slots=True)
class _Reasons:
    """What speaks against the charger, and what leaves the session open."""

    fails: list[str] = field(default_factory=list)
    opens: list[str] = field(default_factory=list)


def judge(
    session: Session, findings: Sequence[Finding], late: Iterable[str], seen: Seen
) -> tuple[Judgement, list[str]]:
    """The verdict on `session`, and all reasons for it, the decisive one first.

    `findings` are those of the rules, `late` says what took longer than a limit that decides.
    """
    found = _Reasons()
    blamed = {finding.seq for finding in findings if finding.message.startswith(EV)}
    rule_fails = [finding.message for finding in findings if finding.severity == "fail"]
    if session.links:
        for link in session.links.values():
            if link.tls and not link.messages and session.messages:
                continue  # a first attempt at TLS, which the car made good with another
            _link(session, link, blamed, seen, found)
    elif session.sdp_requests:
        _sdp(session, seen, found)
    else:
        _slac(session, seen, found)
    found.fails += [text for text in rule_fails if text not in found.fails]
    found.fails += late
    reasons = list(dict.fromkeys(found.fails + found.opens))
    if found.fails:
        return Judgement(Verdict.FAIL, one_line(reasons[0])), reasons
    if found.opens:
        return Judgement(Verdict.INCONCLUSIVE, one_line(reasons[0])), reasons
    return Judgement(Verdict.PASS, ""), []


def _link(session: Session, link: Link, blamed: set[int], seen: Seen, found: _Reasons) -> None:
    for request, response in link.refusals:
        _refusal(request, response, blamed, link, found)
    if link.tls and not link.messages and not link.undecodable:
        _tls(link, found)
        return
    if link.gaps:
        found.opens.append(f"the capture lacks bytes of the connection ({link.gaps} gaps)")
    if link.unread:
        found.opens.append(f"some of its TLS could not be decrypted ({link.unread[0]})")
    if not link.whole:
        found.opens.append("the capture begins in the middle of this session")
    if link.messages == 0:
        found.opens.append(_after_nothing(link))
    elif link.stopped is None:
        _unfinished(link, blamed, seen, found)


def _refusal(request: Event | None, response: Event, blamed: set[int], link: Link, found: _Reasons) -> None:
    code = str(response.data.get("response_code"))
    if code.lower() == "failed_nonegotiation":
        found.opens.append("car and charger have no protocol in common (Failed_NoNegotiation)")
        return
    if request is None:
        text = f"{response.name}: {code}, without a request"
        if code == "FAILED_SequenceError":
            found.opens.append(
                f"{text} in the capture: the charger ended the session, as after a silence of the EV"
            )
        else:
            (found.fails if link.whole and not link.gaps else found.opens).append(text)
        return
    text = f"the charger answered {request.name} with {code}"
    if request.seq in blamed:
        found.opens.append(f"{text}, after an error of the EV")
    elif base_name(request.name) in _AUTHORIZING:
        found.opens.append(f"{text}: not authorized; whether rightly, only the backend knows")
    else:
        found.fails.append(text)


def _tls(link: Link, found: _Reasons) -> None:
    if link.alert is not None and link.secured is None:
        alert = str(link.alert.data.get("alert"))
        if link.alert.data.get("dir") == "tx":
            found.opens.append(f"the EV refused the TLS handshake: {alert} (see the charger's certificates)")
        elif alert in _EV_CERTIFICATE_ALERTS:
            found.opens.append(f"the charger refused the EV's certificate: {alert}")
        else:
            found.fails.append(f"the charger refused the TLS handshake: {alert}")
        return
    wanted = f" ({link.unread[0]})" if link.unread else ""
    version = f"{link.version}: " if link.version else ""
    found.opens.append(f"TLS not decrypted: {version}{KEYS}{wanted}")


def _after_nothing(link: Link) -> str:
    if link.undecodable:
        return "a message could not be decoded, and there is no other"
    if link.closed_by:
        return f"{_who(link.closed_by)} ended the connection without a V2G message"
    return "the connection has no V2G message in this capture"


def _unfinished(link: Link, blamed: set[int], seen: Seen, found: _Reasons) -> None:
    """A connection with messages that has no SessionStopRes."""
    last = link.last
    if last is None:
        return
    if link.refusals and link.refusals[-1][1] is last:
        return  # it ended with the refusal, which is told already
    pending = link.pending
    if pending is not None:
        _unanswered(link, pending, blamed, seen, found)
        return
    if link.closed_by == "EV":
        found.opens.append(f"the EV ended the connection after {last.name}, without SessionStop")
    elif link.closed_by == "charger":
        quiet_s = (int(link.closed_ns or last.t_ns) - last.t_ns) / 1e9
        limit = timers.get("iso2.V2G_SECC_Sequence_Timeout")
        if quiet_s >= limit.value:
            found.opens.append(
                f"the EV was silent for {quiet_s:.1f} s after {last.name}; the charger closed "
                f"(sequence timeout {limit.value:g} s)"
            )
        else:
            found.fails.append(
                f"the charger closed the connection {quiet_s:.1f} s after {last.name}, without SessionStop "
                "(whether the plug was pulled is not in a capture)"
            )
    elif link.closed_ns is not None:
        found.opens.append(f"the connection ended after {last.name}, by whom is not captured")
    else:
        found.opens.append(f"the capture ends in the middle of this session, after {last.name}")


def _unanswered(link: Link, pending: Event, blamed: set[int], seen: Seen, found: _Reasons) -> None:
    end_ns = link.closed_ns if link.closed_ns is not None else seen.end_ns
    waited_s = (end_ns - pending.t_ns) / 1e9
    limit = limit_of(pending.data.get("schema"), pending.name, "evcc_timeout")
    what = f"no answer to {pending.name}"
    if pending.seq in blamed:
        found.opens.append(f"{what}, after an error of the EV")
    elif link.gaps:
        found.opens.append(f"{what} in the capture, which lacks bytes")
    elif link.closed_by == "charger":
        found.fails.append(f"{what}: the charger closed the connection after {waited_s:.2f} s")
    elif limit is not None and waited_s >= limit.value and not (seen.cut and link.closed_ns is None):
        found.fails.append(f"{what} within {limit.value:g} s, nor in {waited_s:.1f} s ({limit.source})")
    elif link.closed_by == "EV":
        found.opens.append(f"the EV ended the connection {waited_s:.2f} s after {pending.name}, unanswered")
    else:
        found.opens.append(f"the capture ends {waited_s:.2f} s after {pending.name}, before its answer")


def _sdp(session: Session, seen: Seen, found: _Reasons) -> None:
    count = session.sdp_requests
    if session.sdp_responses:
        found.opens.append("SDP was answered, and no connection to the charger followed in this capture")
        return
    asked_s = (session.sdp_last_ns - session.first_ns) / 1e9
    times = f"{count} time{'s' if count > 1 else ''}"
    limit = timers.get("sdp.max_requests")
    if count >= limit.value and session.slac.matched:
        found.fails.append(f"the charger did not answer SDP: asked {times}, as often as an EV has to")
    elif (seen.end_ns - session.sdp_last_ns) / 1e9 < timers.get("sdp.response_wait").value or seen.cut:
        found.opens.append(f"the capture ends while the EV looks for the charger (SDP asked {times})")
    else:
        found.opens.append(
            f"SDP without an answer: asked {times} in {asked_s:.1f} s, less often than {limit.value:g}"
        )


def _slac(session: Session, seen: Seen, found: _Reasons) -> None:
    """Matching that no SDP followed. The charger is blamed for a silence only where the capture has frames of
    it in the same matching: many show broadcasts only, or one direction.
    """
    slac, count = session.slac, session.slac.count
    heard = any(name in count for name in ("CM_SLAC_PARM.CNF", "CM_ATTEN_CHAR.IND"))

    def silent(name: str, limit: str, least: int = 1) -> bool:
        """Whether `name` was sent that often, and the capture goes on for longer than the EV waits."""
        waited_s = (seen.end_ns - slac.at[name]) / 1e9
        return (
            heard and not seen.cut and count[name] >= least and waited_s > timers.get(f"slac.{limit}").value
        )

    def asked(name: str) -> str:
        return f"{count[name]} request{'s' if count[name] > 1 else ''}"

    if slac.matched:
        found.opens.append("matched, and no SDP request of the EV followed in this capture")
    elif "CM_SLAC_MATCH.REQ" in count:
        known = silent("CM_SLAC_MATCH.REQ", "TT_match_response", MATCH_REQUESTS)
        text = f"no CM_SLAC_MATCH.CNF to {asked('CM_SLAC_MATCH.REQ')}"
        (found.fails if known else found.opens).append(text if heard else f"{text}; {_UNHEARD}")
    elif "CM_ATTEN_CHAR.IND" in count:
        found.opens.append("the EV did not go on after CM_ATTEN_CHAR.IND: it chose no EVSE, or another one")
    elif "CM_START_ATTEN_CHAR.IND" in count and (heard or "CM_ATTEN_CHAR.RSP" not in count):
        limit = timers.get("slac.TT_EV_atten_results")
        text = f"no CM_ATTEN_CHAR.IND within {limit.value:g} s of the sounds"
        if not heard:
            found.opens.append(f"{text}; {_UNHEARD}")
        elif "CM_MNBC_SOUND.IND" not in count:
            found.opens.append("the EV sent no sounds after CM_START_ATTEN_CHAR.IND")
        elif silent("CM_START_ATTEN_CHAR.IND", "TT_EV_atten_results"):
            found.fails.append(text)
        else:
            found.opens.append("the capture ends before CM_ATTEN_CHAR.IND is due")
    elif "CM_SLAC_PARM.CNF" in count:
        found.opens.append("the EV did not go on after CM_SLAC_PARM.CNF")
    elif "CM_SLAC_PARM.REQ" in count:
        found.opens.append(f"no CM_SLAC_PARM.CNF to {asked('CM_SLAC_PARM.REQ')}; {_UNHEARD}")
    else:
        found.opens.append("the capture begins in the middle of this matching")


def _who(side: str) -> str:
    return "the EV" if side == "EV" else "the charger"


def end_of(session: Session) -> str:
    """How far a session came, in a few words."""
    links = list(session.links.values())
    if any(link.stopped is not None for link in links):
        asked = [link.stopping for link in links if link.stopping is not None]
        return "SessionStop" if asked else "SessionStopRes"
    said = [link.last for link in links if link.last is not None]
    if said:
        return base_name(max(said, key=lambda event: event.t_ns).name)
    if any(link.tls for link in links):
        return "TLS"
    if links:
        return "TCP"
    if session.sdp_requests:
        return "SDP answered" if session.sdp_responses else "SDP"
    return "SLAC matched" if session.slac.matched else "SLAC"
