"""The session of a case as a ladder of exchanges between EV, charger and CSMS, made from its slice of the
timeline.

Bounded on purpose: repeated exchanges of the charge loop are folded into one with `repeat`, traces are
thinned, long texts are cut. The whole of it stays in `timeline.jsonl`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.timeline import Event

LANES = ("EV", "charger", "CSMS")
MAX_TRACE_POINTS = 400
MAX_EXCHANGES = 600
MAX_TEXT = 20_000
LOOPS = (
    "CurrentDemand",
    "ChargingStatus",
    "CableCheck",
    "PreCharge",
    "Authorization",
    "ChargeParameterDiscovery",
)
"""Messages that repeat: from the third exchange in a row on they are folded."""
SERIES = ("CM_START_ATTEN_CHAR.IND", "CM_MNBC_SOUND.IND")
"""Messages of SLAC that come in a row without answers: they are one line of the ladder."""
_SLAC_SAYS = ("run_id", "num_sounds", "result", "nid", "amlen", "res_type")
_VALIDATION = ("not ready", "ready", "success", "failure", "not required")
Exchange = dict[str, Any]
_TELLING = (
    "eventType",
    "triggerReason",
    "connectorStatus",
    "status",
    "certificateStatus",
    "certificateType",
    "requestedMessage",
    "errorCode",
)
"""Fields of OCPP payloads whose values stand in the summary of an exchange."""


def session(events: Sequence[Event], start_ns: int) -> dict[str, Any] | None:
    """The `session` of a case in run.json, or None when nothing was said and nothing measured."""
    made = [exchange for event in events if (exchange := _exchange(event, start_ns)) is not None]
    in_order = sorted(made + pilot_changes(events, start_ns), key=lambda one: float(one["t_s"]))
    exchanges = fold(fold_series(in_order))
    found = traces(events, start_ns)
    if not exchanges and not any(found.values()):
        return None
    if len(exchanges) > MAX_EXCHANGES:
        left_out = len(exchanges) - MAX_EXCHANGES
        note = _entry(
            exchanges[MAX_EXCHANGES]["t_s"], "EV", "EV", "bench", f"{left_out} more in timeline.jsonl", ""
        )
        exchanges = [*exchanges[:MAX_EXCHANGES], note]
    return {"lanes": list(LANES), "exchanges": exchanges, "traces": found}


def pilot_changes(events: Sequence[Event], start_ns: int) -> list[Exchange]:
    """What the charger does to the pilot, where a measurement shows that it has changed: PWM on or off,
    another duty cycle, a fault state.
    """
    found: list[Exchange] = []
    before: str | None = None
    last_ns: int | None = None
    for event in events:
        if event.kind != "pilot" or event.name != "measured":
            continue
        now = _charger_side(event.data)
        if now is not None and now != before:
            state, high_v = event.data.get("state"), event.data.get("high_v")
            parts = [f"state {state or '?'}"]
            if isinstance(high_v, int | float) and not isinstance(high_v, bool):
                parts.append(f"{high_v:g} V")
            if last_ns is not None:  # the change itself lies somewhere between the two samples
                parts.append(f"{(event.t_ns - last_ns) / 1e6:.0f} ms after last sample")
            # What it was when the case began is the charger's resting state and no step of the session.
            if before is not None or now != "no PWM":
                t_s = round((event.t_ns - start_ns) / 1e9, 4)
                found.append(_entry(t_s, "charger", "EV", "cp", f"{now} seen", ", ".join(parts)))
            before = now
        last_ns = event.t_ns
    return found


def _charger_side(data: dict[str, Any]) -> str | None:
    if data.get("state") in ("E", "F"):
        return f"pilot {data['state']}"
    if data.get("oscillator") is False:
        return "no PWM"
    duty = data.get("duty_percent")
    if not isinstance(duty, int | float) or isinstance(duty, bool):
        return None
    return "no PWM" if duty >= 99.5 or duty <= 0.5 else f"PWM {round(duty)} %"


def fold(exchanges: list[Exchange]) -> list[Exchange]:
    """Runs of the same request and response beyond the second pair become one pair with `repeat` (how many in
    all).
    """
    folded: list[Exchange] = []
    position = 0
    while position < len(exchanges):
        run = _run_length(exchanges, position)
        if run <= 3:
            folded.append(exchanges[position])
            position += 1
            continue
        first, last = position, position + 2 * (run - 1)
        folded += exchanges[first : first + 2]
        folded += [{**one, "repeat": run - 2} for one in exchanges[first + 2 : first + 4]]
        folded += exchanges[last : last + 2]
        position += 2 * run
    return folded


def fold_series(exchanges: list[Exchange]) -> list[Exchange]:
    """Each run of the same message of `SERIES` becomes its first one, with `repeat` and how long it went on.
    What the pilot did in between does not end a run; another message, or a problem, does.
    """
    folded: list[Exchange] = []
    run: Exchange | None = None
    for one in exchanges:
        series = one["layer"] == "slac" and one["name"] in SERIES and not one["problem"]
        if series and run is not None and (one["name"], one["summary"]) == (run["name"], run["summary"]):
            run["repeat"] = (run["repeat"] or 1) + 1
            run["duration_s"] = round(one["t_s"] - run["t_s"], 4)
            continue
        if one["layer"] != "cp":
            run = {**one} if series else None
        folded.append(run if series and run is not None else one)
    return folded


def traces(events: Sequence[Event], start_ns: int) -> dict[str, list[list[float]]]:
    """Curves over the case, each a list of [t_s, value], thinned to `MAX_TRACE_POINTS`."""
    wanted: tuple[tuple[str, str, str], ...] = (
        ("pilot_v", "pilot", "high_v"),
        ("duty_percent", "pilot", "duty_percent"),
        ("voltage_v", "power", "voltage_v"),
        ("current_a", "power", "current_a"),
        ("power_w", "power", "power_w"),
    )
    found: dict[str, list[list[float]]] = {}
    for name, kind, key in wanted:
        points = [
            [round((event.t_ns - start_ns) / 1e9, 4), round(float(event.data[key]), 4)]
            for event in events
            if event.kind == kind and isinstance(event.data.get(key), int | float)
        ]
        found[name] = thin(points)
    return found


def thin(points: list[list[float]], limit: int = MAX_TRACE_POINTS) -> list[list[float]]:
    """At most `limit` of the points: lowest and highest of each stretch, so that a short peak stays to be
    seen.
    """
    if len(points) <= limit:
        return points
    stretches = limit // 2
    kept: list[list[float]] = []
    for index in range(stretches):
        stretch = points[index * len(points) // stretches : (index + 1) * len(points) // stretches]
        low, high = min(stretch, key=lambda one: one[1]), max(stretch, key=lambda one: one[1])
        kept += sorted((low, high), key=lambda one: one[0]) if low is not high else [low]
    return kept


def cut(text: object, limit: int = MAX_TEXT) -> str | None:
    """`text` bounded to `limit` characters; None stays None."""
    if text is None:
        return None
    plain = str(text)
    return plain if len(plain) <= limit else f"{plain[:limit]}… ({len(plain)} characters)"


def _run_length(exchanges: list[Exchange], position: int) -> int:
    # How many request/response pairs of the same looping message stand from `position` on.
    first = exchanges[position]
    if first["layer"] != "v2g" or first["from"] != "EV" or not first["name"].startswith(LOOPS):
        return 1
    count, at = 0, position
    while at + 1 < len(exchanges):
        request, response = exchanges[at], exchanges[at + 1]
        same = request["name"] == first["name"] and request["layer"] == "v2g" and not request["problem"]
        answered = response["layer"] == "v2g" and response["from"] == "charger" and not response["problem"]
        if not (same and answered and response["summary"] == exchanges[position + 1]["summary"]):
            break
        count, at = count + 1, at + 2
    return max(count, 1)


def _entry(  # noqa: PLR0917 - the columns of the ladder
    t_s: float, source: str, target: str, layer: str, name: str, summary: str, **more: Any
) -> Exchange:
    entry: Exchange = {
        "t_s": t_s,
        "from": source,
        "to": target,
        "layer": layer,
        "name": name,
        "summary": summary,
    }
    for key in ("schema", "exi", "payload", "chain", "duration_s", "problem", "repeat"):
        entry[key] = more.get(key)
    return entry


def _exchange(event: Event, start_ns: int) -> Exchange | None:
    make = _MAKERS.get(event.kind)
    return None if make is None else make(event, round((event.t_ns - start_ns) / 1e9, 4))


def _v2g(event: Event, t_s: float) -> Exchange:
    data = event.data
    sent = data.get("dir") == "tx"
    source, target = ("EV", "charger") if sent else ("charger", "EV")
    summary = (
        f"deviation: {data['deviation']}" if data.get("deviation") else str(data.get("response_code") or "")
    )
    more = {"schema": data.get("schema"), "exi": cut(data.get("exi")), "duration_s": data.get("rtt_s")}
    return _entry(t_s, source, target, "v2g", event.name, summary, problem=data.get("problem"), **more)


def _v2g_error(event: Event, t_s: float) -> Exchange:
    text = cut(event.data.get("text"), 500) or event.name
    after = f"after {event.data['after']}" if event.data.get("after") else ""
    return _entry(
        t_s, "charger", "EV", "v2g", event.name, after, problem=text, exi=cut(event.data.get("exi"))
    )


def _slac(event: Event, t_s: float) -> Exchange | None:
    data = event.data
    if event.name == "join" and data.get("step"):
        return _entry(t_s, "EV", "EV", "slac", str(data.get("outcome")), "")
    if "dir" not in data:
        return None  # a step of the matching: its messages tell the same
    source, target = ("EV", "charger") if data["dir"] == "tx" else ("charger", "EV")
    said = data.get("fields") or {}
    parts = [f"deviation: {data['deviation']}"] if data.get("deviation") else _slac_parts(event.name, said)
    problem = cut(data.get("text"), 300) if event.name == "malformed" else None
    shown = {name: value for name, value in said.items() if name != "nmk"}
    return _entry(
        t_s, source, target, "slac", event.name, ", ".join(parts), payload=shown or None, problem=problem
    )


def _slac_parts(message: str, said: dict[str, Any]) -> list[str]:
    if message.startswith("CM_VALIDATE"):
        result = said.get("result")
        known = isinstance(result, int) and result < len(_VALIDATION)
        parts = [_VALIDATION[result] if known else f"result {result}"]  # type: ignore[index]
        return [*parts, f"{said['toggle_num']} toggles"] if said.get("toggle_num") else parts
    wanted = _SLAC_SAYS if message.startswith("CM_SLAC_PARM") else _SLAC_SAYS[1:]
    parts = [f"{name} {said[name]}" for name in wanted if said.get(name) not in (None, "")]
    groups = said.get("aag")
    levels = bytes.fromhex(groups) if isinstance(groups, str) else bytes(groups or ())
    return [*parts, f"mean {sum(levels) / len(levels):.1f} dB"] if levels else parts


def _sdp(event: Event, t_s: float) -> Exchange:
    data = event.data
    sent = data.get("dir") == "tx"
    parts = [f"{key} {data[key]}" for key in ("address", "port", "security") if data.get(key) is not None]
    source, target = ("EV", "charger") if sent else ("charger", "EV")
    return _entry(t_s, source, target, "sdp", event.name, ", ".join(parts), payload=cut(data.get("raw")))


def _tcp(event: Event, t_s: float) -> Exchange:
    data = event.data
    where = f"[{data.get('address')}]:{data.get('port')}" if data.get("port") else ""
    problem = "refused" if event.name == "refused" else None
    source, target = ("charger", "EV") if data.get("dir") == "rx" else ("EV", "charger")
    return _entry(
        t_s, source, target, "tcp", event.name, where, duration_s=data.get("duration_s"), problem=problem
    )


def _tls(event: Event, t_s: float) -> Exchange:
    data = event.data
    problems = data.get("problems") or []
    said = " ".join(str(data[key]) for key in ("version", "cipher", "alert") if data.get(key))
    problem = "; ".join(map(str, problems)) or (said if event.name == "failed" else None)
    more = {"chain": data.get("chain"), "duration_s": data.get("duration_s"), "problem": problem}
    source, target = ("charger", "EV") if data.get("dir") == "rx" else ("EV", "charger")
    return _entry(t_s, source, target, "tls", event.name, said, **more)


def _pilot(event: Event, t_s: float) -> Exchange | None:
    if event.name != "set":
        return None
    return _entry(t_s, "EV", "charger", "cp", f"pilot {event.data.get('state', '')}", "")


def _contactor(event: Event, t_s: float) -> Exchange:
    return _entry(t_s, "EV", "EV", "bench", f"contactor {event.name}", "")


def _ocpp(event: Event, t_s: float) -> Exchange:
    data = event.data
    source, target = ("charger", "CSMS") if data.get("dir") == "rx" else ("CSMS", "charger")
    kind = str(data.get("type") or "")
    problem = cut(data.get("problem"), 500) or (kind if kind == "CALLERROR" else None)
    payload = data.get("payload")
    summary = " ".join([kind, *_said(payload)]) if isinstance(payload, dict) else kind
    bounded = payload if len(str(data.get("raw") or payload)) <= MAX_TEXT else cut(data.get("raw"))
    return _entry(t_s, source, target, "ocpp", event.name, summary, payload=bounded, problem=problem)


def _said(payload: dict[str, Any]) -> list[str]:
    """The words of an OCPP payload that tell the story of a session."""
    found = [payload.get(key) for key in _TELLING]
    for outer, inner in (
        ("idTokenInfo", "status"),
        ("transactionInfo", "stoppedReason"),
        ("idToken", "idToken"),
    ):
        nested = payload.get(outer)
        found.append(nested.get(inner) if isinstance(nested, dict) else None)
    return list(dict.fromkeys(cut(one, 60) or "" for one in found if isinstance(one, str) and one))


def _ocpp_link(event: Event, t_s: float) -> Exchange:
    reason = cut(event.data.get("reason"), 300)
    problem = reason if event.name == "handshake-failed" else None
    return _entry(t_s, "charger", "CSMS", "ocpp", f"link {event.name}", reason or "", problem=problem)


def _backend(event: Event, t_s: float) -> Exchange:
    said = ", ".join(f"{key} {value}" for key, value in event.data.items() if value not in (None, ""))
    return _entry(t_s, "CSMS", "CSMS", "bench", event.name, cut(said, 200) or "")


_MAKERS: dict[str, Callable[[Event, float], Exchange | None]] = {
    "v2g": _v2g,
    "v2g-error": _v2g_error,
    "slac": _slac,
    "sdp": _sdp,
    "tcp": _tcp,
    "tls": _tls,
    "pilot": _pilot,
    "contactor": _contactor,
    "ocpp": _ocpp,
    "ocpp-link": _ocpp_link,
    "backend": _backend,
}
