"""The charger behind its sockets: SDP, TCP, TLS, split messages, hostile input, and the process itself."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from charger_lab import run

from bench.charger.profile import ChargerProfile
from bench.charger.secc import server
from bench.charger.secc.warm_up import requests
from bench.charger.service import Options, Service, ServiceError
from bench.charger.store import write_store
from bench.pki import Pki
from bench.v2g import codec, sdp, tls, v2gtp
from bench.v2g.messages import iso2, sap

COMMAND = [sys.executable, "-c", "import sys; from bench.cli import main; sys.exit(main())", "charger"]


def options(folder: Path | None = None, **more: Any) -> Options:
    return Options(
        interface="lo", profile=ChargerProfile(insulation_hold_s=0.0), store=folder, sdp_port=0, **more
    )


@pytest.fixture
def store(tmp_path: Path, pki: Pki) -> Path:
    folder = tmp_path / "store"
    write_store(
        folder,
        secc=pki.credentials["cpo/secc_leaf"],
        v2g_roots=[pki.credentials["v2g/root"].certificate],
        mo_roots=[pki.credentials["mo/root"].certificate],
    )
    return folder


def with_service(work: Callable[[Service], Awaitable[Any]], chosen: Options) -> None:
    async def inside() -> None:
        service = Service(chosen)
        try:
            await service.start()
            await work(service)
        finally:
            await service.close()

    run(inside())


class Car:
    """A TCP connection with V2GTP framing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.parser = reader, writer, v2gtp.Parser()
        self.id = bytes(8)

    @classmethod
    async def connect(cls, port: int | None, **more: Any) -> Car:
        return cls(*await asyncio.open_connection("::1", port, **more))

    async def raw(self, *pieces: bytes) -> bytes | None:
        """Send bytes, a segment a piece; the payload of the answer, or None when the charger closes."""
        try:
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()
                await asyncio.sleep(0.005)
            while True:
                data = await asyncio.wait_for(self.reader.read(4096), 5.0)
                if not data:
                    return None
                for _, payload in self.parser.feed(data):
                    return payload
        except ConnectionError:
            return None

    async def send(self, payload: bytes, split: int = 0) -> bytes | None:
        frame = v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, payload)
        return await self.raw(*([frame[:split], frame[split:]] if split else [frame]))

    async def negotiate(self, namespace: str = "urn:iso:15118:2:2013:MsgDef") -> Any:
        offer = sap.AppProtocol(
            ProtocolNamespace=namespace, VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=3, Priority=1
        )
        answer = await self.send(codec.encode(sap.supportedAppProtocolReq(AppProtocol=[offer])))
        assert answer is not None
        return codec.decode("sap", answer)

    async def ask(self, body: iso2.BodyElement, split: int = 0) -> Any:
        header = iso2.MessageHeader(SessionID=self.id)
        payload = codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body)))
        answer = await self.send(payload, split)
        if answer is None:
            return None
        message = codec.decode("iso2", answer)
        self.id = message.Header.SessionID
        return message.Body.BodyElement

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            return


async def good_session(service: Service) -> None:
    """A new connection works from SAP to SessionStop."""
    assert service.ready is not None
    car = await Car.connect(service.ready.tcp_port)
    assert (await car.negotiate()).SchemaID == 3
    kinds = {type(each).__name__: each for each in requests()}
    assert (await car.ask(kinds["SessionSetupReq"])).ResponseCode == "OK_NewSessionEstablished"
    assert (await car.ask(kinds["ServiceDiscoveryReq"])).ResponseCode == "OK"
    assert (await car.ask(kinds["SessionStopReq"])).ResponseCode == "OK"
    await car.close()


def test_sdp_names_the_right_port(store: Path) -> None:
    async def work(service: Service) -> None:
        ready = service.ready
        assert ready is not None and ready.tls_port is not None
        for wanted, port in ((True, ready.tls_port), (False, ready.tcp_port)):
            found = await asyncio.to_thread(sdp.discover, "lo", tls=wanted, port=ready.sdp_port, attempts=2)
            assert found.response is not None
            assert (found.response.port, found.response.tls) == (port, wanted)

    with_service(work, options(store))


def test_split_messages_and_an_unknown_protocol() -> None:
    async def work(service: Service) -> None:
        assert service.ready is not None
        car = await Car.connect(service.ready.tcp_port)
        assert (await car.negotiate("urn:nobody")).ResponseCode == sap.responseCode.Failed_NoNegotiation
        await car.negotiate()
        response = await car.ask(iso2.SessionSetupReq(EVCCID=bytes(6)), split=9)
        assert response.ResponseCode == "OK_NewSessionEstablished"
        await car.close()

    with_service(work, options())


