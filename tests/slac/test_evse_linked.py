"""The charger's side of SLAC once it has matched: amplitude map, link, network; other cars, its own modem."""

from __future__ import annotations

import pytest

from bench.slac import mme
from bench.slac.config import EvConfig, EvseConfig
from bench.slac.ev import EvMatcher
from bench.slac.evse import EvseMatcher
from bench.slac.evse_policy import EvsePolicy
from bench.slac.faults import late, lost
from bench.slac.machine import Link, Pilot
from bench.slac.mme import Frame
from tests.slac.virtual import EV, EV2, EVSE, EVSE2, Line, World

ONCE = EvConfig(attempts=1)


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


def steps(w: World, name: str) -> list[dict[str, object]]:
    return [data for _, each, data in w.steps if each == name]


def linked(evse: EvseConfig | None = None, policy: EvsePolicy | None = None) -> tuple[World, EvseMatcher]:
    """A car and a charger with a link."""
    car, charger = EvMatcher(EV, ONCE), EvseMatcher(EVSE, evse, policy)
    w = World([car], [charger])
    w.match()
    assert car.result.linked
    w.run(10.0, until=lambda: charger.state == "matched")
    assert charger.state == "matched"
    return w, charger


# --- CmAmpMap ---


def test_cm_amp_map_001_006_007_taken_and_again() -> None:
    w, _ = linked()
    for _ in range(2):
        w.send(mme.AmpMapReq(amlen=4, amdata=b"\x11\x22"), source=EV, destination=EVSE)
    w.run(0.1)
    assert [each.frame.mme for each in w.sent(mme.AmpMapCnf)] == [mme.AmpMapCnf(res_type=0)] * 2
    assert len(steps(w, "amplitude map taken")) == 2


@pytest.mark.parametrize("answer", [None, mme.AmpMapCnf(res_type=1)], ids=["003", "004"])
def test_cm_amp_map_002_to_004_asked_for_by_the_charger(answer: mme.AmpMapCnf | None) -> None:
    w, charger = linked(EvseConfig(amp_map=b"\x33\x44"))
    if answer is not None:
        w.send(answer, source=EV, destination=EVSE)
    w.run(2.0)
    requests = w.sent(mme.AmpMapReq)
    assert [each.t - requests[0].t for each in requests] == [near(0), near(0.2), near(0.4)]
    assert (charger.state, charger.reason) == ("failed", "no CM_AMP_MAP.CNF with success")


def test_cm_amp_map_005_an_invalid_request() -> None:
    w, _ = linked()
    w.send(mme.AmpMapReq(amlen=0), source=EV, destination=EVSE)
    w.send(mme.AmpMapReq(amlen=2, amdata=b"\1"), source=EV2, destination=EVSE)
    w.run(0.5)
    assert not w.sent(mme.AmpMapCnf)


# --- link and network ---


def test_plc_link_status_002_unplugged_the_network_is_left_within_a_second() -> None:
    w, charger = linked()
    old, began = charger.nmk, w.t
    w.set_pilot("A")
    w.run(1.0)
    (key,) = [each for each in w.sent(mme.SetKeyReq) if each.t >= began]
    assert key.frame.mme.new_key == charger.nmk != old  # type: ignore[attr-defined]
    assert charger.state == "unplugged"


def test_plc_link_status_003_no_slac_while_there_is_a_link() -> None:
    w, charger = linked()
    before = len(w.sent(mme.SlacParmCnf))
    w.send(mme.SlacParmReq(run_id=b"12345678"), source=EV)
    w.run(1.0)
    assert len(w.sent(mme.SlacParmCnf)) == before
    assert charger.state == "matched"


def test_a_lost_link_ends_it_and_gives_a_new_key() -> None:
    w, charger = linked()
    old = charger.nmk
    w.carry_out(charger, charger.receive(Link(up=False), w.t))
    assert (charger.state, charger.reason) == ("failed", "link lost")
    assert charger.nmk != old


def test_plc_link_status_004_005_a_car_that_leaves_is_noticed_and_the_network_left_within_a_second() -> None:
    w, charger = linked()
    old, began = charger.nmk, w.t
    w._keys.pop(EV)  # the car's modem goes to another network
    w.run(10.0, until=lambda: charger.state == "failed")
    assert (charger.state, charger.reason) == ("failed", "link lost")
    assert w.t - began < 1.0
    assert charger.nmk != old


