"""SLAC in single messages, against the charger's matching over the simulated powerline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.ev.errors import ChargerTimeout
from bench.ev.slac import Plc, SlacTalk
from bench.ev.vehicle import Vehicle
from bench.slac import mme
from bench.slac.mme import LOCAL_MODEM, build_frame
from bench.slac.port import open_port
from bench.timeline import Timeline
from drivers.qca7000 import Qca7000
from tests.slac.live_bench import Bench


class FrameList:
    """A tap that keeps what it gets."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def ethernet(self, frame: bytes, t_ns: int) -> None:
        self.frames.append(frame)


class PilotOf:
    """The car's resistors, felt by the charger."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def set_state(self, state: str) -> None:
        self._bench.pilot(state)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@pytest.fixture
def tap() -> FrameList:
    return FrameList()


@pytest.fixture
def plc(bench: Bench, tap: FrameList) -> Iterator[Plc]:
    modem = Qca7000(bench.endpoints["plc"], name="modem", settle_s=0.0, poll_s=0.01)
    modem.open()
    vehicle = Vehicle.without_power(PilotOf(bench))  # type: ignore[arg-type]
    vehicle.pilot_state = "B"  # the bench has plugged it in
    yield Plc(modem, vehicle, Timeline(), tap=tap, sound_interval_s=0.005)
    modem.close()


@pytest.fixture
def talk(plc: Plc) -> SlacTalk:
    return plc.talk()


def events(plc: Plc, name: str) -> list[dict[str, object]]:
    return [event.data for event in plc.timeline.since() if event.kind == "slac" and event.name == name]


def test_the_good_way_leads_to_a_link_and_the_tap_has_every_frame(
    talk: SlacTalk, plc: Plc, tap: FrameList
) -> None:
    talk.validated()
    talk.match()
    assert talk.join()
    told = [event for event in plc.timeline.since() if event.kind == "slac"]
    assert [bytes.fromhex(event.data["raw"]) for event in told] == tap.frames
    assert not any("deviation" in event.data for event in told)
    assert plc.vehicle.pilot_state == "B"


def test_only_what_came_since_the_last_message_is_an_answer(talk: SlacTalk) -> None:
    talk.send(mme.SlacParmReq)
    talk.pause(0.2)
    talk.send(mme.SlacParmReq, application_type=0xFF)
    assert talk.receive(mme.SlacParmCnf, 0.1) is None


def test_a_deviation_is_named_and_the_rest_of_the_message_is_the_cars(talk: SlacTalk, plc: Plc) -> None:
    talk.attenuation()
    talk.send(mme.AttenCharRsp, result=0xFF)
    (told,) = events(plc, "CM_ATTEN_CHAR.RSP")
    assert told["deviation"] == "result 255"
    assert talk.message(mme.AttenCharRsp).run_id == talk.run_id


def test_a_charger_that_does_not_go_along_is_a_timeout(talk: SlacTalk, bench: Bench) -> None:
    bench.pilot("A")
    with pytest.raises(ChargerTimeout, match=r"no CM_SLAC_PARM\.CNF"):
        talk.parameters()
    with pytest.raises(ChargerTimeout, match=r"no CM_SLAC_MATCH\.CNF"):
        talk.join()


def test_two_cars_at_one_modem_each_hear_their_own(talk: SlacTalk) -> None:
    other = talk.another_car()
    other.send(mme.SlacParmReq)
    talk.send(mme.SlacParmReq)
    heard = talk.receive(mme.SlacParmCnf, 2)
    assert heard is not None and heard.mme.run_id == talk.run_id
    other_heard = other.receive(mme.SlacParmCnf, 2)
    assert other_heard is not None and other_heard.mme.run_id == other.run_id
    assert other_heard.mme.forwarding_sta == other.mac


def test_broken_and_foreign_frames_are_told_and_passed_over(talk: SlacTalk, plc: Plc, bench: Bench) -> None:
    bench.call(bench.line.command({"add": "noise", "side": "ev"}))
    with open_port(bench.line.modems["noise"].host.resource) as port:
        whole = build_frame(mme.SlacParmCnf(), destination=talk.mac, source=port.mac)
        talk.send(mme.SlacParmReq)
        port.send(whole[:24])
        port.send(build_frame(mme.SlacParmCnf(), destination=LOCAL_MODEM[:5] + b"\7", source=port.mac))
        heard = talk.receive(mme.SlacParmCnf, 2)
        assert heard is not None and heard.mme.run_id == talk.run_id
        talk.pause(0.3)
    (malformed,) = events(plc, "malformed")
    assert "CM_SLAC_PARM.CNF" in str(malformed["text"])
