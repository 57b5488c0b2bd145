"""How long things took in a session of a capture, held against the limits of `bench/v2g/timers.toml`.

A limit of the charger's (an EV's timeout on an answer, CableCheck, PreCharge) decides, unless it is a mere
recollection (confidence `memory`). Where car or driver have a part in the time, the limit is shown and does
not decide. The clock is that of whoever captured: an answer is late by what the line took as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.rules.conversation import base_name, is_request, is_response
from bench.rules.timing import limit_of
from bench.timeline import Event
from bench.v2g import timers

MAX_KINDS = 200
PHASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Protocol and session set-up", ("supportedAppProtocol", "SessionSetup")),
    ("Services and payment", (
        "ServiceDiscovery", "ServiceDetail", "PaymentServiceSelection", "ServicePaymentSelection",
        "ServiceSelection", "AuthorizationSetup",
    )),
    ("Certificates", ("CertificateInstallation", "CertificateUpdate", "PaymentDetails")),
    ("Authorization", ("Authorization", "ContractAuthentication")),
    ("Charge parameters", (
        "ChargeParameterDiscovery", "AC_ChargeParameterDiscovery", "DC_ChargeParameterDiscovery",
        "ScheduleExchange",
    )),
    ("CableCheck", ("CableCheck", "DC_CableCheck")),
    ("PreCharge", ("PreCharge", "DC_PreCharge")),
    ("PowerDelivery", ("PowerDelivery",)),
)  # fmt: skip
"""The steps from plug-in to power, by the messages they consist of."""
_DECIDING = {"CableCheck": "V2G_EVCC_CableCheck_Timeout", "PreCharge": "V2G_EVCC_PreCharge_Timeout"}


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took from `start_ns` to `end_ns`."""

    name: str
    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(slots=True)
class _Answers:
    schema: object
    name: str
    count: int = 0
    worst_s: float = 0.0
    total_s: float = 0.0
    slow: int = 0


@dataclass(slots=True)
class Answers:
    """How long the charger took to answer, by message: `add` every event of a session."""

    kinds: dict[tuple[object, str], _Answers] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Take note of a response."""
        rtt = event.data.get("rtt_s")
        if not is_response(event) or not isinstance(rtt, int | float):
            return
        key = (event.data.get("schema"), event.name)
        found = self.kinds.get(key)
        if found is None:
            if len(self.kinds) >= MAX_KINDS:
                return
            found = self.kinds[key] = _Answers(*key)
        found.count += 1
        found.worst_s = max(found.worst_s, rtt)
        found.total_s += rtt
        limit = limit_of(found.schema, found.name, "secc_performance")
        found.slow += limit is not None and rtt > limit.value

    def measurements(self) -> list[dict[str, Any]]:
        """One a message: the longest time, against the EV's timeout."""
        return [self._measurement(each) for each in self.kinds.values()]

    @staticmethod
    def _measurement(each: _Answers) -> dict[str, Any]:
        performance = limit_of(each.schema, each.name, "secc_performance")
        doc = f"{each.count} answers, mean {each.total_s / each.count:.3f} s"
        if each.count == 1:
            doc = "one answer"
        if performance is not None:
            late = f"{each.slow} later" if each.slow else "none later"
            doc += f"; performance time {performance.value:g} s: {late} ({performance.confidence})"
        name = f"{each.name}, longest" if each.count > 1 else each.name
        limit = limit_of(each.schema, each.name, "evcc_timeout")
        return measurement(name, each.worst_s, limit, decides=True, doc=doc)


def measurement(
    name: str, value: float, limit: timers.Limit | None, *, decides: bool, doc: str = "", unit: str = "s"
) -> dict[str, Any]:
    """The data of a `measurement` event. Beyond its limit the outcome is "fail" where the limit decides and
    is no recollection, else "info".
    """
    high = None if limit is None else limit.value
    outcome = "info"
    if limit is not None and high is not None:
        decides = decides and limit.confidence != "memory"
        outcome = "pass" if value <= high else "fail" if decides else "info"
    return {
        "name": name,
        "value": round(value, 6),
        "unit": unit,
        "low": None,
        "high": high,
        "outcome": outcome,
        "limit_source": "" if limit is None else limit.source,
        "confidence": "" if limit is None else limit.confidence,
        "doc": doc,
    }


