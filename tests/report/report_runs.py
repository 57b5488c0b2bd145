"""Synthetic run.json documents for the tests of the report (and for looking at it)."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

AREAS = ("charger", "trust", "provisioning", "backend", "reconciliation", "fallback")
SIGNED = {
    "owner": "A. Owner",
    "status": "signed-off",
    "signed_by": "A. Owner",
    "date": "2026-02-01",
    "note": "",
}
DECLARATIONS = ("support", "reconciliation", "commercial")

STEPS = [
    ("SDP request answered", 0.021, 0.25),
    ("TLS handshake", 0.180, 1.0),
    ("Session set up, services discovered", 0.094, 2.0),
    ("Contract selected", 0.032, 2.0),
    ("Contract chain checked (PaymentDetails)", 0.412, 4.5),
    ("Authorization", 0.301, 1.5),
    ("Charge parameters agreed", 0.137, 2.0),
    ("Cable check, pre-charge, power on", 0.902, 7.0),
]

DIALOGUE = [
    ("SessionSetup", 0.30, "OK_NewSessionEstablished"),
    ("ServiceDiscovery", 0.34, "OK"),
    ("PaymentServiceSelection", 0.37, "OK"),
    ("PaymentDetails", 0.41, "OK"),
    ("Authorization", 0.83, "OK"),
    ("ChargeParameterDiscovery", 1.15, "OK"),
    ("CableCheck", 1.40, "OK"),
    ("PreCharge", 1.62, "OK"),
    ("PowerDelivery", 1.90, "OK"),
]


def exchange(t_s: float, sender: str, receiver: str, layer: str, name: str, **more: Any) -> dict[str, Any]:
    """One exchange with every field of the schema."""
    base: dict[str, Any] = {
        "t_s": t_s,
        "from": sender,
        "to": receiver,
        "layer": layer,
        "name": name,
        "summary": "",
        "schema": None,
        "exi": None,
        "payload": None,
        "chain": None,
        "duration_s": None,
        "problem": None,
        "repeat": None,
    }
    return base | more


def session(
    exi: dict[str, str] | None = None, refused: str = "", chain: list[str] | None = None
) -> dict[str, Any]:
    """A DC Plug & Charge session of 6.5 s; with `refused` it ends at PaymentDetails with that response
    code."""
    codes = exi or {}
    made = [
        exchange(0.0, "EV", "charger", "cp", "B", summary="plugged in, 9 V"),
        exchange(0.05, "charger", "EV", "cp", "PWM 5 %", summary="duty cycle 5 %: digital communication"),
        exchange(0.08, "EV", "charger", "sdp", "SDPReq", summary="TLS asked"),
        exchange(0.101, "charger", "EV", "sdp", "SDPRes", summary="[::1]:49152, TLS", duration_s=0.021),
        exchange(0.102, "EV", "charger", "tcp", "connect", summary="port 49152"),
        exchange(0.28, "EV", "charger", "tls", "handshake", summary="TLS 1.2", chain=chain, duration_s=0.18),
        exchange(
            0.29, "EV", "charger", "v2g", "supportedAppProtocolReq", schema="sap", exi=codes.get("sapq")
        ),
        exchange(
            0.295, "charger", "EV", "v2g", "supportedAppProtocolRes", schema="sap", exi=codes.get("sapr")
        ),
    ]
    for name, t_s, code in DIALOGUE:
        answer = refused if refused and name == "PaymentDetails" else code
        request, response = f"{name}Req", f"{name}Res"
        made.append(
            exchange(t_s, "EV", "charger", "v2g", request, schema="iso2", exi=codes.get(request, "80ff"))
        )
        if name == "PaymentDetails":
            made += authorize(t_s + 0.1, bool(refused))
        late = 0.3 if name == "PaymentDetails" else 0.02
        made.append(
            exchange(
                t_s + late,
                "charger",
                "EV",
                "v2g",
                response,
                schema="iso2",
                exi=codes.get(response, "80ff"),
                summary=answer,
                duration_s=late,
                problem=f"{answer}: the contract was refused" if answer.startswith("FAILED") else None,
            )
        )
        if refused and name == "PaymentDetails":
            return {
                "lanes": ["EV", "charger", "CSMS"],
                "exchanges": made,
                "traces": traces(0.8, charging=False),
            }
    made += [
        exchange(
            1.95,
            "charger",
            "CSMS",
            "ocpp",
            "TransactionEvent",
            summary="Started",
            payload={"eventType": "Started"},
        ),
        exchange(
            2.0,
            "EV",
            "charger",
            "v2g",
            "CurrentDemandReq",
            schema="iso2",
            exi="80ff",
            repeat=34,
            duration_s=3.9,
        ),
        exchange(
            2.02,
            "charger",
            "EV",
            "v2g",
            "CurrentDemandRes",
            schema="iso2",
            exi="80ff",
            repeat=34,
            summary="OK",
        ),
        exchange(6.0, "EV", "charger", "v2g", "PowerDeliveryReq", schema="iso2", exi="80ff", summary="Stop"),
        exchange(6.03, "charger", "EV", "v2g", "PowerDeliveryRes", schema="iso2", exi="80ff", summary="OK"),
        exchange(6.1, "EV", "charger", "v2g", "SessionStopReq", schema="iso2", exi="80ff"),
        exchange(6.12, "charger", "EV", "v2g", "SessionStopRes", schema="iso2", exi="80ff", summary="OK"),
        exchange(
            6.2,
            "charger",
            "CSMS",
            "ocpp",
            "TransactionEvent",
            summary="Ended",
            payload={"eventType": "Ended"},
        ),
        exchange(6.3, "EV", "EV", "cp", "A", summary="unplugged"),
    ]
    return {"lanes": ["EV", "charger", "CSMS"], "exchanges": made, "traces": traces(6.4, charging=True)}


def authorize(t_s: float, refused: bool) -> list[dict[str, Any]]:
    """Authorize and its answer."""
    status = "CertificateRevoked" if refused else "Accepted"
    token = {"idToken": "DEPBNC0000001X", "type": "eMAID"}
    asked = {
        "idToken": token,
        "iso15118CertificateHashData": [{"hashAlgorithm": "SHA256", "serialNumber": "4f1a"}],
    }
    told = {"idTokenInfo": {"status": "Invalid" if refused else "Accepted"}, "certificateStatus": status}
    return [
        exchange(t_s, "charger", "CSMS", "ocpp", "Authorize", payload=[2, "17", "Authorize", asked]),
        exchange(t_s + 0.05, "CSMS", "charger", "ocpp", "Authorize", summary=status, payload=[3, "17", told]),
    ]


def traces(end_s: float, *, charging: bool) -> dict[str, Any]:
    """Pilot, voltage, current and power, sampled each 20 ms."""
    found: dict[str, list[list[float]]] = {}
    for n in range(int(end_s / 0.02)):
        t_s = n * 0.02
        on = charging and 1.95 < t_s < 6.0
        ramp = min(1.0, max(0.0, (t_s - 1.95) / 0.8)) if on else 0.0
        voltage = 400.0 * min(1.0, max(0.0, (t_s - 1.4) / 0.4)) if charging and t_s < 6.05 else 0.0
        values = {
            "pilot_v": 12.0 if t_s < 0.01 else 6.0 if charging and 1.4 < t_s < 6.1 else 9.0,
            "duty_percent": 5.0 if t_s > 0.05 else 100.0,
            "voltage_v": voltage + math.sin(n) * 0.5 * (voltage > 0),
            "current_a": 80.0 * ramp,
            "power_w": voltage * 80.0 * ramp,
        }
        for key, value in values.items():
            found.setdefault(key, []).append([round(t_s, 3), round(value, 2)])
    return found


def case(id: str = "PNC-001", verdict: str = "pass", **more: Any) -> dict[str, Any]:
    """A case with every field of the schema."""
    base: dict[str, Any] = {
        "id": id,
        "title": "first SDP request is answered in 250 ms",
        "nodeid": f"testplans/plug_and_charge/test_handshake.py::test_{id.lower().replace('-', '_')}",
        "group": "handshake",
        "requirements": ["V2G2-143", "V2G2-475"],
        "source": "ISO 15118-2:2014",
        "confidence": "catalogue",
        "defects": ["sdp-ignores-first-request"],
        "areas": ["charger"],
        "precondition": "The bench is at rest; no car is plugged in.",
        "stimulus": "The car is plugged in and sends one SDP request.",
        "expected": "The charger answers within 250 ms with address, port and security.",
        "verdict": verdict,
        "reason": "" if verdict == "pass" else "the answer was not what was expected",
        "started_s": 1.0,
        "duration_s": 1.4,
        "slow": False,
        "steps": [],
        "measurements": [],
        "expectations": [],
        "findings": [],
        "session": {"lanes": ["EV", "charger", "CSMS"], "exchanges": [], "traces": {}},
        "evidence": [{"file": "timeline.jsonl", "what": "events of this case", "lines": [12, 40]}],
        "log": "",
    }
    return base | more


def run(cases: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A run with every field of the schema, of a real charger on a real bench, without signatures."""
    base: dict[str, Any] = {
        "format": 1,
        "plugbench": "0.1.0",
        "run": {
            "id": "20260302-101500-x7",
            "started": "2026-03-02T10:15:00Z",
            "ended": "2026-03-02T10:19:41Z",
            "duration_s": 281.2,
            "command": "plugbench run plug_and_charge --bench lab-2 --charger acme-hyper-150.toml",
            "plans": ["plug_and_charge"],
            "exit_code": 0,
            "interrupted": False,
            "stop_cause": None,
            "host": {"python": "3.11.9", "platform": "Linux", "hostname": "bench-2"},
            "packages": {"cryptography": "43.0.1", "ocpp": "2.1.0", "jinja2": "3.1.4"},
            "notes": ["SDP was sent to ::1, because loopback carries no multicast."],
            "defects": [],
            "repeat": {"index": 1, "of": 1},
        },
        "bench": {
            "name": "lab-2",
            "file": "fixtures/benches/lab-2.toml",
            "sha256": "ab" * 32,
            "interface": "eth1",
            "simulated": False,
            "limits": {"voltage_v": 500, "current_a": 125},
            "timing": {"handshake_s": 3.0},
            "capture": {"method": "raw socket", "reason": "root was available", "file": "capture.pcapng"},
            "instruments": [
                instrument("pilot board", "ControlPilot"),
                instrument("analyzer", "PowerAnalyzer"),
            ],
        },
        "charger": {
            "vendor": "Acme",
            "model": "Hyper 150",
            "serial": "AC-0042",
            "firmware": "3.2.1",
            "evse_id": "DE*ACM*E0042*1",
            "station_id": "CS-42",
            "file": "fixtures/chargers/acme-hyper-150.toml",
            "sha256": "cd" * 32,
            "simulated": False,
            "ocpp_boot": {"chargingStation": {"vendorName": "Acme", "model": "Hyper 150"}},
            "declarations": {},
        },
        "ev": {"profile": "compact-dc", "file": "fixtures/ev/compact-dc.toml", "evccid": "02:00:00:00:00:01"},
        "cases": cases,
        "rules": [],
        "not_run": [],
        "trust": [],
        "support": [],
    }
    return base | more


