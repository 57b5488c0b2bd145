"""`plugbench pki`: create and inspect, and one line for what the user can put right."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bench.cli import pki as cli
from bench.pki import Pki


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    cli.register(parser.add_subparsers(required=True))
    args = parser.parse_args(["pki", *arguments])
    return int(args.func(args))


def test_create_and_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pki"
    assert run("create", str(folder)) == 0
    assert Pki.load(folder).contract.emaid in capsys.readouterr().out
    assert run("inspect", str(folder)) == 0
    assert "cpo/secc_leaf.pem" in capsys.readouterr().out
    assert run("inspect", str(folder / "cpo/secc_chain.pem")) == 0
    assert capsys.readouterr().out.count("  sha256  ") == 3


def test_a_folder_that_is_not_empty_needs_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("")
    assert run("create", str(tmp_path)) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert run("create", str(tmp_path), "--force") == 0
    assert run("create", str(tmp_path / "x")) == 2


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n", bytes(2_000_000)]
)
def test_an_unreadable_certificate_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "a.pem").write_bytes(content)
    for target in ("a.pem", "."):
        assert run("inspect", str(tmp_path / target)) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert "a.pem" in captured.err
        assert not captured.out


def test_nothing_to_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", str(tmp_path)) == 2
    assert run("inspect", str(tmp_path / "nowhere")) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--help")
    assert stop.value.code == 0
    assert "plugbench pki inspect" in capsys.readouterr().out
