"""`plugbench ev replay`: a captured session played against a charger."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.capture.decode import decode
from bench.capture.keylog import KeyLog
from bench.capture.pcapng import CaptureError
from bench.ev import script as scripts
from bench.ev.captured_profile import profile_of, profile_toml
from bench.ev.credentials import Credentials
from bench.ev.emulator import EvEmulator
from bench.ev.errors import EvError, PlanMistake, ProfileError
from bench.ev.options import SessionOptions
from bench.ev.profile import load_profile
from bench.ev.replay import Player, Replayed
from bench.ev.script import Script, ScriptError
from bench.ev.session import Session
from bench.ev.vehicle import Vehicle
from bench.timeline import Timeline
from bench.v2g.sdp import PORT

EXIT_OK, EXIT_CHARGER, EXIT_USAGE, EXIT_NOT_REACHED = 0, 1, 2, 4
MAX_SPEED = 10_000.0
MAX_KEYLOG_BYTES = 64 * 1024 * 1024
MAX_SHOWN = 20

EXAMPLES = """examples:
  plugbench ev replay field.pcapng --interface eth1               the longest session of the capture
  plugbench ev replay field.pcapng --interface eth1 --session 2 --speed 10 --json
  plugbench ev replay pnc.pcapng --keylog tls.keylog --pki ./pki --interface eth1
  plugbench ev replay field.pcapng --write ./field                keep the profile and the script
  plugbench ev replay ./field/script.jsonl --interface eth1       a script, edited by hand perhaps

Session and schema ids, challenges, signatures, receipts and schedules are made for the charger that is there;
the rest is sent as captured, with the captured pauses. Answers of another kind (message, ResponseCode) are
told.

exit codes: 0 played to SessionStop, 1 the charger refused, ended or broke it, 2 wrong usage, 4 the charger
was not reached
"""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `replay` to the verbs of `plugbench ev`."""
    parser = verbs.add_parser(
        "replay",
        help="play a captured session against a charger",
        description="Make an EV profile and a message script of a captured session, and play it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, metavar="CAPTURE|SCRIPT", help="pcap, pcapng, or script.jsonl")
    parser.add_argument("--interface", metavar="IF", help="network interface towards the charger")
    parser.add_argument("--keylog", type=Path, metavar="F", help="TLS keys of the capture")
    parser.add_argument("--session", type=int, metavar="N", help="session of the capture (the longest one)")
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="X", help="X times as fast as captured (1)"
    )
    parser.add_argument("--loops", type=int, metavar="N", help="at most N messages of each charge loop")
    parser.add_argument(
        "--auth", choices=("eim", "pnc"), help="another payment than in the capture (eim: no contract needed)"
    )
    parser.add_argument("--no-tls", action="store_true", help="without TLS, whatever the capture has")
    parser.add_argument("--pki", type=Path, metavar="DIR", help="folder with the car's certificates")
    parser.add_argument("--profile", metavar="F", help="another EV profile than the one made of the capture")
    parser.add_argument("--write", type=Path, metavar="DIR", help="write profile.toml and script.jsonl there")
    parser.add_argument("--sdp-port", type=int, default=PORT, metavar="N", help=f"UDP port of SDP ({PORT})")
    parser.add_argument("--sdp-attempts", type=int, default=50, metavar="N", help="SDP requests (50)")
    parser.add_argument("--patience", type=float, metavar="S", help="wait S seconds for every answer")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end, nothing else")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run `plugbench ev replay`; the exit code (see `EXAMPLES`)."""
    try:
        _check(args)
        script = load(args.source, args.keylog, args.session)
        if args.write is not None:
            _write(script, args.write)
            if args.interface is None:
                return EXIT_OK
        return _replay(args, script)
    except (ScriptError, ProfileError, PlanMistake, CaptureError) as error:
        return _usage(str(error))


def _usage(text: str) -> int:
    print(f"plugbench ev replay: {text}", file=sys.stderr)
    return EXIT_USAGE


