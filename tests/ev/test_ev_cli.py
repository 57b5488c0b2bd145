"""`plugbench ev charge`: exit codes, one clear line on wrong usage, one JSON object at the end."""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path

import pytest
from fake_secc import FakeSecc

from bench.cli import ev as ev_cli
from bench.pki import Pki
from bench.v2g import sdp


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="plugbench")
    ev_cli.register(parser.add_subparsers(required=True))
    args = parser.parse_args(["ev", "charge", *arguments])
    code: int = args.func(args)
    return code


class Announcer:
    """Answers SDP on loopback with the address of a fake charger."""

    def __init__(self, secc: FakeSecc, tls: bool) -> None:
        import threading

        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.bind(("::1", 0))
        self.port = int(self._socket.getsockname()[1])
        security = sdp.SECURITY_TLS if tls else sdp.SECURITY_NONE
        self._answer = sdp.encode_response(sdp.SdpResponse("::1", secc.address[1], security))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while (got := self._socket.recvfrom(100)) and got[0] != b"end":
            self._socket.sendto(self._answer, got[1])

    def close(self) -> None:
        self._socket.sendto(b"end", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--protocol", "iso20"], "not in this version"),
        (["--protocol", "din"], "din is DC without"),
        (["--energy", "dc-bpt"], "not in this version"),
        (["--auth", "pnc"], "--pki"),
        (["--auth", "pnc", "--no-tls"], "TLS"),
        (["--profile", "nowhere"], "midsize_dc"),
        (["--profile", "small_ac", "--energy", "dc"], "no DC inlet"),
        (["--pki", "/nonexistent"], "nonexistent"),
        (["--duration", "-1"], "--duration"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert run("--interface", "lo", "--json", *arguments) == 2
    captured = capsys.readouterr()
    assert text in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_an_unknown_interface_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--interface", "nope0", "--json") == 2
    assert "nope0" in capsys.readouterr().err


def test_no_charger_is_exit_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--interface", "lo", "--sdp-port", "9", "--sdp-attempts", "1", "--json") == 4
    result = json.loads(capsys.readouterr().out)
    assert result["result"] == "not reached" and "SDP" in result["reason"]


def test_a_session_by_sdp(secc: FakeSecc, capsys: pytest.CaptureFixture[str]) -> None:
    announcer = Announcer(secc, tls=False)
    try:
        common = ["--interface", "lo", "--sdp-port", str(announcer.port), "--no-tls", "--duration", "0.1"]
        assert run(*common, "--json") == 0
        result = json.loads(capsys.readouterr().out)
        assert result["result"] == "ok" and result["energy_wh"] > 0 and result["hardware"] is False
        assert [each["name"] for each in result["steps"]][:2] == ["sdp_request", "sdp_response"]
        assert result["messages"][0]["name"] == "supportedAppProtocolReq"
        assert run(*common) == 0
        shown = capsys.readouterr().out
        assert "no pilot hardware" in shown and "SessionStopRes  OK" in shown and "result: ok" in shown
        secc.payment = ["Contract"]
        assert run(*common, "--json") == 1
        assert "ExternalPayment" in json.loads(capsys.readouterr().out)["reason"]
    finally:
        announcer.close()


def test_contract_session_over_tls_with_a_key_log(
    tls_secc: FakeSecc, pki: Pki, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pki.save(tmp_path / "pki")
    announcer = Announcer(tls_secc, tls=True)
    try:
        code = run(
            *("--interface", "lo", "--sdp-port", str(announcer.port), "--auth", "pnc", "--duration", "0.05"),
            *("--pki", str(tmp_path / "pki"), "--keylog", str(tmp_path / "keys"), "--strict", "--json"),
        )
    finally:
        announcer.close()
    result = json.loads(capsys.readouterr().out)
    assert code == 0 and result["contract"] == pki.contract.emaid
    assert result["tls"]["problems"] == [] and len(result["tls"]["chain"]) == 3
    assert "CLIENT_RANDOM" in (tmp_path / "keys").read_text()