def test_a_modem_that_falls_silent_counts_as_a_lost_link() -> None:
    w, charger = linked()
    w.drop = lambda frame: isinstance(frame.mme, mme.VsLnkStatusReq)
    began = w.t
    w.run(10.0, until=lambda: charger.state == "failed")
    assert 0.75 <= w.t - began <= 1.25 + 1e-6


def test_bx_slac_rematch_a_second_matching_has_another_key() -> None:
    w, charger = linked()
    old, car = charger.nmk, w.cars[EV]
    w.set_pilot("A")
    w.run(3.0)
    w.set_pilot("B")
    w.carry_out(car, car.start(w.t))
    w.run(20.0, until=lambda: charger.state == "matched")
    assert car.result.linked
    assert charger.nmk == car.result.nmk != old


def test_fb_04_matching_again_without_replug_has_another_key() -> None:
    w, charger = linked()
    old, car = charger.nmk, w.cars[EV]
    w.carry_out(charger, charger.start(w.t))  # E/F, then 5 % again
    w.carry_out(car, car.start(w.t))
    w.run(20.0, until=lambda: charger.state == "matched")
    assert car.result.linked
    assert charger.nmk == car.result.nmk != old


def test_without_a_link_the_matching_fails_after_12_s_and_the_key_is_changed() -> None:
    car, charger = EvMatcher(EV, EvConfig(attempts=1, join=False)), EvseMatcher(EVSE)
    w = World([car], [charger])
    w.match()
    assert car.result.matched
    nmk, began = charger.nmk, w.t
    w.run(20.0, until=lambda: charger.failures == 1)
    assert w.t - began == near(12.0 - 0.001)
    assert charger.reason == "no link within 12 s of CM_SLAC_MATCH.CNF"
    assert charger.nmk != nmk


# --- the own modem ---


@pytest.mark.parametrize("result", [0, 1])
def test_a_modem_may_say_0_or_1_for_success(result: int) -> None:
    charger = EvseMatcher(EVSE)
    w = World([], [charger])
    w.modem_result = result
    w.plug_in()
    w.run(5.0)
    assert len(w.sent(mme.SetKeyReq)) == 1
    assert charger.modem.keyed


def test_a_modem_that_takes_no_key_ends_it() -> None:
    charger = EvseMatcher(EVSE)
    w = World([], [charger])
    w.modem_result = 2
    w.plug_in()
    w.run(10.0)
    assert len(w.sent(mme.SetKeyReq)) == 5
    assert (charger.state, charger.reason) == ("failed", "the own modem takes no key")
    w.modem_result = 1
    w.carry_out(charger, charger.start(w.t))
    w.run(1.0)
    assert charger.modem.keyed


# --- several cars and chargers ---


def test_bx_slac_xtalk_each_car_ends_at_its_charger() -> None:
    cars = [EvMatcher(EV, ONCE), EvMatcher(EV2, ONCE)]
    chargers = [EvseMatcher(EVSE), EvseMatcher(EVSE2)]
    db = {(EV, EVSE): 20, (EV, EVSE2): 45, (EV2, EVSE): 45, (EV2, EVSE2): 20}
    w = World(cars, chargers, Line(db=db))
    w.match()
    assert [car.result.evse_mac for car in cars] == [EVSE, EVSE2]
    assert [car.result.average_db for car in cars] == [20.0, 20.0]


def test_a_flood_of_cars_is_bounded() -> None:
    charger = EvseMatcher(EVSE)
    charger.receive(Pilot("B"), 0.0)
    for number in range(1000):
        request = mme.SlacParmReq(run_id=bytes(8))
        charger.receive(Frame(b"\xff" * 6, number.to_bytes(6, "big"), None, request), 0.01)
    assert len(charger.sessions()) == 8


def test_a_defect_is_one_attribute_of_the_policy() -> None:
    policy = EvsePolicy()
    policy.attenuation_repetitions = lambda standard: 0  # type: ignore[method-assign]
    car = EvMatcher(EV, ONCE, [lost("CM_ATTEN_CHAR.RSP"), late("CM_SLAC_MATCH.REQ", 1.0)])
    w = World([car], [EvseMatcher(EVSE, policy=policy)])
    w.match()
    assert len(w.sent(mme.AttenCharInd)) == 1
    assert not car.result.matched
