"""`plugbench charger`: the simulated charger and its named defects."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import sys
from pathlib import Path

from bench.charger import defects
from bench.charger.backend import CsmsLink
from bench.charger.defects import UnknownDefect
from bench.charger.profile import ChargerProfile, ProfileError, load
from bench.charger.service import Options, ServiceError, serve
from bench.charger.store import StoreError
from bench.cli import matrix
from bench.v2g import sdp

_EXAMPLES = """examples:
  plugbench charger serve --interface lo                               alone: ideal connector, permissive
  backend
  plugbench charger serve --interface lo --store ./charger-store       with certificates: TLS, Plug & Charge
  plugbench charger serve --interface eth1 --csms ws://localhost:9000 --station-id CP1
  plugbench charger serve --interface lo --defect genchallenge-constant
  plugbench charger serve --interface eth1 --plc eth1                  with a PLC modem: SLAC before SDP
  plugbench charger defects                                            what can be wrong, and which case
  finds it
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `charger` verb to the `plugbench` command."""
    parser = subparsers.add_parser(
        "charger",
        help="run the simulated charger, list its defects",
        description="A simulated charger with real SDP, TLS, ISO 15118-2, DIN SPEC 70121 and OCPP 2.0.1, "
        "and named defects.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(func=run)
    actions = parser.add_subparsers(dest="charger_action", metavar="ACTION", required=True)
    _serve_parser(actions)
    listing = actions.add_parser(
        "defects",
        help="list the defects",
        description="Every defect: the part of the charger that carries it, what is wrong, the cases.",
        epilog="examples:\n  plugbench charger defects\n  plugbench charger defects --names\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listing.add_argument("--names", action="store_true", help="names only, one a line")
    listing.set_defaults(func=run)
    matrix.add_parser(actions)


def _serve_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serving = actions.add_parser(
        "serve",
        help="run a charger until Ctrl-C",
        description="Run a charger until SIGTERM or Ctrl-C. Power goes off before it ends.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serving.add_argument("--interface", required=True, metavar="IF", help="network interface towards the EV")
    serving.add_argument("--profile", type=Path, metavar="F", help="TOML file with nameplate and habits")
    serving.add_argument(
        "--csms", metavar="URL", help="ws:// or wss:// address of the CSMS, without the station id"
    )
    serving.add_argument(
        "--defect", action="append", default=[], metavar="NAME", help="put a defect on it (repeatable)"
    )
    serving.add_argument(
        "--store", type=Path, metavar="DIR", help="certificates and keys; without it there is no TLS"
    )
    serving.add_argument("--cable", metavar="HOST:PORT", help="the rig's end of the cable")
    serving.add_argument(
        "--plc",
        metavar="IF|tunnel:HOST:PORT",
        help="where the charger's PLC modem is: SLAC comes before SDP then",
    )
    serving.add_argument(
        "--sdp-port",
        type=int,
        default=sdp.PORT,
        metavar="N",
        help=f"UDP port of SDP (default {sdp.PORT}; 0: any)",
    )
    serving.add_argument("--station-id", default="PLUGBENCH-SIM", metavar="ID", help="OCPP identity")
    serving.add_argument("--password", metavar="TEXT", help="OCPP basic-auth password")
    serving.add_argument("--ready-json", action="store_true", help="print one JSON line once it listens")
    serving.add_argument("--lifeline", action="store_true", help="stop when standard input ends")
    serving.add_argument(
        "-v", "--verbose", action="count", default=0, help="log to standard error (-vv: more)"
    )
    serving.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments ask; exit status 0, or 2 with one line on standard error."""
    if args.charger_action == "defects":
        return _list(names_only=args.names)
    levels = {0: logging.WARNING, 1: logging.INFO}
    logging.basicConfig(
        level=levels.get(args.verbose, logging.DEBUG), stream=sys.stderr, format="%(name)s: %(message)s"
    )
    try:
        return asyncio.run(serve(_options(args)))
    except (ServiceError, StoreError, ProfileError, UnknownDefect) as error:
        print(f"plugbench charger: {error}", file=sys.stderr)
        return 2


def _options(args: argparse.Namespace) -> Options:
    if not 0 <= args.sdp_port <= 65_535:
        raise ServiceError(f"--sdp-port {args.sdp_port}: a port is 0 to 65535")
    if args.csms is not None and not args.csms.startswith(("ws://", "wss://")):
        raise ServiceError(f"--csms {args.csms}: a CSMS address begins with ws:// or wss://")
    return Options(
        interface=args.interface,
        profile=load(args.profile) if args.profile is not None else ChargerProfile(),
        csms=CsmsLink(args.csms, args.station_id, args.password) if args.csms is not None else None,
        cable=_host_port(args.cable) if args.cable is not None else None,
        plc=args.plc,
        store=args.store,
        defects=tuple(args.defect),
        sdp_port=args.sdp_port,
        ready_json=args.ready_json,
        lifeline=args.lifeline,
    )


def _host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ServiceError(f"--cable {text}: expected HOST:PORT")
    return host.strip("[]"), int(port)


def _list(*, names_only: bool) -> int:
    known = defects.all_defects()
    if names_only:
        print("\n".join(known))
        return 0
    cases = _cases_by_defect()
    width = max((len(name) for name in known), default=0)
    for each in known.values():
        where = f"  [{', '.join(cases[each.name])}]" if cases.get(each.name) else ""
        print(f"{each.name:<{width}}  {each.protocol:<8}  {each.wrong}{where}")
    if not cases:
        print("(the plans' catalogue is not available: no case ids)", file=sys.stderr)
    return 0


def _cases_by_defect() -> dict[str, list[str]]:
    """Case ids by defect name from the plans, or nothing where they are not installed."""
    try:
        catalogue = importlib.import_module("bench.plan.catalogue")
        found = catalogue.cases_by_defect(catalogue.own_plans())
        return {str(name): list(ids) for name, ids in found.items()}
    except (ImportError, AttributeError):
        return {}
