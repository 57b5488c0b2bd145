"""A plan for the tests of this folder: a short case, one that charges until something happens, a later one.

Its name keeps it out of the project's own tests; it is given to `plugbench run` by its path.
"""

from __future__ import annotations

from bench.plan import Expect, Measure, testcase
from fixtures.car import Car

FOREVER_S = 120.0


@testcase("END-01", requires=["X"], defects=["no-current-delivered"], source="tests/e2e")
def test_short_charge(ev: Car, expect: Expect, measure: Measure) -> None:
    """A short charge, so that something has been measured.

    Precondition: none.
    Stimulus: a short charge.
    Expected: energy.
    """
    session = ev.plug_in(energy="dc", auth="pnc").charge(for_s=0.3)
    measure("round trip", session.history[-1].rtt_s, unit="s", high=60.0)
    expect.energy_delivered(0.01)


@testcase("END-02", requires=["X"], defects=["no-current-delivered"], source="tests/e2e")
def test_endless_charge(ev: Car, expect: Expect) -> None:
    """A charge that lasts until something from outside ends it.

    Precondition: none.
    Stimulus: charges for longer than any test waits.
    Expected: energy.
    """
    ev.plug_in(energy="dc", auth="pnc").charge(for_s=FOREVER_S)
    expect.energy_delivered(0.01)


@testcase("END-03", requires=["X"], defects=["no-current-delivered"], source="tests/e2e")
def test_later(ev: Car, expect: Expect) -> None:
    """A case behind the one in which something happens.

    Precondition: none.
    Stimulus: a short charge.
    Expected: energy.
    """
    ev.plug_in(energy="dc", auth="pnc").charge(for_s=0.3)
    expect.energy_delivered(0.01)