def slac_spans(events: Iterable[Event]) -> dict[str, Span]:
    """The steps of matching that were finished, by name: `parm`, `sounding`, `match`, and `join` up to the
    first SDPReq.
    """
    asked: dict[str, int] = {}
    found: dict[str, Span] = {}

    def end(key: str, name: str, start: str, t_ns: int) -> None:
        if start in asked:
            found.setdefault(key, Span(name, asked[start], t_ns))

    for event in events:
        if event.kind == "sdp":
            if event.name == "SDPReq":
                end("join", "From match to SDP", "CM_SLAC_MATCH.CNF", event.t_ns)
                break
            continue
        if event.kind != "slac":
            continue
        name, t_ns = event.name, event.t_ns
        if name == "CM_SLAC_PARM.CNF":
            end("parm", "CM_SLAC_PARM", "CM_SLAC_PARM.REQ", t_ns)
        elif name == "CM_ATTEN_CHAR.IND":
            end("sounding", "Sounding (to CM_ATTEN_CHAR.IND)", "CM_START_ATTEN_CHAR.IND", t_ns)
        elif name == "CM_SLAC_MATCH.CNF":
            end("match", "CM_SLAC_MATCH", "CM_SLAC_MATCH.REQ", t_ns)
        if name == "CM_START_ATTEN_CHAR.IND":
            asked.setdefault(name, t_ns)
        else:
            asked[name] = t_ns
        if name == "CM_SLAC_PARM.REQ":
            asked.pop("CM_START_ATTEN_CHAR.IND", None)
    return found


def spans(events: Sequence[Event]) -> list[Span]:
    """The steps from the first frame to power, in order of time."""
    found = list(slac_spans(events).values())
    asked = tcp = hello = None
    for event in events:
        if event.name == "SDPReq":
            asked = event.t_ns
        elif event.name == "SDPRes" and asked is not None:
            found.append(Span("SDP", asked, event.t_ns))
            asked = None
        elif event.kind == "tcp" and event.name == "connect" and tcp is None:
            tcp = event.t_ns
        elif event.kind == "tls" and event.name == "ClientHello" and hello is None:
            hello = event.t_ns
        elif event.kind == "tls" and event.name == "handshake" and hello is not None:
            found.append(Span("TLS handshake", hello, event.t_ns))
            hello = None
    found += _phases(events)
    return sorted(found, key=lambda each: each.start_ns)


def _phases(events: Iterable[Event]) -> list[Span]:
    begun: dict[str, int] = {}
    ended: dict[str, int] = {}
    phase_of = {name: phase for phase, names in PHASES for name in names}
    for event in events:
        if event.kind != "v2g":
            continue
        phase = phase_of.get(base_name(event.name), "")
        if is_request(event) and phase:
            begun.setdefault(phase, event.t_ns)
        elif is_response(event) and phase in begun:
            ended[phase] = event.t_ns
            if phase == "PowerDelivery":
                break  # the later ones are of the session's end
    return [Span(phase, begun[phase], ended[phase]) for phase, _ in PHASES if phase in ended]


def of_session(events: Sequence[Event], answers: Answers, protocol: str) -> list[dict[str, Any]]:
    """The measurements of a session: matching, SDP, TLS, phases, and each message."""
    found: list[dict[str, Any]] = []
    slac = slac_spans(events)
    for key, name, limit, decides, doc in (
        ("parm", "CM_SLAC_PARM.REQ to .CNF", "TT_match_response", True, "from the last request before it"),
        ("sounding", "CM_START_ATTEN_CHAR.IND to CM_ATTEN_CHAR.IND", "TT_EV_atten_results", True,
         "from the first of the START frames"),
        ("match", "CM_SLAC_MATCH.REQ to .CNF", "TT_match_response", True, "from the last request before it"),
        ("join", "CM_SLAC_MATCH.CNF to SDPReq", "TT_match_join", False,
         "the limit is for the link; when the EV then asks is its own choice"),
    ):  # fmt: skip
        if key in slac:
            limit_ = timers.get(f"slac.{limit}")
            found.append(measurement(name, slac[key].seconds, limit_, decides=decides, doc=doc))
    by_name = {each.name: each for each in spans(events)}
    if "SDP" in by_name:
        doc = "the EV repeats its request after that long"
        found.append(
            measurement(
                "SDPReq to SDPRes",
                by_name["SDP"].seconds,
                timers.get("sdp.response_wait"),
                decides=False,
                doc=doc,
            )
        )
    if "TLS handshake" in by_name:
        found.append(measurement("TLS handshake", by_name["TLS handshake"].seconds, None, decides=False))
    start_ns = next((event.t_ns for event in events if event.name == "SDPReq"), None)
    if start_ns is not None:
        doc = "SDPReq to response; the EV has its part in it"
        for name, message, timer in (
            ("SDP to SessionSetup", "SessionSetupRes", "V2G_EVCC_CommunicationSetup_Timeout"),
            ("SDP to PowerDelivery", "PowerDeliveryRes", "V2G_EVCC_ReadyToCharge_Timeout"),
        ):
            end_ns = next((event.t_ns for event in events if event.name == message), None)
            if end_ns is not None:
                limit_or_none = timers.load().get(f"{protocol}.{timer}")
                value = (end_ns - start_ns) / 1e9
                found.append(measurement(name, value, limit_or_none, decides=False, doc=doc))
    for phase, timer in _DECIDING.items():
        limit_or_none = timers.load().get(f"{protocol}.{timer}")
        if phase in by_name and limit_or_none is not None:
            doc = "first request to last response"
            found.append(
                measurement(f"{phase}, whole", by_name[phase].seconds, limit_or_none, decides=True, doc=doc)
            )
    return found + answers.measurements()
