"""Items of a capture as timeline events, with the fields that the EV gives its own: one reader for both.

The source of these events is "sniffer". `dir` is the EV's view, as everywhere on the timeline: "tx" is what
the car sent, "rx" what it got. Kinds and fields: docs/internals.md.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.capture.items import Item
from bench.capture.tls_events import TlsEvent
from bench.v2g import sdp, v2gtp

SOURCE = "sniffer"
MAX_CONNECTIONS = 512
_FROM_EV = frozenset(
    (
        "CM_SLAC_PARM.REQ",
        "CM_START_ATTEN_CHAR.IND",
        "CM_MNBC_SOUND.IND",
        "CM_ATTEN_CHAR.RSP",
        "CM_VALIDATE.REQ",
        "CM_SLAC_MATCH.REQ",
    )
)
_FROM_EVSE = frozenset(("CM_SLAC_PARM.CNF", "CM_ATTEN_CHAR.IND", "CM_VALIDATE.CNF", "CM_SLAC_MATCH.CNF"))
_SECURITY = {sdp.SECURITY_TLS: "tls", sdp.SECURITY_NONE: "none"}
_DONE = frozenset(("finished", "ChangeCipherSpec"))


class Made(NamedTuple):
    """An event to be appended; `t_ns` is that of the packet, since the epoch."""

    t_ns: int
    kind: str
    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class _Connection:
    """What is known of a TCP connection; `ev` is (address, port) of the car's end."""

    ev: tuple[str, int] | None = None
    asked_ns: int | None = None
    hello_ns: int | None = None
    version: str = ""
    cipher: str = ""
    chains: dict[bool, list[str]] = field(default_factory=dict)  # By: is it the car's?
    ready: set[bool] = field(default_factory=set)
    secured: bool = False


