"""What a matching is done with: timers and counts of the standard with their source, and the choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.v2g import timers

EV_LIMITS = (
    "TT_match_response",
    "TT_match_sequence",
    "TP_match_sequence",
    "TT_EV_atten_results",
    "TT_match_join",
    "TT_matching_rate",
    "TT_matching_repetition",
    "TT_amp_map_exchange",
    "TP_EV_vald_toggle",
    "C_EV_match_MNBC",
    "C_EV_start_atten_char_inds",
    "C_EV_match_retry",
    "C_conn_max_match_min",
    "direct_db",
    "indirect_db",
)
EVSE_LIMITS = (
    "TT_match_response",
    "TT_match_sequence",
    "TT_EVSE_match_MNBC",
    "TT_EVSE_match_session",
    "TT_EVSE_SLAC_init",
    "TT_match_join",
    "TT_amp_map_exchange",
    "C_EV_match_MNBC",
    "C_EV_match_retry",
)
SOUND_INTERVAL_S = 0.03
"""Within TP_EV_batch_msg_interval (20 to 50 ms); 32 ms is the median of real cars."""


class Limits:
    """The limits of a matching by their names in the standard, as they stand now (a bench file may say other
    values), with single ones set otherwise by `overrides`. Raises KeyError for a name that is not among
    `names`.
    """

    def __init__(self, names: tuple[str, ...], overrides: Mapping[str, float] | None = None) -> None:
        self._limits = {name: timers.get(f"slac.{name}") for name in names}
        self._values = {name: limit.value for name, limit in self._limits.items()}
        for name, value in (overrides or {}).items():
            if name not in self._values:
                raise KeyError(f"no limit {name!r}; there are {', '.join(names)}")
            self._values[name] = value

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def count(self, name: str) -> int:
        """The limit as a whole number."""
        return int(self._values[name])

    def to_json(self) -> list[dict[str, Any]]:
        """All of them with source and confidence; one that was set says so."""
        entries = []
        for name, limit in self._limits.items():
            entry = limit.to_json()
            if self._values[name] != limit.value:
                entry |= {
                    "value": self._values[name],
                    "source": "set for this matching",
                    "confidence": "source",
                }
                entry["note"] = f"instead of {limit.value:g} ({limit.source})"
            entries.append(entry)
        return entries


@dataclass(frozen=True, slots=True)
class EvConfig:
    """How the car matches.

    `overrides` sets limits of `EV_LIMITS` by name (seconds, counts, dB). `attempts` matchings are tried
    (None: C_conn_max_match_min). `strict` refuses a CM_SLAC_PARM.CNF whose sounding parameters are not those
    of the standard, as some real cars do; otherwise that is a problem in the result and no more. `validate`:
    "auto" when the attenuation lies between the two thresholds, "always", "never" (then such a charger is not
    taken). `amp_map` (4 bits for each carrier, in bytes as on the wire) is sent once the link is up; for
    `listen_s` after it, a CM_AMP_MAP.REQ of the charger is answered.
    """

    overrides: Mapping[str, float] = field(default_factory=dict)
    sound_interval_s: float = SOUND_INTERVAL_S
    attempts: int | None = None
    strict: bool = False
    validate: Literal["auto", "always", "never"] = "auto"
    toggles: int = 2
    toggle_state_s: float = 0.3
    join: bool = True
    amp_map: bytes = b""
    listen_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EvseConfig:
    """How the simulated charger matches.

    `overrides` sets limits of `EVSE_LIMITS` by name. `validation`: "offered" toggles are counted, "failure"
    the charger cannot do it, "not_required" it says that it need not be. `set_key` False leaves the own modem
    alone (a test without one). `amp_map` as of `EvConfig`, sent by the charger when the link is up.
    """

    overrides: Mapping[str, float] = field(default_factory=dict)
    validation: Literal["offered", "failure", "not_required"] = "offered"
    set_key: bool = True
    amp_map: bytes = b""
