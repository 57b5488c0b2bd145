"""The command line: help, complaints in one line, and runs on a fake and on the embedded bench."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main, verbs
from bench.cli.run import MEANINGS

ROOT = Path(__file__).parents[2]
FAKE = """
import sys
sys.path.insert(0, {fakes!r})
from pathlib import Path
import pytest
from fake_bench import FakeStation

def pytest_plugbench_open_station(config):
    results = Path(config.getoption("results"))
    return FakeStation(results / f"run-{{len(list(results.glob('run-*'))) + 1}}")

@pytest.fixture
def ev(station):
    car = station.new_ev()
    yield car
    car.unplug()
"""
PLAN = '''
from pathlib import Path
from bench.plan import testcase
from fake_bench import ended

@testcase("CLI-01", requires=["R-1"], defects=["wrong-one"])
def test_one(ev, expect):
    """The first works.

    Precondition: none.
    Stimulus: none.
    Expected: {first}
    """
    expect({first}, "answer").to_be("OK")

@testcase("CLI-02")
def test_two(ev, expect):
    """The second {second}.

    Precondition: none.
    Stimulus: none.
    Expected: whatever.
    """
    {second}
'''
IMPORTS_NOTHING = """
import sys
from bench.cli import main
main(["--help"])
print([name for name in sys.modules if "pytest" in name])
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Write a plan with a fake bench; returns a function of what its two cases do."""
    monkeypatch.chdir(tmp_path)

    def write(first: str = "'OK'", second: str = "pass") -> str:
        folder = tmp_path / "plan"
        folder.mkdir(exist_ok=True)
        (folder / "conftest.py").write_text(FAKE.format(fakes=str(ROOT / "tests" / "plan")))
        (folder / "test_plan.py").write_text(PLAN.format(first=first, second=second))
        for name in [name for name in sys.modules if name in ("test_plan", "conftest")]:
            monkeypatch.delitem(sys.modules, name)
        return str(folder)

    yield write
    sys.modules.pop("test_plan", None)  # another test's plan of that name would be taken for this one


def test_help_names_the_verbs_and_loads_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in ("run", "list", "check", "report"))
    said = subprocess.run(
        [sys.executable, "-c", IMPORTS_NOTHING], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert said.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", ["run", "list", "check", "report"])
def test_each_verb_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"plugbench {verb}" in capsys.readouterr().out.partition("examples:")[2]
    assert verbs()[verb]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["walk"], "unknown verb 'walk'"),
        (["run", "--repeat", "0"], "--repeat takes a number from 1 on"),
        (["run", "--sideways"], "--sideways"),
        (["run", "no_such_plan"], "no_such_plan: there is no such plan"),
        (["run", "--bench", "no_such_bench"], "no_such_bench"),
        (["run", "--bench", "none.toml"], "none.toml: there is no such bench file"),
        (["run", "-k", "PNC-777"], "no case matches -k 'PNC-777'"),
        (["run", "--defect", "no-such-defect"], "no-such-defect"),
        (["list", "nowhere"], "nowhere: there is no such plan"),
        (["list", "--defect", "no-such-defect"], "no case names the defect"),
        (["check"], "name a bench file"),
        (["check", "nothing.toml"], "nothing.toml: there is no such bench file"),
        (["check", "--charger", "nothing.toml"], "nothing.toml: there is no such charger file"),
        (["report", "nowhere"], "nowhere/run.json: there is no such file"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
    assert "Traceback" not in complaint


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("'OK'", "pass", 0),
        ("'FAILED'", "raise ended()", 1),
        ("'OK'", "raise ended()", 4),
        ("'OK'", "{}['x']", 3),
        ("'OK'", "raise KeyboardInterrupt", 4),
    ],
)
def test_exit_codes(first: str, second: str, code: int, plan: Any, capsys: Any) -> None:
    assert main(["run", plan(first, second)]) == code
    said = capsys.readouterr().out
    assert MEANINGS[code] in said
    run = json.loads(Path("results/run-1/run.json").read_text())
    assert run["run"]["exit_code"] == code
    assert run["run"]["interrupted"] is ("KeyboardInterrupt" in second)


def test_run_folder_has_the_reports(plan: Any, capsys: Any) -> None:
    main(["run", plan()])
    assert "CLI-01" in capsys.readouterr().out
    folder = Path("results/run-1")
    assert "The first works" in (folder / "report.html").read_text()
    assert (folder / "cases" / "CLI-01.html").exists()
    page = (folder / "pytest.html").read_text()
    assert "cases/CLI-01.html" in page
    assert '"requirement" value="R-1"' in (folder / "junit.xml").read_text().replace("name=", "")


def test_repeat_shows_where_verdicts_differ(plan: Any, capsys: Any) -> None:
    flaky = "Path('mark').exists() and expect(1).to_be(2); Path('mark').touch()"
    assert main(["run", plan(second=flaky), "--repeat", "2", "--no-report"]) == 1
    table = capsys.readouterr().out.partition("verdicts that differ")[2]
    assert "CLI-02" in table and "pass" in table and "fail" in table
    assert "CLI-01" not in table
    assert json.loads(Path("results/run-2/run.json").read_text())["run"]["repeat"] == {"index": 2, "of": 2}


def test_a_plan_that_cannot_be_imported_is_one_line(plan: Any, capsys: Any) -> None:
    folder = plan()
    (Path(folder) / "test_plan.py").write_text("import no_such_module_at_all\n")
    assert main(["run", folder]) == 2
    assert "no_such_module_at_all" in capsys.readouterr().err
    assert main(["check", folder]) == 2


def test_a_broken_report_does_not_lose_the_run(
    plan: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> Path:
        raise KeyError("lane")

    monkeypatch.setattr("bench.report.write_report", broken)
    assert main(["run", plan()]) == 0
    assert "no report" in capsys.readouterr().err


def test_list_as_json_and_by_defect(plan: Any, capsys: Any) -> None:
    assert main(["list", plan(), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [case["id"] for case in listed][:2] == ["CLI-01", "CLI-02"]
    assert main(["list", "--defect", "precharge-undershoot"]) == 0
    assert "PNC-014" in capsys.readouterr().out


def test_check_says_what_is_fine_and_what_is_missing(plan: Any, capsys: Any) -> None:
    folder = plan()
    assert main(["check", folder, "embedded", "--charger", "simulated"]) == 0
    assert capsys.readouterr().out.count("ok ") == 3
    text = (Path(folder) / "test_plan.py").read_text().replace("Stimulus: none.", "", 1)
    (Path(folder) / "test_plan.py").write_text(text)
    del sys.modules["test_plan"]
    assert main(["check", folder]) == 2
    assert "CLI-01 has no Stimulus paragraph" in capsys.readouterr().err


def test_one_case_on_the_embedded_bench(tmp_path: Path) -> None:
    bench = (ROOT / "fixtures" / "benches" / "embedded.toml").read_text()
    own = tmp_path / "bench.toml"
    own.write_text(bench.replace('name = "embedded"', f'name = "cli-{tmp_path.name[-12:]}"'))
    command = [
        sys.executable,
        "-c",
        "import sys; from bench.cli import main; sys.exit(main())",
        "run",
        "-k",
        "PNC-010",
    ]
    command += ["--bench", str(own), "--results", str(tmp_path / "results")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    (folder,) = (tmp_path / "results").iterdir()
    run = json.loads((folder / "run.json").read_text())
    assert [case["verdict"] for case in run["cases"]] == ["pass"]
    assert {rule["verdict"] for rule in run["rules"]} == {"pass"}
    assert len(run["cases"][0]["steps"]) == 8
    assert [one["role"] for one in run["trust"]] == ["contract", "SECC"]
    assert all(
        (folder / name).exists() for name in ("report.html", "junit.xml", "pytest.html", "manifest.json")
    )
