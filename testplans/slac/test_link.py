"""The data link: it comes up, it is used alone, and it is left; CM_AMP_MAP over it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bench.plan import Expect, Measure, testcase
from bench.slac import mme
from bench.v2g import timers
from testplans.slac.rows import tc

if TYPE_CHECKING:
    from bench.ev.slac import SlacTalk
    from fixtures.car import Car
    from testplans.slac.conftest import Hears, Pilot, Silence, Stands

LINK = "CMN_VTB_PLCLinkStatus"
AMP_MAP = "CMN_VTB_CmAmpMap"
EXCHANGE = "slac.TT_amp_map_exchange"
CARRIERS = 917
"""Carriers of HomePlug Green PHY in use (from memory); two to a byte."""
LEVELS: dict[str, Any] = {"amlen": CARRIERS, "amdata": bytes((CARRIERS + 1) // 2)}
LOSS_S = 8.0
"""How long a charger may take to notice that its only peer has gone (the bench's own limit)."""
GONE_S = 3.0
"""TP_match_leave and the time that the car's modem takes to notice."""
BROKEN = ["slac-wrong-key"]


def gone(talk: SlacTalk, within_s: float) -> float | None:
    """How long it takes until the car's modem hears no other station, None when it still does."""
    began = time.monotonic()
    while talk.plc.modem.link_up():
        if time.monotonic() > began + within_s:
            return None
        talk.pause(0.05)
    return time.monotonic() - began


@testcase("SLAC-100", source=tc(LINK, 1), defects=BROKEN)
def test_the_link_comes_up(ev: Car, expect: Expect, measure: Measure) -> None:
    """With the key of CM_SLAC_MATCH.CNF the link comes up.

    Precondition: CM_SLAC_MATCH.CNF has come.
    Stimulus: the car's modem gets NID and NMK.
    Expected: a link within TT_match_join.
    """
    talk = ev.slac()
    talk.matched()
    began = time.monotonic()
    expect.that(talk.join(), "the modems are linked")
    measure("link up after", time.monotonic() - began, high=timers.get("slac.TT_match_join"))


@testcase(
    "SLAC-101",
    source=tc(LINK, 2, 5),
    defects=["slac-stays-in-network", "slac-same-network"],
    deviates=["pilot"],
)
def test_the_network_ends_with_the_plug(ev: Car, expect: Expect, measure: Measure, pilot: Pilot) -> None:
    """When the car is unplugged the charger leaves the network.

    Precondition: the modems are linked.
    Stimulus: pilot to state A; the car's modem keeps the key.
    Expected: 100 % duty cycle, and the car's modem hears no station of its network any more.
    """
    talk = ev.slac()
    talk.linked()
    talk.pilot("A")
    pilot(talk, "off")
    limit = timers.get("slac.TP_match_leave")
    source = f"{limit.source}: {limit.value:g} s, and what the car's modem takes to notice"
    measure("network left after", gone(talk, GONE_S), unit="s", high=GONE_S, limit=source)
    talk.pause(timers.get("slac.TT_match_sequence").value)
    expect.that(not talk.plc.modem.link_up(), "no link comes back")


@testcase("SLAC-102", source=tc(LINK, 3, 4), defects=["slac-matches-when-linked"])
def test_no_matching_while_linked(ev: Car, expect: Expect, silence: Silence) -> None:
    """While there is a link, CM_SLAC_PARM.REQ is not answered.

    Precondition: the modems are linked.
    Stimulus: CM_SLAC_PARM.REQ with another RunID.
    Expected: no CM_SLAC_PARM.CNF, and the link stays.
    """
    talk = ev.slac()
    talk.linked()
    talk.anew()
    talk.send(mme.SlacParmReq)
    silence(talk, mme.SlacParmCnf)
    expect.that(talk.plc.modem.link_up(), "the link is still up")


@testcase(
    "SLAC-103", source="BX_SLAC_REMATCH; ISO 15118-3 A.9", defects=["slac-same-network"], deviates=["pilot"]
)
def test_a_new_key_for_each_matching(ev: Car, expect: Expect) -> None:
    """Each matching has a key of its own.

    Precondition: none.
    Stimulus: two matchings, with a replug in between.
    Expected: two different NMK.
    """
    keys = []
    for _ in range(2):
        talk = ev.slac()
        talk.linked()
        keys.append(None if talk.confirmation is None else talk.confirmation.nmk)
        ev.unplug()
    expect(keys[1], "NMK of the second matching").not_to_be(keys[0])


@testcase(
    "SLAC-104",
    requires=["V2G3-M06-09"],
    source=tc("DC_VTB_PLCLinkStatus", 4) + "; BX_SLAC_REMATCH; FB-04 (EVerest 655, FreeV2G 61, 72)",
    defects=["slac-needs-replug", "slac-same-network"],
    deviates=["pilot"],
)
def test_matching_again_without_a_replug(
    ev: Car, expect: Expect, measure: Measure, pilot: Pilot, hears: Hears
) -> None:
    """When the link is lost, the charger goes through state E, and a new matching works without a replug.

    Precondition: the modems are linked, pilot state B.
    Stimulus: the car's modem leaves the network; later on the car matches again.
    Expected: pilot state E or F for at least T_step_EF, a duty cycle, and a link with another NMK.
    """
    talk = ev.slac()
    talk.linked()
    before = talk.confirmation
    ev.leave_network()
    pilot(talk, "E", within_s=LOSS_S)
    limit = timers.get("slac.T_step_EF_min")
    measure("T_step_EF", pilot(talk, "on", within_s=2 * limit.value), low=0.9 * limit.value, unit="s",
            limit=f"{limit.source}: {limit.value:g} s, less 10 % for the bench's sampling")  # fmt: skip
    again = ev.slac()
    again.send(mme.SlacParmReq)
    hears(again, mme.SlacParmCnf)
    again.linked()
    nmk = None if again.confirmation is None else again.confirmation.nmk
    expect(nmk, "NMK of the second matching").not_to_be(None if before is None else before.nmk)


@testcase("SLAC-105", source=tc(AMP_MAP, 1, 7), defects=["slac-no-amp-map"])
def test_an_amplitude_map(ev: Car, hears: Hears, stands: Stands) -> None:
    """CM_AMP_MAP.REQ is answered with success.

    Precondition: the modems are linked.
    Stimulus: CM_AMP_MAP.REQ with a map of 917 carriers.
    Expected: CM_AMP_MAP.CNF with success in time.
    """
    talk = ev.slac()
    talk.linked()
    talk.send(mme.AmpMapReq, **LEVELS)
    stands(hears(talk, mme.AmpMapCnf, EXCHANGE), res_type=0)


@testcase("SLAC-106", source=tc(AMP_MAP, 6), defects=["slac-no-amp-map", "slac-amp-map-once"])
def test_an_amplitude_map_again(ev: Car, hears: Hears, stands: Stands) -> None:
    """CM_AMP_MAP.REQ sent again is answered again.

    Precondition: CM_AMP_MAP.REQ is answered.
    Stimulus: the same again.
    Expected: CM_AMP_MAP.CNF with success in time.
    """
    talk = ev.slac()
    talk.linked()
    for what in ("CM_AMP_MAP.CNF", "CM_AMP_MAP.CNF again"):
        talk.send(mme.AmpMapReq, **LEVELS)
        stands(hears(talk, mme.AmpMapCnf, EXCHANGE, what), res_type=0)


@testcase("SLAC-107", source=tc(AMP_MAP, 5), defects=["slac-any-amp-map"])
def test_an_amplitude_map_without_a_map(ev: Car, silence: Silence) -> None:
    """CM_AMP_MAP.REQ without a map is not answered.

    Precondition: the modems are linked.
    Stimulus: CM_AMP_MAP.REQ with AMLEN 0.
    Expected: no CM_AMP_MAP.CNF.
    """
    talk = ev.slac()
    talk.linked()
    talk.send(mme.AmpMapReq)
    silence(talk, mme.AmpMapCnf, EXCHANGE)


@testcase(
    "SLAC-108",
    source="FB-04 (EVerest 655, FreeV2G 20, 61, 72); BX_SLAC_REMATCH",
    defects=["slac-needs-replug"],
    deviates=["pilot", "order"],
)
def test_a_session_after_an_abort(ev: Car, expect: Expect, pilot: Pilot) -> None:
    """A car that aborts in the charge loop gets a whole new session without a replug.

    Precondition: a DC session in its charge loop.
    Stimulus: pilot to B, the connection and the link are dropped; after state E or F the car begins anew.
    Expected: a new matching, and energy in a new session.
    """
    ev.plug_in(energy="dc").charge(for_s=0.3).close()
    talk = ev.plc.talk()
    talk.pilot("B")
    ev.vehicle.stop_power()
    ev.leave_network()
    pilot(talk, "E", within_s=LOSS_S)
    pilot(talk, "on", within_s=2 * timers.get("slac.T_step_EF_min").value)
    since = expect.energy_wh()
    ev.plug_in(energy="dc").charge(for_s=0.5).stop()
    expect(expect.energy_wh() - since, "energy in Wh of the second session").to_be_between(1.0, 1e6)
