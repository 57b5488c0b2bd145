"""`plugbench capture live`: what goes over an interface, into a file and decoded as it happens."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from bench.cli._say import add_verb, complain

if TYPE_CHECKING:
    from bench.capture.items import Item
    from bench.capture.live import LiveDecoder
    from bench.capture.sniffer import Sniffer
    from bench.capture.timeline_file import TimelineFile

EXIT_OK, EXIT_BROKEN = 0, 3

EXAMPLES = """\
  plugbench capture live --interface eth1 --write field.pcapng
  plugbench capture live --interface eth1 --write field.pcapng --keylog tls.keylog --jsonl
  plugbench capture live --interface eth1 --write field.pcapng --timeline field.jsonl --for 600
"""


def add_action(actions: Any) -> None:
    """Add the action to the verb `capture`."""
    action = add_verb(
        actions,
        "live",
        "Capture an interface (root or CAP_NET_RAW) until Ctrl-C: also of a car and a charger between which "
        "this host sits.",
        EXAMPLES,
    )
    action.add_argument("--interface", required=True, metavar="IF", help="the interface to listen on")
    action.add_argument(
        "--write",
        required=True,
        type=Path,
        metavar="FILE",
        help="the capture (pcapng), written as it happens",
    )
    action.add_argument(
        "--keylog",
        type=Path,
        metavar="FILE",
        help="TLS secrets (SSLKEYLOGFILE format), read as the file grows and put into the capture",
    )
    action.add_argument("--jsonl", action="store_true", help="one JSON object a message, as `capture decode`")
    action.add_argument("--timeline", type=Path, metavar="FILE", help="the events as a timeline as well")
    action.add_argument(
        "--for", dest="seconds", type=float, metavar="SECONDS", help="end by itself after so long"
    )
    action.set_defaults(func=live)


def live(arguments: argparse.Namespace) -> int:
    """Capture until told to stop; 2 when that is not possible here, 3 when it broke."""
    from bench.capture.live import LiveDecoder
    from bench.capture.sniffer import Sniffer
    from bench.capture.timeline_file import TimelineFile
    from bench.timeline import TimelineError

    ended = threading.Event()
    timeline = None
    try:
        if arguments.timeline is not None:
            timeline = TimelineFile(arguments.timeline)
        printer = _Printer(arguments.jsonl, ended)

        def flush() -> None:
            printer.flush()
            if timeline is not None:
                timeline.flush()

        with LiveDecoder(timeline, on_item=printer, on_batch=flush) as decoder:
            sniffer = Sniffer(
                arguments.interface,
                arguments.write,
                keylog=arguments.keylog,
                method="af_packet",
                listener=decoder,
                on_lost=_warn,
            )
            with sniffer:
                print(
                    f"plugbench: capturing {arguments.interface} into {arguments.write}; Ctrl-C ends it",
                    file=sys.stderr,
                    flush=True,
                )
                _wait(ended, arguments.seconds)
    except TimelineError as error:
        return complain(str(error))
    except PermissionError as error:
        if error.filename is not None:
            return complain(f"{error.filename}: {error.strerror}")
        return complain(f"capture on {arguments.interface} needs root or CAP_NET_RAW")
    except OSError as error:
        return complain(f"{error.filename or arguments.interface}: {error.strerror or error}")
    finally:
        if timeline is not None:
            timeline.close()
    return _sum_up(sniffer, decoder, timeline)


def _wait(ended: threading.Event, seconds: float | None) -> None:
    """Until Ctrl-C, SIGTERM, the end of standard output, or `seconds` have passed."""

    def stop(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        ended.wait(seconds)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _warn(count: int) -> None:
    print(f"plugbench: warning: {count} frames lost, the capture is not whole", file=sys.stderr, flush=True)


def _sum_up(sniffer: Sniffer, decoder: LiveDecoder, timeline: TimelineFile | None) -> int:
    lost = f"{sniffer.dropped} lost" if sniffer.dropped else "none lost"
    skipped = f", {decoder.skipped} not decoded for lack of time" if decoder.skipped else ""
    print(
        f"plugbench: {sniffer.packets} frames captured, {lost}{skipped}; {decoder.items} messages and events",
        file=sys.stderr,
    )
    problems = [each for each in (sniffer.error, decoder.error, timeline.error if timeline else "") if each]
    for problem in problems:
        print(f"plugbench: {problem}", file=sys.stderr)
    return EXIT_BROKEN if problems else EXIT_OK


class _Printer:
    """Prints items as they come; sets `ended` when nobody reads any more."""

    def __init__(self, as_json: bool, ended: threading.Event) -> None:
        self._as_json = as_json
        self._ended = ended
        self._gone = False
        self._first: int | None = None

    def __call__(self, item: Item) -> None:
        self._do(lambda: print(json.dumps(item.to_json(), default=str) if self._as_json else self._row(item)))

    def flush(self) -> None:
        """Have the lines where somebody looks at them."""
        self._do(sys.stdout.flush)

    def _do(self, step: Callable[[], object]) -> None:
        if self._gone:
            return
        try:
            step()
        except BrokenPipeError:
            self._gone = True
            self._ended.set()

    def _row(self, item: Item) -> str:
        from bench.cli.capture import printable

        if self._first is None:
            self._first = item.t_ns
        code = item.response_code if item.layer == "v2g" else ""
        remarks = [each for each in (code, "TLS" if item.tls else "", item.problem, item.note) if each]
        return printable(
            f"{item.frame:>7}  {(item.t_ns - self._first) / 1e9:>11.6f}  {item.layer:5} {item.schema:12} "
            f"{item.name:34} {item.src} > {item.dst}{'  ' + '; '.join(remarks) if remarks else ''}"
        )
