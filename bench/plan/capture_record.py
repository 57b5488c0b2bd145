"""What run.json says of a capture: who took part in a session, its ladder, its chains, its file."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.capture.decode import Decoder
from bench.capture.files import CaptureReader
from bench.pki.validate import BadCertificate, Purpose, load_pem, validate_chain
from bench.plan import ladder
from bench.plan.capture_sessions import Session
from bench.plan.capture_told import TRACES, Told
from bench.plan.capture_verdict import end_of
from bench.timeline import Event

LANES = ("EV", "charger")
CAPTURE = "capture"
"""What stands in the place of a rule's id for what the capture itself shows."""
PROTOCOLS = {
    "din": ("DIN SPEC 70121", "din"),
    "iso2": ("ISO 15118-2", "iso2"),
    "iso20-ac": ("ISO 15118-20 AC", "iso20"),
    "iso20-dc": ("ISO 15118-20 DC", "iso20"),
    "iso20-acdp": ("ISO 15118-20 ACDP", "iso20"),
    "iso20-wpt": ("ISO 15118-20 WPT", "iso20"),
    "iso20-common": ("ISO 15118-20", "iso20"),
}
"""Message set -> its name, and the table of timers."""
_PURPOSES: dict[str, Purpose] = {"SECC": "secc", "contract": "contract", "installed contract": "contract"}
_NO_ROOTS = frozenset(("unknown-root",))
MAX_CHATTER = 20


@dataclass(frozen=True, slots=True)
class Said:
    """A session in words; `limits_of` is the protocol whose limits hold."""

    title: str
    facts: list[list[str]]
    limits_of: str


def describe(session: Session, told: Told, schemas: Sequence[str], *, tls: bool) -> Said:
    """Title and facts of a session."""
    known = [each for each in PROTOCOLS if each in schemas]
    protocol, limits_of = PROTOCOLS[known[0]] if known else ("", "iso2")
    if not protocol:
        encrypted = any(link.tls for link in session.links.values())
        protocol = "handshake only" if session.messages else "TLS, not decrypted" if encrypted else ""
    ev = told.facts.get("EVCCID") or session.ev_mac.upper() or session.ev_ip
    reached = end_of(session)
    what = protocol or (
        "SDP only" if session.sdp_requests else "connection" if session.links else "SLAC only"
    )
    energy = told.facts.get("Energy transfer", "")
    title = ", ".join(each for each in (what, energy, f"EV {ev}" if ev else "") if each)
    security = "yes" if tls or any(link.tls for link in session.links.values()) else "no"
    if not session.links:
        security = ""
    facts = {
        "EVCCID": told.facts.get("EVCCID", ""),
        "EVSEID": told.facts.get("EVSEID", ""),
        "Protocol": protocol,
        "Energy transfer": energy,
        "Payment": told.facts.get("Payment", ""),
        "eMAID": told.facts.get("eMAID", ""),
        "TLS": security,
        "Session": told.facts.get("Session", ""),
        "EV, MAC address in SLAC": session.ev_mac,
        "EV, IP address": session.ev_ip,
        "SLAC": _slac(session),
        "SDP": _counted(session.sdp_requests, "request") + ", " + _counted(session.sdp_responses, "response")
        if session.sdp_requests
        else "",
        "V2G messages": str(session.messages) if session.messages else "",
        "Came to": reached,
    }
    return Said(title, [[name, text] for name, text in facts.items() if text], limits_of)


def _slac(session: Session) -> str:
    count = session.slac.count
    if not count:
        return "not in the capture"
    sounds = count.get("CM_MNBC_SOUND.IND", 0)
    evses = {str(event.data.get("src")) for event in session.attenuations}
    parts = [_counted(count.get("CM_SLAC_PARM.REQ", 0), "request"), _counted(sounds, "sound")]
    if len(evses) > 1:
        parts.append(f"{len(evses)} EVSEs answered")
    parts.append("matched" if session.slac.matched else "not matched")
    return ", ".join(parts)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def exchanges_of(events: Sequence[Event], start_ns: int, told: Told) -> dict[str, Any] | None:
    """The `session` of a case: ladder and the traces that messages tell."""
    found = ladder.session(events, start_ns)
    traces = told.traces(start_ns)
    if found is None:
        return {"lanes": list(LANES), "exchanges": [], "traces": traces} if any(traces.values()) else None
    return found | {"lanes": list(LANES), "traces": {name: traces[name] for name in TRACES if name in traces}}


