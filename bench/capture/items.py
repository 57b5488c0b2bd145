"""What a capture is decoded to: one `Item` a protocol message, whatever its layer."""

from __future__ import annotations

from typing import Any, NamedTuple

from bench.capture.tls_decrypt import TlsEvent
from bench.slac import mme
from bench.v2g import codec
from bench.v2g.sdp import SdpRequest, SdpResponse

NAMESPACES = {
    "sap": "urn:iso:15118:2:2010:AppProtocol",
    "din": "urn:din:70121:2012:MsgDef",
    "iso2": "urn:iso:15118:2:2013:MsgDef",
    "iso20-common": "urn:iso:std:iso:15118:-20:CommonMessages",
    "iso20-ac": "urn:iso:std:iso:15118:-20:AC",
    "iso20-dc": "urn:iso:std:iso:15118:-20:DC",
    "iso20-acdp": "urn:iso:std:iso:15118:-20:ACDP",
    "iso20-wpt": "urn:iso:std:iso:15118:-20:WPT",
}
"""Schema of the codec -> namespace of its messages."""


class Item(NamedTuple):
    """One message, or one thing worth knowing, found in a capture (a tuple: a capture has many thousands).

    ``frame``, ``t_ns``: number (from 1, as Wireshark counts) and time (ns since the epoch) of the packet that
    completed it. ``src``, ``dst``: IP addresses, MAC addresses for SLAC. ``layer``: "slac", "sdp", "v2g",
    "tls", "tcp" or "other". ``name``: message name as in the standard; "undecodable" where there is none.
    ``schema``: the codec's message set, "" where none applies. ``payload``: EXI stream of a V2G message, raw
    bytes otherwise. ``message``: the typed message (codec record, `bench.slac.mme.Frame`, SdpRequest,
    SdpResponse, TlsEvent) or None. ``inferred``: the schema was found by trying, because the negotiation is
    not in the capture. ``connection``: number of the TCP connection from 1, 0 without. ``tls``: came out of
    decrypted TLS. ``problem``: what is wrong, for something that could not be read; ``note``: what is odd.
    ``findings``: what the codec tolerated in a message (`bench.exi.finding.Finding`, texts).
    """

    frame: int
    t_ns: int
    src: str
    dst: str
    layer: str
    name: str
    schema: str = ""
    payload: bytes = b""
    message: Any = None
    inferred: bool = False
    connection: int = 0
    src_port: int = 0
    dst_port: int = 0
    payload_type: int = 0
    tls: bool = False
    problem: str = ""
    note: str = ""
    findings: tuple[str, ...] = ()

    @property
    def exi(self) -> str:
        """The EXI stream in hexadecimal; "" for what is no V2G message."""
        return self.payload.hex() if self.layer == "v2g" and self.payload_type else ""

    @property
    def body(self) -> Any:
        """The body of a V2G message (DIN, ISO 15118-2), the message itself in the other sets."""
        inner = getattr(self.message, "Body", None)
        element = getattr(inner, "BodyElement", None)
        return self.message if element is None else element

    @property
    def session_id(self) -> str:
        """SessionID of the message's header in hexadecimal; "" without one."""
        value = getattr(getattr(self.message, "Header", None), "SessionID", b"")
        return value.hex() if isinstance(value, bytes) else ""

    @property
    def response_code(self) -> str:
        """ResponseCode of a response; "" without one."""
        value = getattr(self.body, "ResponseCode", None)
        return "" if value is None else str(value)

    @property
    def fields(self) -> dict[str, Any]:
        """The message's fields as plain data: bytes as hexadecimal, enumerations as text."""
        message = self.message
        if message is None:
            return {}
        if self.layer == "v2g":
            shown = codec.to_dict(message)
            return shown if isinstance(shown, dict) else {"value": shown}
        if isinstance(message, mme.Frame):
            vlan = {} if message.vlan is None else {"vlan": message.vlan}
            return vlan | dict(mme.fields(message.mme))
        if isinstance(message, SdpRequest):
            return {"security": message.security, "transport": message.transport}
        if isinstance(message, SdpResponse):
            return {
                "address": message.address,
                "port": message.port,
                "security": message.security,
                "transport": message.transport,
            }
        if isinstance(message, TlsEvent):
            return {name: _plain(value) for name, value in message.info.items()}
        return {}

    def to_json(self) -> dict[str, Any]:
        """The object that `plugbench capture decode --jsonl` writes; absent values are left out, but for
        those that every line has.
        """
        line: dict[str, Any] = {
            "frame": self.frame,
            "t": f"{self.t_ns // 1_000_000_000}.{self.t_ns % 1_000_000_000:09d}",
            "src": self.src,
            "dst": self.dst,
            "layer": self.layer,
            "name": self.name,
            "schema": self.schema or None,
            "exi": self.exi or None,
        }
        if self.schema in NAMESPACES:
            line["namespace"] = NAMESPACES[self.schema]
        extra: dict[str, Any] = {
            "inferred": self.inferred,
            "connection": self.connection,
            "src_port": self.src_port,
            "dst_port": self.dst_port,
            "payload_type": f"0x{self.payload_type:04x}" if self.payload_type else None,
            "tls": self.tls,
            "problem": self.problem,
            "note": self.note,
            "findings": [str(each) for each in self.findings],
        }
        return line | {name: value for name, value in extra.items() if value}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
