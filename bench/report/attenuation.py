"""SLAC attenuation as bars: one a group, with the average and the thresholds that an EV compares it with."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.model import Attenuation, Case

MOST_PICTURES = 16
MOST_GROUPS = 128
LEFT, TOP, BOTTOM, RIGHT = 40.0, 14.0, 30.0, 150.0
HEIGHT = 190.0
STEP = 9.0
LEAST_DB = 20.0


@dataclass(frozen=True)
class Bar:
    """One group, in pixels."""

    group: int
    x: float
    y: float
    height: float
    db: float


@dataclass(frozen=True)
class Line:
    """A level across the picture, with what stands to its right (at `text_y`)."""

    y: float
    text_y: float
    label: str
    kind: str


@dataclass(frozen=True)
class Picture:
    """The plot of one CM_ATTEN_CHAR.IND, in pixels. `ticks`: (y, dB)."""

    told: Attenuation
    width: float
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, int], ...]
    numbers: tuple[tuple[float, int], ...]
    low_db: float
    high_db: float
    left: float = LEFT
    top: float = TOP
    height: float = HEIGHT
    bar_width: float = STEP - 2

    @property
    def right(self) -> float:
        """The right edge of the plot itself."""
        return self.width - RIGHT


def draw(case: Case) -> list[Picture]:
    """The plots of a case: one for each EVSE that answered."""
    return [_draw(each) for each in case.attenuation[:MOST_PICTURES] if each.groups_db]


def _draw(told: Attenuation) -> Picture:
    groups = told.groups_db[:MOST_GROUPS]
    average = told.average_db if told.average_db is not None else sum(groups) / len(groups)
    top_db = max(LEAST_DB, *groups, *(level for _, _, level, _, _ in told.thresholds)) * 1.05
    scale = (HEIGHT - TOP - BOTTOM) / top_db

    def y(level: float) -> float:
        return HEIGHT - BOTTOM - max(0.0, level) * scale

    bars = tuple(
        Bar(number, LEFT + 4 + (number - 1) * STEP, y(level), max(0.0, level) * scale, level)
        for number, level in enumerate(groups, 1)
    )
    levels = [(average, f"mean {average:.1f} dB", "average")]
    levels += [
        (level, f"{meaning} ≤ {level:g} dB", "threshold") for _, meaning, level, _, _ in told.thresholds
    ]
    placed: list[Line] = []
    for level, label, kind in sorted(levels, reverse=True):
        at = y(level)
        text_y = max(at, placed[-1].text_y + 12) if placed else at
        placed.append(Line(at, text_y, label, kind))
    step = 10 if top_db <= 100 else 50
    return Picture(
        told,
        LEFT + 8 + len(groups) * STEP + RIGHT,
        bars,
        tuple(placed),
        tuple((y(level), level) for level in range(0, int(top_db) + 1, 2 * step)),
        tuple((bar.x + (STEP - 2) / 2, bar.group) for bar in bars if bar.group == 1 or bar.group % 10 == 0),
        min(groups),
        max(groups),
    )
