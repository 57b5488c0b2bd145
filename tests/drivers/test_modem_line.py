"""The real driver against the simulated modems of the rig: the line between them, and every quirk."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from rig_client import RigProcess

from bench.slac import mme
from bench.slac.keys import new_nmk, nid_from_nmk
from bench.slac.port import EthernetPort, open_port
from drivers import Attenuation, InstrumentLost, InstrumentNotFound, InstrumentRefused
from drivers.qca7000 import Qca7000
from tests.veth import veth_pair

NMK = new_nmk()
NID = nid_from_nmk(NMK)
RUN = b"run-id-1"
FAST: dict[str, Any] = {"timeout_s": 1.0, "settle_s": 0.0, "set_key_retry_s": 0.01, "poll_s": 0.005}


@pytest.fixture
def rig() -> Iterator[RigProcess]:
    process = RigProcess()
    yield process
    process.close()


@pytest.fixture
def modem(rig: RigProcess) -> Iterator[Callable[..., Qca7000]]:
    """`modem("plc")` or `modem("plc-evse")`, opened; or any resource."""
    with ExitStack() as stack:

        def make(where: str, **options: Any) -> Qca7000:
            driver = Qca7000(rig.endpoints.get(where, where), name=where, **{**FAST, **options})
            driver.open()
            stack.callback(driver.close)
            return driver

        yield make


@pytest.fixture
def pair(modem: Callable[..., Qca7000]) -> tuple[Qca7000, Qca7000]:
    return modem("plc"), modem("plc-evse")


def sound(port: EthernetPort, cnt: int = 9, run_id: bytes = RUN) -> None:
    message = mme.MnbcSoundInd(cnt=cnt, run_id=run_id, sender_id=bytes(17))
    port.send(mme.build_frame(message, destination=mme.BROADCAST, source=port.mac))


def next_mme(port: EthernetPort, timeout_s: float = 5) -> mme.Mme | None:
    received = port.receive(timeout_s)
    if received is None:
        return None
    parsed = mme.parse_frame(received.frame)
    assert parsed is not None
    return parsed.mme


def settled(modem: Qca7000) -> None:
    """What was on its way to this host has come: frames and answers share one wire, in order."""
    modem.software_version()


def join(*modems: Qca7000) -> None:
    for each in modems:
        each.set_key(NID, NMK)


def set_quirks(rig: RigProcess, name: str, **quirks: Any) -> None:
    state = rig.look(plc={"set": name, **quirks})
    assert all(state["plc"][name]["quirks"][key] == value for key, value in quirks.items())


# --- the line ---------------------------------------------------------------------------------


def test_equal_keys_make_a_link_and_other_keys_end_it(rig: RigProcess, pair: tuple[Qca7000, Qca7000]) -> None:
    ev, evse = pair
    assert not ev.link_up() and not evse.link_up()
    assert ev.network_info() is None
    join(ev, evse)
    assert ev.wait_link(5) and evse.wait_link(5)
    info, other = ev.network_info(), evse.network_info()
    assert info is not None and (info.nid, info.role) == (NID, "station")
    assert other is not None and (other.nid, other.role) == (NID, "coordinator")
    assert rig.look()["plc"]["ev"]["linked"] == ["evse"]
    ev.make_safe()
    assert not ev.link_up() and not evse.link_up()
    assert rig.look()["plc"]["ev"]["nmk"] not in (None, NMK.hex())


def test_the_same_nid_with_another_key_is_no_link(pair: tuple[Qca7000, Qca7000]) -> None:
    ev, evse = pair
    ev.set_key(NID, NMK)
    evse.set_key(NID, new_nmk())
    assert not ev.wait_link(0.2)


def test_a_sound_is_heard_and_profiled_on_the_evse_side_only(pair: tuple[Qca7000, Qca7000]) -> None:
    ev, evse = pair
    sound(ev.port)
    heard, profile = next_mme(evse.port), next_mme(evse.port)
    assert isinstance(heard, mme.MnbcSoundInd) and heard.run_id == RUN
    assert isinstance(profile, mme.AttenProfileInd)
    assert profile.pev_mac == ev.port.mac
    assert profile.num_groups == len(profile.aag) == 58
    assert all(10 <= level <= 14 for level in profile.aag), "12 dB, 2 dB of jitter"
    attenuation = evse.attenuation()
    assert isinstance(attenuation, Attenuation) and bytes(attenuation.groups_db) == profile.aag
    settled(ev)
    assert ev.port.receive(0) is None
    assert ev.attenuation() is None
    sound(evse.port)
    assert isinstance(next_mme(ev.port), mme.MnbcSoundInd)
    settled(evse)
    assert next_mme(ev.port, 0) is None and next_mme(evse.port, 0) is None, "an EVSE's sound has no profile"


def test_what_is_for_the_near_modem_stays_there(pair: tuple[Qca7000, Qca7000]) -> None:
    ev, evse = pair
    ev.set_key(NID, NMK)
    ev.reset()
    own = bytes.fromhex(ev.identify().serial.replace(":", ""))
    port = ev.port
    port.send(mme.build_frame(mme.NwInfoReq(), destination=own, source=port.mac))
    port.send(mme.build_frame(mme.GetKeyReq(), destination=mme.LOCAL_MODEM, source=port.mac))
    assert isinstance(next_mme(port), mme.NwInfoCnf), "a modem answers to its own address, too"
    settled(ev)
    settled(evse)
    assert evse.port.receive(0) is None


def test_any_frame_of_a_host_travels_cut_short_or_unknown(pair: tuple[Qca7000, Qca7000]) -> None:
    ev, evse = pair
    whole = mme.build_frame(mme.SlacParmReq(), destination=mme.BROADCAST, source=ev.port.mac)
    for frame in (whole[:20], whole[:17], whole[:15] + b"\xff\xff" + whole[17:], whole):
        ev.port.send(frame)
        received = evse.port.receive(5)
        assert received is not None and received.frame == frame


def test_several_evses_hear_the_car_each_as_it_is_near_and_two_cars(
    rig: RigProcess, modem: Callable[..., Qca7000]
) -> None:
    state = rig.look(plc={"add": "evse-2", "side": "evse", "attenuation_db": 40.0, "jitter_db": 0.0})
    second = modem(state["plc"]["evse-2"]["resource"])
    state = rig.look(plc={"add": "ev-2", "side": "ev"})
    car_2 = modem(state["plc"]["ev-2"]["resource"])
    rig.look(plc={"between": ["ev-2", "evse-2"], "attenuation_db": 7})
    set_quirks(rig, "evse", jitter_db=0.0)
    car, evse = modem("plc"), modem("plc-evse")
    for who, levels in ((car, (12.0, 40.0)), (car_2, (12.0, 7.0))):
        sound(who.port)
        for station, level in zip((evse, second), levels, strict=True):
            assert isinstance(next_mme(station.port), mme.MnbcSoundInd)
            profile = next_mme(station.port)
            assert isinstance(profile, mme.AttenProfileInd)
            assert (profile.pev_mac, set(profile.aag)) == (who.port.mac, {int(level)})
    join(car, evse, second)
    assert all(each.wait_link(5) for each in (car, evse, second))
    assert rig.look()["plc"]["ev"]["linked"] == ["evse", "evse-2"]
    state = rig.look(plc={"remove": "evse-2"})
    assert state["plc"]["ev"]["linked"] == ["evse"]


@pytest.mark.parametrize(
    "order",
    [
        5,
        {},
        {"add": "evse"},
        {"add": "x", "side": "moon"},
        {"set": "nobody"},
        {"set": "ev", "colour": 1},
        {"set": "ev", "set_key_result": "1"},
        {"set": "ev", "mute": 1},
        {"between": ["ev", "nobody"], "attenuation_db": 3},
        {"between": ["ev", "evse"]},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(rig: RigProcess, order: Any) -> None:
    with pytest.raises(AssertionError, match=r"PowerlineError|KeyError"):
        rig.look(plc=order)
    assert rig.look()["plc"].keys() == {"ev", "evse"}


def test_the_line_takes_only_so_many_modems(rig: RigProcess) -> None:
    for number in range(6):
        rig.look(plc={"add": f"more-{number}"})
    with pytest.raises(AssertionError, match="can be added"):
        rig.look(plc={"add": "too many"})


def test_hostile_hosts_do_not_stop_the_line(rig: RigProcess, modem: Callable[..., Qca7000]) -> None:
    evse = modem("plc-evse")
    host, _, number = rig.endpoints["plc"].removeprefix("tunnel:").partition(":")
    for garbage in (b"\xff\xff" + bytes(100), b"\x00\x00" * 50, b"\x00\x05abcde", b"\x00\x40" + bytes(10)):
        with socket.create_connection((host, int(number)), 5) as raw:
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            assert raw.recv(100) == b""
    ev = modem("plc")
    ev.port.send(mme.LOCAL_MODEM + ev.port.mac + b"\x88\xe1\x01")
    sound(ev.port)
    assert isinstance(next_mme(evse.port), mme.MnbcSoundInd)
    assert rig.look()["plc"]["ev"]["bad_frames"] == 1


# --- quirks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quirks", "options"),
    [
        ({"set_key_result": 0}, {}),
        ({"set_key_result": 1}, {}),
        ({"reboot_s": 0.3}, {}),
        ({"reboot_s": 0.3}, {"reboots_after_set_key": True, "timeout_s": 0.1}),
        ({"join_s": 0.5}, {}),
        ({"link_status": "none"}, {"timeout_s": 0.1}),
        ({"answers_nw_info": False}, {"timeout_s": 0.1}),
        ({"vlan": 7}, {}),
        ({"firmware": "INT7400-MAC-6-0"}, {}),
    ],
    ids=lambda value: " ".join(f"{key}={each}" for key, each in value.items()) or "plain",
)
def test_a_link_comes_about_in_spite_of(
    rig: RigProcess, modem: Callable[..., Qca7000], quirks: dict[str, Any], options: dict[str, Any]
) -> None:
    set_quirks(rig, "ev", **quirks)
    ev, evse = modem("plc", **options), modem("plc-evse")
    evse.set_key(NID, NMK)
    ev.set_key(NID, NMK)
    assert ev.wait_link(20)
    assert ev.link_up()


def test_a_key_refused_after_a_match_is_set_again(rig: RigProcess, pair: tuple[Qca7000, Qca7000]) -> None:
    ev, evse = pair
    set_quirks(rig, "ev", refusals_after_match=2)
    confirm = mme.SlacMatchCnf(nid=NID, nmk=NMK)
    evse.port.send(mme.build_frame(confirm, destination=ev.port.mac, source=evse.port.mac))
    assert isinstance(next_mme(ev.port), mme.SlacMatchCnf)
    join(ev, evse)
    assert ev.wait_link(5)
    assert rig.look()["plc"]["ev"]["set_keys"] == 3
    evse.port.send(mme.build_frame(confirm, destination=ev.port.mac, source=evse.port.mac))
    assert isinstance(next_mme(ev.port), mme.SlacMatchCnf)
    set_quirks(rig, "ev", refusals_after_match=100)
    evse.port.send(mme.build_frame(confirm, destination=ev.port.mac, source=evse.port.mac))
    assert isinstance(next_mme(ev.port), mme.SlacMatchCnf)
    with pytest.raises(InstrumentRefused, match="result 0x02"):
        ev.set_key(NID, NMK)


def test_a_key_taken_in_silence_is_believed_when_the_network_shows_it(
    rig: RigProcess, modem: Callable[..., Qca7000]
) -> None:
    set_quirks(rig, "ev", answers_set_key=False, join_s=0.0)
    ev, evse = modem("plc", timeout_s=0.1), modem("plc-evse")
    evse.set_key(NID, NMK)
    ev.set_key(NID, NMK)
    assert ev.wait_link(5)


def test_a_key_without_an_answer_and_without_a_network_is_a_lost_modem(
    rig: RigProcess, modem: Callable[..., Qca7000]
) -> None:
    set_quirks(rig, "ev", answers_set_key=False, takes_key=False)
    ev = modem("plc", timeout_s=0.05, set_key_tries=2)
    with pytest.raises(InstrumentLost, match="no answer, 2 times"):
        ev.set_key(NID, NMK)


def test_a_modem_that_says_yes_and_stays_where_it_was_is_found_out(
    rig: RigProcess, pair: tuple[Qca7000, Qca7000]
) -> None:
    join(*pair)
    assert pair[0].wait_link(5)
    set_quirks(rig, "ev", takes_key=False)
    nmk = new_nmk()
    with pytest.raises(InstrumentRefused, match=f"said yes, but is in the network {NID.hex()}"):
        pair[0].set_key(nid_from_nmk(nmk), nmk)


@pytest.mark.parametrize("quirks", [{"joins": False}, {"link_status": "down"}, {"join_s": 3600.0}])
def test_a_link_that_never_comes_up_is_not_up(
    rig: RigProcess, pair: tuple[Qca7000, Qca7000], quirks: dict[str, Any]
) -> None:
    set_quirks(rig, "ev", **quirks)
    join(*pair)
    assert pair[1].link_up() is False or quirks == {"link_status": "down"}
    assert pair[0].wait_link(0.3) is False


def test_a_mute_modem_is_not_found_and_a_modem_gone_mute_is_lost(
    rig: RigProcess, modem: Callable[..., Qca7000]
) -> None:
    ev, evse = modem("plc", timeout_s=0.05), modem("plc-evse")
    rig.look(mute="plc")
    with pytest.raises(InstrumentLost, match="no answer"):
        ev.wait_link(0.2)
    sound(evse.port)
    assert isinstance(next_mme(ev.port), mme.MnbcSoundInd), "it is mute, not dead"
    ev.close()
    with pytest.raises(InstrumentNotFound, match="no modem answers VS_SW_VER"):
        modem("plc", timeout_s=0.05)
    rig.look(unmute="plc")
    assert modem("plc").link_up() is False


def test_an_unplugged_modem_is_lost_and_found_again(rig: RigProcess, modem: Callable[..., Qca7000]) -> None:
    ev = modem("plc")
    rig.look(unplug="plc")
    with pytest.raises(InstrumentLost, match=r"hung up|reset"):
        ev.keep_alive()
    ev.close()
    rig.look(plug="plc")
    modem("plc").keep_alive()


def test_sounds_get_lost_each_run_anew(rig: RigProcess, pair: tuple[Qca7000, Qca7000]) -> None:
    ev, evse = pair
    set_quirks(rig, "ev", lost_sounds=2)
    for run_id in (b"run-id-1", b"run-id-2"):
        for cnt in (3, 2, 1, 0):
            sound(ev.port, cnt, run_id)
        seen = [next_mme(evse.port) for _ in range(4)]
        counts = [each.cnt for each in seen if isinstance(each, mme.MnbcSoundInd)]
        assert counts == [1, 0]
        assert sum(isinstance(each, mme.AttenProfileInd) for each in seen) == 2


def test_profiles_missing_or_of_another_length(rig: RigProcess, pair: tuple[Qca7000, Qca7000]) -> None:
    ev, evse = pair
    set_quirks(rig, "evse", profiles=False)
    sound(ev.port)
    set_quirks(rig, "evse", profiles=True, profile_groups=20, attenuation_db=300.0, jitter_db=0.0)
    assert isinstance(next_mme(evse.port), mme.MnbcSoundInd)
    settled(evse)
    assert next_mme(evse.port, 0) is None
    sound(ev.port)
    assert isinstance(next_mme(evse.port), mme.MnbcSoundInd)
    profile = next_mme(evse.port)
    assert isinstance(profile, mme.AttenProfileInd) and profile.aag == b"\xff" * 20


def test_a_tagging_modem_is_understood_and_its_tag_is_seen(
    rig: RigProcess, pair: tuple[Qca7000, Qca7000]
) -> None:
    ev, evse = pair
    set_quirks(rig, "evse", vlan=42)
    sound(ev.port)
    received = evse.port.receive(5)
    assert received is not None
    parsed = mme.parse_frame(received.frame)
    assert parsed is not None and parsed.vlan == 42 and isinstance(parsed.mme, mme.MnbcSoundInd)
    assert isinstance(next_mme(evse.port), mme.AttenProfileInd)
    assert evse.attenuation() is not None


# --- over interfaces --------------------------------------------------------------------------


@pytest.fixture
def cables() -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(the car's host, its modem), (the charger's host, its modem)."""
    with veth_pair() as car, veth_pair() as charger:
        yield car, charger