def test_tls_failures_do_not_matter_to_the_next_handshake(store: Path, pki: Pki) -> None:
    async def work(service: Service) -> None:
        assert service.ready is not None
        port = service.ready.tls_port
        for rubbish in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x03\x00\x05hello"):
            car = await Car.connect(port)
            car.writer.write(rubbish)
            await car.close()
        context = tls.client_context([pki.credentials["v2g/root"].certificate])
        context._msg_callback = None  # type: ignore[attr-defined]
        car = await Car.connect(port, ssl=context, server_hostname="")
        assert (await car.negotiate()).SchemaID == 3
        await car.close()

    with_service(work, options(store))


def test_hostile_input_ends_only_its_own_connection() -> None:
    async def work(service: Service) -> None:
        assert service.ready is not None
        dice = random.Random(15118)
        valid = [
            codec.encode(
                iso2.V2G_Message(
                    Header=iso2.MessageHeader(SessionID=bytes(8)), Body=iso2.Body(BodyElement=body)
                )
            )
            for body in requests()
        ]
        for _ in range(60):
            car = await Car.connect(service.ready.tcp_port)
            if dice.random() < 0.3:
                # a header that promises much, rubbish, or nothing whole; the peer then goes away
                car.writer.write(
                    dice.choice([b"\x01\xfe\x80\x01\xff\xff\xff\xff", dice.randbytes(40), b"\x01"])
                )
                await car.close()
                continue
            await car.negotiate()
            await car.ask(iso2.SessionSetupReq(EVCCID=bytes(6)))
            for _ in range(4):
                payload = bytearray(dice.choice(valid))
                for _ in range(dice.randint(1, 4)):
                    payload[dice.randrange(len(payload))] ^= 1 << dice.randrange(8)
                cut = (
                    bytes(payload[: dice.randint(1, len(payload))]) if dice.random() < 0.3 else bytes(payload)
                )
                if await car.send(cut) is None:
                    break
            await car.close()
        assert not service.charger.charging
        await good_session(service)

    with_service(work, options())


def test_a_silent_ev_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(service: Service) -> None:
        assert service.ready is not None
        service.charger.policy.sequence_timeout_s = 0.1
        car = await Car.connect(service.ready.tcp_port)
        await car.negotiate()
        assert await car.raw() is None
        await car.close()

    with_service(work, options())


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)

    async def work(service: Service) -> None:
        assert service.ready is not None
        cars = [await Car.connect(service.ready.tcp_port) for _ in range(3)]
        assert await cars[2].raw() is None
        for car in cars:
            await car.close()

    with_service(work, options())


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(ServiceError, match="no network interface"):
        with_service(None, Options(interface="nope0", profile=ChargerProfile()))  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["term", "lifeline"])
def test_the_process_ends_in_order(how: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "serve", "--interface", "lo", "--sdp-port", "0", "--ready-json", "--lifeline"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdin is not None
    ready = json.loads(process.stdout.readline())
    assert ready["tls_port"] is None and ready["pid"] == process.pid and ready["address"] == "::1"
    if how == "term":
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=8)
    else:
        _, errors = process.communicate(timeout=8)  # closes standard input
    assert process.returncode == 0 and errors == b""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["serve", "--interface", "lo", "--defect", "genchallenge-konstant"], "genchallenge-constant"),
        (["serve", "--interface", "nope0"], "no network interface"),
        (["serve", "--interface", "lo", "--cable", "nowhere"], "HOST:PORT"),
        (["serve", "--interface", "lo", "--csms", "http://x"], "ws://"),
        (["serve", "--interface", "lo", "--store", "/does/not/exist"], "certificate store"),
        (["serve", "--interface", "lo", "--profile", "/does/not/exist.toml"], "No such file"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.cli import main

    assert main(["charger", *arguments]) == 2
    errors = capsys.readouterr().err
    assert text in errors and errors.count("\n") == 1


def test_defects_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from bench.cli import main

    assert main(["charger", "defects", "--names"]) == 0
    names = capsys.readouterr().out.split()
    assert len(names) == len(set(names)) > 80 and "genchallenge-constant" in names
    assert main(["charger", "defects"]) == 0
    assert "GenChallenge is the same" in capsys.readouterr().out
