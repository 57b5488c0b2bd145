"""`plugbench capture`: what it prints, and how it refuses."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest
from capture_lab import CHARGER, decoded, exi_messages, pcap, pcapng, secrets, session, written

from bench.capture.summary import Summary
from bench.cli import capture, main
from bench.slac import mme

MESSAGES = exi_messages()
MATCHED = mme.build_frame(
    mme.AttenCharInd(num_sounds=10, aag=bytes([20] * 29 + [30] * 29)),
    destination=b"\x02" * 6,
    source=b"\x04" * 6,
)


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_jsonl_has_every_message_with_the_fixed_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, pcapng([MATCHED, *session()]))
    assert main(["capture", "decode", str(path), "--jsonl"]) == 0
    out, err = capsys.readouterr()
    found = lines(out)
    assert err == ""
    assert all({"frame", "t", "src", "dst", "layer", "name", "schema", "exi"} <= set(each) for each in found)
    v2g = [each for each in found if each["layer"] == "v2g"]
    assert [(each["name"], each["exi"]) for each in v2g] == [(name, exi.hex()) for name, exi in MESSAGES]
    assert v2g[0]["t"] == "1700000000.128456789"
    assert v2g[2] | {"schema": "iso2", "frame": 9, "namespace": "urn:iso:15118:2:2013:MsgDef"} == v2g[2]
    assert found[0]["name"] == "CM_ATTEN_CHAR.IND"
    assert found[0]["schema"] is None
    assert "file" not in found[0]


def test_jsonl_with_fields_of_several_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [
        written(tmp_path, pcap(session(), order=">", nano=True), "one.pcap"),
        written(tmp_path, gzip.compress(pcapng(session())), "two.pcapng.gz"),
    ]
    assert main(["capture", "decode", *map(str, paths), "--jsonl", "--fields"]) == 0
    found = lines(capsys.readouterr().out)
    halves = [[each for each in found if each["file"] == str(path)] for path in paths]
    assert len(halves[0]) == len(halves[1]) == len(found) / 2
    for one, two in zip(*halves, strict=True):
        assert one | {"file": ""} == two | {"file": ""}
    [setup] = [each for each in halves[0] if each["exi"] == MESSAGES[3][1].hex()]
    body = setup["fields"]["V2G_Message"]["Body"]["BodyElement"]["SessionSetupRes"]  # type: ignore[index]
    assert body["EVSEID"] == "DE*TST*E1"


def test_the_table_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, pcap(session()[7:-2]))
    assert main(["capture", "decode", str(path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split()[:5] == ["frame", "t_s", "layer", "schema", "name"]
    assert out[1].split()[:5] == ["1", "0.000000", "v2g", "iso2?", "SessionSetupReq"]
    assert "FAILED" in next(line for line in out if line.split()[0] == "7")


def test_a_broken_file_gives_what_there_is_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = pcap(session())
    path = written(tmp_path, data[: len(data) // 2])
    assert main(["capture", "decode", str(path), "--jsonl"]) == 0
    out, err = capsys.readouterr()
    assert len(lines(out)) >= 4
    assert err.startswith(f"plugbench: {path}: at byte ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("action", ["decode", "summary"])
def test_a_users_mistake_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    good = written(tmp_path, pcap(session()), "good.pcap")
    text = written(tmp_path, b"not a capture\n", "notes.txt")
    for arguments, said in (
        ([str(tmp_path / "absent")], "No such file"),
        ([str(tmp_path)], "directory"),
        ([str(text)], "not a capture file"),
        ([str(good), "--keylog", str(tmp_path / "absent")], "No such file"),
        ([], "required"),
    ):
        assert main(["capture", action, *arguments]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    assert main(["capture", "decode", str(good), "--fields"]) == 2


def test_the_files_that_can_be_read_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, pcap(session()), "good.pcap")
    assert main(["capture", "summary", str(tmp_path / "absent"), str(good), "--json"]) == 2
    out, err = capsys.readouterr()
    assert [each["file"] for each in lines(out)] == [str(good)]
    assert err.count("\n") == 1


def test_a_key_log_without_keys_is_mentioned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, pcap(session()), "good.pcap")
    assert main(["capture", "decode", str(good), "--keylog", str(good)]) == 0
    assert "no TLS secrets in it" in capsys.readouterr().err


def test_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = session()
    path = written(tmp_path, pcapng([MATCHED, *frames[:7], *frames[8:]]) + secrets(b"x\n"))
    assert main(["capture", "summary", str(path), "--json"]) == 0
    [found] = lines(capsys.readouterr().out)
    assert found["packets"] == len(frames)
    assert found["duration_s"] == pytest.approx((len(frames) - 1) / 1000)
    assert found["protocols"] == ["SLAC", "ISO 15118-2"]
    assert found["evccid"] == []
    assert found["evseid"] == ["DE*TST*E1", "DE*TST*E2"]
    assert found["session_ids"] == ["0102030405060708"]
    assert found["first_message"] == {"frame": 5, "name": "supportedAppProtocolReq"}
    assert found["last_message"] == {"frame": 18, "name": "SessionStopRes"}
    assert found["not_ok"] == [{"frame": 14, "name": "SessionSetupRes", "response_code": "FAILED"}]
    assert [each["average_db"] for each in found["attenuation"]] == [25.0]
    assert found["lost_bytes"] == 8 + len(MESSAGES[2][1])
    assert any("not captured" in each for each in found["problems"])
    assert main(["capture", "summary", str(path)]) == 0
    out = capsys.readouterr().out
    for text in (
        "SLAC, ISO 15118-2",
        "DE*TST*E1",
        "25.0 dB",
        "SessionSetupRes FAILED (frame 14)",
        "bytes lost",
    ):
        assert text in out


def test_a_terminal_cannot_be_steered_by_what_a_charger_sends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.v2g import codec
    from bench.v2g.messages import iso2

    body = iso2.SessionSetupRes(ResponseCode=iso2.responseCode.OK, EVSEID="DE*\x1b]0;owned\x07*")
    message = iso2.V2G_Message(
        Header=iso2.MessageHeader(SessionID=bytes(8)), Body=iso2.Body(BodyElement=body)
    )
    exi = codec.encode(message, deviations=True)
    path = written(tmp_path, pcap(session([*MESSAGES[:3], ("SessionSetupRes", exi)])))
    for action in ("summary", "decode"):
        assert main(["capture", action, str(path)]) == 0
        assert "\x1b" not in capsys.readouterr().out


def test_the_lists_of_a_summary_are_bounded() -> None:
    found = Summary()
    refused = [item for item in decoded(session()) if item.response_code == "FAILED"]
    for number in range(1000):
        for item in refused:
            found.add(item._replace(frame=number, src=CHARGER))
    shown = found.to_json()
    assert len(shown["not_ok"]) == 50
    assert shown["totals"]["refusals"] == 1000


def test_a_long_file_shows_its_progress_to_somebody_who_looks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, pcap(session() * 400))
    monkeypatch.setattr(capture, "_PROGRESS_S", 0.0)
    assert main(["capture", "summary", str(path)]) == 0
    assert capsys.readouterr().err == ""  # nobody looks: not a terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["capture", "summary", str(path)]) == 0
    assert f"{path}: 100 %, 8192 packets" in capsys.readouterr().err