@pytest.mark.netns
def test_the_modems_sit_on_interfaces_and_pass_ipv6_once_they_share_a_key(
    cables: tuple[tuple[str, str], tuple[str, str]],
) -> None:
    (ev_host, ev_modem), (evse_host, evse_modem) = cables
    payload = b"\x86\xdd" + b"plugbench".ljust(46, b".")
    with ExitStack() as stack:
        rig = RigProcess("--plc-ev", ev_modem, "--plc-evse", evse_modem)
        stack.callback(rig.close)
        assert "plc" not in rig.endpoints
        drivers = [Qca7000(host, name=host, **FAST) for host in (ev_host, evse_host)]
        for each in drivers:
            each.open()
            stack.callback(each.close)
        ev, evse = drivers
        sender, listener = (
            stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86DD)))
            for _ in range(2)
        )
        sender.bind((ev_host, 0x86DD))
        listener.bind((evse_host, 0x86DD))
        listener.settimeout(5)
        frame = mme.BROADCAST + ev.port.mac + payload

        def arrived(marker: bytes) -> list[bytes]:
            """Frames of ours that came before the marker, which travels by itself."""
            sender.send(frame)
            sound(ev.port, run_id=marker)
            while not (
                isinstance(message := next_mme(evse.port), mme.MnbcSoundInd) and message.run_id == marker
            ):
                assert message is not None
            found = []
            listener.setblocking(False)
            while True:
                try:
                    data = listener.recv(2000)
                except BlockingIOError:
                    return found
                found += [data] if payload in data else []

        assert arrived(b"marker-1") == []
        join(ev, evse)
        assert ev.wait_link(5)
        assert arrived(b"marker-2") == [frame]
        assert next_mme(evse.port) is not None, "the profile of the sound"
        evse.make_safe()
        assert arrived(b"marker-3") == []


@pytest.mark.netns
def test_no_modem_at_an_interface_is_not_found(cables: tuple[tuple[str, str], tuple[str, str]]) -> None:
    host = cables[0][0]
    with pytest.raises(
        InstrumentNotFound, match=f"no modem answers VS_SW_VER.REQ at 00:b0:52:00:00:01 on {host}"
    ):
        Qca7000(host, name="modem", timeout_s=0.05).open()


def test_a_rig_without_its_interface_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "drivers.simulated", "--plc-ev", "no-such-if"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("the simulated rig cannot open its endpoints: modem at interface 'no-such-if': ")
    )


def test_a_second_host_is_turned_away(rig: RigProcess, modem: Callable[..., Qca7000]) -> None:
    modem("plc")
    with open_port(rig.endpoints["plc"]) as second, pytest.raises(OSError, match=r"hung up|reset"):
        second.receive(5)
