"""Deviations of the car: what a test case makes it do wrong, one line each.

    EvMatcher(mac, faults=[lost("CM_ATTEN_CHAR.RSP", times=1)])
    EvMatcher(mac, faults=[wrong("CM_SLAC_MATCH.REQ", mvf_length=0)])
    EvMatcher(mac, faults=[late("CM_START_ATTEN_CHAR.IND", 0.5), fewer_sounds(9)])

A message is named as in the standard. `first` and `last` say which sendings of it are meant, counted from 1
over the whole matching with all repetitions; without `last`, all from `first` on. Two cars at once are two
`EvMatcher` with two addresses.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.slac import mme
from bench.slac.machine import VehicleState
from bench.slac.mme import Mme

Outgoing = Mme | bytes
"""A message, or the bytes from MMV on that go out in its place."""

SENT_BY_EV: dict[str, type[Mme]] = {
    kind.name: kind
    for kind in (
        mme.SlacParmReq,
        mme.StartAttenCharInd,
        mme.MnbcSoundInd,
        mme.AttenCharRsp,
        mme.ValidateReq,
        mme.SlacMatchReq,
        mme.AmpMapReq,
        mme.AmpMapCnf,
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One deviation: at the sendings `first` to `last` of `message` the car hesitates for `delay_s`, puts
    `pilot` on the control pilot, sends what `change` makes of the message, and begins anew (`restart`).
    """

    message: str
    text: str
    first: int = 1
    last: int | None = None
    delay_s: float = 0.0
    pilot: VehicleState | None = None
    change: Callable[[list[Outgoing]], list[Outgoing]] | None = None
    restart: bool = False

    def __post_init__(self) -> None:
        if self.message not in SENT_BY_EV:
            raise ValueError(f"the car sends no {self.message!r}; it sends {', '.join(SENT_BY_EV)}")

    def applies(self, message: str, number: int) -> bool:
        """Whether the `number`th sending of `message` is meant."""
        return message == self.message and number >= self.first and (self.last is None or number <= self.last)


def _each(change: Callable[[Mme], Outgoing]) -> Callable[[list[Outgoing]], list[Outgoing]]:
    return lambda outgoing: [change(each) if isinstance(each, Mme) else each for each in outgoing]


def lost(message: str, times: int = 1, *, first: int = 1) -> Fault:
    """The message does not leave the car, `times` times."""
    return Fault(message, "lost", first, first + times - 1, change=lambda _: [])


def skip(message: str, *, first: int = 1) -> Fault:
    """The message is never sent."""
    return Fault(message, "left out", first, change=lambda _: [])


def fewer_sounds(count: int) -> Fault:
    """Only `count` of the announced sounds are sent."""
    return replace(skip("CM_MNBC_SOUND.IND", first=count + 1), text=f"only {count} sounds")


def late(message: str, seconds: float, *, first: int = 1, last: int | None = 1) -> Fault:
    """The car hesitates for `seconds` before it sends the message and goes on; it still answers others."""
    return Fault(message, f"{seconds:g} s late", first, last, delay_s=seconds)


def duplicated(message: str, copies: int = 2, *, first: int = 1, last: int | None = None) -> Fault:
    """The message is sent `copies` times at once."""
    return Fault(message, f"sent {copies} times", first, last, change=lambda outgoing: outgoing * copies)


def wrong(message: str, *, first: int = 1, last: int | None = None, **values: object) -> Fault:
    """Fields of the message have other values. Raises ValueError for a field it has not, MmeError for a value
    that does not fit.
    """
    kind = SENT_BY_EV.get(message)
    if kind is not None:
        try:
            mme.encode(kind(**values))
        except TypeError as error:
            raise ValueError(f"{message}: {error}") from None
    text = ", ".join(f"{name} {_shown(value)}" for name, value in values.items())
    return Fault(message, text, first, last, change=_each(lambda each: replace(each, **values)))  # type: ignore[type-var]


def wrong_run_id(message: str, *, first: int = 1, last: int | None = None) -> Fault:
    """The message has the RunID of another matching."""
    return replace(
        wrong(message, run_id=secrets.token_bytes(8), first=first, last=last), text="foreign RunID"
    )


def raw(message: str, data: bytes, *, first: int = 1, last: int | None = None) -> Fault:
    """These bytes, from MMV on, go out in place of the message."""
    return Fault(message, f"{len(data)} raw bytes", first, last, change=lambda _: [data])


def restart(after: str, *, number: int = 1) -> Fault:
    """Having sent the message the `number`th time, the car begins anew with a fresh RunID."""
    return Fault(after, "begins anew after it", number, number, restart=True)


def pilot(state: VehicleState, before: str, *, number: int = 1) -> Fault:
    """Before it sends the message the `number`th time, the car puts `state` on the control pilot."""
    return Fault(before, f"control pilot {state} before it", number, number, pilot=state)


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
