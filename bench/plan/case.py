"""`@testcase`: a test function becomes a case with an id, requirement ids and the defects that it catches.

```python
@testcase("PNC-031", requires=["C07.FR.16"], defects=["accepts-revoked-contract"], areas=["charger",
"backend"]) def test_revoked_contract_is_refused(ev, csms, expect): \"\"\"A contract that the backend reports
as revoked is refused.

    Precondition: DC session over TLS, contract payment, up to AuthorizationReq.
    Stimulus: the backend answers Authorize with CertificateRevoked.
    Expected: FAILED_CertificateRevoked and no energy.
    \"\"\"
```

The id, the requirement ids and all else are data (`Case`): reachable as
`item.get_closest_marker("plugbench").args[0]`, as `function.case`, and through `bench.plan.catalogue`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import pytest

from bench.plan.verdict import PlanError

Function = TypeVar("Function", bound=Callable[..., Any])
AREAS = ("charger", "trust", "provisioning", "backend", "reconciliation", "fallback")
"""What a case belongs to in the readiness checklist and among the launch dependencies."""
CONFIDENCES = ("source2", "source", "memory")
"""How sure the expected behaviour is: seen in two public sources, in one, or a recollection to be checked."""
MARKER = "plugbench"
_ID = re.compile(r"[A-Z]{2,4}-\d{2,3}")
_PART = re.compile(r"^\s*(Precondition|Stimulus|Expected):\s*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a case before it runs.

    `deviates` names what the case does against the protocol on purpose (`"order"`, `"session-id"`,
    `"timing"`, `"ocpp"`, `"voltage"`, `"pilot"`): rules leave out what the bench caused (see `bench.rules`).
    """

    id: str
    title: str
    requirements: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    source: str = ""
    confidence: str = "source"
    areas: tuple[str, ...] = ("charger",)
    slow: bool = False
    deviates: tuple[str, ...] = ()
    precondition: str = ""
    stimulus: str = ""
    expected: str = ""
    group: str = ""
    nodeid: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON-able values, for `plugbench list --json` and run.json."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }

    def placed(self, *, group: str, nodeid: str) -> Case:
        """This case with the file (`group`) and pytest node it was found in."""
        return replace(self, group=group, nodeid=nodeid)


def testcase(
    id: str,
    *,
    requires: Iterable[str] = (),
    defects: Iterable[str] = (),
    source: str = "",
    confidence: str = "source",
    areas: Iterable[str] = ("charger",),
    slow: bool = False,
    deviates: Iterable[str] = (),
) -> Callable[[Function], Function]:
    """Declare the decorated test function to be case `id` (`PNC-001`).

    `requires`: requirement ids (`V2G2-475`, `C07.FR.16`). `defects`: names of the charger defects that make
    this case fail (at least one, or the case proves nothing). `source`: where the expectation comes from.
    `slow`: left out unless `--slow` is given. `deviates`: see `Case`. The docstring gives the title and the
    paragraphs `Precondition:`, `Stimulus:` and `Expected:`.

    Raises PlanError for an id that is not one, an unknown area or confidence, or a docstring without a title.
    """
    areas, where = tuple(areas), f"@testcase({id!r})"
    if not _ID.fullmatch(id):
        raise PlanError(f"{where}: an id is two to four capital letters, a dash and two or three digits")
    if unknown := [area for area in areas if area not in AREAS]:
        raise PlanError(f"{where}: unknown area {unknown[0]!r}; known: {', '.join(AREAS)}")
    if confidence not in CONFIDENCES:
        raise PlanError(f"{where}: unknown confidence {confidence!r}; known: {', '.join(CONFIDENCES)}")

    def decorate(function: Function) -> Function:
        title, parts = read_docstring(inspect.getdoc(function) or "")
        if not title:
            raise PlanError(f"{where}: the first line of the docstring is the title; there is none")
        case = Case(
            id, title, tuple(requires), tuple(defects), source, confidence, areas, slow, tuple(deviates),
            parts.get("Precondition", ""), parts.get("Stimulus", ""), parts.get("Expected", ""),
        )  # fmt: skip
        function.case = case  # type: ignore[attr-defined]
        marked = getattr(pytest.mark, MARKER)(case)(function)
        return pytest.mark.slow(marked) if slow else marked  # type: ignore[no-any-return]

    return decorate


testcase.__test__ = False  # type: ignore[attr-defined]  # pytest collects functions named test*; this is no test


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Title and the named paragraphs of a case's docstring, each on one line."""
    title, _, rest = text.strip().partition("\n")
    pieces = _PART.split(rest)
    return title.strip().rstrip("."), {
        name: " ".join(body.split()) for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def case_of(item: pytest.Item) -> Case | None:
    """The case that a collected pytest item is, or None when it is no plugbench case."""
    marker = item.get_closest_marker(MARKER)
    if marker is None or not marker.args or not isinstance(marker.args[0], Case):
        return None
    case: Case = marker.args[0]
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        case = replace(case, title=f"{case.title} [{callspec.id}]")
    if case.group:
        return case  # a rule: it is in no file of a plan
    return case.placed(group=item.path.stem.removeprefix("test_"), nodeid=item.nodeid)
