"""What a plan author imports: cases, expectations, verdicts.

```python
from bench.plan import testcase

@testcase("PNC-001", requires=["V2G2-159"], defects=["sdp-ignores-first-request"], source="...")
def test_first_sdp_request_is_answered(ev, expect, measure):
    \"\"\"The first SDP request is answered in 250 ms.

    Precondition: ...
    Stimulus: ...
    Expected: ...
    \"\"\"
```

Fixtures (package `fixtures`): `ev`, `csms`, `pki`, `expect`, `measure`, `step`, `charger_state`, `station`,
`timeline`.
"""

from __future__ import annotations

from bench.plan.case import Case, testcase
from bench.plan.expect import Ending, Expect, Transaction
from bench.plan.measure import Measure
from bench.plan.verdict import BenchTrouble, ExpectationFailed, Inconclusive, Judgement, PlanError, Verdict

__all__ = [
    "BenchTrouble",
    "Case",
    "Ending",
    "Expect",
    "ExpectationFailed",
    "Inconclusive",
    "Judgement",
    "Measure",
    "PlanError",
    "Transaction",
    "Verdict",
    "testcase",
]
