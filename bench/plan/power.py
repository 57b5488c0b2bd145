"""What the power analyzer saw: voltage, current and energy of a slice of the timeline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from bench.timeline import Event


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of the analyzer; `energy_wh` is its own integrator, None when that does not run."""

    seq: int
    t_ns: int
    voltage_v: float
    current_a: float
    power_w: float
    energy_wh: float | None


def samples(events: Iterable[Event]) -> list[Sample]:
    """The analyzer's samples among `events`, in order."""
    found = []
    for event in events:
        if event.kind != "power":
            continue
        data = event.data
        energy = data.get("energy_wh")
        found.append(
            Sample(
                event.seq,
                event.t_ns,
                float(data.get("voltage_v") or 0.0),
                float(data.get("current_a") or 0.0),
                float(data.get("power_w") or 0.0),
                None if energy is None else float(energy),
            )
        )
    return found


def energy_wh(readings: list[Sample]) -> float:
    """Energy through the connector in Wh over `readings`, as an absolute amount.

    Taken from the analyzer's integrator where every sample has it (a reset of it in between counts as a new
    start), else integrated here from the power of the samples by the trapezoid rule.
    """
    total = 0.0
    for before, after in pairwise(readings):
        if before.energy_wh is not None and after.energy_wh is not None:
            step = after.energy_wh - before.energy_wh
            total += step if step >= 0 else after.energy_wh
        else:
            total += (before.power_w + after.power_w) / 2 * (after.t_ns - before.t_ns) / 3.6e12
    return abs(total)
