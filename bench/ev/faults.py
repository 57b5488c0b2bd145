"""Deviations: everything that the EV sends can be changed, delayed, repeated, cut or replaced, in one line.

    session.deviate("AuthorizationReq", faults.change(GenChallenge=bytes(16)))
    session.deviate("CurrentDemandReq", faults.delay(0.5), when=3)
    session.deviate("PaymentDetailsReq", faults.change({"ContractSignatureCertChain.Certificate": b"no DER"}))

A fault works on an `Outgoing` in one of four stages: the message before it is signed ("message"), after it is
signed ("signed"), the EXI bytes ("exi"), or how the frame is written ("frame"). The note of every fault
stands in the `deviation` of the timeline event.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.ev.errors import PlanMistake
from bench.v2g import codec, damage, v2gtp

Stage = Literal["message", "signed", "exi", "frame"]
MAX_REPEAT = 1000
_SHOWN = 40


@dataclass
class Outgoing:
    """A message on its way out. `frame` is the V2GTP frame; `copies` 0 means that nothing is sent."""

    name: str
    body: Any
    header: Any
    sign: bool = True
    exi: bytes = b""
    frame: bytes = b""
    copies: int = 1
    delay_s: float = 0.0
    segments: int = 1
    gap_s: float = 0.0
    close: bool = False
    """Close the connection after sending."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fault:
    """One deviation: `apply` alters an Outgoing at `stage`."""

    note: str
    stage: Stage
    apply: Callable[[Outgoing], None]


