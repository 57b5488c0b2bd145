"""What came of a matching: the figures that a report, a test case and the command line show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.slac.mme import mac_text


@dataclass(slots=True)
class EvseSeen:
    """A charger that has answered. `groups_db` is what its CM_ATTEN_CHAR.IND says, in dB."""

    mac: bytes
    parm_response_s: float | None = None
    num_sounds: int = 0
    groups_db: tuple[int, ...] = ()
    attenuation_indications: int = 0

    @property
    def average_db(self) -> float | None:
        """Mean of the groups; None while nothing is known."""
        return sum(self.groups_db) / len(self.groups_db) if self.groups_db else None

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "mac": mac_text(self.mac),
            "average_db": None if self.average_db is None else round(self.average_db, 2),
            "num_sounds": self.num_sounds,
            "parm_response_s": _rounded(self.parm_response_s),
            "attenuation_indications": self.attenuation_indications,
        }


@dataclass(slots=True)
class StepTaken:
    """One step of the sequence: `t_s` from the beginning; `duration_s` None when it never ended."""

    name: str
    t_s: float
    duration_s: float | None = None
    limit_s: float | None = None
    outcome: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "name": self.name,
            "t_s": round(self.t_s, 6),
            "duration_s": _rounded(self.duration_s),
            "limit_s": self.limit_s,
            "outcome": self.outcome,
        }


@dataclass(slots=True)
class MatchResult:
    """The outcome of one matching by the car.

    `linked`: the modems hear each other in the network that the charger gave. `matched`: a valid
    CM_SLAC_MATCH.CNF has come. `found`: "direct", "validated" or "" (see the thresholds in `limits`).
    `problems` are deviations of the charger that did not end the matching. `nmk` is a secret: it is not in
    `to_json` unless asked for.
    """

    linked: bool = False
    matched: bool = False
    reason: str = ""
    found: str = ""
    run_id: bytes = b""
    evse_mac: bytes | None = None
    nid: bytes | None = None
    nmk: bytes | None = field(default=None, repr=False)
    average_db: float | None = None
    groups_db: tuple[int, ...] = ()
    toggles_counted: int | None = None
    attempts: int = 0
    duration_s: float = 0.0
    sounds: int = 0
    sound_interval_s: tuple[float, float] | None = None
    retries: dict[str, int] = field(default_factory=dict)
    steps: list[StepTaken] = field(default_factory=list)
    evses: list[EvseSeen] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    limits: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self, *, secrets: bool = False) -> dict[str, Any]:
        """JSON-able form; with the network key only when `secrets` is set."""
        fields: dict[str, Any] = {
            "linked": self.linked,
            "matched": self.matched,
            "reason": self.reason,
            "found": self.found,
            "run_id": self.run_id.hex(),
            "evse_mac": None if self.evse_mac is None else mac_text(self.evse_mac),
            "nid": None if self.nid is None else self.nid.hex(),
            "average_db": None if self.average_db is None else round(self.average_db, 2),
            "groups_db": list(self.groups_db),
            "toggles_counted": self.toggles_counted,
            "attempts": self.attempts,
            "duration_s": round(self.duration_s, 6),
            "sounds": self.sounds,
            "sound_interval_s": None
            if self.sound_interval_s is None
            else [round(each, 6) for each in self.sound_interval_s],
            "retries": dict(self.retries),
            "steps": [each.to_json() for each in self.steps],
            "evses": [each.to_json() for each in self.evses],
            "problems": list(self.problems),
            "deviations": list(self.deviations),
            "limits": self.limits,
        }
        if secrets:
            fields["nmk"] = None if self.nmk is None else self.nmk.hex()
        return fields


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
