"""`plugbench ev match`: one SLAC matching by hand, with its figures."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bench.slac.config import SOUND_INTERVAL_S, EvConfig
from bench.slac.port import PortError, open_port
from bench.slac.result import MatchResult
from bench.slac.run import match
from bench.timeline import Event, Timeline
from bench.v2g import timers
from drivers.base import DriverError, InstrumentNotFound
from drivers.qca7000 import Qca7000

EXIT_OK, EXIT_CHARGER, EXIT_USAGE, EXIT_BENCH, EXIT_NOT_REACHED = 0, 1, 2, 3, 4
MAX_DB = 255.0

_EPILOG = """examples:
  plugbench ev match --interface eth1
  plugbench ev match --interface eth1 --json --sound-interval 0.04
  plugbench ev match --interface eth1 --direct-db 40 --attempts 1

exit codes: 0 the modems are linked (with --no-modem: matched), 1 a charger answered, but matching or
joining failed, 2 wrong usage, no such interface or no permission, 3 no modem answers, 4 no charger answered
"""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `match` to the verbs of `plugbench ev`."""
    parser = verbs.add_parser(
        "match",
        help="find the charger on the cable by SLAC and join its network",
        description="Match once over the PLC modem behind an interface (ISO 15118-3), and show the figures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--interface",
        required=True,
        metavar="IF",
        help="network interface with the car's PLC modem behind it",
    )
    parser.add_argument(
        "--no-modem",
        action="store_true",
        help="no modem of the car answers there: end at CM_SLAC_MATCH.CNF, join nothing",
    )
    parser.add_argument(
        "--sound-interval",
        type=float,
        default=SOUND_INTERVAL_S,
        metavar="S",
        help=f"between two sounds ({SOUND_INTERVAL_S:g}; the standard has 0.02 to 0.05)",
    )
    parser.add_argument(
        "--direct-db",
        type=float,
        metavar="DB",
        help=f"mean attenuation up to which a charger is taken ({timers.get('slac.direct_db').value:g})",
    )
    parser.add_argument(
        "--attempts",
        type=int,
        metavar="N",
        help=f"matchings before giving up ({timers.get('slac.C_conn_max_match_min').value:g})",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse a CM_SLAC_PARM.CNF with other sounding parameters than the standard's, as some cars do",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end, nothing else")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run `plugbench ev match`; the exit code (see `_EPILOG`)."""
    if not 0.001 <= args.sound_interval <= 1:
        return _refuse(EXIT_USAGE, "--sound-interval must be from 0.001 to 1 s")
    if args.direct_db is not None and not 0 <= args.direct_db <= MAX_DB:
        return _refuse(EXIT_USAGE, f"--direct-db must be from 0 to {MAX_DB:g}")
    if args.attempts is not None and not 1 <= args.attempts <= 100:
        return _refuse(EXIT_USAGE, "--attempts must be from 1 to 100")
    config = EvConfig(
        overrides={} if args.direct_db is None else {"direct_db": args.direct_db},
        sound_interval_s=args.sound_interval,
        attempts=args.attempts,
        strict=args.strict,
    )
    try:
        result = _match(args, config)
    except InstrumentNotFound as error:
        return _refuse(EXIT_USAGE if isinstance(error.__cause__, PortError) else EXIT_BENCH, str(error))
    except DriverError as error:
        return _refuse(EXIT_BENCH, str(error))
    except KeyboardInterrupt:
        return _refuse(EXIT_CHARGER, "interrupted")
    if args.json:
        print(json.dumps(result.to_json()))
    else:
        _print(result)
    if result.linked or (args.no_modem and result.matched):
        return EXIT_OK
    return EXIT_CHARGER if result.evses else EXIT_NOT_REACHED


def _match(args: argparse.Namespace, config: EvConfig) -> MatchResult:
    with Timeline() as timeline:
        if not args.json:
            timeline.subscribe(_show)
        if args.no_modem:
            try:
                port = open_port(args.interface)
            except PortError as error:
                raise InstrumentNotFound(str(error)) from error
            with port:
                return match(port, None, config=config, timeline=timeline)
        modem = Qca7000(args.interface, name="modem")
        modem.open()
        try:
            return match(modem.port, modem, config=config, timeline=timeline)
        except PortError as error:
            raise DriverError(str(error)) from error
        finally:
            modem.close()


def _refuse(code: int, text: str) -> int:
    print(f"plugbench ev match: {text}", file=sys.stderr)
    return code


def _show(event: Event) -> None:
    if event.kind != "slac":
        return
    data: dict[str, Any] = event.data
    if "dir" in data:
        arrow = "->" if data["dir"] == "tx" else "<-"
        print(f"  {arrow} {event.name} {data.get('peer', '')}")
    elif "outcome" in data:
        limit = "" if data["limit_s"] is None else f" (limit {data['limit_s']:g} s)"
        print(f"{event.name}: {data['outcome']}, {1000 * data['duration_s']:.0f} ms{limit}")


def _print(result: MatchResult) -> None:
    for each in result.evses:
        average = "no attenuation" if each.average_db is None else f"{each.average_db:.1f} dB"
        print(f"charger {each.mac.hex(':')}: {average}")
    for text in result.problems:
        print(f"problem: {text}")
    nid = "" if result.nid is None else f", NID {result.nid.hex()}"
    state = "linked" if result.linked else "matched" if result.matched else "not matched"
    print(f"{state} in {result.duration_s:.2f} s{nid}" + ("" if result.linked else f": {result.reason}"))
