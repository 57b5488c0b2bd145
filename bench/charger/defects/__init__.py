"""Named defects of the simulated charger.

A defect is a small function on the assembled charger that replaces one policy, handler or hook:

    @defect("accepts-revoked-contract", protocol="contract", wrong="...")
    def accepts_revoked_contract(charger: Charger) -> None: ...

The good code never asks whether a defect is on. Each defect leaves everything else conforming, so that only
the test
cases that name it fail.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bench.charger.model import Charger

Part = Literal["slac", "sdp", "tls", "v2g", "contract", "power", "pilot", "meter", "ocpp"]
MODULES = ("slac", "wire", "tls", "v2g", "provisioning", "contract", "power", "ocpp")


class UnknownDefect(ValueError):  # noqa: N818 - what it says is the user's mistake
    """No defect has this name; the text is one line with near matches."""


@dataclass(frozen=True, slots=True)
class Defect:
    """`wrong` says in one line what the charger does; `protocol` is the part of the charger that carries
    it."""

    name: str
    protocol: Part
    wrong: str
    apply: Callable[[Charger], None]


_registry: dict[str, Defect] = {}


def defect(
    name: str, *, protocol: Part, wrong: str
) -> Callable[[Callable[[Charger], None]], Callable[[Charger], None]]:
    """Register a defect; raises ValueError when the name is taken."""

    def register(function: Callable[[Charger], None]) -> Callable[[Charger], None]:
        if name in _registry:
            raise ValueError(f"two defects are called {name}")
        _registry[name] = Defect(name, protocol, wrong, function)
        return function

    return register


def all_defects() -> dict[str, Defect]:
    """Every defect by name, in the order of the parts."""
    for module in MODULES:
        importlib.import_module(f"{__name__}.{module}")
    return dict(_registry)


def find(names: Iterable[str]) -> list[Defect]:
    """The defects of these names; raises UnknownDefect for the first name that is not one."""
    known = all_defects()
    found = []
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            hint = f"; did you mean {', '.join(near)}?" if near else "; see `plugbench charger defects`"
            raise UnknownDefect(f"no defect is called {name!r}{hint}")
        found.append(known[name])
    return found


def apply(charger: Charger, names: Iterable[str]) -> None:
    """Put defects on an assembled charger (its backend included). Raises UnknownDefect."""
    for each in find(names):
        each.apply(charger)