def session_findings(
    session: Session, told: Told, reasons: Sequence[str], *, inferred: int, pictured: bool
) -> list[dict[str, Any]]:
    """What is to be known of a session beside the findings of rules: further reasons, what either side
    reported of itself, and where the capture falls short.
    """
    found: list[dict[str, Any]] = []

    def add(severity: str, message: str, t_s: float | None = None) -> None:
        found.append(
            {"rule": CAPTURE, "severity": severity, "message": message, "requirements": [], "case": None,
             "t_s": t_s}
        )  # fmt: skip

    for text in reasons[1:]:
        add("warning", text)
    for severity, t_ns, text in told.remarks:
        add(severity, text, round((t_ns - session.first_ns) / 1e9, 4))
    if inferred:
        add(
            "info", f"the schema of {inferred} messages was found by trying: no negotiation is in the capture"
        )
    gaps = sum(link.gaps for link in session.links.values())
    if gaps:
        add("info", f"bytes are missing in {gaps} places: lost while capturing")
    if session.left_out:
        add(
            "info",
            f"{session.left_out} events in the middle are in timeline.jsonl only; rules did not judge them",
        )
    if not pictured:
        add("info", "its ladder is left out, for the number of sessions: check its part of the capture alone")
    return found


def trust_of(events: Sequence[Event], told: Told, case: str, start_ns: int) -> list[dict[str, Any]]:
    """The chains of a session as they were shown: of TLS, and of the messages."""
    found: list[dict[str, Any]] = []
    for event in events:
        if event.kind == "tls" and event.name == "handshake":
            for role, key in (("SECC", "chain"), ("vehicle (TLS client)", "client_chain")):
                chain = [str(each) for each in event.data.get(key) or []]
                if chain:
                    found.append(_chain(role, chain, event.t_ns, case, start_ns))
    for role, (t_ns, encoded) in told.chains.items():
        chain = [ssl.DER_cert_to_PEM_cert(each) for each in encoded]
        found.append(_chain(role, chain, t_ns, case, start_ns))
    return found


def _chain(role: str, chain: list[str], t_ns: int, case: str, start_ns: int) -> dict[str, Any]:
    return {
        "role": role,
        "case": case,
        "t_s": round((t_ns - start_ns) / 1e9, 4),
        "problems": _problems(role, chain, t_ns),
        "chain": chain,
        "root": None,
    }


def _problems(role: str, chain: list[str], t_ns: int) -> list[str]:
    """What is wrong with a chain at the time of the capture; roots are not known, and not judged."""
    try:
        read = [load_pem(each.encode())[0] for each in chain]
        moment = datetime.fromtimestamp(t_ns / 1e9, UTC)
    except (BadCertificate, IndexError, ValueError, OverflowError, OSError) as error:
        return [f"malformed: {error}"]
    purpose = _PURPOSES.get(role, "cps" if role.startswith("CPS") else "oem")
    check = validate_chain(read[0], read[1:], [], at=moment, purpose=purpose)
    return [str(each) for each in check.problems if each.code not in _NO_ROOTS]


def file_record(
    name: str,
    path: Path,
    reader: CaptureReader,
    decoder: Decoder,
    chatter: Counter[str],
    *,
    sha256: str,
    copied: bool,
    first_ns: int | None,
    last_ns: int | None,
) -> dict[str, Any]:
    """An entry of `run.captures`."""
    notes = []
    if decoder.lost_bytes:
        notes.append(f"{decoder.lost_bytes} bytes of TCP streams were not captured")
    if decoder.retransmissions:
        notes.append(f"{decoder.retransmissions} TCP segments came more than once")
    if chatter:
        told = ", ".join(f"{count} {each}" for each, count in chatter.most_common(MAX_CHATTER))
        notes.append(f"frames that belong to no session, only in timeline.jsonl: {told}")
    if not copied:
        notes.append("too large to be copied into the run folder: keep the file, its SHA-256 is here")
    return {
        "file": name,
        "name": path.name,
        "sha256": sha256,
        "bytes": reader.size,
        "copied": copied,
        "format": reader.format,
        "packets": decoder.packets,
        "first_t": None if first_ns is None else first_ns / 1e9,
        "duration_s": 0.0 if first_ns is None or last_ns is None else round((last_ns - first_ns) / 1e9, 3),
        "problems": [*reader.problems, *decoder.problems],
        "notes": notes,
    }
