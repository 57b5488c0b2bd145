"""`plugbench ev`: the EV emulator on its own, against any charger."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path
from typing import Any

from bench.cli import _match, _replay
from bench.ev.credentials import Credentials
from bench.ev.emulator import EvEmulator
from bench.ev.errors import (
    ChargerClosed,
    ChargerTimeout,
    EvError,
    PlanMistake,
    ProfileError,
    SessionEnded,
)
from bench.ev.options import SessionOptions
from bench.ev.profile import EvProfile, bundled_profiles, load_profile
from bench.ev.protocols import PROTOCOLS
from bench.ev.session import Session
from bench.ev.tls_options import TlsOptions
from bench.ev.vehicle import Vehicle
from bench.timeline import Event, Timeline
from bench.v2g.sdp import PORT

EXIT_OK, EXIT_CHARGER, EXIT_USAGE, EXIT_NOT_REACHED = 0, 1, 2, 4
DEFAULT_DURATION_S = 10.0
NO_HARDWARE = "no pilot hardware: pilot, contactor and load are not driven, the car only talks"

_EXAMPLES = """examples:
  plugbench ev charge --interface eth1 --energy dc --auth eim --no-tls
  plugbench ev charge --interface eth1 --energy dc --auth pnc --pki ./pki --keylog tls.keylog
  plugbench ev charge --interface eth1 --energy ac --auth eim --profile small_ac --duration 60 --json

