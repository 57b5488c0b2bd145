"""The `plugbench` command: one module a verb, imported only when that verb is asked for.

A verb is a module `bench/cli/<verb>.py` with `register(subparsers)`, which adds its parser and sets `func`, a
function of the parsed arguments that returns the exit code. The first line of the module's docstring is what
`plugbench --help` says of it.
A module whose name begins with `_` is no verb.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from typing import NoReturn

import bench

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_FIRST = ("run", "list", "check", "report")
_EPILOG = """\
examples:
  plugbench run                                   the Plug & Charge plan on the embedded bench
  plugbench run --bench bench.toml --charger dc-50.toml
  plugbench list                                  the cases, what they require and which defects they catch
  plugbench <verb> --help                         a verb with its options and examples
"""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the complaint as one line and leave with exit code 2."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; `argv` is without the program's name, None: of the process. Returns the exit code."""
    # No `list(...)` here: once the verb `list` has been imported, that is the name of its module.
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    known = verbs()
    verb = next((word for word in arguments if not word.startswith("-")), None)
    try:
        if verb in known:
            return _run(verb, arguments)
        return _overview(arguments, known)
    except SystemExit as leaving:  # argparse leaves that way
        return leaving.code if isinstance(leaving.code, int) else EXIT_USAGE
    except KeyboardInterrupt:
        print("plugbench: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone; what is left in the buffer must not raise once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def verbs() -> dict[str, str]:
    """Verb -> what it does, without importing any of them."""
    found = {}
    for entry in resources.files(__name__).iterdir():
        name, dot, ending = entry.name.partition(".")
        if (dot, ending) == (".", "py") and not name.startswith("_"):
            source = ast.parse(entry.read_text(encoding="utf-8"))
            if not any(isinstance(node, ast.FunctionDef) and node.name == "register" for node in source.body):
                continue  # part of another verb
            text = (ast.get_docstring(source) or "").partition("\n")[0].replace("`", "")
            text = text.removeprefix(f"plugbench {name}: ")
            found[name] = text[:1].upper() + text[1:]
    order = [name for name in _FIRST if name in found] + sorted(found.keys() - set(_FIRST))
    return {name: found[name] for name in order}


def _run(verb: str, arguments: list[str]) -> int:
    parser = Parser(prog="plugbench")
    subparsers = parser.add_subparsers(metavar="VERB", parser_class=Parser)
    importlib.import_module(f"{__name__}.{verb}").register(subparsers)
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:  # the verb's own help is what helps
        subparsers.choices[verb].error(f"unrecognized arguments: {' '.join(unknown)}")
    function: Callable[[argparse.Namespace], int] | None = getattr(parsed, "func", None)
    if function is None:
        parser.error(f"{verb}: what shall it do? See plugbench {verb} --help")
    return int(function(parsed) or 0)


def _overview(arguments: list[str], known: dict[str, str]) -> int:
    parser = Parser(
        prog="plugbench",
        description=bench.__doc__,
        epilog="verbs:\n"
        + "".join(f"  {name:<10} {text}\n" for name, text in known.items())
        + "\n"
        + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"plugbench {bench.__version__}")
    parser.add_argument("verb", nargs="?", metavar="VERB", help="what to do; one of the verbs below")
    verb = parser.parse_args(arguments).verb
    if verb is not None:
        parser.error(f"unknown verb {verb!r}; known: {', '.join(known)}")
    parser.print_help()
    return EXIT_USAGE
