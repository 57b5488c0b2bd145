"""What a wire can do to a driver: refuse, fall silent, hang up, answer nonsense or without an end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from scripted_wire import PtyWire, TcpWire, lines

from drivers import Driver, InstrumentLost, InstrumentNotFound, LimitExceeded
from drivers.ea_psb import EaPsb
from drivers.eastron_sdm630 import EastronSdm630
from drivers.manual import ManualPilot
from drivers.pilot_board import PilotBoard
from drivers.yokogawa_wt import YokogawaWt

OK = '0,"No error"'
EA_OPEN = (
    ("*IDN?", "EA,PSB,1,1"),
    ("SYST:LOCK ON", ""),
    ("SYST:ERR?", OK),
    ("OUTP OFF", ""),
    ("SYST:ERR?", OK),
    ("CURR 0", ""),
    ("SYST:ERR?", OK),
)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "driver",
    [
        lambda: YokogawaWt(f"TCPIP0::127.0.0.1::{closed_port()}::SOCKET", name="box", timeout_s=0.3),
        lambda: EaPsb("TCPIP0::no.such.host.invalid::5025::SOCKET", name="box", timeout_s=0.3),
        lambda: EaPsb("nonsense", name="box", timeout_s=0.3),
        lambda: EastronSdm630(f"127.0.0.1:{closed_port()}", name="box", timeout_s=0.3),
        lambda: PilotBoard("/dev/no-such-port", name="box"),
        lambda: PilotBoard(f"socket://127.0.0.1:{closed_port()}", name="box"),
        lambda: ManualPilot("box", name="box"),
    ],
)
def test_nobody_answers(driver: Callable[[], Driver]) -> None:
    with pytest.raises(InstrumentNotFound, match=r"^box "):
        driver().open()


@pytest.fixture
def babbler() -> Iterator[int]:
    """A server that answers anything with an endless line."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        listener.settimeout(5)
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(0.2)
            while not stop.is_set():
                try:
                    connection.sendall(b"x" * 1024)
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    stop.set()
    listener.close()
    thread.join(2)


@pytest.mark.parametrize("kind", [YokogawaWt, PilotBoard, EastronSdm630])
def test_an_answer_without_an_end_is_bounded(babbler: int, kind: type[Driver]) -> None:
    resource = {
        YokogawaWt: f"TCPIP0::127.0.0.1::{babbler}::SOCKET",
        PilotBoard: f"socket://127.0.0.1:{babbler}",
        EastronSdm630: f"127.0.0.1:{babbler}",
    }[kind]
    started = time.monotonic()
    with pytest.raises(InstrumentNotFound):
        kind(resource, name="box", timeout_s=0.5).open()  # type: ignore[call-arg]
    assert time.monotonic() - started < 3


def test_a_silent_sink_is_lost_at_once_and_its_link_is_closed() -> None:
    with TcpWire(lines(*EA_OPEN, ("MEAS:VOLT?", ""))) as wire:
        sink = EaPsb(wire.resource, name="sink", timeout_s=0.2)
        sink.open()
        with pytest.raises(InstrumentLost, match="no answer within"):
            sink.measure()
        with pytest.raises(InstrumentLost, match="closed"):
            sink.measure()
        sink.close()


def test_a_late_answer_is_never_taken_for_the_next_one() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = int(listener.getsockname()[1])
    first = threading.Event()

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                for line in stream:
                    if line.startswith(b":NUM:NORM:VAL?") and not first.is_set():
                        first.set()
                        time.sleep(
                            0.4
                        )  # beyond the driver's patience; the answer comes when the link is gone
                        break
                    if line.strip().endswith(b"?"):
                        reply = b"1,2,3,4" if b"VAL?" in line else b"A,B,C,D" if b"IDN" in line else b"0,OK"
                        stream.write(reply + b"\n")
                        stream.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    analyzer = YokogawaWt(f"TCPIP0::127.0.0.1::{port}::SOCKET", name="analyzer", timeout_s=0.2)
    analyzer.open()
    reading = analyzer.measure()
    assert (reading.voltage_v, reading.energy_wh) == (1.0, 4.0)
    analyzer.close()
    thread.join(3)
    listener.close()


def test_a_hang_up_is_noticed_before_the_timeout() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    started = time.monotonic()
    with pytest.raises(InstrumentNotFound, match="hung up"):
        YokogawaWt(f"TCPIP0::127.0.0.1::{listener.getsockname()[1]}::SOCKET", name="box", timeout_s=10).open()
    assert time.monotonic() - started < 2
    thread.join(2)
    listener.close()


@pytest.mark.parametrize("answer", ["NAN V", "9.91E37 V", "", "12", "hello", "1,2", "\x00\xff"])
def test_nonsense_instead_of_a_number_is_a_lost_instrument(answer: str) -> None:
    script = lines(*EA_OPEN)
    script.append((b"MEAS:VOLT?\n", answer.encode("latin-1") + b"\n"))
    if answer == "12":  # without its unit a figure is still a figure
        script.append((b"MEAS:CURR?\n", b"-1 A\n"))
    with TcpWire(script) as wire:
        sink = EaPsb(wire.resource, name="sink", timeout_s=0.3)
        sink.open()
        if answer == "12":
            assert sink.measure().power_w == 12.0
        else:
            with pytest.raises(InstrumentLost, match="nonsense"):
                sink.measure()
        sink._link.close()


def test_a_board_that_fell_into_its_safe_state_is_lost() -> None:
    script = lines(("*IDN?", "P,B,7,1"), ("WDOG 1.50", "OK"), ("SAFE", "OK"), ("WDOG?", "WDOG 1.50 TRIPPED"))
    with PtyWire(script) as wire:
        board = PilotBoard(wire.path, name="pilot")
        board.open()
        with pytest.raises(InstrumentLost, match="safe state by itself"):
            board.keep_alive()
        board.close()


def test_a_port_that_another_controller_holds_is_not_shared() -> None:
    script = lines(("*IDN?", "P,B,7,1"), ("WDOG 1.50", "OK"), ("SAFE", "OK"))
    with PtyWire(script) as wire:
        board = PilotBoard(wire.path, name="pilot")
        board.open()
        with pytest.raises(InstrumentNotFound, match="exclusive"):
            PilotBoard(wire.path, name="other").open()
        board.close()


def test_options_are_checked_before_anything_is_sent() -> None:
    for make in (
        lambda: EastronSdm630("no port", name="m"),
        lambda: EastronSdm630("h:1", name="m", gateway="ascii"),
        lambda: EastronSdm630("h:1", name="m", unit=300),
        lambda: PilotBoard("p", name="p", watchdog_s=100),
        lambda: EaPsb("r", name="s", monitoring_s=float("inf")),
    ):
        with pytest.raises(LimitExceeded):
            make()