def _check(args: argparse.Namespace) -> None:
    if args.interface is None and args.write is None:
        raise PlanMistake("give --interface IF to play the session, or --write DIR to keep it")
    if not 0 < args.speed <= MAX_SPEED:
        raise PlanMistake(f"--speed must be above 0 and at most {MAX_SPEED:g}")
    if args.loops is not None and args.loops < 1:
        raise PlanMistake("--loops must be 1 or more")


def load(source: Path, keylog: Path | None = None, session: int | None = None) -> Script:
    """The script in a capture or a script file. Raises ScriptError, CaptureError."""
    if source.suffix == ".jsonl":
        return scripts.read(source)
    keys = KeyLog()
    if keylog is not None:
        try:
            with keylog.open("rb") as stream:
                keys.add(stream.read(MAX_KEYLOG_BYTES))
        except OSError as error:
            raise ScriptError(f"{keylog}: {error.strerror}") from error
    found = scripts.sessions(decode(source, keys))
    return scripts.from_items(scripts.pick(found, session), source.name)


def _write(script: Script, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "profile.toml").write_text(profile_toml(script), encoding="utf-8")
        scripts.write(script, folder / "script.jsonl")
    except OSError as error:
        raise ScriptError(f"{folder}: {error.strerror}") from error


def _replay(args: argparse.Namespace, script: Script) -> int:
    auth = args.auth or script.auth
    secure = (script.tls or auth == "pnc") and not args.no_tls
    if auth == "pnc" and (args.no_tls or args.pki is None):
        raise PlanMistake(
            "the session is Plug and Charge: give the car's certificates with --pki DIR, or --auth eim"
        )
    profile = load_profile(args.profile) if args.profile is not None else profile_of(script)
    credentials = Credentials.load(args.pki) if args.pki is not None else Credentials()
    with Timeline() as timeline:
        emulator = EvEmulator(
            Vehicle.without_power(),
            profile,
            timeline,
            interface=args.interface,
            sdp_port=args.sdp_port,
            credentials=credentials,
            defaults=SessionOptions(
                protocol=script.protocol,
                receive_patience_s=args.patience,
                sdp_attempts=max(1, args.sdp_attempts),
            ),
        )
        session = emulator.plug_in(script.energy, auth, tls=secure, certificate="none")
        try:
            result = Player(session, script, speed=args.speed, loops=args.loops).play()
        except PlanMistake:
            raise
        except EvError as error:  # the interface cannot do SDP at all
            return _usage(str(error))
        finally:
            emulator.close()
    code = EXIT_OK if result.finished and result.reason is None else EXIT_CHARGER
    if not session.history:
        code = EXIT_NOT_REACHED
    summary = _summary(script, session, result, code)
    if args.json:
        print(json.dumps(summary))
    else:
        _print(summary)
    return code


def _summary(script: Script, session: Session, result: Replayed, code: int) -> dict[str, Any]:
    word = {EXIT_OK: "differs" if result.differences else "as captured", EXIT_NOT_REACHED: "not reached"}
    return {
        "result": word.get(code, "ended"),
        "reason": result.reason,
        "source": script.source,
        "protocol": script.protocol,
        "energy": script.energy,
        "auth": session.state.auth,
        "tls": session.tls is not None,
        "evse_id": session.state.evse_id or None,
        "session_id": session.session_id.hex(),
        "captured": len(script.steps),
        "sent": result.sent,
        "session_stop": result.finished,
        "energy_wh": round(result.energy_wh, 3),
        "differences": [{**asdict(each), "text": each.text} for each in result.differences],
        "adapted": result.adapted,
        "skipped": result.skipped,
        "added": result.added,
    }


def _print(summary: dict[str, Any]) -> None:
    print(
        f"{summary['source']}: {summary['protocol']} {summary['energy']} {summary['auth']}, "
        f"{summary['captured']} requests captured, {summary['sent']} sent"
    )
    for kind in ("adapted", "skipped", "added"):
        for text in summary[kind][:MAX_SHOWN]:
            print(f"  {kind:<10} {text}")
    for each in summary["differences"][:MAX_SHOWN]:
        times = f" ({each['count']} times)" if each["count"] > 1 else ""
        print(f"  different  step {each['step']}: {each['text']}{times}")
    print(f"result: {summary['result']}" + (f" ({summary['reason']})" if summary["reason"] else ""))
