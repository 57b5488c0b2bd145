"""The session as a picture: who sent what to whom, on one time axis with the plots, in pieces that fit a
page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.report.model import Case, Exchange
from bench.report.plots import PANEL_GAP, PANEL_WIDTH, Panel, panels
from bench.report.timescale import ROW, Gap, build

MOST_EXCHANGES = 400
"""More exchanges than this are left out in the middle (those with a problem never)."""
PIECE_HEIGHT = 860.0
"""A piece of the ladder is at most about this tall, in pixels, so that it fits one page of paper."""
TIME_WIDTH = 74.0
LANE_DISTANCE = 216.0
LANE_MARGIN = 44.0
LABEL_LENGTH = 34


@dataclass(frozen=True)
class Arrow:
    """One exchange in the picture, in pixels. `x1 == x2` is a note on a single lane."""

    exchange: Exchange
    y: float
    x1: float
    x2: float
    label: str
    time: str
    note_left: bool = False
    """A note on the last lane is written to its left, or it would run into the plots."""

    @property
    def middle(self) -> float:
        """Where the label is centred: within the first stretch, also of an arrow across several lanes."""
        return self.x1 + (LANE_DISTANCE if self.x2 > self.x1 else -LANE_DISTANCE) / 2

    @property
    def is_note(self) -> bool:
        """True for what happened in one place instead of going from one to another."""
        return self.x1 == self.x2


@dataclass(frozen=True)
class Piece:
    """A part of the ladder of its own height, with the arrows and plot lines in it."""

    number: int
    top: float
    height: float
    arrows: tuple[Arrow, ...]
    gaps: tuple[Gap, ...]
    paths: tuple[str, ...]
    dots: tuple[str, ...]


@dataclass(frozen=True)
class Ladder:
    """The whole picture: lanes as (name, x), panels as (panel, x), pieces from first to last."""

    width: float
    lanes: tuple[tuple[str, float], ...]
    panels: tuple[tuple[Panel, float], ...]
    pieces: tuple[Piece, ...]
    exchanges: tuple[Exchange, ...]
    left_out: int
    panel_width: float = PANEL_WIDTH


def draw(case: Case) -> Ladder | None:
    """Return the picture of a case, or None when there is neither an exchange nor a trace."""
    if not case.exchanges and not any(case.traces.values()):
        return None
    exchanges = shown(case.exchanges)
    ends = [points[-1][0] for points in case.traces.values() if points]
    scale = build([each.t_s for each in exchanges], max(ends) if ends else None)
    lanes = _lanes(case.lanes, exchanges)
    positions = {name: x for name, x in lanes}
    plot_left = lanes[-1][1] + LANE_MARGIN + 20
    drawn = panels(case.traces, scale)
    placed = tuple((panel, plot_left + n * (PANEL_WIDTH + PANEL_GAP)) for n, panel in enumerate(drawn))
    width = (placed[-1][1] + PANEL_WIDTH if placed else lanes[-1][1] + LANE_MARGIN) + 8
    first = lanes[0][1]
    arrows = [
        Arrow(
            each,
            scale.ys[n],
            positions.get(each.sender, first),
            positions.get(each.receiver, positions.get(each.sender, first)),
            _label(each),
            f"{each.t_s:.3f}",
            note_left=len(lanes) > 1 and positions.get(each.sender) == lanes[-1][1],
        )
        for n, each in enumerate(exchanges)
    ]
    pieces = tuple(_pieces(arrows, scale.gaps(), drawn, scale.height))
    return Ladder(width, tuple(lanes), placed, pieces, exchanges, len(case.exchanges) - len(exchanges))


def shown(exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
    """Return the exchanges in order of time, bounded to about `MOST_EXCHANGES`."""
    ordered = sorted(exchanges, key=lambda each: each.t_s)
    if len(ordered) <= MOST_EXCHANGES:
        return tuple(ordered)
    head, tail = ordered[: MOST_EXCHANGES // 2], ordered[-MOST_EXCHANGES // 4 :]
    middle = ordered[len(head) : len(ordered) - len(tail)]
    striking = [each for each in middle if each.problem][: MOST_EXCHANGES // 4]
    return (*head, *striking, *tail)


def _lanes(names: Sequence[str], exchanges: Sequence[Exchange]) -> list[tuple[str, float]]:
    """Lanes as declared, then any that only an exchange names (bounded: the names come from outside)."""
    ordered = dict.fromkeys(names)
    for each in exchanges:
        ordered.update(dict.fromkeys(name for name in (each.sender, each.receiver) if name))
    return [
        (name, TIME_WIDTH + LANE_MARGIN + n * LANE_DISTANCE)
        for n, name in enumerate(list(ordered)[:6] or ["EV"])
    ]


def _label(exchange: Exchange) -> str:
    text = exchange.name or exchange.layer or "(unnamed)"
    if len(text) > LABEL_LENGTH:
        text = f"{text[: LABEL_LENGTH - 1]}…"
    return f"{text}  × {exchange.repeat}" if exchange.repeat > 1 else text


def _pieces(arrows: list[Arrow], gaps: list[Gap], drawn: list[Panel], height: float) -> list[Piece]:
    """Cut between two rows once a piece is tall enough."""
    cuts = [0.0]
    for arrow in arrows:
        if arrow.y - cuts[-1] > PIECE_HEIGHT and height - arrow.y > 3 * ROW:
            cuts.append(arrow.y - ROW * 0.8)
    cuts.append(height)
    return [
        Piece(
            number=n + 1,
            top=top,
            height=bottom - top,
            arrows=tuple(arrow for arrow in arrows if top <= arrow.y < bottom),
            gaps=tuple(Gap(gap.y - top, gap.duration_s) for gap in gaps if top <= gap.y < bottom),
            paths=tuple(panel.path(top, bottom) for panel in drawn),
            dots=tuple(panel.dots(top, bottom) for panel in drawn),
        )
        for n, (top, bottom) in enumerate(pairwise(cuts))
    ]
