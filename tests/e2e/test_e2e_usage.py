"""What a user gets wrong is one line: what, where and how to mend it; exit code 2; nothing was run."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from controller import PLUGBENCH, PYTEST, Controller

from bench.ev.profile import bundled_profiles

Start = Callable[..., Controller]
MakeBench = Callable[..., Path]
TITLE = '    """A title.\n\n    Precondition: x.\n    Stimulus: x.\n    Expected: x.\n    """\n'
CASE = '@testcase("DUP-01", requires=["X"], defects=["x"], source="x")\n'


def _refused(run: Controller, *words: str) -> None:
    """Exit code 2, one line on stderr with these words, nothing else."""
    assert run.finish() == 2, run.out + run.err
    assert run.out == ""
    assert run.err.endswith("\n") and run.err.count("\n") == 1, run.err
    assert run.err.startswith("plugbench")
    for word in words:
        assert word in run.err, run.err
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bench", "embeded"], ["bench 'embeded' is not known; did you mean 'embedded'?"]),
        (["--bench", "no/such.toml"], ["no/such.toml: there is no such bench file"]),
        (["--charger", "simulatd"], ["charger 'simulatd' is not known; did you mean 'simulated'?"]),
        (["--defect", "accepts-revoked-contrac"], ["did you mean accepts-revoked-contract"]),
        (["-k", "matches-nothing"], ["no case matches -k 'matches-nothing'", "plugbench list"]),
        (["-k", "and and"], ["Wrong expression passed to '-k': and and"]),
        (["no/plan.py"], ["no/plan.py: there is no such plan", "plug_and_charge"]),
        (["--repeat", "0"], ["--repeat", "from 1 on"]),
        (["--repeat", "x"], ["--repeat", "'x'"]),
        (["--no-such-option"], ["--no-such-option", "plugbench run --help"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("-") else None,
)  # fmt: skip
def test_a_wrong_command(
    arguments: Sequence[str], words: Sequence[str], bench_file: MakeBench, start: Start, tmp_path: Path
) -> None:
    bench = [] if "--bench" in arguments else ["--bench", bench_file()]
    results = tmp_path / "results"
    _refused(start([*PLUGBENCH, "run", *arguments, *bench, "--results", results]), *words)
    assert not results.exists(), "nothing was started"


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("x = 1\ndef (\n", ["plan.py: line 2: SyntaxError"]),
        ("import no_such_module\n", ["plan.py: ModuleNotFoundError: No module named 'no_such_module'"]),
        ("def test_plain(): pass\n", ["no case in the plans", "@testcase"]),
        (
            f"from bench.plan import testcase\n{CASE}def test_a():\n{TITLE}{CASE}def test_b():\n{TITLE}",
            ["case id DUP-01 is used twice", "plan.py::test_a", "plan.py::test_b"],
        ),
    ],
    ids=["syntax", "import", "no-case", "duplicate"],
)
def test_a_wrong_plan(
    plan: str, words: Sequence[str], bench_file: MakeBench, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "plan.py"
    path.write_text(plan, encoding="utf-8")
    command = [*PLUGBENCH, "run", path, "--bench", bench_file(), "--results", tmp_path / "results"]
    _refused(start(command), *words)
    assert not (tmp_path / "results").exists()


def test_a_bench_file_that_is_wrong(bench_file: MakeBench, start: Start, tmp_path: Path) -> None:
    """Read by `plugbench check` too, which must say the same."""
    wrong = {
        "key": [('sdp_port = 0', 'sdp_prt = 0'), "network.sdp_prt: is not a key", "did you mean 'sdp_port'?"],
        "limits": [("power_w = 250_000", "power_w = 900_000"), "limits.power_w: 900000 W cannot be reached"],
        "driver": [('"yokogawa-wt"', '"yokogawa-w"'), "analyzer.driver", "did you mean 'yokogawa-wt'?"],
        "toml": [("[bench]", "[bench"), "not TOML", "line"],
    }  # fmt: skip
    for name, (change, *words) in wrong.items():
        bench = bench_file(change, name=name)
        check = start([*PLUGBENCH, "check", bench])
        _refused(check, str(bench), *words)
        if name == "key":
            run = start(
                [*PLUGBENCH, "run", "-k", "PNC-001", "--bench", bench, "--results", tmp_path / "none"]
            )
            _refused(run)
            assert run.err == check.err
    assert not (tmp_path / "none").exists()


def test_a_car_with_impossible_limits(bench_file: MakeBench, start: Start, tmp_path: Path) -> None:
    car = bundled_profiles()["midsize_dc"].read_text(encoding="utf-8")
    assert "max_voltage_v = 420.0" in car
    wrong = car.replace("max_voltage_v = 420.0", "max_voltage_v = -420.0")
    (tmp_path / "car.toml").write_text(wrong, encoding="utf-8")
    bench = bench_file(("[rig]", '[ev]\nprofile = "car.toml"\n\n[rig]'))
    run = start([*PLUGBENCH, "run", "-k", "PNC-001", "--bench", bench, "--results", tmp_path / "none"])
    _refused(run, "car.toml", "max_voltage_v")


def test_an_instrument_that_is_not_there(bench_file: MakeBench, start: Start, tmp_path: Path) -> None:
    bench = bench_file(('resource = "rig:meter"', 'resource = "127.0.0.1:9"'))
    run = start([*PLUGBENCH, "run", "-k", "PNC-001", "--bench", bench, "--results", tmp_path / "results"])
    _refused(run, "meter (SDM630 Modbus at 127.0.0.1:9)", "check its power and cable", "[instruments.meter]")


def test_a_port_that_is_taken(bench_file: MakeBench, start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        bench = bench_file(("port = 0\nsecurity", f"port = {port}\nsecurity"))
        run = start([*PLUGBENCH, "run", "-k", "PNC-001", "--bench", bench, "--results", tmp_path / "results"])
        _refused(run, f"csms: 127.0.0.1:{port}: Address already in use", "choose another csms.port")


def test_a_certificate_that_cannot_be_read(bench_file: MakeBench, start: Start, tmp_path: Path) -> None:
    made = subprocess.run(
        [*PLUGBENCH, "pki", "create", tmp_path / "pki"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    (tmp_path / "pki" / "mo" / "root.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish\n")
    bench = bench_file(("[rig]", '[pki]\nfolder = "pki"\n\n[rig]'))
    run = start([*PLUGBENCH, "run", "-k", "PNC-001", "--bench", bench, "--results", tmp_path / "results"])
    _refused(run, "mo/root.pem: not a PEM certificate", "mend the file")


def test_results_that_cannot_be_written(bench_file: MakeBench, start: Start, tmp_path: Path) -> None:
    """A file where the folder should be (root may write anywhere, but not there); and /proc as the cwd."""
    (tmp_path / "file").touch()
    bench = bench_file()
    one = start([*PLUGBENCH, "run", "-k", "PNC-001", "--bench", bench, "--results", tmp_path / "file"])
    _refused(one, f"{tmp_path}/file: no run folder can be made here", "--results")
    two = start([*PLUGBENCH, "run", "-k", "PNC-001", "--bench", bench], cwd=Path("/proc"))
    _refused(two, "results: no run folder can be made here", "--results")


def test_every_verb_has_help_with_examples() -> None:
    """The parsers of a process, because a process a verb would cost half a minute; the texts are the same."""
    code = """
        import argparse, contextlib, importlib, io
        from bench.cli import Parser, verbs

        def walk(parser, path):
            text = parser.format_help()
            name = " ".join(path)
            shown = f"plugbench {name}" in text.partition("examples:")[2]
            print(name, "examples" if shown else "-")
            for action in parser._actions:
                if isinstance(action, argparse._SubParsersAction):
                    for name, one in action.choices.items():
                        walk(one, [*path, name])

        for verb in verbs():
            sub = Parser(prog="plugbench").add_subparsers(parser_class=Parser)
            importlib.import_module(f"bench.cli.{verb}").register(sub)
            walk(sub.choices[verb], [verb])
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    ).stdout
    found = dict(line.rsplit(" ", 1) for line in said.splitlines())
    assert {
        "run",
        "list",
        "check",
        "report",
        "ev charge",
        "charger matrix",
        "csms serve",
        "pki inspect",
    } <= set(found)
    assert [verb for verb, what in found.items() if what != "examples"] == []


def test_plain_pytest_with_a_wrong_bench(start: Start) -> None:
    run = start([*PYTEST, "--pyargs", "testplans.plug_and_charge", "--bench", "embeded", "-k", "PNC-001"])
    assert run.finish() == 4
    assert run.err.strip() == (
        "ERROR: bench: bench 'embeded' is not known; did you mean 'embedded'?; a file is given by its path"
    )
    assert "Traceback" not in run.out and "warning" not in run.out