def _shown(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def set_path(record: Any, path: str, value: Any) -> None:
    """Set the field at dotted `path` ("DC_EVStatus.EVRESSSOC", "ProfileEntry.0.ChargingProfileEntryStart").

    Raises PlanMistake when there is no such field.
    """
    *parents, last = path.split(".")
    for step in parents:
        try:
            record = record[int(step)] if step.isdigit() else getattr(record, step)
        except (AttributeError, IndexError, TypeError):
            raise PlanMistake(f"{path}: {type(record).__name__} has no {step}") from None
    try:
        if last.isdigit():
            record[int(last)] = value
        else:
            getattr(record, last)  # a misspelt field must not become a silent no-op
            setattr(record, last, value)
    except (AttributeError, IndexError, TypeError):
        raise PlanMistake(f"{path}: {type(record).__name__} has no {last}") from None


def _setter(part: str, changes: Mapping[str, Any]) -> Callable[[Outgoing], None]:
    def apply(out: Outgoing) -> None:
        for path, value in changes.items():
            set_path(getattr(out, part), path, value)

    return apply


def _note(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{path}={_shown(value)}" for path, value in changes.items())


def change(paths: Mapping[str, Any] | None = None, /, **fields: Any) -> Fault:
    """Change fields of the body before it is signed: the signature fits the changed message."""
    changes = {**(paths or {}), **fields}
    return Fault(f"changed {_note(changes)}", "message", _setter("body", changes))


def change_after_signing(paths: Mapping[str, Any] | None = None, /, **fields: Any) -> Fault:
    """Change fields of the body after it was signed: the digest no longer fits."""
    changes = {**(paths or {}), **fields}
    return Fault(f"changed after signing {_note(changes)}", "signed", _setter("body", changes))


def change_with(edit: Callable[[Any], None], note: str) -> Fault:
    """Let `edit` alter the body before it is signed."""
    return Fault(note, "message", lambda out: edit(out.body))


def header(**fields: Any) -> Fault:
    """Change fields of the message header (`SessionID=...`); supportedAppProtocolReq has none."""

    def apply(out: Outgoing) -> None:
        if out.header is None:
            raise PlanMistake(f"{out.name} has no message header")
        _setter("header", fields)(out)

    return Fault(f"header {_note(fields)}", "signed", apply)


def replace(body: Any) -> Fault:
    """Send another message in place of this one."""

    def apply(out: Outgoing) -> None:
        out.body = body

    return Fault(f"sent {type(body).__name__} instead", "message", apply)


def unsigned() -> Fault:
    """Leave the signature out."""

    def apply(out: Outgoing) -> None:
        out.sign = False

    return Fault("unsigned", "message", apply)


def bad_signature() -> Fault:
    """Sign, then flip one bit of the signature value."""

    def apply(out: Outgoing) -> None:
        signature = getattr(out.header, "Signature", None)
        if signature is None:
            raise PlanMistake(f"{out.name} is not signed in this session, so its signature cannot be spoilt")
        value = bytearray(signature.SignatureValue.value)
        value[-1] ^= 0x01
        signature.SignatureValue.value = bytes(value)

    return Fault("bad signature", "signed", apply)


def _exi(note: str, edit: Callable[[bytes], bytes]) -> Fault:
    def apply(out: Outgoing) -> None:
        with _mistakes():
            out.exi = edit(out.exi)

    return Fault(note, "exi", apply)


@contextlib.contextmanager
def _mistakes() -> Iterator[None]:
    try:
        yield
    except codec.CodecError as error:
        raise PlanMistake(str(error)) from error


def _frame(note: str, edit: Callable[[bytes], bytes]) -> Fault:
    def apply(out: Outgoing) -> None:
        out.frame = edit(out.frame)

    return Fault(note, "frame", apply)


def raw(data: bytes, *, framed: bool = True) -> Fault:
    """Send `data` in place of the EXI, in a right V2GTP frame; with `framed=False` in place of the whole
    frame.
    """
    if framed:
        return _exi(f"raw EXI {_shown(data)}", lambda _: data)
    return _frame(f"raw frame {_shown(data)}", lambda _: data)


def random_exi(length: int) -> Fault:
    """Send `length` random bytes in place of the EXI (the note has the first ones)."""
    return raw(secrets.token_bytes(length))


def flip_bits(*positions: int) -> Fault:
    """Flip the bits at `positions` of the EXI (0: the most significant bit of the first byte; negative: from
    the end).
    """

    return _exi(f"flipped bits {', '.join(map(str, positions))}", lambda exi: damage.flip(exi, *positions))


def exi_header(value: int = 0xA0) -> Fault:
    """Send another EXI header than 0x80; the default announces options that do not follow."""
    return _exi(f"EXI header {value:#04x}", lambda exi: damage.wrong_header(exi, value))


def unknown_event_code(path: str | None = None) -> Fault:
    """Put an event code that means nothing into the element at `path` ("V2G_Message/Body"); without it into
    the first element that has codes to spare.
    """

    def apply(out: Outgoing) -> None:
        with _mistakes():
            out.exi = damage.unknown_event_code(out.exi, codec.schema_of(out.body), path)

    return Fault(f"unknown event code in {path or 'the first element with one to spare'}", "exi", apply)


def truncate(length: int, *, keep_header: bool = False) -> Fault:
    """Cut the EXI to `length` bytes; with `keep_header` the V2GTP header still announces the full length."""
    if not keep_header:
        return _exi(f"truncated to {length} bytes", lambda exi: exi[:length])
    end = v2gtp.HEADER_LENGTH + length
    return _frame(f"truncated to {length} bytes under a full header", lambda frame: frame[:end])


def trailing(data: bytes) -> Fault:
    """Append bytes after the EXI, inside the frame."""
    return _exi(f"{len(data)} trailing bytes", lambda exi: exi + data)


def wrong_header(
    *,
    version: int | None = None,
    inverse: int | None = None,
    payload_type: int | None = None,
    length: int | None = None,
) -> Fault:
    """Send a V2GTP header that has the given fields wrong; with no argument the version is 2."""
    if version is inverse is payload_type is length is None:
        version = 0x02

    def edit(frame: bytes) -> bytes:
        payload = frame[v2gtp.HEADER_LENGTH :]
        return v2gtp.pack(
            int.from_bytes(frame[2:4], "big") if payload_type is None else payload_type,
            payload,
            version=v2gtp.VERSION if version is None else version,
            inverse=v2gtp.INVERSE_VERSION if inverse is None else inverse,
            length=length,
        )

    given = {"version": version, "inverse": inverse, "payload_type": payload_type, "length": length}
    shown = ", ".join(f"{key}={value:#x}" for key, value in given.items() if value is not None)
    return _frame(f"V2GTP header {shown}", edit)


def split(pieces: int, gap_s: float = 0.02) -> Fault:
    """Write the frame in `pieces` TCP segments (TLS: records), `gap_s` apart so that none are joined on the
    way.
    """

    def apply(out: Outgoing) -> None:
        out.segments, out.gap_s = max(1, pieces), max(0.0, gap_s)

    return Fault(f"split into {pieces} segments", "frame", apply)


def delay(delay_s: float) -> Fault:
    """Wait before sending."""

    def apply(out: Outgoing) -> None:
        out.delay_s += max(0.0, delay_s)

    return Fault(f"delayed by {delay_s:g} s", "frame", apply)


def drop() -> Fault:
    """Do not send at all; the EV then waits for an answer that should not come."""

    def apply(out: Outgoing) -> None:
        out.copies = 0

    return Fault("not sent", "frame", apply)


def repeat(times: int) -> Fault:
    """Send the frame `times` times in a row (at most 1000); the answer to the first one counts."""

    def apply(out: Outgoing) -> None:
        out.copies = max(0, min(times, MAX_REPEAT))

    return Fault(f"sent {times} times", "frame", apply)


def close_after() -> Fault:
    """Send, then close the connection without waiting for the answer."""

    def apply(out: Outgoing) -> None:
        out.close = True

    return Fault("connection closed after sending", "frame", apply)
