"""`plugbench csms`: the mock CSMS by itself."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from bench.csms import script as script_module
from bench.csms.errors import CsmsError
from bench.csms.script import ScriptError
from bench.csms.server import Csms
from bench.csms.show import line
from bench.pki import Pki, StoreError
from bench.timeline import Event, Timeline

_EXAMPLES = """\
examples:
  plugbench csms serve --port 9000 --ocpp 2.0.1 --security-profile 0 --record ocpp.jsonl
  plugbench csms serve --port 9000 --security-profile 1 --station-id CS01 --password 0123456789abcdef
  plugbench csms serve --port 9000 --ocpp 2.0.1 --security-profile 3 --pki ./pki --script slow.toml

a script (TOML):
  [contracts]
  accept = ["DEPBXC123456789"]
  [[on]]
  action = "Authorize"
  do = "delay"            # reject, delay, error, malformed, drop, answer
  delay_s = 5.0
  times = 1

Cards and contracts that nobody registered are accepted. Ctrl-C ends it.
"""


def register(subparsers: Any) -> None:
    """Add the verb to the command's sub-parsers."""
    parser = subparsers.add_parser(
        "csms",
        help="serve the mock CSMS",
        description="The mock CSMS by itself, for a charger of your own.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    serve = verbs.add_parser(
        "serve",
        help="serve until interrupted",
        description="Serve a recording, scripted CSMS and print its frames as they come.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    serve.add_argument("--port", type=int, required=True, metavar="N", help="TCP port; 0 takes a free one")
    serve.add_argument("--ocpp", choices=("1.6", "2.0.1", "2.1"), default="2.0.1", help="version")
    serve.add_argument(
        "--security-profile",
        type=int,
        choices=(0, 1, 2, 3),
        default=0,
        help="0 none, 1 basic authentication, 2 TLS and basic authentication, 3 mutual TLS",
    )
    serve.add_argument("--station-id", metavar="ID", help="the only charger that may connect (default: any)")
    serve.add_argument("--password", help="for profiles 1 and 2 (16 to 40 characters)")
    serve.add_argument("--script", type=Path, metavar="F", help="behaviours, as TOML")
    serve.add_argument("--record", type=Path, metavar="F.jsonl", help="write every frame there")
    serve.add_argument(
        "--pki", type=Path, metavar="DIR", help="folder of `plugbench pki create` (default: a fresh one)"
    )
    serve.add_argument("--quiet", action="store_true", help="do not print frames")
    serve.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0, or 2 for a user's mistake (one line on stderr)."""
    try:
        if args.ocpp != "2.0.1":
            raise CsmsError(f"OCPP {args.ocpp} comes in a later version; this one speaks 2.0.1")
        pki = Pki.load(args.pki) if args.pki is not None else Pki.create()
        script = script_module.load(args.script) if args.script is not None else {}
        timeline = Timeline()
        csms = Csms(
            timeline,
            pki,
            args.host,
            args.port,
            ocpp=args.ocpp,
            security_profile=args.security_profile,
            station_id=args.station_id,
            password=args.password,
            record=args.record,
            accept_unknown=True,
        )
        script_module.apply(script, csms)
        csms.start()
    except (CsmsError, ScriptError, StoreError, OSError, OverflowError) as error:
        print(f"plugbench csms: {error}", file=sys.stderr)
        return 2
    return _serve(csms, timeline, args.quiet)


def _serve(csms: Csms, timeline: Timeline, quiet: bool) -> int:
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    epoch_ns = timeline.since()[0].t_ns

    def show(event: Event) -> None:
        text = line(event, epoch_ns)
        if text is not None:
            print(text, flush=True)

    unsubscribe = timeline.subscribe(show) if not quiet else lambda: None
    try:
        print(f"CSMS for OCPP {csms.version} at {csms.url}/<station id>", flush=True)
        stop.wait()
    finally:
        csms.close()
        unsubscribe()
        for number, handler in before.items():
            signal.signal(number, handler)
    if csms.recorder.write_error is not None:
        print(f"plugbench csms: {csms.recorder.write_error}", file=sys.stderr)
        return 3
    return 0
