"""What a message says: EXI to XML and JSON, OCPP payloads pretty-printed, each message decoded once."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bench.report import clean
from bench.report.model import Exchange

MAX_EXI_CHARACTERS = 140_000
"""Longest EXI (hex) that is decoded; the V2GTP payload of a real message is far below."""
MAX_SHOWN = 24_000
"""Longest text of one representation in a page."""

_TAG = re.compile(r"<[^>]*>|[^<]+")


@dataclass(frozen=True)
class Decoded:
    """Representations of one message; empty where there is none. `problem` says why EXI could not be decoded,
    `oddities` what was readable but not as it should be (trailing bytes, values outside the schema).
    """

    xml: str = ""
    json: str = ""
    hex: str = ""
    octets: int = 0
    problem: str = ""
    oddities: tuple[str, ...] = ()


def of(exchange: Exchange) -> Decoded:
    """Return what can be shown of an exchange."""
    if exchange.exi:
        return _exi(exchange.schema, exchange.exi)
    if exchange.payload is not None:
        return Decoded(json=_payload(exchange.payload))
    return Decoded()


@lru_cache(maxsize=8192)
def _exi(schema: str, digits: str) -> Decoded:
    shown = clean.text(digits, MAX_SHOWN)
    if len(digits) > MAX_EXI_CHARACTERS:
        return Decoded(hex=shown, octets=len(digits) // 2, problem="too long to be decoded here")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        return Decoded(hex=shown, problem="not a hexadecimal text")
    oddities: list[str] = []
    try:
        # The codec is asked for by name when it is needed, so that a report of a run without EXI needs none.
        codec: Any = importlib.import_module("bench.v2g.codec")
        message = codec.decode(schema, data, findings=oddities)
        xml = codec.to_xml(message)
        as_json = codec.to_json(message)
    except Exception as error:  # whatever a hostile message does to the codec, the report goes on and says so
        reason = f"{type(error).__name__}: {clean.text(error, 500)}"
        return Decoded(
            hex=shown, octets=len(data), problem=f"could not be decoded as {schema or '?'} ({reason})"
        )
    return Decoded(
        xml=clean.text(_indented(xml), MAX_SHOWN),
        json=clean.text(_payload(as_json), MAX_SHOWN),
        hex=shown,
        octets=len(data),
        oddities=tuple(clean.text(each, 500) for each in oddities[:20]),
    )


def _payload(value: object) -> str:
    """Pretty-print JSON, whether it comes as text or as values; text that is no JSON is shown as it is."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return clean.text(value, MAX_SHOWN)
    try:
        return clean.text(json.dumps(value, indent=2, ensure_ascii=False, default=str), MAX_SHOWN)
    except (ValueError, RecursionError) as error:
        return f"(not printable: {clean.text(error, 200)})"


def _indented(xml: str) -> str:
    """One element a line, by depth; elements that hold only text stay on one line. Text only, nothing is
    parsed."""
    if "\n" in xml.strip():
        return xml
    lines: list[str] = []
    depth = 0
    joined = False
    for token in _TAG.findall(xml):
        if token.startswith("</"):
            depth = max(0, depth - 1)
            if joined:
                lines[-1] += token
            else:
                lines.append("  " * depth + token)
            joined = False
        elif token.startswith("<"):
            lines.append("  " * depth + token)
            joined = not token.startswith(("<?", "<!")) and not token.endswith("/>")
            depth += joined
        elif lines:
            lines[-1] += token
    return "\n".join(lines)
