"""``plugbench exi``: decode and encode EXI streams of the V2G message sets."""

from __future__ import annotations

import argparse
import string
import sys
from pathlib import Path

_EXAMPLES = """examples:
  plugbench exi decode --schema iso2 8098004051f703a137b3bab9c0
  plugbench exi decode --schema sap --json --file handshake.exi
  plugbench exi decode --schema iso20-dc 802c0400000000000000000052
  echo 80d00157... | plugbench exi decode --schema xmldsig --fragment
  plugbench exi encode --schema iso2 --file message.xml
  plugbench exi encode --schema iso2 --deviations < invalid.xml
  plugbench exi encode --schema iso2 --damage event-code:V2G_Message/Body --damage trailing:00 < message.xml
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb ``exi`` with its actions ``decode`` and ``encode``."""
    from bench.v2g.codec import SCHEMAS
    from bench.v2g.damage import NAMES

    parser = subparsers.add_parser(
        "exi",
        help="decode and encode EXI streams",
        description="Decode EXI (hex in, XML or JSON out) or encode XML (hex out).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="decode|encode")
    for name, text in (("decode", "hex to XML or JSON"), ("encode", "XML to hex")):
        action = actions.add_parser(
            name,
            help=text,
            description=text,
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        action.add_argument(
            "--schema", required=True, metavar="SET", help=f"message set: {', '.join(SCHEMAS)}"
        )
        action.add_argument(
            "--fragment", action="store_true", help="fragment grammar (signed elements, SignedInfo)"
        )
        if name == "decode":
            action.add_argument(
                "hex", nargs="*", help="the stream in hexadecimal; standard input if left out"
            )
            action.add_argument("--file", type=Path, help="read the stream from a binary file")
            action.add_argument("--json", action="store_true", help="JSON for people instead of XML")
        else:
            action.add_argument("--file", type=Path, help="read XML from a file; standard input if left out")
            action.add_argument("--deviations", action="store_true", help="encode schema-invalid content too")
            action.add_argument(
                "--damage",
                action="append",
                default=[],
                metavar="NAME",
                help="damage the stream; may be given again. " + "; ".join(NAMES.values()),
            )
        action.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Runs the action. Returns 0, or 2 with one line on standard error for bad input."""
    from bench.v2g import codec

    try:
        return _decode(args) if args.action == "decode" else _encode(args)
    except (codec.CodecError, OSError, ValueError) as exc:
        message = " ".join(str(exc).split())
        print(f"plugbench exi: {message}", file=sys.stderr)
        return 2


def _decode(args: argparse.Namespace) -> int:
    from bench.v2g import codec

    if args.file is not None:
        data = args.file.read_bytes()
    else:
        text = "".join(args.hex) if args.hex else sys.stdin.read()
        text = "".join(text.split()).removeprefix("0x").replace(":", "")
        if not text:
            raise ValueError("no hex given")
        data = _bytes_of(text)
    findings: list[codec.Finding] = []
    message = codec.decode(args.schema, data, args.fragment, findings=findings)
    print(codec.to_json(message) if args.json else codec.to_xml(message, args.schema))
    for finding in findings:
        print(f"note: {finding.located}", file=sys.stderr)
    return 0


def _bytes_of(text: str) -> bytes:
    """The bytes of hexadecimal digits. Raises ValueError that says which character is none."""
    wrong = next(((n, c) for n, c in enumerate(text) if c not in string.hexdigits), None)
    if wrong is not None:
        raise ValueError(f"not hexadecimal: {wrong[1]!r} is digit {wrong[0] + 1} of {len(text)}")
    if len(text) % 2:
        raise ValueError(f"not hexadecimal: {len(text)} digits are half a byte too many or too few")
    return bytes.fromhex(text)


def _encode(args: argparse.Namespace) -> int:
    from bench.v2g import codec, damage

    text = args.file.read_bytes() if args.file is not None else sys.stdin.buffer.read()
    if not text.strip():
        raise ValueError("no XML given")
    edits = [damage.named(each) for each in args.damage]
    message = codec.from_xml(args.schema, text, args.fragment)
    data = codec.encode(message, args.schema, args.fragment, deviations=args.deviations)
    for edit in edits:
        data = edit(data, args.schema, args.fragment)
    print(data.hex())
    return 0
