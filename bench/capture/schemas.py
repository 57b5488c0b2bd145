"""Which message set a V2G message is of: as negotiated by supportedAppProtocol, or found by trying.

Source: ISO 15118-2:2014 clause 8.2 (supportedAppProtocol); ISO 15118-20:2022 clause 7.8.3 for payload types
0x8002 to 0x8006. Payload types 0x8101 to 0x8104 (parallel exchanges of ISO 15118-20) are from memory: their
message set is found by trying.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.exi.declare import Named
from bench.exi.node import Node
from bench.v2g import codec, v2gtp

_BY_TYPE = {
    v2gtp.PAYLOAD_ISO20_MAIN: "iso20-common",
    v2gtp.PAYLOAD_ISO20_AC: "iso20-ac",
    v2gtp.PAYLOAD_ISO20_DC: "iso20-dc",
    v2gtp.PAYLOAD_ISO20_ACDP: "iso20-acdp",
    v2gtp.PAYLOAD_ISO20_WPT: "iso20-wpt",
}
MAX_FINDINGS = 50
MAX_NAME = 100
"""Characters of a name that is none of the schema's and comes from the wire."""
_ISO20 = tuple(_BY_TYPE.values())
_FAMILIES = (
    ("urn:din:70121:2012:", "din"),
    ("urn:iso:15118:2:2013:", "iso2"),
    ("urn:iso:std:iso:15118:-20:", "iso20"),
)
"""Beginning of a protocol namespace in supportedAppProtocolReq -> what is then spoken under 0x8001 ("iso20":
nothing but supportedAppProtocol)."""


class Decoded(NamedTuple):
    """A V2G message read, or ``problem``: why not (``schema`` is then that tried, "" for several)."""

    name: str
    schema: str
    message: Any
    inferred: bool
    problem: str = ""
    findings: tuple[str, ...] = ()


@dataclass(slots=True)
class Negotiation:
    """What is known of the protocol of one TCP connection.

    ``protocol``: what was agreed on, "din", "iso2" or "iso20", "" when that is not known. ``guessed``: the
    message set that fitted last, where it is not. ``offers``: SchemaID -> protocol of the request.
    """

    protocol: str = ""
    guessed: str = ""
    offers: dict[int, str] = field(default_factory=dict)

    def decode(self, kind: int, payload: bytes) -> Decoded:
        """Read a message of V2GTP payload type `kind`; never raises for what `payload` holds."""
        if kind == v2gtp.PAYLOAD_V2G_EXI:
            return self._main(payload)
        schema = _BY_TYPE.get(kind)
        if schema is not None:
            return _read(schema, payload)
        if kind >> 8 == 0x81:
            return _first_that_fits(_ISO20, payload)
        return Decoded(
            "undecodable", "", None, False, f"V2GTP payload type 0x{kind:04x} is none of a V2G message"
        )

    def _main(self, payload: bytes) -> Decoded:
        protocol = self.protocol
        if protocol and protocol != "iso20":
            known = _read(protocol, payload)
            if not known.problem:
                return known
            # Another negotiation on the same connection, or a message that is not what was agreed on.
            other = self._try(payload, besides=protocol)
            return known if other.problem else other
        if self.guessed:
            known = _read(self.guessed, payload)
            if not known.problem:
                return known._replace(inferred=True)
        return self._try(payload)

    def _try(self, payload: bytes, besides: str = "") -> Decoded:
        found = _first_that_fits([each for each in _order(payload) if each != besides], payload)
        if found.schema == "sap" and not found.problem:
            self._negotiated(found)
            return found._replace(inferred=False)
        if not found.problem and not self.protocol:
            self.guessed = found.schema
        return found

    def _negotiated(self, found: Decoded) -> None:
        message = found.message
        # A message that deviates from its schema may lack anything, and hold anything.
        if found.name == "supportedAppProtocolReq":
            self.offers = {}
            for each in getattr(message, "AppProtocol", None) or ():
                number = getattr(each, "SchemaID", None)
                if isinstance(number, int):
                    self.offers[number] = _family(getattr(each, "ProtocolNamespace", None))
            self.protocol = self.guessed = ""
        elif str(getattr(message, "ResponseCode", "")).startswith("OK"):
            number = getattr(message, "SchemaID", None)
            chosen = self.offers.get(number, "") if isinstance(number, int) else ""
            if number is None and len(self.offers) == 1:
                chosen = next(iter(self.offers.values()))
            self.protocol = chosen


def _family(namespace: object) -> str:
    if not isinstance(namespace, str):
        return ""
    return next((name for start, name in _FAMILIES if namespace.startswith(start)), "")


def _order(payload: bytes) -> tuple[str, ...]:
    """The message sets in the order in which they are worth trying.

    The document grammar's first code follows the header byte: V2G_Message is 76 of 7 bits in ISO 15118-2, 77
    in DIN 70121; supportedAppProtocol has 2 bits (facts from the grammars of `codec`).
    """
    code = payload[1] >> 1 if len(payload) > 1 else 0
    if code == 0b1001100:
        return ("iso2", "din", *_ISO20, "sap")
    if code == 0b1001101:
        return ("din", "iso2", *_ISO20, "sap")
    return ("sap", *_ISO20, "iso2", "din")


def _first_that_fits(schemas: tuple[str, ...] | list[str], payload: bytes) -> Decoded:
    """The first set in which the payload is a whole message without a fault, else the first that reads it."""
    second: Decoded | None = None
    failed: Decoded | None = None
    for schema in schemas:
        found = _read(schema, payload)._replace(inferred=True)
        if found.problem:
            failed = failed or found
        elif not any(getattr(each, "breach", True) for each in found.findings):
            return found
        else:
            second = second or found
    if second is not None:
        return second
    problem = failed.problem if failed is not None and len(schemas) == 1 else "fits no known message set"
    if failed is not None:
        problem += f" ({failed.problem})" if problem != failed.problem else ""
    return Decoded("undecodable", "", None, True, problem)


def _read(schema: str, payload: bytes) -> Decoded:
    findings: list[str] = []
    try:
        message = codec.decode(schema, payload, findings=findings)
    except codec.CodecError as error:
        return Decoded("undecodable", schema, None, False, " ".join(str(error).split())[:300])
    name = message_name(message)
    if not name:
        return Decoded(
            "undecodable", schema, None, False, f"{schema}: a {type(message).__name__} is no V2G message"
        )
    return Decoded(name, schema, message, False, "", tuple(findings[:MAX_FINDINGS]))


def message_name(message: Any) -> str:
    """The name of a message as the standard has it: that of the body's element in DIN and ISO 15118-2.

    "" for something that can stand in an EXI stream yet is no message (an element of a message on its own).
    """
    if type(message) is Named or type(message) is Node:
        return ""
    name = type(message).__name__
    if name == "V2G_Message":
        element = getattr(getattr(message, "Body", None), "BodyElement", None)
        if element is None:
            return name
        return element.name[:MAX_NAME] if type(element) in (Named, Node) else type(element).__name__
    return name if name.endswith(("Req", "Res")) else ""
