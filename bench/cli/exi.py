"""``plugbench exi``: decode and encode EXI streams of the V2G message sets."""

from __future__ import annotations

import argparse
import binascii
import sys
from pathlib import Path

_EXAMPLES = """examples:
  plugbench exi decode --schema iso2 8098004051f703a137b3bab9c0
  plugbench exi decode --schema sap --json --file handshake.exi
  plugbench exi decode --schema iso20-dc 802c0400000000000000000052
  echo 80d00157... | plugbench exi decode --schema xmldsig --fragment
  plugbench exi encode --schema iso2 --file message.xml
  plugbench exi encode --schema iso2 --deviations < invalid.xml
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb ``exi`` with its actions ``decode`` and ``encode``."""
    from bench.v2g.codec import SCHEMAS

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
        try:
            data = binascii.unhexlify(text)
        except (binascii.Error, ValueError) as exc:
            raise ValueError(f"not hexadecimal: {exc}") from exc
    findings: list[str] = []
    message = codec.decode(args.schema, data, args.fragment, findings=findings)
    print(codec.to_json(message) if args.json else codec.to_xml(message, args.schema))
    for finding in findings:
        print(f"note: {finding}", file=sys.stderr)
    return 0


def _encode(args: argparse.Namespace) -> int:
    from bench.v2g import codec

    text = args.file.read_bytes() if args.file is not None else sys.stdin.buffer.read()
    if not text.strip():
        raise ValueError("no XML given")
    message = codec.from_xml(args.schema, text, args.fragment)
    print(codec.encode(message, args.schema, args.fragment, deviations=args.deviations).hex())
    return 0
