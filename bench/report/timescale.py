"""One vertical time axis for a session that has 20 messages in 100 ms and then charges for a minute.

Each exchange gets a row of its own, so no two labels collide; the space between two rows grows with the
logarithm of the
time between them. The same scale places the points of the plots: between two rows time runs linearly.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

ROW = 31.0
"""Least distance of two exchanges, in pixels."""
WIDEST = 120.0
"""Greatest distance, whatever the time between them, in pixels."""
SHORT_S = 0.05
"""Gaps up to this are drawn at the least distance."""


@dataclass(frozen=True)
class Gap:
    """A stretch in which time runs much faster than elsewhere; `y` is its middle in pixels."""

    y: float
    duration_s: float


@dataclass(frozen=True)
class TimeScale:
    """Knots (t in seconds, y in pixels), both ascending; `height` is the length of the axis in pixels."""

    times_s: tuple[float, ...]
    ys: tuple[float, ...]
    height: float

    def y(self, t_s: float) -> float:
        """Pixel of a time; times beyond the ends are put at the ends."""
        if not self.times_s:
            return 0.0
        index = bisect_right(self.times_s, t_s)
        if index == 0:
            return self.ys[0]
        if index == len(self.times_s):
            return self.ys[-1]
        t0, t1 = self.times_s[index - 1], self.times_s[index]
        y0, y1 = self.ys[index - 1], self.ys[index]
        return y0 + (y1 - y0) * ((t_s - t0) / (t1 - t0))

    def gaps(self, longer_than_s: float = 0.5) -> list[Gap]:
        """Stretches between two rows that are longer than `longer_than_s`."""
        knots = zip(self.times_s, self.ys, strict=True)
        return [
            Gap((y0 + y1) / 2, t1 - t0) for (t0, y0), (t1, y1) in pairwise(knots) if t1 - t0 > longer_than_s
        ]


def build(times_s: Sequence[float], end_s: float | None = None) -> TimeScale:
    """Return the scale for exchanges at `times_s` (ascending); `end_s` is where the traces end, if later."""
    ys: list[float] = []
    y = ROW
    for before, now in pairwise([times_s[0] if times_s else 0.0, *times_s]):
        y += _distance(now - before) if ys else 0.0
        ys.append(y)
    knots = list(zip(times_s, ys, strict=True)) or [(0.0, ROW)]
    if end_s is not None and end_s > knots[-1][0]:
        distance = _distance(end_s - knots[-1][0]) if times_s else WIDEST * 2
        knots.append((end_s, knots[-1][1] + distance))
    return TimeScale(tuple(t for t, _ in knots), tuple(y for _, y in knots), knots[-1][1] + ROW)


def _distance(gap_s: float) -> float:
    if gap_s <= SHORT_S:
        return ROW
    return min(WIDEST, ROW * (1 + math.log2(gap_s / SHORT_S) / 2))
