"""A captured EV session as a message script: every request that the car sent, and what it was told.

A script is a file of JSON lines: the first says what kind of session it was, each other one is a request.

    {"plugbench_script": 1, "protocol": "din", "energy": "dc", "auth": "eim", "tls": false, ...}
    {"name": "SessionSetupReq", "schema": "din", "delay_s": 0.056, "exi": "809a...", "xml": "<...>",
     "answer": "SessionSetupRes", "response_code": "OK_NewSessionEstablished", "processing": "", ...}

`exi` is what is sent; a line without it is made from its `xml`, so that a script can be edited by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from bench.capture.items import Item
from bench.ev.errors import EvError
from bench.ev.iso2.state import Auth, Energy
from bench.ev.protocols import ProtocolName
from bench.v2g import codec

FORMAT = 1
MAX_SCRIPT_BYTES = 256 * 1024 * 1024
MAX_STEPS = 1_000_000
MAX_DELAY_S = 600.0
_EACH_ITS_OWN = frozenset({"ServiceDetailReq", "PowerDeliveryReq"})
"""Requests that ask for something else each time: they make no loop."""
SAP = "supportedAppProtocolReq"


class ScriptError(EvError):
    """A capture holds no session that can be replayed, or a script cannot be read; one line."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request as captured. `delay_s`: from the answer before it (0 for the first).

    `answer`, `response_code`, `processing` (EVSEProcessing) and `voltage_v` (EVSEPresentVoltage) are of what
    the charger answered then, "" or None where it did not; `answer_s` is how long that took.
    """

    name: str
    schema: Literal["sap", "iso2", "din"]
    exi: bytes
    delay_s: float = 0.0
    answer: str = ""
    response_code: str = ""
    processing: str = ""
    voltage_v: float | None = None
    answer_s: float | None = None

    @property
    def deviates(self) -> bool:
        """Whether the car sent what the schema does not allow: that, too, is to be sent again."""
        try:
            codec.encode(codec.decode(self.schema, self.exi), self.schema)
        except codec.CodecError:
            return True
        return False

    def body(self) -> Any:
        """The request's body, freshly decoded: it may be changed. Raises ScriptError."""
        try:
            message = codec.decode(self.schema, self.exi)
        except codec.CodecError as error:
            raise ScriptError(f"{self.name} of the script cannot be decoded: {error}") from error
        body = message if self.schema == "sap" else getattr(message.Body, "BodyElement", None)
        if type(body).__name__ != self.name:
            raise ScriptError(f"a step called {self.name} holds a {type(body).__name__}")
        return body


@dataclass(frozen=True, slots=True)
class Script:
    """A session: what kind it was, and its requests in order."""

    protocol: ProtocolName
    energy: Energy
    auth: Auth
    tls: bool
    steps: tuple[Step, ...]
    source: str = ""

    def runs(self) -> list[tuple[Step, ...]]:
        """The steps, those of one name that follow each other together: a loop is one run."""
        runs = [tuple(group) for _, group in groupby(self.steps, key=lambda step: step.name)]
        return [
            one for run in runs for one in ([(s,) for s in run] if run[0].name in _EACH_ITS_OWN else [run])
        ]


# --- from a capture -----------------------------------------------------------------------------------------
def sessions(items: Iterable[Item]) -> list[list[Item]]:
    """The V2G messages of a capture by TCP connection; connections without a request are left out."""
    found: dict[int, list[Item]] = {}
    for item in items:
        if item.layer == "v2g" and item.message is not None:
            found.setdefault(item.connection, []).append(item)
    return [each for each in found.values() if any(item.name.endswith("Req") for item in each)]


def pick(found: Sequence[Sequence[Item]], number: int | None) -> Sequence[Item]:
    """Session `number` (from 1); None: the one with the most messages. Raises ScriptError."""
    if not found:
        raise ScriptError("no request of an EV can be read in the capture (encrypted? give --keylog)")
    if number is None:
        return max(found, key=len)
    if not 1 <= number <= len(found):
        raise ScriptError(f"--session {number}: the capture holds {len(found)}")
    return found[number - 1]


def from_items(items: Sequence[Item], source: str = "") -> Script:
    """The script of one session's messages. Raises ScriptError for what this EV cannot speak."""
    steps = tuple(_steps(items))
    spoken = {step.schema for step in steps} - {"sap"}
    if not spoken:
        newer = sorted({item.schema for item in items if item.schema.startswith("iso20")})
        raise ScriptError(
            "ISO 15118-20 cannot be replayed by this version"
            if newer
            else "the session ended before its first message: nothing but supportedAppProtocol was captured"
        )
    if len(spoken) > 1:
        raise ScriptError(f"the session changes its protocol ({', '.join(sorted(spoken))})")
    protocol: ProtocolName = "din" if "din" in spoken else "iso2"
    kinds = {step.name for step in steps}
    return Script(
        protocol,
        _energy(steps),
        "pnc" if kinds & {"PaymentDetailsReq", "CertificateInstallationReq"} else "eim",
        any(item.tls for item in items),
        steps,
        source,
    )


