"""How a defect gets between the matching and the wire of the simulated charger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.slac import mme
from bench.slac.evse import EvseMatcher
from bench.slac.machine import Action, Input, Send
from bench.slac.mme import Frame, build_frame

if TYPE_CHECKING:
    from bench.charger.model import Charger


def outgoing(charger: Charger, change: Callable[[Frame], Frame | list[Frame] | None]) -> None:
    """Let `change` see every frame that the matcher sends: what it returns goes out instead."""

    def changed(actions: list[Action]) -> list[Action]:
        out: list[Action] = []
        for action in actions:
            frame = mme.parse_frame(action.frame) if isinstance(action, Send) else None
            if frame is None:
                out.append(action)
                continue
            found = change(frame)
            for each in found if isinstance(found, list) else [found] if found is not None else []:
                raw = build_frame(each.mme, destination=each.destination, source=each.source)
                out.append(Send(each.mme.name, raw))
        return out

    def wrap(matcher: Any) -> None:
        for name in ("start", "stop", "receive", "tick"):
            good = getattr(matcher, name)
            setattr(matcher, name, lambda *given, good=good: changed(good(*given)))

    charger.slac.on_matcher.append(wrap)


def incoming(charger: Charger, change: Callable[[Input, EvseMatcher], Input | None]) -> None:
    """Let `change` see everything that the matcher gets: what it returns is taken instead."""

    def wrap(matcher: Any) -> None:
        good = matcher.receive

        def receive(what: Input, t: float) -> list[Action]:
            found = change(what, matcher)
            taken: list[Action] = good(found, t) if found is not None else []
            return taken

        matcher.receive = receive

    charger.slac.on_matcher.append(wrap)


def set_limits(charger: Charger, **limits: float) -> None:
    """Other limits for the matching, by their names in the standard."""
    config = charger.slac.config
    charger.slac.config = replace(config, overrides={**config.overrides, **limits})


def once_a_matching(charger: Charger, chosen: Callable[[mme.Mme], bool]) -> None:
    """Of the messages that are `chosen`, only the first after each CM_SLAC_PARM.CNF is sent."""
    sent = [0]

    def change(frame: Frame) -> Frame | None:
        if isinstance(frame.mme, mme.SlacParmCnf):
            sent[0] = 0
        elif chosen(frame.mme):
            sent[0] += 1
            return frame if sent[0] == 1 else None
        return frame

    outgoing(charger, change)
