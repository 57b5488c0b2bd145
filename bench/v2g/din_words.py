"""ISO 15118-2 in the words of DIN SPEC 70121: types of the same name, the fields that both have.

The two message sets are so alike that EV and charger keep one set of builders for what both say.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from bench.v2g.messages import din, iso2

_CODES = {
    "FAILED_WrongEnergyTransferMode": din.responseCode.FAILED_WrongEnergyTransferType,
    "FAILED_NoChargeServiceSelected": din.responseCode.FAILED_ServiceSelectionInvalid,
    "FAILED_ContactorError": din.responseCode.FAILED_PowerDeliveryNotApplied,
}
"""ISO 15118-2 codes that DIN has under another name; what it does not have at all is FAILED."""


def code(iso: iso2.responseCode) -> din.responseCode:
    """The ResponseCode that says the same in DIN SPEC 70121."""
    known = _CODES.get(iso.value)
    if known is not None:
        return known
    return din.responseCode(iso.value) if iso.value in set(din.responseCode) else din.responseCode.FAILED


def as_din(value: Any) -> Any:
    """A record, enumeration member or plain value of ISO 15118-2 as DIN has it.

    Fields that DIN lacks are left out. Raises AttributeError for a type that DIN does not have.
    """
    if isinstance(value, iso2.responseCode):
        return code(value)
    if isinstance(value, iso2.EVSEProcessing):
        finished = value == iso2.EVSEProcessing.Finished
        return din.EVSEProcessing.Finished if finished else din.EVSEProcessing.Ongoing
    if value == iso2.isolationLevel.No_IMD:
        return din.isolationLevel.Invalid  # DIN has no word for a charger that does not monitor
    if isinstance(value, StrEnum):
        return getattr(din, type(value).__name__)(value.value)
    if not hasattr(value, "_fields"):
        return value
    kind = getattr(din, type(value).__name__)
    shared = {name: getattr(value, name, None) for name in kind._fields}
    return kind(**{name: as_din(each) for name, each in shared.items() if each is not None})
