"""CM_SLAC_PARM: who is answered, when, and with what."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bench.plan import Expect, Inconclusive, Measure, testcase
from bench.slac import mme
from bench.slac.mme import BROADCAST
from bench.v2g import timers
from testplans.slac.rows import rows, tc

if TYPE_CHECKING:
    from bench.ev.vehicle import PilotState
    from fixtures.car import Car
    from testplans.slac.conftest import Hears, Pilot, Silence, Stands

GROUP = "CMN_VTB_CmSlacParm"
OPENING = ("slac-ignores-first-request", "slac-wakes-late")
FIELDS = ("slac-forwarding-sta-zero", "slac-sounding-parameters", "slac-run-id-cut")
HEARD_S = 0.1
"""What the charger needs to see a change of the pilot that it does not answer."""
BEYOND_WINDOW_S = 5.0


@rows(
    "state",
    [("SLAC-010", "B", tc(GROUP, 1) + "; BX_SLAC_FWDSTA; FB-01", "B")],
    defects=[*OPENING, *FIELDS],
)
def test_parameters_in_state_b(ev: Car, hears: Hears, stands: Stands, state: PilotState) -> None:
    """CM_SLAC_PARM.REQ is answered in this state of the pilot.

    Precondition: the car is plugged in, pilot state ROW.
    Stimulus: CM_SLAC_PARM.REQ to all, with a fresh RunID.
    Expected: CM_SLAC_PARM.CNF in time, with every field as in the standard.
    """
    parameters(ev, hears, stands, state)


@rows(
    "state",
    [("SLAC-011", "C", tc(GROUP, 2), "C"), ("SLAC-012", "D", tc(GROUP, 3), "D")],
    defects=[*OPENING, *FIELDS, "slac-only-in-state-b"],
    deviates=["pilot"],
)
def test_parameters_in_state_c_and_d(ev: Car, hears: Hears, stands: Stands, state: PilotState) -> None:
    """CM_SLAC_PARM.REQ is answered in this state of the pilot.

    Precondition: the car is plugged in, pilot state ROW.
    Stimulus: CM_SLAC_PARM.REQ to all, with a fresh RunID.
    Expected: CM_SLAC_PARM.CNF in time, with every field as in the standard.
    """
    parameters(ev, hears, stands, state)


def parameters(ev: Car, hears: Hears, stands: Stands, state: PilotState) -> None:
    """Ask, and look at every field of the answer."""
    talk = ev.slac(state)
    talk.pause(HEARD_S)
    talk.send(mme.SlacParmReq)
    stands(
        hears(talk, mme.SlacParmCnf),
        run_id=talk.run_id,
        forwarding_sta=talk.mac,
        application_type=0,
        security_type=0,
        m_sound_target=BROADCAST,
        num_sounds=10,
        time_out=6,
        resp_type=1,
    )


@testcase(
    "SLAC-013",
    requires=["V2G3-M06-07"],
    source=tc(GROUP, 4) + "; BX_SLAC_NOEV",
    defects=["slac-waits-forever"],
    slow=True,
)
def test_the_window_closes(ev: Car, expect: Expect, measure: Measure, pilot: Pilot, silence: Silence) -> None:
    """Without a SLAC request the charger gives up: oscillator off, and no answer any more.

    Precondition: the car is plugged in, pilot state B, the duty cycle is there.
    Stimulus: no CM_SLAC_PARM.REQ until the oscillator goes off, then a valid one.
    Expected: 100 % duty cycle after 20 to 50 s, and no CM_SLAC_PARM.CNF.
    """
    window = timers.get("slac.TT_EVSE_SLAC_init")
    talk = ev.slac()
    began = time.monotonic()
    pilot(talk, "off", within_s=window.value + BEYOND_WINDOW_S)
    talk.send(mme.SlacParmReq)
    silence(talk, mme.SlacParmCnf)
    measure("TT_EVSE_SLAC_init", time.monotonic() - began, low=window.minimum, high=window)


@rows(
    "fields",
    [
        ("SLAC-014", "APPLICATION_TYPE 0xFF", tc(GROUP, 5), {"application_type": 0xFF}),
        ("SLAC-015", "SECURITY_TYPE 0xFF", tc(GROUP, 6), {"security_type": 0xFF}),
    ],
    defects=["slac-any-types"],
)
def test_another_type_is_ignored(ev: Car, silence: Silence, fields: dict[str, Any]) -> None:
    """CM_SLAC_PARM.REQ of another type is not answered.

    Precondition: the car is plugged in, pilot state B.
    Stimulus: CM_SLAC_PARM.REQ with ROW.
    Expected: no CM_SLAC_PARM.CNF.
    """
    talk = ev.slac()
    talk.send(mme.SlacParmReq, **fields)
    silence(talk, mme.SlacParmCnf)


@testcase("SLAC-016", source=tc(GROUP, 7), defects=["slac-answers-unplugged"], deviates=["pilot"])
def test_no_answer_to_an_unplugged_car(ev: Car, pilot: Pilot, silence: Silence) -> None:
    """A car that is not plugged in is not answered.

    Precondition: the car was plugged in, no SLAC yet.
    Stimulus: pilot to state A, then CM_SLAC_PARM.REQ.
    Expected: 100 % duty cycle and no CM_SLAC_PARM.CNF.
    """
    talk = ev.slac()
    talk.pilot("A")
    pilot(talk, "off")
    talk.send(mme.SlacParmReq)
    silence(talk, mme.SlacParmCnf)


@testcase("SLAC-017", source=tc(GROUP, 8), defects=["slac-wakes-late"])
def test_awake_in_time(ev: Car, expect: Expect, measure: Measure) -> None:
    """A charger that has to wake up answers within T_conn_max_comm of the plug-in.

    Precondition: no car is plugged in.
    Stimulus: plug in, and repeat CM_SLAC_PARM.REQ until it is answered.
    Expected: CM_SLAC_PARM.CNF not later than 8 s after plug-in.
    """
    limit = timers.get("slac.T_conn_max_comm")
    began = time.monotonic()
    talk = ev.slac()
    heard = None
    while heard is None and time.monotonic() < began + limit.value:
        talk.send(mme.SlacParmReq)
        heard = talk.receive(mme.SlacParmCnf, timers.get("slac.TT_match_response").value)
    took_s = time.monotonic() - began
    expect.that(heard is not None, "CM_SLAC_PARM.CNF comes", f"nothing for {took_s:.1f} s", "an answer")
    measure("plug-in to CM_SLAC_PARM.CNF", took_s, high=limit)


@testcase("SLAC-018", source=tc(GROUP, 9), defects=OPENING)
def test_ready_when_the_duty_cycle_is_there(ev: Car, hears: Hears) -> None:
    """With the 5 % duty cycle the charger is ready: the first request is answered.

    Precondition: the car is plugged in and measures a duty cycle of 3 to 7 %.
    Stimulus: one CM_SLAC_PARM.REQ.
    Expected: CM_SLAC_PARM.CNF in time.
    """
    talk = ev.slac()
    duty = ev.vehicle.measure_pilot().duty_percent
    if not 3 <= duty <= 7:
        raise Inconclusive(f"the duty cycle is {duty:g} %")
    talk.send(mme.SlacParmReq)
    hears(talk, mme.SlacParmCnf)


@rows(
    "run_id",
    [
        ("SLAC-019", "text", "BX_SLAC_RUNID8; SmartEVSE-3 issue 25", b"PLUGBEN8"),
        ("SLAC-020", "all ones", "BX_SLAC_RUNID8", b"\xff" * 8),
    ],
    defects=[*OPENING, "slac-run-id-cut"],
)
def test_the_run_id_comes_back_whole(ev: Car, hears: Hears, stands: Stands, run_id: bytes) -> None:
    """All eight bytes of the RunID come back, whatever they are.

    Precondition: the car is plugged in, pilot state B.
    Stimulus: CM_SLAC_PARM.REQ with a RunID that is no address: ROW.
    Expected: the same eight bytes in CM_SLAC_PARM.CNF.
    """
    talk = ev.slac()
    talk.run_id = run_id
    talk.send(mme.SlacParmReq)
    stands(hears(talk, mme.SlacParmCnf), run_id=run_id)
