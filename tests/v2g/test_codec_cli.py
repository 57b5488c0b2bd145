"""The verb ``plugbench exi``."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from bench.cli import exi

STOP = "8098004051f000"


def call(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="plugbench")
    exi.register(parser.add_subparsers())
    args = parser.parse_args(["exi", *words])
    code = args.func(args)
    assert isinstance(code, int)
    return code


def test_decode_and_encode(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call("decode", "--schema", "iso2", STOP) == 0
    xml = capsys.readouterr().out
    assert "SessionStopReq" in xml
    path = tmp_path / "stop.xml"
    path.write_text(xml, encoding="utf-8")
    assert call("encode", "--schema", "iso2", "--file", str(path)) == 0
    assert (
        bytes.fromhex(STOP).rstrip(b"\x00").startswith(bytes.fromhex(capsys.readouterr().out).rstrip(b"\x00"))
    )


@pytest.mark.parametrize(
    ("schema", "stream", "name"),
    [
        ("iso20-dc", "802c0400000000000000000052", "DC_CableCheckReq"),
        ("din", "809a004051f0", "SessionStopReq"),
    ],
)
def test_every_set_can_be_named(
    schema: str, stream: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("decode", "--schema", schema, stream) == 0
    assert name in capsys.readouterr().out


def test_json_from_standard_input_and_binary_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(STOP + "\n"))
    assert call("decode", "--schema", "iso2", "--json") == 0
    first = json.loads(capsys.readouterr().out)
    path = tmp_path / "stop.exi"
    path.write_bytes(bytes.fromhex(STOP))
    assert call("decode", "--schema", "iso2", "--json", "--file", str(path)) == 0
    assert json.loads(capsys.readouterr().out) == first


@pytest.mark.parametrize(
    "words",
    [
        ("decode", "--schema", "iso2", "zz"),
        ("decode", "--schema", "iso2", "8098"),
        ("decode", "--schema", "nope", "8098"),
        ("decode", "--schema", "iso2", "--file", "does-not-exist"),
        ("encode", "--schema", "iso2", "--file", "does-not-exist"),
    ],
)
def test_user_errors_are_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("plugbench exi: ")
    assert shown.err.count("\n") == 1
