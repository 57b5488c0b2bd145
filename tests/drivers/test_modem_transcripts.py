"""Contract of the PLC modem's driver: the exact frames, both ways, and what else a modem may answer."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from scripted_wire import TcpWire

from drivers import (
    Attenuation,
    Identity,
    InstrumentLost,
    InstrumentNotFound,
    InstrumentRefused,
    LimitExceeded,
    NetworkInfo,
)
from drivers.qca7000 import Qca7000

HOST, MODEM, CHARGER = "02000000000a", "00b052aabbcc", "020000000c0c"
LOCAL, ALL = "00b052000001", "ffffffffffff"
NID, NMK = bytes.fromhex("b0f2e695666b03"), bytes.fromhex("50d3e4933f855b7040784df815aa8db7")


def wire(text: str) -> bytes:
    """Hex as it goes over the tunnel: padded to 60 bytes, behind its length."""
    frame = bytes.fromhex(text.replace(" ", "")).ljust(60, b"\0")
    return struct.pack(">H", len(frame)) + frame


def asked(mme: str, local: str = LOCAL) -> bytes:
    return wire(local + HOST + "88e1" + mme)


def told(mme: str, source: str = MODEM, destination: str = HOST) -> bytes:
    return wire(destination + source + "88e1" + mme)


def version(text: bytes = b"MAC-QCA7005-1.1.0.730-04-20140815-CS") -> bytes:
    return told("0001a000b052 00 22" + f"{len(text):02x}" + text.ljust(254, b"\0").hex())


SW_VER = asked("0000a000b052")
OPEN = (SW_VER, version())
SET_KEY = asked(f"0108600000 01 00000000 00000000 04 0000 00 00 {NID.hex()} 01 {NMK.hex()} 000000")
LNK_STATUS = asked("00b8a000b052")
NW_INFO = asked("0138600000")
NO_NETWORK = told("0139600000 00")
IN_NETWORK = told(f"0139600000 01 {NID.hex()} 05 02 00 {CHARGER} 00 00")
IN_ANOTHER = told("0139600000 01 01020304050607 05 02 00 000000000000 00 00")
SOUND = told("0176600000" + "00" * 52, source=CHARGER, destination=ALL)
PROFILE = told(f"0186600000 {CHARGER} 3a 00" + "0c" * 57 + "46", destination=ALL)


def key_answer(result: int, source: str = MODEM) -> bytes:
    return told(f"0109600000 {result:02x} 00000000 00000000 04 0000 00 00", source=source)


def modem_at(port: int, **options: Any) -> Qca7000:
    chosen: dict[str, Any] = {
        "host_address": ":".join(HOST[i : i + 2] for i in range(0, 12, 2)),
        "timeout_s": 0.1,
        "settle_s": 0.0,
        "set_key_retry_s": 0.0,
        "poll_s": 0.001,
    }
    return Qca7000(f"tunnel:127.0.0.1:{port}", name="modem", **{**chosen, **options})


def play(script: list[tuple[bytes, bytes]], act: Callable[[Qca7000], None], **options: Any) -> None:
    """Open the driver on a wire with this script (its opening comes first), and act."""
    with TcpWire([OPEN, *script]) as line:
        modem = modem_at(line.port, **options)
        modem.open()
        try:
            act(modem)
        finally:
            modem.close()


def test_a_session_frame_by_frame() -> None:
    amplitudes = asked("011c600000 0500 f210 03")

    def act(modem: Qca7000) -> None:
        assert modem.identify() == Identity(
            "Qualcomm Atheros", "QCA7005", "00:b0:52:aa:bb:cc", "1.1.0.730-04-20140815-CS"
        )
        assert modem.network_info() is None
        modem.set_key(NID, NMK)
        assert modem.link_up() is False
        assert modem.link_up() is True
        assert modem.network_info() == NetworkInfo(NID, 5, 2, "station", bytes.fromhex(CHARGER))
        modem.set_amplitude_map(bytes([2, 15, 0, 1, 3]))
        modem.keep_alive()
        modem.reset()

    script = [
        OPEN,
        (NW_INFO, NO_NETWORK),
        (SET_KEY, key_answer(1)),
        (NW_INFO, NO_NETWORK),
        (LNK_STATUS, told("00b9a000b052 00 00")),
        (LNK_STATUS, told("00b9a000b052 00 01")),
        (NW_INFO, IN_NETWORK),
        (amplitudes, told("011d600000 00")),
        OPEN,
        (asked("001ca000b052"), told("001da000b052 00")),
        OPEN,
    ]
    play(script, act)


def test_another_local_address_and_firmware_names_that_nobody_foresaw() -> None:
    question = asked("0000a000b052", local="00b0520000ff")
    with TcpWire([(question, version()), (question, version(b"INT6000-\x07-4-0"))]) as line:
        modem = modem_at(line.port, local_address="00:B0:52:00:00:FF")
        modem.open()
        assert modem.identify() == Identity(
            "Qualcomm Atheros", "QCA7000", "00:b0:52:aa:bb:cc", "INT6000--4-0"
        )
        modem.close()


@pytest.mark.parametrize("result", [0, 1])
def test_both_codes_of_success_are_taken(result: int) -> None:
    script = [(SET_KEY, key_answer(result)), (NW_INFO, IN_NETWORK)]
    play(script, lambda modem: modem.set_key(NID, NMK))


def test_only_the_code_that_the_bench_file_names_is_success() -> None:
    def act(modem: Qca7000) -> None:
        with pytest.raises(InstrumentRefused, match=r"modem .*CM_SET_KEY.CNF has result 0x01"):
            modem.set_key(NID, NMK)

    play([(SET_KEY, key_answer(1))] * 2, act, set_key_results="0", set_key_tries=2)


def test_a_refused_key_is_set_again() -> None:
    refused = (SET_KEY, key_answer(2))
    script = [refused, refused, (SET_KEY, key_answer(1)), (NW_INFO, NO_NETWORK)]
    play(script, lambda modem: modem.set_key(NID, NMK))


def test_a_key_that_was_taken_in_silence_is_found_in_the_network() -> None:
    script = [(SET_KEY, b""), (NW_INFO, IN_NETWORK), (NW_INFO, IN_NETWORK)]
    play(script, lambda modem: modem.set_key(NID, NMK))


def test_no_answer_to_a_key_is_a_lost_instrument() -> None:
    def act(modem: Qca7000) -> None:
        with pytest.raises(
            InstrumentLost, match=r"modem .*no answer, 2 times \(command 'CM_SET_KEY.REQ nid b0f2"
        ):
            modem.set_key(NID, NMK)

    play([(SET_KEY, b""), (NW_INFO, NO_NETWORK)] * 2, act, set_key_tries=2)


def test_a_yes_without_a_deed_is_a_refusal() -> None:
    def act(modem: Qca7000) -> None:
        with pytest.raises(InstrumentRefused, match="said yes, but is in the network 01020304050607"):
            modem.set_key(NID, NMK)

    play([(SET_KEY, key_answer(1)), (NW_INFO, IN_ANOTHER)], act)


def test_the_old_network_may_be_told_of_until_the_modem_has_settled() -> None:
    script = [(SET_KEY, key_answer(1)), (NW_INFO, IN_ANOTHER), (NW_INFO, IN_ANOTHER), (NW_INFO, IN_NETWORK)]
    play(script, lambda modem: modem.set_key(NID, NMK), settle_s=20.0)


def test_the_link_is_not_believed_before_the_modem_has_settled() -> None:
    def act(modem: Qca7000) -> None:
        modem.set_key(NID, NMK)
        assert modem.link_up() is False
        assert modem.wait_link(0.0) is False

    play([(SET_KEY, key_answer(1)), (NW_INFO, NO_NETWORK)], act, settle_s=20.0)


def test_a_modem_that_restarts_after_the_key_is_waited_for() -> None:
    script = [
        (SET_KEY, key_answer(1)),
        (SW_VER, b""),
        (SW_VER, b""),
        (SW_VER, version()),
        (NW_INFO, NO_NETWORK),
    ]
    play(script, lambda modem: modem.set_key(NID, NMK), reboots_after_set_key=True)


def test_a_modem_without_link_status_is_asked_for_its_network() -> None:
    alone = told(f"0139600000 01 {NID.hex()} 05 01 02 {MODEM} 00 00")

    def act(modem: Qca7000) -> None:
        modem.set_key(NID, NMK)
        modem._restarted_by = 0.0
        assert modem.link_up() is False, "the coordinator of a network of one has no link"
        assert modem.link_up() is True

    script = [
        (SET_KEY, key_answer(1)),
        (NW_INFO, NO_NETWORK),
        (LNK_STATUS, b""),
        (LNK_STATUS, b""),
        (NW_INFO, alone),
        (NW_INFO, IN_NETWORK),
    ]
    play(script, act, tries=2)


def test_a_mute_modem_is_lost_and_not_a_link_that_is_down() -> None:
    def act(modem: Qca7000) -> None:
        with pytest.raises(InstrumentLost, match="no answer, neither to CM_NW_INFO"):
            modem.wait_link(0.0)

    play([(LNK_STATUS, b""), (NW_INFO, b"")], act, tries=1)


def test_frames_of_the_charger_are_kept_while_the_driver_waits() -> None:
    def act(modem: Qca7000) -> None:
        assert modem.link_up() is True
        first, second = modem.port.receive(1), modem.port.receive(1)
        assert first is not None and second is not None
        assert first.frame == SOUND[2:]
        assert second.frame == PROFILE[2:]
        assert modem.port.receive(0) is None
        profile = modem.attenuation()
        assert profile == Attenuation(bytes.fromhex(CHARGER), (12,) * 57 + (70,), second.t_ns)
        assert profile.mean_db == 13.0

    play([(LNK_STATUS, SOUND + PROFILE + told("00b9a000b052 00 01"))], act)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (struct.pack(">H", 21) + told("00b9a000b052 00 01")[2:23], "nonsense: VS_LNK_STATUS.CNF"),
        (struct.pack(">H", 18) + told("00b9a000b052 00 01")[2:20], "nonsense: VS_LNK_STATUS.CNF"),
        (b"\xff\xff" + bytes(300), "a frame of 65535 bytes is announced"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_lost_instrument(answer: bytes, problem: str) -> None:
    def act(modem: Qca7000) -> None:
        with pytest.raises(InstrumentLost, match=problem):
            modem.link_up()

    play([(LNK_STATUS, answer)], act)


@pytest.mark.parametrize(
    "answer",
    [
        told("00b9a000b052 00 01", source=CHARGER),
        told("00b9a0123456 00 01"),
        told("01b9a000b052 00 01"),
        told("00b9b000b052 00 01"),
        struct.pack(">H", 16) + told("00b9")[2:18],
        struct.pack(">H", 3) + b"\xff\xff\xff",
        struct.pack(">H", 0),
    ],
    ids=[
        "the charger's",
        "another vendor's",
        "another version",
        "another type",
        "no type",
        "3 bytes",
        "0 bytes",
    ],
)
def test_what_is_not_the_modems_answer_does_not_answer(answer: bytes) -> None:
    script = [(LNK_STATUS, answer), (LNK_STATUS, told("00b9a000b052 00 00"))]

    def act(modem: Qca7000) -> None:
        assert modem.link_up() is False

    play(script, act)


@pytest.mark.parametrize(
    "profile",
    [told(f"0186600000 {CHARGER} ff 00" + "0c" * 58, destination=ALL), told("0186600000", destination=ALL)],
)
def test_a_profile_without_its_groups_is_not_kept(profile: bytes) -> None:
    def act(modem: Qca7000) -> None:
        assert modem.link_up() is True
        attenuation = modem.attenuation()
        assert attenuation is None or attenuation.groups_db == (), "padding is no group"
        assert modem.port.receive(0) is not None, "the SLAC machine judges it"

    play([(LNK_STATUS, profile + told("00b9a000b052 00 01"))], act)


def test_a_profile_of_somebody_else_is_not_the_modems_word() -> None:
    forged = told(f"0186600000 {CHARGER} 3a 00" + "01" * 58, source=CHARGER, destination=ALL)

    def act(modem: Qca7000) -> None:
        assert modem.link_up() is True
        assert modem.attenuation() is None

    play([(LNK_STATUS, forged + told("00b9a000b052 00 01"))], act)


def test_make_safe_leaves_the_network_once() -> None:
    sent: list[bytes] = []
    answers = {b"\x00\x00\xa0": version(), b"\x01\x08\x60": key_answer(1), b"\x01\x38\x60": NO_NETWORK}

    class Listening(TcpWire):
        """Takes any key: the driver's is a random one."""

        def _play(self, handle: int, receive: Any, send: Any) -> None:
            while not self._stop.is_set():
                try:
                    length = receive(2)
                    frame = receive(int.from_bytes(length, "big")) if len(length) == 2 else b""
                except OSError:
                    return
                if not frame:
                    return
                sent.append(frame)
                send(answers[frame[14:17]])

    with Listening([]) as line:
        modem = modem_at(line.port)
        modem.open()
        modem.make_safe()
        modem.make_safe()
        modem.port.send(wire(ALL + HOST + "88e1 0138600000")[2:])
        modem.make_safe()
        modem.close()
    keys = [frame[41:57] for frame in sent if frame[14:17] == b"\x01\x08\x60"]
    assert len(keys) == 2, "the second has nothing to leave; the third may have, since the port was used"
    assert keys[0] != keys[1]
    assert all(any(key) for key in keys)


