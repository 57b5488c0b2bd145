"""The simulated connector: how fast it discharges is the bench file's to say (`rig.bleed_s`)."""

from __future__ import annotations

import pytest

from drivers.simulated.electrics import DcSource, connector


@pytest.mark.parametrize(("bleed_s", "left_v"), [(0.05, 147.2), (0.01, 2.695)])
def test_the_output_discharges_with_the_time_constant_given(bleed_s: float, left_v: float) -> None:
    source = DcSource(bleed=True)
    assert connector(source, None, 400.0, 0.05, bleed_s)[0] == pytest.approx(left_v, rel=0.01)
    assert connector(DcSource(bleed=False), None, 400.0, 0.05, bleed_s)[0] > 390.0
