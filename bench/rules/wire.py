"""RUL-09: what the charger puts on the wire is well-formed: V2GTP headers, EXI, no bytes left over."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.conversation import foreign, is_response
from bench.rules.finding import Finder, Finding, Rule
from bench.timeline import Event

SDP_RESPONSE_HEADER = bytes.fromhex("01fe900100000014")
"""Version 1 and its inverse, payload type 0x9001, 20 bytes (ISO 15118-4, TC_SECC_CMN_VTB_V2GTPSDP_001)."""
SDP_RESPONSE_BYTES = 28


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: a frame or message of the charger that could not be read, or was read with something amiss.

    Warning: one that is read here but that other decoders refuse (string table hits, empty values as an end);
    in a capture also bytes that may be unreadable because others are missing, or the protocol is not known.
    """
    found = Finder(RULE.id, RULE.requirements)
    whole: set[object] = set()
    for event in events:
        data = event.data
        connection = data.get("connection")
        if event.kind == "tcp" and event.name == "connect":
            whole.add(connection)
        elif event.kind == "v2g-error" and event.name == "gap":
            whole.discard(connection)
        if event.kind == "v2g-error" and event.name in ("undecodable", "v2gtp"):
            after = f" (after {data['after']})" if data.get("after") else ""
            text = f"{event.name}: {str(data.get('text') or 'no text')[:300]}{after}"
            if not foreign(event):
                found.fail(event, text)
            elif data.get("dir") != "rx":
                found.observe(event, text)
            elif connection in whole and data.get("exi") and not data.get("inferred"):
                found.fail(event, text)
            else:
                found.warn(event, f"{text}; the capture may lack what is needed to read it")
        elif foreign(event) and event.kind == "v2g" and data.get("dir") == "tx":
            for key in ("problem", "tolerated"):
                if data.get(key):
                    found.observe(event, f"{event.name}: {str(data[key])[:300]}")
        elif is_response(event) and data.get("problem"):
            found.fail(event, f"{event.name}: {str(data['problem'])[:300]}")
        elif is_response(event) and data.get("tolerated"):
            found.warn(event, f"{event.name}: read, but uncommon: {str(data['tolerated'])[:300]}")
        elif event.kind == "sdp" and data.get("dir") == "rx" and data.get("raw"):
            raw = bytes.fromhex(str(data["raw"]))
            if len(raw) != SDP_RESPONSE_BYTES or not raw.startswith(SDP_RESPONSE_HEADER):
                found.fail(event, f"SDP response is not well-formed: {raw[:32].hex()} ({len(raw)} bytes)")
    return found.findings


def _is_subject(event: Event) -> bool:
    return is_response(event) or event.kind == "v2g-error"


RULE = Rule(
    id="RUL-09",
    title="V2GTP and EXI are well-formed",
    expected="Right headers and lengths, EXI that decodes against the schema, no bytes left over.",
    requirements=("ISO 15118-2 7.8",),
    source="ISO 15118-4, V2GTPSDP_001",
    confidence="memory",
    defects=("exi-trailing-bytes",),
    areas=("charger",),
    subject=_is_subject,
    check=check,
)
