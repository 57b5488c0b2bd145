"""`python -m drivers.simulated`: the rig as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Sequence

from drivers.simulated.electrics import BLEED_S
from drivers.simulated.rig import Rig

AFTERLIFE_S = 10.0
"""How long the rig outlives its controller: the watchdogs of the boxes act in this time, and can be
observed.
"""


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m drivers.simulated", description="The simulated rig of an embedded bench."
    )
    parser.add_argument("--ready-json", action="store_true", help="print the endpoints as one line of JSON")
    parser.add_argument(
        "--lifeline", action="store_true", help="end some time after standard input is closed"
    )
    parser.add_argument(
        "--afterlife",
        type=float,
        default=AFTERLIFE_S,
        metavar="S",
        help="how long after (default %(default)s)",
    )
    parser.add_argument(
        "--cable-host", default="127.0.0.1", metavar="IP", help="address on which the cable listens"
    )
    parser.add_argument(
        "--bleed",
        type=float,
        default=BLEED_S,
        metavar="S",
        help="time constant of the charger's bleeder (%(default)s)",
    )
    for side, whose in (("ev", "car"), ("evse", "charger")):
        parser.add_argument(
            f"--plc-{side}",
            default="",
            metavar="IF",
            help=f"interface at which the {whose}'s modem is, instead of a tunnel for its host",
        )
    parser.add_argument("--seed", type=int, default=1, help="seed of the instruments' noise")
    return parser.parse_args(arguments)


class _RigError(Exception):
    """The rig cannot start; one line that says why."""


class _Lifeline(asyncio.Protocol):
    def __init__(self, lost: asyncio.Event) -> None:
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()


async def _run(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stop, lost = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    rig = Rig(options.seed, bleed_s=options.bleed)
    try:
        await rig.start(
            options.cable_host, plc_ev_interface=options.plc_ev, plc_evse_interface=options.plc_evse
        )
    except OSError as error:
        await rig.close()
        raise _RigError(f"the simulated rig cannot open its endpoints: {error}") from error
    if options.lifeline:
        await loop.connect_read_pipe(lambda: _Lifeline(lost), sys.stdin)
        afterlife = loop.create_task(_afterlife(lost, stop, options.afterlife))
        afterlife.add_done_callback(lambda _task: stop.set())
    if options.ready_json:
        print(json.dumps(rig.endpoints()), flush=True)
    else:
        for name, place in rig.endpoints().items():
            print(f"{name:9} {place}", flush=True)
    await stop.wait()
    await rig.close()


async def _afterlife(lost: asyncio.Event, stop: asyncio.Event, seconds_s: float) -> None:
    await lost.wait()
    try:
        await asyncio.wait_for(stop.wait(), seconds_s)
    except TimeoutError:
        print(f"the controller has been gone for {seconds_s:g} s", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the end of the lifeline."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # a client that hangs up is no news here
    try:
        asyncio.run(_run(_arguments(arguments)))
    except _RigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