def instrument(name: str, capability: str) -> dict[str, Any]:
    """One instrument."""
    return {
        "name": name,
        "capability": capability,
        "driver": "drivers.example",
        "model": "WT-300",
        "vendor": "Example",
        "serial": "91K-552",
        "firmware": "2.0",
        "calibrated": "2025-06-01",
        "calibration_due": "2026-06-01",
        "accuracy": "0.1 % of reading + 0.05 % of range",
        "verified_on": None,
        "simulated": False,
        "resource": "TCPIP::192.0.2.7::5025::SOCKET",
    }


@lru_cache(maxsize=1)
def secc_chain() -> tuple[tuple[str, ...], str]:
    """PEM chain of a charger (leaf first) and its root."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from bench.pki.hierarchy import Pki

    made = Pki.create().issue_secc()
    chain = tuple(each.public_bytes(Encoding.PEM).decode() for each in made.chain)
    return chain, made.root.public_bytes(Encoding.PEM).decode()


def trust(**more: Any) -> dict[str, Any]:
    """The charger's chain as an entry of `trust`."""
    chain, root = secc_chain()
    return {
        "role": "SECC",
        "case": "PNC-003",
        "t_s": 2.0,
        "problems": [],
        "chain": list(chain),
        "root": root,
    } | more


def ready_run() -> dict[str, Any]:
    """The least run that is ready: a passed case an area, a recorded chain, all signatures."""
    made = run([case(f"PNC-{n:03}", areas=[area]) for n, area in enumerate(AREAS)], trust=[trust()])
    made["charger"]["declarations"] = {key: dict(SIGNED) for key in DECLARATIONS}
    return made


def catalogue(path: Path) -> list[tuple[str, str, str]]:
    """(id, title, group) of a list of cases as it is kept in the project's notes; used to look at a full
    report."""
    found, group = [], "other"
    for line in path.read_text().splitlines():
        match = re.match(r"((?:PNC|RUL)-\d+)\s+(.*?)(?:\s{2,}|$)", line)
        if match:
            found.append((match[1], match[2], group))
        elif line and not line.startswith("#"):
            group = re.split(r"[,(]", line)[0].strip()
    return found
