"""The four verdicts, and the one place that says which exception means which.

- nothing raised: pass
- `AssertionError`, `ExpectationFailed`: fail, the charger broke what the case states
- `CarGaveUp`: inconclusive, the car would not even send the request under test
- other `SessionEnded` out of `session.send_next()`: fail, the stimulus was sent and got no answer
- `SessionEnded` out of anything else (`until`, `through`, `charge`): inconclusive, precondition not reached
- `Inconclusive`, `CsmsTimeout`, `CallError`, `MissingCapability`, `MissingPower`, a skip: inconclusive
- `DriverError`, `BenchError`, `CsmsError`, `ProfileError`, `TimelineError`, `BenchTrouble`: error, the bench
  or an instrument broke
- `KeyboardInterrupt`: inconclusive, the run was interrupted
- anything else: error, a bug of the plan

`CsmsTimeout` inside an expectation (`expect.backend_saw`) has become an `ExpectationFailed` before that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType


class Verdict(StrEnum):
    """What a case says about the charger, or about the bench."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class ExpectationFailed(AssertionError):  # noqa: N818 - reads as what happened
    """The charger did not do what the case expects: verdict `fail`. The text is one line for the report."""


class Inconclusive(Exception):  # noqa: N818
    """The precondition of the case was not reached: verdict `inconclusive`. For plan authors to raise."""


class PlanError(Exception):
    """A plan is written wrongly (no id, an id twice, a docstring without title): verdict `error`."""


class BenchTrouble(Exception):  # noqa: N818
    """The bench could not deliver what a judgement needs (no sample from the analyzer): verdict `error`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reason in one line (empty for a pass)."""

    verdict: Verdict
    reason: str = ""


# (room, class name, verdict, what stands before the reason). Rooms are named, not imported: an exception that
# exists has
# its module loaded, and a plan run that never touches a room need not pay for importing it.
_MEANINGS: tuple[tuple[str, str, Verdict, str], ...] = (
    ("bench.plan.", "Inconclusive", Verdict.INCONCLUSIVE, ""),
    ("bench.plan.", "BenchTrouble", Verdict.ERROR, "bench: "),
    ("bench.plan.", "PlanError", Verdict.ERROR, "plan: "),
    ("bench.ev", "SessionEnded", Verdict.INCONCLUSIVE, "precondition not reached: "),
    ("bench.ev", "MissingPower", Verdict.INCONCLUSIVE, "this bench lacks an instrument: "),
    ("bench.ev", "BenchBroke", Verdict.ERROR, "bench: "),
    ("bench.ev", "ProfileError", Verdict.ERROR, "bench: "),
    ("bench.csms", "CsmsTimeout", Verdict.INCONCLUSIVE, "precondition not reached: "),
    ("bench.csms", "CsmsError", Verdict.ERROR, "bench: "),
    (
        "bench.csms",
        "CallError",
        Verdict.INCONCLUSIVE,
        "precondition not reached: the charger refused a call: ",
    ),
    ("bench.station", "MissingCapability", Verdict.INCONCLUSIVE, "this bench lacks an instrument: "),
    ("bench.station", "BenchError", Verdict.ERROR, "bench: "),
    ("bench.station", "BenchFileError", Verdict.ERROR, "bench: "),
    ("drivers", "DriverError", Verdict.ERROR, "instrument: "),
    ("bench.timeline", "TimelineError", Verdict.ERROR, "bench: "),
    ("_pytest.", "Skipped", Verdict.INCONCLUSIVE, "skipped: "),
    ("_pytest.", "XFailed", Verdict.INCONCLUSIVE, "expected failure: "),
)
_SEVERITY = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.ERROR)
MAX_REASON = 600
"""A reason is one bounded line: it goes into tables, not into a log."""


def judge(error: BaseException | None) -> Judgement:
    """The verdict that `error`, raised by a case or its fixtures, stands for (None: pass)."""
    if error is None:
        return Judgement(Verdict.PASS)
    text = one_line(str(error)) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return Judgement(Verdict.INCONCLUSIVE, "the run was interrupted")
    sent = not is_a(error, "bench.ev", "CarGaveUp")
    if sent and is_a(error, "bench.ev", "SessionEnded") and _came_from_send_next(error.__traceback__):
        return Judgement(Verdict.FAIL, one_line(f"no answer to the request under test: {text}"))
    for room, name, verdict, prefix in _MEANINGS:
        if is_a(error, room, name):
            return Judgement(verdict, one_line(prefix + text))
    if isinstance(error, AssertionError):
        return Judgement(Verdict.FAIL, text)
    return Judgement(
        Verdict.ERROR, one_line(f"{_culprit(error)}: {type(error).__name__}: {text}{_place(error)}")
    )


def is_foreseen(error: BaseException) -> bool:
    """Whether `error` is one of those that the rooms raise on purpose, with a text for the user."""
    return any(is_a(error, room, name) for room, name, _, _ in _MEANINGS)


def worst(judgements: list[Judgement]) -> Judgement:
    """The judgement that counts of several phases of a case: error over fail over inconclusive over pass."""
    return max(judgements, key=lambda one: _SEVERITY.index(one.verdict), default=Judgement(Verdict.PASS))


def is_a(error: BaseException, room: str, name: str) -> bool:
    """Whether `error` is an instance of the class `name` defined somewhere in package `room`."""
    return any(cls.__name__ == name and f"{cls.__module__}.".startswith(room) for cls in type(error).__mro__)


def one_line(text: str, limit: int = MAX_REASON) -> str:
    """`text` on one line of at most `limit` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _came_from_send_next(trace: TracebackType | None) -> bool:
    # The outermost frame inside the EV tells what the plan called: `send_next` is the stimulus, all else
    # leads there.
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.startswith("bench.ev"):
            return trace.tb_frame.f_code.co_name == "send_next"
        trace = trace.tb_next
    return False


def _culprit(error: BaseException) -> str:
    trace, module = error.__traceback__, ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return "a flaw in plugbench" if module.startswith(("bench.", "drivers.", "fixtures.")) else "plan bug"


def _place(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if "test" in path.rsplit("/", 1)[-1]:
            place = f" ({path.rsplit('/', 1)[-1]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place
