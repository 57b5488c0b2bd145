"""Read capture files: decode every message, or sum up what was said."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli import _capture_check, _capture_live
from bench.cli._say import add_verb, complain

if TYPE_CHECKING:
    from bench.capture.decode import Decoder
    from bench.capture.files import CaptureReader
    from bench.capture.items import Item
    from bench.capture.keylog import KeyLog

EXAMPLES = """\
  plugbench capture decode session.pcapng
  plugbench capture decode session.pcapng --keylog tls.keylog --jsonl > messages.jsonl
  plugbench capture decode *.pcap.gz --jsonl --fields
  plugbench capture summary session.pcapng
  plugbench capture summary *.pcapng --json
  plugbench capture check session.pcapng --keylog tls.keylog
  plugbench capture live --interface eth1 --write field.pcapng
"""
_PROGRESS_S = 1.0
_PROGRESS_EVERY = 4096


def register(subparsers: Any) -> None:
    """Add the verb with its actions."""
    verb = add_verb(subparsers, "capture", "Read capture files (pcap, pcapng, also gzip) offline.", EXAMPLES)
    actions = verb.add_subparsers(dest="action", required=True, metavar="ACTION")
    action = add_verb(actions, "decode", "Every SLAC, SDP and V2G message of a capture, in order.", EXAMPLES)
    _add_files(action)
    action.add_argument(
        "--jsonl",
        action="store_true",
        help="a JSON object a line: frame, t, src, dst, layer, name, schema, exi, and what else there is",
    )
    action.add_argument(
        "--fields", action="store_true", help="with --jsonl: the fields of each message as well"
    )
    action.set_defaults(func=decode)
    action = add_verb(
        actions, "summary", "What a capture holds: protocols, identities, ends, problems.", EXAMPLES
    )
    _add_files(action)
    action.add_argument("--json", action="store_true", help="one JSON object a file, one a line")
    action.set_defaults(func=summary)
    _capture_check.add_action(actions)
    _capture_live.add_action(actions)


def _add_files(action: argparse.ArgumentParser) -> None:
    action.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a capture file")
    action.add_argument(
        "--keylog",
        metavar="FILE",
        type=Path,
        help="TLS secrets (SSLKEYLOGFILE format); those inside a pcapng are used anyway",
    )


def decode(arguments: argparse.Namespace) -> int:
    """Print the messages of the files; 2 when one is not there or is no capture."""
    if arguments.fields and not arguments.jsonl:
        return complain("--fields goes with --jsonl")
    write = _write_lines if arguments.jsonl else _write_table
    return _each_file(arguments, write)


def summary(arguments: argparse.Namespace) -> int:
    """Print what the files hold; 2 when one is not there or is no capture."""
    return _each_file(arguments, _write_summary)


def _each_file(arguments: argparse.Namespace, write: Any) -> int:
    """`write` each file; a file that cannot be read does not keep the others from being."""
    from bench.capture.decode import Decoder
    from bench.capture.files import CaptureError, open_capture

    code = 0
    for path in arguments.files:
        try:
            decoder = Decoder(_keylog(arguments.keylog))
        except OSError as error:
            return complain(f"{arguments.keylog}: {error.strerror or error}")
        try:
            reader = open_capture(path)
        except CaptureError as error:
            code = complain(str(error))
            continue
        with reader:
            write(arguments, reader, decoder)
        for problem in reader.problems + decoder.problems:
            print(f"plugbench: {path}: {problem}", file=sys.stderr)
    return code


def _keylog(path: Path | None) -> KeyLog:
    from bench.capture.keylog import KeyLog

    log = KeyLog()
    if path is not None:
        log.add(path.read_bytes())
        if not len(log):
            print(f"plugbench: {path}: no TLS secrets in it (lines of SSLKEYLOGFILE)", file=sys.stderr)
    return log


def _items(reader: CaptureReader, decoder: Decoder, *, lines: bool) -> Iterator[Item]:
    """The items of a file, with the progress on standard error where somebody looks at it, unless `lines`
    come to the same terminal meanwhile.
    """
    from bench.capture.decode import run

    if sys.stderr.isatty() and not (lines and sys.stdout.isatty()):
        return run(_WithProgress(reader), decoder)  # type: ignore[arg-type]
    return run(reader, decoder)


class _WithProgress:
    """A reader that says how far it is."""

    def __init__(self, reader: CaptureReader) -> None:
        self._reader = reader
        self.scan_secrets = reader.scan_secrets

    def __iter__(self) -> Iterator[Any]:
        due = time.monotonic() + _PROGRESS_S
        shown = False
        for packet in self._reader:
            if packet.number % _PROGRESS_EVERY == 0 and time.monotonic() >= due:
                due = time.monotonic() + _PROGRESS_S
                share = 100 * self._reader.position / max(1, self._reader.size)
                print(
                    f"\r{self._reader.path}: {share:3.0f} %, {packet.number} packets",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
                shown = True
            yield packet
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _write_lines(arguments: argparse.Namespace, reader: CaptureReader, decoder: Decoder) -> None:
    name = {"file": str(reader.path)} if len(arguments.files) > 1 else {}
    dumps = json.JSONEncoder(separators=(",", ":"), default=str).encode
    for item in _items(reader, decoder, lines=True):
        line = name | item.to_json()
        if arguments.fields:
            line["fields"] = item.fields
        sys.stdout.write(dumps(line) + "\n")


def _write_table(arguments: argparse.Namespace, reader: CaptureReader, decoder: Decoder) -> None:
    if len(arguments.files) > 1:
        print(f"{reader.path}:")
    first: int | None = None
    print(f"{'frame':>7}  {'t_s':>11}  {'layer':5} {'schema':12} {'name':34} from > to")
    for item in _items(reader, decoder, lines=True):
        first = item.t_ns if first is None else first
        schema = item.schema + ("?" if item.inferred else "")
        code = item.response_code if item.layer == "v2g" else ""
        remarks = [
            each
            for each in (code, "TLS" if item.tls else "", item.problem, item.note, *item.findings)
            if each
        ]
        line = (
            f"{item.frame:>7}  {(item.t_ns - first) / 1e9:>11.6f}  {item.layer:5} {schema:12} {item.name:34} "
            f"{item.src} > {item.dst}{'  ' + '; '.join(remarks) if remarks else ''}"
        )
        print(printable(line))


def _write_summary(arguments: argparse.Namespace, reader: CaptureReader, decoder: Decoder) -> None:
    from bench.capture.summary import Summary

    found = Summary()
    for item in _items(_Noting(reader, found), decoder, lines=False):  # type: ignore[arg-type]
        found.add(item)
    found.lost_bytes, found.retransmissions = decoder.lost_bytes, decoder.retransmissions
    found.problems = reader.problems + decoder.problems
    shown = {"file": str(reader.path)} | found.to_json()
    if arguments.json:
        print(json.dumps(shown))
        return
    print(printable(str(reader.path)))
    for line in _summary_lines(shown):
        print("  " + printable(line))


class _Noting:
    """A reader that tells a summary the time of each packet."""

    def __init__(self, reader: CaptureReader, found: Any) -> None:
        self._reader, self._found = reader, found
        self.path, self.size, self.scan_secrets = reader.path, reader.size, reader.scan_secrets

    @property
    def position(self) -> int:
        return self._reader.position

    def __iter__(self) -> Iterator[Any]:
        note = self._found.packet
        for packet in self._reader:
            note(packet.t_ns)
            yield packet


def _summary_lines(shown: dict[str, Any]) -> Iterator[str]:
    yield f"packets      {shown['packets']} in {shown['duration_s']:.3f} s"
    yield f"protocols    {', '.join(shown['protocols']) or 'none that is read here'}"
    for name, title in (("evccid", "EVCCID"), ("evseid", "EVSEID"), ("session_ids", "SessionID")):
        if shown[name]:
            yield f"{title:12} {', '.join(shown[name])}"
    counts = ", ".join(f"{count} {layer}" for layer, count in shown["counts"].items())
    yield f"messages     {counts or 'none'}"
    for end in ("first", "last"):
        message = shown[f"{end}_message"]
        if message:
            yield f"{end:12} {message['name']} (frame {message['frame']})"
    for session in shown["tls"]:
        state = "decrypted" if session["decrypted"] else "not decrypted"
        rest = "".join(f"; {session[each]}" for each in ("alert", "problem") if each in session)
        kind = f"{session['version'] or 'version unknown'}, {session['suite'] or 'suite unknown'}"
        yield f"TLS          {kind}: {state}{rest}"
    for each in shown["attenuation"]:
        yield (
            f"attenuation  {each['average_db']:.1f} dB average of {each['groups']} groups, "
            f"{each['sounds']} sounds (frame {each['frame']}, EVSE {each['evse']})"
        )
    for each in shown["not_ok"]:
        yield f"not OK       {each['name']} {each['response_code']} (frame {each['frame']})"
    if shown["lost_bytes"] or shown["retransmissions"]:
        yield f"TCP          {shown['lost_bytes']} bytes lost, {shown['retransmissions']} retransmissions"
    for problem in shown["problems"]:
        yield f"problem      {problem}"


def printable(text: str) -> str:
    """Text from the wire without what could steer a terminal."""
    return (
        text
        if text.isprintable()
        else "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    )
