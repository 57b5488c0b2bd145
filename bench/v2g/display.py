"""Messages as plain data and for people."""

from __future__ import annotations

import datetime
import warnings
from typing import Any

from cryptography import x509

from bench.exi.declare import Named, Record, Spec
from bench.exi.node import Node
from bench.pki.unreadable import UNREADABLE

_TIMES = (
    "EVSETimeStamp",
    "TMeter",
    "DateTimeNow",
    "TimeStamp",
    "TimeAnchor",
    "MeterTimestamp",
    "CheckOutTime",
)
MAX_EXPONENT = 128
"""Largest power of ten that is worked out; a deviating message can hold any."""


def plain(message: Any) -> Any:
    """JSON-able data: bytes as hexadecimal, enumerations as text, absent fields left out."""
    return _convert(message, _plain_leaf, root=True)


def readable(message: Any) -> Any:
    """JSON-able data for people."""
    return _convert(message, _readable_leaf, root=True)


def _convert(value: Any, leaf: Any, spec: Spec | None = None, *, root: bool = False) -> Any:
    if isinstance(value, Named):
        return {value.name: _convert(value.value, leaf)}
    if isinstance(value, Node):
        return _node(value)
    if isinstance(value, list | tuple):
        return [_convert(v, leaf, spec) for v in value]
    if not isinstance(value, Record):
        return leaf(value, spec)
    special = leaf(value, spec)
    if special is not value:
        return special
    cls: Any = type(value)
    fields: dict[str, Any] = {}
    extra = getattr(value, "_node", None)
    if extra is not None:
        return {cls.__name__: {"deviating": _node(extra)}} if root else {"deviating": _node(extra)}
    for key, field in value._fields.items():
        item = getattr(value, key, None)
        if item is None or (item == [] and field.optional):
            continue
        shown = _convert(item, leaf, field)
        # The substituting element's name is the point of an abstract head.
        if isinstance(item, Record) and field.head:
            shown = {type(item).__name__: shown}
        fields[key] = shown
    return {cls.__name__: fields} if root else fields


def _node(node: Node) -> dict[str, Any]:
    inner: dict[str, Any] = {f"@{name}": text for (_, name), text in node.attributes.items()}
    children = [_node(c) if isinstance(c, Node) else c for c in node.children]
    if children:
        inner["content"] = children
    return {node.name: inner}


def _plain_leaf(value: Any, spec: Spec | None) -> Any:
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, bool | int | float | Record):
        return value
    return str(value)


def _readable_leaf(value: Any, spec: Spec | None) -> Any:
    if isinstance(value, Record):
        exponent = getattr(value, "Multiplier", getattr(value, "Exponent", None))
        if "Value" in value._fields and isinstance(exponent, int) and abs(exponent) <= MAX_EXPONENT:
            try:
                number = f"{value.value:g}"  # type: ignore[attr-defined]
            except (TypeError, ValueError, ArithmeticError):
                return value
            unit = getattr(value, "Unit", None)
            return number if unit is None else f"{number} {unit}"
        return value
    if isinstance(value, bytes | bytearray):
        name = spec.name if spec is not None else ""
        if "Cert" in name:
            shown = certificate(bytes(value))
            if shown is not None:
                return shown
        return bytes(value).hex()
    if isinstance(value, int) and not isinstance(value, bool) and spec is not None and spec.name in _TIMES:
        try:
            return f"{value} ({datetime.datetime.fromtimestamp(value, datetime.UTC).isoformat()})"
        except (ValueError, OverflowError, OSError):
            return value
    return _plain_leaf(value, spec)


def certificate(der: bytes) -> dict[str, Any] | None:
    """Subject, issuer, serial number and validity of a DER certificate, or None when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = x509.load_der_x509_certificate(der)
            return {
                "subject": found.subject.rfc4514_string(),
                "issuer": found.issuer.rfc4514_string(),
                "serial": str(found.serial_number),
                "not_before": found.not_valid_before_utc.isoformat(),
                "not_after": found.not_valid_after_utc.isoformat(),
                "bytes": len(der),
            }
    except UNREADABLE:
        return None
