"""The port that the modem's driver shares with the SLAC machine: two readers of one wire."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.slac.mme import BROADCAST, MnbcSoundInd, VsLnkStatusCnf, VsSwVerReq, build_frame
from bench.slac.port import PortError, Received, open_port
from drivers import modem_port
from drivers.modem_port import SharedPort

OTHER = bytes.fromhex("020000000002")
SOUND = build_frame(MnbcSoundInd(cnt=9), destination=BROADCAST, source=OTHER)
REQUEST = build_frame(VsSwVerReq(), destination=OTHER, source=BROADCAST)
ANSWER = build_frame(VsLnkStatusCnf(link_status=1), destination=BROADCAST, source=OTHER)
LATE = build_frame(VsLnkStatusCnf(link_status=0), destination=BROADCAST, source=OTHER)


class Far:
    """The far end of the wire."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(5)

    def put(self, *frames: bytes) -> None:
        self.sock.sendall(b"".join(struct.pack(">H", len(frame)) + frame for frame in frames))

    def take(self) -> bytes:
        (length,) = struct.unpack(">H", self.sock.recv(2, socket.MSG_WAITALL))
        return self.sock.recv(length, socket.MSG_WAITALL)


def is_answer(frame: bytes) -> bool:
    return frame[14:17] == ANSWER[14:17]


@pytest.fixture
def heard() -> list[Received]:
    return []


@pytest.fixture
def ends(heard: list[Received]) -> Iterator[tuple[SharedPort, Far]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = open_port(f"tunnel:127.0.0.1:{listener.getsockname()[1]}")
        sock, _ = listener.accept()
    with sock, SharedPort(wire, heard.append) as port:
        assert isinstance(port, SharedPort)
        yield port, Far(sock)


def test_a_late_answer_does_not_answer_the_next_question(
    ends: tuple[SharedPort, Far], heard: list[Received]
) -> None:
    port, far = ends
    assert port.ask(REQUEST, is_answer, 0.05) is None
    far.put(LATE)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(port.ask, REQUEST, is_answer, 5)
        assert far.take() == far.take() == REQUEST
        far.put(ANSWER)
        answer = asked.result()
    assert answer is not None and answer.frame == ANSWER
    assert [each.frame for each in heard] == [LATE]


def test_each_reader_gets_what_is_its_own_whoever_reads(ends: tuple[SharedPort, Far]) -> None:
    """The machine waits first, so that it is the one that reads the driver's answer off the wire."""
    port, far = ends
    with ThreadPoolExecutor() as pool:
        received = pool.submit(port.receive, 5)
        asked = pool.submit(port.ask, REQUEST, is_answer, 5)
        far.take()
        far.put(ANSWER)
        answer = asked.result()
        far.put(SOUND)
        sound = received.result()
    assert answer is not None and answer.frame == ANSWER
    assert sound is not None and sound.frame == SOUND


def test_many_frames_and_questions_at_once_lose_nothing(ends: tuple[SharedPort, Far]) -> None:
    port, far = ends
    rounds = 200
    got: list[bytes] = []

    def machine() -> None:
        while len(got) < rounds * 2:
            received = port.receive(5)
            assert received is not None
            got.append(received.frame)

    def modem() -> None:
        for _ in range(rounds):
            assert far.take() == REQUEST
            far.put(SOUND, ANSWER, SOUND)

    with ThreadPoolExecutor() as pool:
        others = [pool.submit(machine), pool.submit(modem)]
        for _ in range(rounds):
            assert port.ask(REQUEST, is_answer, 5) is not None
        for each in others:
            each.result()
    assert got == [SOUND] * (rounds * 2)
    assert port.dropped == 0


def test_a_frame_that_the_driver_has_read_shows_in_select(ends: tuple[SharedPort, Far]) -> None:
    port, far = ends
    assert select.select([port], [], [], 0)[0] == []
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(port.ask, REQUEST, is_answer, 5)
        far.take()
        far.put(SOUND, ANSWER)
        assert asked.result() is not None
    assert select.select([port], [], [], 0)[0] == [port]
    received = port.receive(0)
    assert received is not None and received.frame == SOUND
    assert select.select([port], [], [], 0)[0] == []
    far.put(SOUND)
    assert select.select([port], [], [], 5)[0] == [port]


def test_frames_that_nobody_fetches_are_bounded(
    ends: tuple[SharedPort, Far], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modem_port, "MAX_WAITING", 3)
    port, far = ends
    counted = [build_frame(MnbcSoundInd(cnt=n), destination=BROADCAST, source=OTHER) for n in range(5)]
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(port.ask, REQUEST, is_answer, 5)
        far.take()
        far.put(*counted, ANSWER)
        assert asked.result() is not None
    kept = [port.receive(0) for _ in range(3)]
    assert [each.frame for each in kept if each is not None] == counted[2:]
    assert port.receive(0) is None
    assert port.dropped == 2


def test_closing_wakes_whoever_waits(ends: tuple[SharedPort, Far]) -> None:
    port, far = ends
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(port.receive, 60), pool.submit(port.ask, REQUEST, is_answer, 60)]
        far.take()
        port.close()
        for each in waiting:
            with pytest.raises(PortError, match="the port is closed"):
                each.result(timeout=30)
    port.close()
    with pytest.raises(PortError, match="the port is closed"):
        port.receive(0)


def test_a_wire_that_breaks_is_told_to_every_reader(ends: tuple[SharedPort, Far]) -> None:
    port, far = ends
    started = threading.Barrier(3)

    def wait() -> Received | None:
        started.wait(5)
        return port.receive(60)

    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(wait) for _ in range(2)]
        started.wait(5)
        far.sock.close()
        for each in waiting:
            with pytest.raises(PortError, match="hung up"):
                each.result(timeout=30)
