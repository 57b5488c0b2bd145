"""What several ISO 15118-2 handlers share: reply type, status blocks, physical values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.charger.secc.session import Session
from bench.v2g.messages import din, iso2, xmldsig

if TYPE_CHECKING:
    from bench.charger.model import Charger

OK = iso2.responseCode.OK
ENERGY_STATES = ("C", "D")


@dataclass(frozen=True, slots=True)
class Reply:
    """A response body with a header signature, or `raw` EXI bytes that are sent as they are."""

    body: iso2.BodyElement | din.BodyElement
    signature: xmldsig.Signature | None = None
    raw: bytes | None = None


Handler = Callable[[Any, Session, "Charger"], Awaitable[iso2.BodyElement | Reply]]


class Refusal(Exception):  # noqa: N818 - an outcome of the protocol, not an error of the program
    """A handler refuses: the dispatcher makes the FAILED response of the request's kind with this code."""

    def __init__(self, code: iso2.responseCode, why: str = "") -> None:
        super().__init__(why or code.value)
        self.code = code


def volts(value: float) -> iso2.PhysicalValue:
    """A voltage in 0.1 V."""
    return iso2.PhysicalValue.of(round(value, 1), "V")


def amperes(value: float) -> iso2.PhysicalValue:
    """A current in 0.1 A."""
    return iso2.PhysicalValue.of(round(value, 1), "A")


def watts(value: float) -> iso2.PhysicalValue:
    """A power in W, rounded to 10 W where 16 bits ask for it."""
    return iso2.PhysicalValue.of(float(round(value)), "W")


def notification(charger: Charger) -> tuple[iso2.EVSENotification, int]:
    """What the charger asks of the EV, and within how many seconds."""
    if charger.stop_requested:
        return iso2.EVSENotification.StopCharging, round(charger.profile.stop_grace_s)
    return iso2.EVSENotification("None"), 0


def dc_status(charger: Charger, session: Session, code: str | None = None) -> iso2.DC_EVSEStatus:
    """DC_EVSEStatus; the isolation status is Valid once the cable check of this session passed."""
    notify, delay_s = notification(charger)
    if code is None:
        code = "EVSE_Shutdown" if charger.stop_requested else "EVSE_Ready"
    return iso2.DC_EVSEStatus(
        NotificationMaxDelay=delay_s,
        EVSENotification=notify,
        EVSEIsolationStatus=iso2.isolationLevel.Valid
        if session.insulation_ok
        else iso2.isolationLevel.Invalid,
        EVSEStatusCode=iso2.DC_EVSEStatusCode(code),
    )


def ac_status(charger: Charger) -> iso2.AC_EVSEStatus:
    """AC_EVSEStatus; the residual current device of the simulation never trips."""
    notify, delay_s = notification(charger)
    return iso2.AC_EVSEStatus(NotificationMaxDelay=delay_s, EVSENotification=notify, RCD=False)


def meter_info(charger: Charger) -> iso2.MeterInfo:
    """MeterInfo with the register in whole Wh."""
    return iso2.MeterInfo(
        MeterID=charger.profile.meter_id,
        MeterReading=round(charger.meter.energy_wh),
        MeterStatus=0,
        TMeter=charger.policy.timestamp_s(),
    )
