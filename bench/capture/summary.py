"""What a capture holds, in a few lines: who talked, what about, how it ended, what was wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench.capture.items import Item
from bench.capture.tls_decrypt import TlsEvent
from bench.slac import mme

MAX_LISTED = 50
"""Entries of each list; what is beyond is counted only."""
MAX_NAMES = 500
_PROTOCOLS = {"din": "DIN SPEC 70121", "iso2": "ISO 15118-2"}
_ENERGY = {"iso20-ac": "AC", "iso20-dc": "DC", "iso20-acdp": "ACDP", "iso20-wpt": "WPT"}


@dataclass(slots=True)
class Summary:
    """Gathers items (`add`) in bounded memory; `to_json` is the outcome.

    ``packets``, ``lost_bytes``, ``retransmissions`` and ``problems`` are filled in by whoever read the file.
    """

    packets: int = 0
    lost_bytes: int = 0
    retransmissions: int = 0
    problems: list[str] = field(default_factory=list)
    first_ns: int | None = None
    last_ns: int | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _messages: Counter[str] = field(default_factory=Counter)
    _schemas: Counter[str] = field(default_factory=Counter)
    _refusals: list[dict[str, Any]] = field(default_factory=list)
    _unread: list[dict[str, Any]] = field(default_factory=list)
    _ids: dict[str, dict[str, None]] = field(default_factory=dict)
    _attenuations: list[dict[str, Any]] = field(default_factory=list)
    _tls: dict[int, dict[str, Any]] = field(default_factory=dict)
    _ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    _totals: Counter[str] = field(default_factory=Counter)

    def packet(self, t_ns: int) -> None:
        """Take note of a packet's time."""
        self.packets += 1
        if self.first_ns is None:
            self.first_ns = t_ns
        self.last_ns = t_ns

    def add(self, item: Item) -> None:
        """Take one item of the capture."""
        self._counts[item.layer] += 1
        if item.problem:
            self._list(
                self._unread, "problems", {"frame": item.frame, "layer": item.layer, "text": item.problem}
            )
        if item.layer == "v2g":
            self._v2g(item)
        elif item.layer == "slac":
            self._slac(item)
        elif item.layer == "tls":
            self._tls_item(item)

    def _list(self, where: list[dict[str, Any]], what: str, entry: dict[str, Any]) -> None:
        self._totals[what] += 1
        if len(where) < MAX_LISTED:
            where.append(entry)

    def _id(self, kind: str, value: Any) -> None:
        text = value.hex() if isinstance(value, bytes) else str(value or "")
        known = self._ids.setdefault(kind, {})
        if text and len(known) < MAX_LISTED:
            known[text[:300]] = None

    def _v2g(self, item: Item) -> None:
        if item.message is None:
            return
        self._messages[item.name if len(self._messages) < MAX_NAMES else "others"] += 1
        self._schemas[item.schema] += 1
        entry = {"frame": item.frame, "name": item.name}
        self._ends.setdefault("first", entry)
        self._ends["last"] = entry
        if item.tls and item.connection in self._tls:
            self._tls[item.connection]["decrypted"] = True
        body = item.body
        code = item.response_code
        if code and not code.startswith("OK"):
            self._list(self._refusals, "refusals", entry | {"response_code": code})
        if item.name == "SessionSetupReq":
            self._id("evccid", getattr(body, "EVCCID", None))
        elif item.name == "SessionSetupRes":
            self._id("evseid", getattr(body, "EVSEID", None))
            self._id("session_id", item.session_id)
        elif item.session_id.strip("0"):
            self._id("session_id", item.session_id)

    def _slac(self, item: Item) -> None:
        message = item.message.mme if isinstance(item.message, mme.Frame) else None
        if isinstance(message, mme.AttenCharInd) and message.aag:
            mean = sum(message.aag) / len(message.aag)
            entry = {
                "frame": item.frame,
                "evse": item.src,
                "ev": item.dst,
                "average_db": round(mean, 2),
                "groups": len(message.aag),
                "sounds": message.num_sounds,
            }
            self._list(self._attenuations, "attenuations", entry)

    def _tls_item(self, item: Item) -> None:
        event = item.message
        if not isinstance(event, TlsEvent) or (
            item.connection not in self._tls and len(self._tls) >= MAX_LISTED
        ):
            return
        session = self._tls.setdefault(
            item.connection,
            {"connection": item.connection, "version": None, "suite": None, "decrypted": False},
        )
        if event.kind == "server_hello" and not event.info.get("hello_retry_request"):
            session["version"], session["suite"] = event.info.get("version"), event.info.get("suite")
        elif event.kind == "alert":
            session["alert"] = event.info.get("description")
        elif event.kind == "problem":
            session.setdefault("problem", item.problem)

    def protocols(self) -> list[str]:
        """The protocols spoken, in words."""
        found = ["SLAC"] if self._counts["slac"] else []
        found += ["SDP"] if self._counts["sdp"] else []
        found += ["TLS"] if self._counts["tls"] else []
        found += [text for schema, text in _PROTOCOLS.items() if self._schemas[schema]]
        if any(schema.startswith("iso20") for schema in self._schemas):
            kinds = [text for schema, text in _ENERGY.items() if self._schemas[schema]]
            found.append(" ".join(["ISO 15118-20", *kinds]))
        return found

    def to_json(self) -> dict[str, Any]:
        """The summary as plain data. Lists hold at most MAX_LISTED entries; `totals` has the true counts."""
        first, last = self.first_ns or 0, self.last_ns or 0
        return {
            "packets": self.packets,
            "first_t": f"{first // 10**9}.{first % 10**9:09d}" if self.packets else None,
            "duration_s": round((last - first) / 1e9, 6),
            "protocols": self.protocols(),
            "evccid": list(self._ids.get("evccid", ())),
            "evseid": list(self._ids.get("evseid", ())),
            "session_ids": list(self._ids.get("session_id", ())),
            "counts": dict(self._counts),
            "messages": dict(self._messages.most_common()),
            "first_message": self._ends.get("first"),
            "last_message": self._ends.get("last"),
            "not_ok": self._refusals,
            "attenuation": self._attenuations,
            "tls": list(self._tls.values()),
            "lost_bytes": self.lost_bytes,
            "retransmissions": self.retransmissions,
            "problems": [
                *self.problems,
                *(f"frame {e['frame']}: {e['layer']}: {e['text']}" for e in self._unread),
            ],
            "totals": dict(self._totals),
        }