class EventMaker:
    """Makes events of the items of one capture, in order."""

    def __init__(self) -> None:
        self._connections: dict[int, _Connection] = {}

    def events(self, item: Item) -> list[Made]:
        """The events of an item: mostly one."""
        make = {
            "slac": self._slac,
            "sdp": self._sdp,
            "tcp": self._tcp,
            "tls": self._tls,
            "v2g": self._v2g,
        }.get(item.layer)
        return [] if make is None else [Made(item.t_ns, *made) for made in make(item)]

    def _common(self, item: Item) -> dict[str, Any]:
        return {"frame": item.frame, "src": item.src, "dst": item.dst} | {
            name: text for name, text in (("problem", item.problem), ("note", item.note)) if text
        }

    def _connection(self, item: Item) -> _Connection:
        found = self._connections.get(item.connection)
        if found is None:
            while len(self._connections) >= MAX_CONNECTIONS:
                del self._connections[next(iter(self._connections))]
            found = self._connections[item.connection] = _Connection()
        return found

    def _slac(self, item: Item) -> list[tuple[str, str, dict[str, Any]]]:
        way = {"dir": "tx"} if item.name in _FROM_EV else {"dir": "rx"} if item.name in _FROM_EVSE else {}
        return [("slac", item.name, self._common(item) | way | {"fields": item.fields})]

    def _sdp(self, item: Item) -> list[tuple[str, str, dict[str, Any]]]:
        fields = item.fields
        data = self._common(item) | {"raw": v2gtp.pack(item.payload_type, item.payload).hex()}
        if item.name == "SDPReq":
            data |= {"dir": "tx", "destination": item.dst, "port": item.dst_port}
        elif item.name == "SDPRes":
            data |= {"dir": "rx", "address": fields.get("address"), "port": fields.get("port")}
        if "security" in fields:
            data["security"] = _SECURITY.get(fields["security"], str(fields["security"]))
        if "transport" in fields:
            data["transport"] = str(fields["transport"])
        return [("sdp", item.name, data)]

    def _tcp(self, item: Item) -> list[tuple[str, str, dict[str, Any]]]:
        connection = self._connection(item)
        data = self._common(item) | {"connection": item.connection}
        if item.name == "connect":
            connection.ev = (item.src, item.src_port)
            data |= {"address": item.dst, "port": item.dst_port}
        if connection.ev is not None:
            data["dir"] = _way(connection.ev == (item.src, item.src_port))
        if item.name == "gap":
            return [("v2g-error", "gap", data | {"text": item.problem})]
        return [("tcp", item.name, data)]

    def _tls(self, item: Item) -> list[tuple[str, str, dict[str, Any]]]:
        event = item.message
        if not isinstance(event, TlsEvent):
            return []
        connection = self._connection(item)
        data = self._common(item) | {"connection": item.connection}
        from_ev = event.direction == "c2s"
        if event.kind == "client_hello":
            connection.hello_ns = connection.hello_ns or item.t_ns
            return [("tls", item.name, data | item.fields | {"dir": _way(from_ev)})]
        if event.kind == "server_hello":
            connection.version, connection.cipher = event.info["version"], event.info["suite"]
            return [("tls", item.name, data | item.fields | {"dir": _way(from_ev)})]
        if event.kind == "certificate":
            connection.chains[from_ev] = [ssl.DER_cert_to_PEM_cert(each) for each in event.info["chain"]]
        elif event.kind == "alert":
            name = "alert" if connection.secured else "failed"
            # close_notify ends a connection in order, whenever it comes.
            name = "alert" if event.info["description"] == "close_notify" else name
            return [("tls", name, data | {"alert": event.info["description"], "dir": _way(from_ev)})]
        elif event.kind == "problem":
            return [("tls", "undecodable", data | {"text": item.problem})]
        elif item.name in _DONE and not (item.name == "ChangeCipherSpec" and connection.version == "TLS 1.3"):
            connection.ready.add(from_ev)
            if len(connection.ready) == 2 and not connection.secured:
                connection.secured = True
                return [("tls", "handshake", data | self._handshake(connection, item.t_ns))]
        return []

    @staticmethod
    def _handshake(connection: _Connection, t_ns: int) -> dict[str, Any]:
        begun = connection.hello_ns
        return {
            "version": connection.version,
            "cipher": connection.cipher,
            "chain": connection.chains.get(False, []),
            "client_chain": connection.chains.get(True, []),
            "duration_s": None if begun is None else (t_ns - begun) / 1e9,
            "problems": [],
        }

    def _v2g(self, item: Item) -> list[tuple[str, str, dict[str, Any]]]:
        connection = self._connection(item)
        end = (item.src, item.src_port)
        if connection.ev is None and item.name.endswith(("Req", "Res")):
            connection.ev = end if item.name.endswith("Req") else (item.dst, item.dst_port)
        from_ev = connection.ev == end
        data = self._common(item) | {"connection": item.connection}
        if item.inferred:
            data["inferred"] = True
        if item.message is None:
            text = item.problem or "undecodable"
            return [
                ("v2g-error", "undecodable", data | {"text": text, "exi": item.exi, "dir": _way(from_ev)})
            ]
        data |= {
            "dir": _way(from_ev),
            "schema": item.schema,
            "session_id": item.session_id or None,
            "response_code": item.response_code or None,
            "exi": item.exi,
            "tls": item.tls,
        } | _remarked(item)
        processing = getattr(item.body, "EVSEProcessing", None)
        if processing is not None:
            data["processing"] = str(processing)
        if from_ev:
            connection.asked_ns = item.t_ns
        elif connection.asked_ns is not None:
            data["rtt_s"] = (item.t_ns - connection.asked_ns) / 1e9
            connection.asked_ns = None
        return [("v2g", item.name, data)]


def _remarked(item: Item) -> dict[str, str]:
    """`problem` is what breaks the standard in a message that could be read, `tolerated` what is merely
    uncommon, or may be due to a schema that had to be guessed.
    """
    said: dict[str, list[str]] = {"problem": [], "tolerated": []}
    for each in item.findings:
        breach = getattr(each, "breach", True) and not item.inferred
        said["problem" if breach else "tolerated"].append(str(getattr(each, "located", each)))
    return {key: "; ".join(dict.fromkeys(texts)) for key, texts in said.items() if texts}


def _way(from_ev: bool) -> str:
    return "tx" if from_ev else "rx"