exit codes: 0 the session ended in order, 1 the charger refused, ended or broke it, 2 wrong usage,
4 the charger was not reached (no SDP answer, no connection)
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `ev` and its verbs."""
    parser = subparsers.add_parser(
        "ev",
        help="play the car against any charger",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="ev_command", required=True, metavar="COMMAND")
    charge = verbs.add_parser(
        "charge",
        help="one charging session from discovery to SessionStop",
        description="Play a car: find the charger, talk, charge, stop.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    charge.add_argument(
        "--interface", required=True, metavar="IF", help="network interface towards the charger"
    )
    charge.add_argument(
        "--protocol",
        default="iso2",
        choices=("din", "iso2", "iso20"),
        help="iso2 (ISO 15118-2) or din (DIN SPEC 70121: DC, external payment, no TLS)",
    )
    charge.add_argument("--energy", default="dc", choices=("ac", "dc", "ac-bpt", "dc-bpt"))
    charge.add_argument("--auth", default="eim", choices=("eim", "pnc"), help="pnc needs --pki and TLS")
    charge.add_argument("--no-tls", action="store_true", help="ask for a connection without TLS")
    charge.add_argument(
        "--profile",
        default="midsize_dc",
        metavar="F",
        help=f"EV profile: file, or {', '.join(bundled_profiles())}",
    )
    charge.add_argument(
        "--pki", type=Path, metavar="DIR", help="folder with the car's certificates (plugbench pki)"
    )
    charge.add_argument(
        "--install", action="store_true", help="fetch a contract first, with the OEM provisioning certificate"
    )
    charge.add_argument(
        "--strict", action="store_true", help="end when the charger's certificate is not trusted"
    )
    charge.add_argument("--sdp-port", type=int, default=PORT, metavar="N", help=f"UDP port of SDP ({PORT})")
    charge.add_argument(
        "--sdp-attempts", type=int, default=50, metavar="N", help="SDP requests before giving up (50)"
    )
    charge.add_argument("--keylog", type=Path, metavar="F", help="write the TLS keys there, for a capture")
    charge.add_argument(
        "--duration", type=float, default=DEFAULT_DURATION_S, metavar="S", help="charge for S seconds (10)"
    )
    charge.add_argument("--patience", type=float, metavar="S", help="wait S seconds for every answer")
    charge.add_argument("--json", action="store_true", help="print one JSON object at the end, nothing else")
    charge.set_defaults(func=run)
    _match.add_parser(verbs)
    _replay.add_parser(verbs)


def run(args: argparse.Namespace) -> int:
    """Run `plugbench ev ...`; the exit code (see `_EXAMPLES`)."""
    if args.protocol not in PROTOCOLS:
        return _usage(f"--protocol {args.protocol} is not in this version; use {' or '.join(PROTOCOLS)}")
    if args.energy not in ("ac", "dc"):
        return _usage(f"--energy {args.energy} is not in this version (ISO 15118-20 only); use ac or dc")
    if args.protocol == "din" and (args.energy, args.auth, args.no_tls) != ("dc", "eim", True):
        return _usage("--protocol din is DC without Plug and Charge and TLS: --energy dc --auth eim --no-tls")
    if args.auth == "pnc" and args.no_tls:
        return _usage("--auth pnc needs TLS ([V2G2-636]); leave --no-tls out")
    if args.auth == "pnc" and args.pki is None:
        return _usage("--auth pnc needs the car's certificates: give --pki DIR")
    if not 0 <= args.duration <= 86_400:
        return _usage("--duration must be from 0 to 86400 seconds")
    try:
        profile = load_profile(args.profile)
        credentials = Credentials.load(args.pki) if args.pki is not None else Credentials()
        return _charge(args, profile, credentials)
    except (ProfileError, PlanMistake) as error:
        return _usage(str(error))


def _usage(text: str) -> int:
    print(f"plugbench ev: {text}", file=sys.stderr)
    return EXIT_USAGE


def _charge(args: argparse.Namespace, profile: EvProfile, credentials: Credentials) -> int:
    with Timeline() as timeline:
        if not args.json:
            print(NO_HARDWARE)
            timeline.subscribe(_Printer().event)
        emulator = EvEmulator(
            Vehicle.without_power(),
            profile,
            timeline,
            interface=args.interface,
            sdp_port=args.sdp_port,
            credentials=credentials,
            defaults=SessionOptions(
                protocol=args.protocol,
                tls_options=TlsOptions(keylog=args.keylog),
                verify="strict" if args.strict else "record",
                certificate="install" if args.install else "auto",
                receive_patience_s=args.patience,
                sdp_attempts=max(1, args.sdp_attempts),
                step_limit_s=args.duration + 180,
            ),
        )
        session = emulator.plug_in(args.energy, args.auth, tls=not args.no_tls)
        code, result, reason = EXIT_OK, "ok", None
        try:
            session.charge(args.duration)
            session.stop()
        except SessionEnded as error:
            reason = error.reason
            reached = session.wire.number > 0 and not (
                error.after in ("TCP", "SDPReq") and isinstance(error, ChargerTimeout | ChargerClosed)
            )
            code, result = (EXIT_CHARGER, "ended") if reached else (EXIT_NOT_REACHED, "not reached")
        except KeyboardInterrupt:
            code, result, reason = EXIT_CHARGER, "interrupted", _stop_quietly(session)
        except PlanMistake:
            raise
        except EvError as error:  # the interface cannot do SDP at all
            return _usage(str(error))
        finally:
            emulator.close()
        summary = _summary(session, result, reason)
        if args.json:
            print(json.dumps(summary))
        else:
            _print_summary(summary)
        return code


def _stop_quietly(session: Session) -> str:
    try:
        session.stop()
    except SessionEnded as error:
        return f"interrupted; {error.reason}"
    return "interrupted, stopped in order"


def _summary(session: Session, result: str, reason: str | None) -> dict[str, Any]:
    outcome = session.tls
    return {
        "result": result,
        "reason": reason,
        "hardware": False,
        "note": NO_HARDWARE,
        "protocol": session.protocol.name,
        "energy_mode": session.state.energy_mode or None,
        "evse_id": session.state.evse_id or None,
        "session_id": session.session_id.hex(),
        "tls": None
        if outcome is None
        else {
            "version": outcome.version,
            "cipher": outcome.cipher,
            "chain": [each.subject.rfc4514_string() for each in outcome.chain],
            "problems": outcome.problems,
        },
        "handshake_s": session.handshake_s,
        "steps": [
            {"name": each.name, "t_s": each.t_s, "duration_s": each.duration_s} for each in session.steps
        ],
        "messages": _messages(session),
        "energy_wh": round(session.energy_wh, 3),
        "soc_percent": round(session.state.battery.soc_percent, 3),
        "contract": session.state.contract.emaid if session.state.contract is not None else None,
        "provisioning": session.provisioned.as_data() if session.provisioned is not None else None,
        "tariff_signature": session.tariff_signature,
    }


def _messages(session: Session) -> list[dict[str, Any]]:
    """One line a kind of message, in order: how often, slowest answer, last code."""
    found: dict[str, dict[str, Any]] = {}
    for each in session.history:
        line = found.setdefault(
            each.name, {"name": each.name, "count": 0, "slowest_s": 0.0, "response_code": None}
        )
        line["count"] += 1
        line["slowest_s"] = round(max(line["slowest_s"], each.rtt_s), 6)
        line["response_code"] = str(getattr(each.response, "ResponseCode", ""))
    return list(found.values())


def _print_summary(summary: dict[str, Any]) -> None:
    print()
    for step in summary["steps"]:
        print(f"  {step['name']:<28} {step['duration_s'] * 1000:9.1f} ms")
    if summary["handshake_s"] is not None:
        print(f"  {'handshake':<28} {summary['handshake_s'] * 1000:9.1f} ms")
    print(f"{summary['energy_wh']:g} Wh taken, battery at {summary['soc_percent']:g} %")
    print(f"result: {summary['result']}" + (f" ({summary['reason']})" if summary["reason"] else ""))


class _Printer:
    """Prints the session as it goes, one line a message; repeated loop messages only once in a second."""

    def __init__(self) -> None:
        self._start_ns: int | None = None
        self._last: tuple[str, int] = ("", 0)
        self._lock = threading.Lock()

    def event(self, event: Event) -> None:
        """A subscriber of the timeline."""
        if event.source != "ev":
            return
        with self._lock:
            self._start_ns = self._start_ns or event.t_ns
            line = self._line(event)
            if line is None:
                return
            if event.name == self._last[0] and event.t_ns - self._last[1] < 1_000_000_000:
                return
            if event.kind == "v2g":
                self._last = (event.name, event.t_ns)
            print(f"{(event.t_ns - self._start_ns) / 1e9:8.3f} s  {line}", flush=True)

    def _line(self, event: Event) -> str | None:
        data = event.data
        if event.kind == "v2g" and data["dir"] == "rx":
            return f"{event.name}  {data['response_code']}  ({data['rtt_s'] * 1000:.1f} ms)"
        if event.kind == "sdp":
            return f"{event.name}  {data.get('address') or data.get('destination') or data.get('text', '')}"
        if event.kind == "tls":
            problems = "; ".join(data.get("problems") or []) or "chain trusted"
            return f"TLS {event.name}  {data.get('version', '')} {data.get('cipher', '')}  {problems}"
        if event.kind == "tcp":
            return f"TCP {event.name}  {data.get('reason', data.get('by', data.get('address', '')))}"
        if event.kind == "v2g-error":
            return f"{event.name}: {data['text']}"
        if event.kind == "step":
            return f"{event.name}" + (f": {data['reason']}" if "reason" in data else "")
        return None
