"""What a message says: EXI to XML and JSON, OCPP payloads pretty-printed, each message decoded once."""

from __future__ import annotations

import importlib
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any

from bench.report import clean
from bench.report.model import Exchange

MAX_EXI_CHARACTERS = 140_000
"""Longest EXI (hex) that is decoded; the V2GTP payload of a real message is far below."""
MAX_SHOWN = 24_000
"""Longest text of one representation in a page."""

MAX_CERTIFICATES = 8
CERTIFICATE_FIELDS = ("Certificate", "OEMProvisioningCert")
MAX_DEPTH = 12
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[^-]{1,20000}-----END CERTIFICATE-----")
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
    certificates: tuple[str, ...] = ()
    """PEM texts of the certificates in the message, in the order in which they stand."""


def of(exchange: Exchange) -> Decoded:
    """Return what can be shown of an exchange."""
    if exchange.exi:
        return _exi(exchange.schema, exchange.exi)
    if exchange.payload is not None:
        return Decoded(json=_payload(exchange.payload), certificates=_pems(exchange.payload))
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
        certificates=tuple(_encoded(message))[:MAX_CERTIFICATES],
    )


def _encoded(value: object, name: str = "", depth: int = 0) -> Iterator[str]:
    """Certificates in the fields of that name of a message, as PEM; bytes that are none are shown as such."""
    if isinstance(value, bytes):
        if name in CERTIFICATE_FIELDS and value:
            yield ssl.DER_cert_to_PEM_cert(value)
    elif depth > MAX_DEPTH:
        return
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _encoded(each, name, depth + 1)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _encoded(getattr(value, field.name), field.name, depth + 1)


def _pems(value: object, depth: int = 0) -> tuple[str, ...]:
    """Certificates in the texts of an OCPP payload."""
    if isinstance(value, str):
        return tuple(_PEM.findall(value))[:MAX_CERTIFICATES]
    if depth > MAX_DEPTH or not isinstance(value, dict | list):
        return ()
    within = value.values() if isinstance(value, dict) else value
    return tuple(pem for each in within for pem in _pems(each, depth + 1))[:MAX_CERTIFICATES]


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
