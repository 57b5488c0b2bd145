"""Pilot, voltage, current and power of a session, drawn downwards on the time scale of the ladder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.report.timescale import TimeScale

PANELS = (
    ("pilot_v", "Pilot", "V"),
    ("duty_percent", "Duty cycle", "%"),
    ("voltage_v", "Voltage", "V"),
    ("current_a", "Current", "A"),
    ("power_w", "Power", "W"),
    ("evse_voltage_v", "EVSE voltage", "V"),
    ("ev_target_voltage_v", "Target volt.", "V"),
    ("ev_voltage_v", "EV voltage", "V"),
    ("evse_current_a", "EVSE current", "A"),
    ("ev_target_current_a", "Target curr.", "A"),
    ("evse_max_current_a", "Max current", "A"),
    ("ev_power_w", "EV power", "W"),
    ("soc_percent", "SoC", "%"),
)
"""Traces in the order in which they are drawn, with heading and unit. The first five are measured; the others
are what the messages of a captured session say.
"""

LEAST_RANGE = {
    "pilot_v": 12.0,
    "duty_percent": 10.0,
    "voltage_v": 60.0,
    "current_a": 1.0,
    "power_w": 100.0,
    "evse_voltage_v": 60.0,
    "ev_target_voltage_v": 60.0,
    "ev_voltage_v": 60.0,
    "evse_current_a": 1.0,
    "ev_target_current_a": 1.0,
    "evse_max_current_a": 1.0,
    "ev_power_w": 100.0,
    "soc_percent": 100.0,
}
"""A panel shows at least this much: the noise of an instrument at rest must not look like a signal."""
PANEL_WIDTH = 76.0
PANEL_GAP = 16.0
NOISE = 0.01
"""Less than this part of the range below zero is drawn as zero."""
MOST_POINTS = 500


@dataclass(frozen=True)
class Panel:
    """One plot: `points` are (x, y) in pixels, x relative to the left edge of the panel."""

    key: str
    title: str
    unit: str
    low: float
    high: float
    zero_x: float | None
    points: tuple[tuple[float, float], ...]

    def path(self, top: float, bottom: float) -> str:
        """SVG points between the pixels `top` and `bottom`, with `top` as the new zero of y.

        The nearest points outside are kept, so that a line cut by the edge of a picture still reaches it.
        """
        inside = [n for n, (_, y) in enumerate(self.points) if top <= y <= bottom]
        if inside:
            first, last = max(0, inside[0] - 1), min(len(self.points), inside[-1] + 2)
        else:
            after = next((n for n, (_, y) in enumerate(self.points) if y > bottom), len(self.points))
            first, last = max(0, after - 1), min(len(self.points), after + 1)
        return " ".join(f"{x:.1f},{y - top:.1f}" for x, y in self.points[first:last])

    def dots(self, top: float, bottom: float) -> str:
        """SVG path of the samples between two pixels, one dot each: the line between two of them is no
        measurement.
        """
        return "".join(f"M{x:.1f} {y - top:.1f}h0" for x, y in self.points if top <= y < bottom)


def panels(traces: Mapping[str, Sequence[tuple[float, float]]], scale: TimeScale) -> list[Panel]:
    """Return a panel for each known trace that has points."""
    found = []
    for key, title, unit in PANELS:
        points = traces.get(key, ())
        if not points:
            continue
        if key.endswith("power_w") and max(abs(watts) for _, watts in points) >= 1000:
            kilowatts = [(t_s, watts / 1000) for t_s, watts in points]
            found.append(_panel(key, title, "kW", kilowatts, scale))
        else:
            found.append(_panel(key, title, unit, points, scale))
    return found


def _panel(key: str, title: str, unit: str, points: Sequence[tuple[float, float]], scale: TimeScale) -> Panel:
    values = [value for _, value in points]
    low, high = min(0.0, *values), max(LEAST_RANGE.get(key, 0.0) / (1000 if unit == "kW" else 1), *values)
    # The noise of an instrument around zero is no negative voltage.
    if -low < NOISE * high:
        low = 0.0
    span = (high - low) or 1.0
    drawn = [(max(0.0, (value - low) / span * PANEL_WIDTH), scale.y(t_s)) for t_s, value in points]
    zero_x = -low / span * PANEL_WIDTH if low < 0 < high else None
    return Panel(key, title, unit, low, high, zero_x, tuple(_thinned(drawn)))


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MOST_POINTS`: of each stretch its least and greatest value, so that no peak is lost."""
    if len(points) <= MOST_POINTS:
        return points
    size = -(-2 * len(points) // MOST_POINTS)
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        kept += sorted({min(stretch), max(stretch)}, key=lambda point: point[1])
    return kept