@pytest.mark.parametrize(("nid", "nmk"), [(b"", NMK), (NID, b""), (NID + b"\0", NMK), (NID, NMK[:15])])
def test_a_key_of_another_length_is_not_sent(nid: bytes, nmk: bytes) -> None:
    def act(modem: Qca7000) -> None:
        with pytest.raises(LimitExceeded, match="NID has 7 bytes and an NMK 16"):
            modem.set_key(nid, nmk)

    play([], act)


@pytest.mark.parametrize("levels", [b"", bytes([16]), bytes(1156)])
def test_an_amplitude_map_beyond_the_carriers_is_not_sent(levels: bytes) -> None:
    def act(modem: Qca7000) -> None:
        with pytest.raises(LimitExceeded, match="1 to 1155 levels of 0 to 15"):
            modem.set_amplitude_map(levels)

    play([], act)


def test_a_refused_amplitude_map_is_a_refusal() -> None:
    def act(modem: Qca7000) -> None:
        with pytest.raises(InstrumentRefused, match=r"CM_AMP_MAP\.CNF has result 0x01"):
            modem.set_amplitude_map(b"\x01\x01")

    play([(asked("011c600000 0200 11"), told("011d600000 01"))], act)


@pytest.mark.parametrize(
    "options",
    [
        {"local_address": "00:b0:52"},
        {"host_address": "02-00-00-00-00-0a"},
        {"timeout_s": 0.0},
        {"tries": 0},
        {"set_key_results": "yes"},
        {"set_key_results": "256"},
        {"set_key_results": ""},
        {"settle_s": float("nan")},
        {"restart_s": -1.0},
    ],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(LimitExceeded, match=r"^modem \(QCA7000\): "):
        modem_at(1, **options)


def test_no_modem_is_not_found_with_interface_address_and_what_to_do() -> None:
    with TcpWire([(SW_VER, b"")] * 2) as line:
        modem = modem_at(line.port, tries=2)
        with pytest.raises(InstrumentNotFound) as caught:
            modem.open()
        assert str(caught.value) == (
            f"modem (QCA7000 at tunnel:127.0.0.1:{line.port}): no modem answers VS_SW_VER.REQ at"
            f" 00:b0:52:00:00:01 on tunnel:127.0.0.1:{line.port}: is it powered, is its Ethernet side this"
            " interface, is it of this class?"
        )
        with pytest.raises(InstrumentLost, match="the modem is not open"):
            modem.link_up()
        with pytest.raises(InstrumentLost, match="the modem is not open"):
            _ = modem.port


@pytest.mark.parametrize(
    ("resource", "problem"),
    [("no-such-if", "there is no interface 'no-such-if'"), ("tunnel:127.0.0.1", "is no tunnel")],
)
def test_no_such_place_is_not_found(resource: str, problem: str) -> None:
    with pytest.raises(InstrumentNotFound, match=problem):
        Qca7000(resource, name="modem").open()


def test_nobody_at_the_tunnel_is_not_found() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    with pytest.raises(InstrumentNotFound, match="nobody listens there"):
        modem_at(number).open()


def test_a_hang_up_is_a_lost_instrument() -> None:
    with TcpWire([OPEN]) as line:
        modem = modem_at(line.port)
        modem.open()
    with pytest.raises(InstrumentLost, match="hung up"):
        modem.link_up()
    modem.close()


def test_every_answer_is_traced_and_no_key_is() -> None:
    seen: list[dict[str, Any]] = []
    script = [(SET_KEY, key_answer(1)), (NW_INFO, NO_NETWORK), (LNK_STATUS, told("00b9a000b052 00 01"))]
    with TcpWire([OPEN, *script]) as line:
        modem = modem_at(line.port)
        modem._trace = lambda _command, data: seen.append(data)
        modem.open()
        modem.set_key(NID, NMK)
        with modem.quiet():
            assert modem.link_up() is True
        modem.close()
    assert [each["sent"] for each in seen] == [
        "VS_SW_VER.REQ",
        f"CM_SET_KEY.REQ nid {NID.hex()}",
        "CM_NW_INFO.REQ",
    ]
    assert seen[1]["received"] == "CM_SET_KEY.CNF result 1 pid 4"
    assert NMK.hex() not in str(seen)