def _steps(items: Sequence[Item]) -> Iterator[Step]:
    answered_ns = None
    schemas: dict[str, Literal["sap", "iso2", "din"]] = {"sap": "sap", "iso2": "iso2", "din": "din"}
    for position, item in enumerate(items):
        if not item.name.endswith("Req"):
            answered_ns = item.t_ns
            continue
        if item.schema not in schemas:
            continue
        following = items[position + 1] if position + 1 < len(items) else None
        answer = following if following is not None and not following.name.endswith("Req") else None
        body = None if answer is None else answer.body
        voltage = getattr(body, "EVSEPresentVoltage", None)
        yield Step(
            item.name,
            schemas[item.schema],
            item.payload,
            0.0 if answered_ns is None else min(MAX_DELAY_S, max(0, item.t_ns - answered_ns) / 1e9),
            "" if answer is None else answer.name,
            "" if answer is None else answer.response_code,
            str(getattr(body, "EVSEProcessing", "")),
            None if voltage is None else voltage.value,
            None if answer is None else max(0, answer.t_ns - item.t_ns) / 1e9,
        )


def _energy(steps: Sequence[Step]) -> Energy:
    """What was charged: as ChargeParameterDiscoveryReq asks, DC where it never came to that."""
    for step in steps:
        if step.name == "ChargeParameterDiscoveryReq":
            body = step.body()
            wanted = getattr(body, "RequestedEnergyTransferMode", None) or body.EVRequestedEnergyTransferType
            return "ac" if str(wanted).startswith("AC") else "dc"
    return "dc"


# --- files --------------------------------------------------------------------------------------------------
def write(script: Script, path: Path) -> None:
    """Write a script file. Raises OSError."""
    head = {"plugbench_script": FORMAT, **asdict(script)}
    del head["steps"]
    with path.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(head) + "\n")
        for step in script.steps:
            stream.write(json.dumps(_line(step)) + "\n")


def _line(step: Step) -> dict[str, Any]:
    line = {key: value for key, value in asdict(step).items() if value not in ("", None)}
    line["exi"] = step.exi.hex()
    try:
        line["xml"] = codec.to_xml(codec.decode(step.schema, step.exi))
    except codec.CodecError:  # what a car really sent goes into the script even where XML cannot say it
        line["xml"] = None
    return line


def read(path: Path) -> Script:
    """Read a script file. Raises ScriptError with file and line."""
    try:
        if path.stat().st_size > MAX_SCRIPT_BYTES:
            raise ScriptError(f"{path}: larger than {MAX_SCRIPT_BYTES} bytes, that is no script")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: cannot be read: {error}") from error
    try:
        head = json.loads(lines[0]) if lines else {}
        if not isinstance(head, dict) or head.get("plugbench_script") != FORMAT:
            raise ScriptError(f"{path}: the first line says no plugbench_script {FORMAT}")
        choices = {"protocol": ("iso2", "din"), "energy": ("ac", "dc"), "auth": ("eim", "pnc")}
        for key, allowed in choices.items():
            if head.get(key) not in allowed:
                raise ScriptError(f"{path}: line 1: {key} is one of {', '.join(allowed)}")
    except (json.JSONDecodeError, RecursionError) as error:
        raise ScriptError(f"{path}: line 1 is no JSON: {error}") from error
    if len(lines) > MAX_STEPS:
        raise ScriptError(f"{path}: more than {MAX_STEPS} lines, that is no script")
    steps = tuple(_step(text, f"{path}: line {n}") for n, text in enumerate(lines[1:], 2) if text.strip())
    if not steps:
        raise ScriptError(f"{path}: no request in it")
    return Script(
        head["protocol"], head["energy"], head["auth"], bool(head.get("tls")), steps, str(head.get("source"))
    )


def _step(text: str, where: str) -> Step:
    try:
        line = json.loads(text)
        schema = line["schema"]
        if schema not in ("sap", "iso2", "din"):
            raise ScriptError(f"{where}: schema is sap, iso2 or din")
        raw = line.get("exi")
        exi = bytes.fromhex(raw) if raw else codec.encode(codec.from_xml(schema, str(line["xml"])), schema)
        voltage, answer_s = line.get("voltage_v"), line.get("answer_s")
        step = Step(
            str(line["name"]),
            schema,
            exi,
            min(MAX_DELAY_S, max(0.0, float(line.get("delay_s", 0.0)))),
            str(line.get("answer", "")),
            str(line.get("response_code", "")),
            str(line.get("processing", "")),
            None if voltage is None else float(voltage),
            None if answer_s is None else float(answer_s),
        )
        step.body()
    except (json.JSONDecodeError, RecursionError, KeyError, TypeError, AttributeError, ValueError) as error:
        # json.JSONDecodeError is a ValueError; a CodecError is none, and says more of itself.
        raise ScriptError(f"{where}: {type(error).__name__}: {error}") from error
    except (codec.CodecError, ScriptError) as error:
        raise ScriptError(f"{where}: {error}".replace(f"{where}: {where}", where)) from error
    return step
