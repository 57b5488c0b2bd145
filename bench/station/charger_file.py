"""The charger file: which charger is under test, what it is rated for, and what people have signed off for
it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.station.bench_file import resolve
from bench.station.errors import BenchFileError
from bench.toml_table import Table, near_match, read_toml

DECLARATIONS = {
    "charger": "one charger model is validated, hardware and firmware are released",
    "trust": "the PKI trust chain is installed and its renewal has an owner",
    "provisioning": "contract certificates reach the car, also when the service is down",
    "backend": "the backend's authorization path is tested with contract data",
    "fallback": "the journey of a driver whose contract is refused is defined",
    "support": "support is briefed on the failure modes that were seen",
    "reconciliation": "owners agree how energy and bills are reconciled after a session",
    "commercial": "somebody owns contracts, tariffs and disputes",
}
"""What a charger file may declare: the items of the readiness report that a person signs."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A person's word on one item; `status` "signed-off" or "open"."""

    owner: str
    status: str
    signed_by: str
    date: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Ratings:
    """What the charger is rated for; None where it has no such output."""

    dc_voltage_v: float | None
    dc_current_a: float | None
    dc_power_w: float | None
    ac_current_a: float | None
    ac_phases: int | None


@dataclass(frozen=True, slots=True)
class ChargerConfig:
    """A charger file, read and checked."""

    file: Path
    text: str
    sha256: str
    vendor: str
    model: str
    serial: str
    firmware: str
    evse_id: str
    ratings: Ratings
    declarations: dict[str, Declaration]

    def describe(self) -> dict[str, Any]:
        """The part `charger` of run.json, without what the charger itself reports."""
        return {
            "vendor": self.vendor,
            "model": self.model,
            "serial": self.serial,
            "firmware": self.firmware,
            "evse_id": self.evse_id,
            "file": str(self.file),
            "sha256": self.sha256,
            "ratings": asdict(self.ratings),
            "declarations": {item: asdict(declaration) for item, declaration in self.declarations.items()},
        }


def load_charger(name_or_path: str | Path, *, beside: Path | None = None) -> ChargerConfig:
    """Read and check a charger file; a relative path is relative to the file `beside`. Raises
    BenchFileError.
    """
    path = resolve(name_or_path, "chargers", beside=beside)
    root, text, sha256 = read_toml(path, BenchFileError)
    head = root.table("charger", needed=True)
    ratings = root.table("ratings")
    config = ChargerConfig(
        file=path,
        text=text,
        sha256=sha256,
        vendor=head.text("vendor"),
        model=head.text("model"),
        serial=head.text("serial", ""),
        firmware=head.text("firmware", ""),
        evse_id=head.text("evse_id", ""),
        ratings=_ratings(ratings),
        declarations=_declarations(root.table("declarations")),
    )
    for table in (root, head, ratings):
        table.finish()
    return config


def _ratings(table: Table) -> Ratings:
    def number(key: str, high: float) -> float | None:
        return table.number(key, 0, high) if key in table else table.number(key, 0, high, 0) or None

    phases = table.integer("ac_phases", 0, 3, 0)
    return Ratings(
        dc_voltage_v=number("dc_voltage_v", 1500),
        dc_current_a=number("dc_current_a", 1000),
        dc_power_w=number("dc_power_w", 1_000_000),
        ac_current_a=number("ac_current_a", 100),
        ac_phases=phases or None,
    )


def _declarations(table: Table) -> dict[str, Declaration]:
    found: dict[str, Declaration] = {}
    for item in table.keys():  # noqa: SIM118 - not a dict
        if item not in DECLARATIONS:
            raise table.error(item, f"is not an item that can be declared{near_match(item, DECLARATIONS)}")
        entry = table.table(item)
        status = entry.text("status", choices=("signed-off", "open"))
        declaration = Declaration(
            owner=entry.text("owner"),
            status=status,
            signed_by=entry.text("signed_by", ""),
            date=entry.date("date"),
            note=entry.text("note", ""),
        )
        if status == "signed-off" and not (declaration.signed_by and declaration.date):
            raise entry.error("status", "signed-off needs signed_by and date")
        entry.finish()
        found[item] = declaration
    return found
