"""Messages as plain data and for people."""

from __future__ import annotations

import datetime
import warnings
from typing import Any

from cryptography import x509

from bench.exi import fieldtext
from bench.exi.declare import Named, Record, Spec
from bench.exi.node import Node
from bench.pki.unreadable import UNREADABLE

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
        if leaf is _readable_leaf and isinstance(value.value, bytes | bytearray):
            return {value.name: _bytes(bytes(value.value), value.name)}
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
                number = f"{value.value:.10g}"  # type: ignore[attr-defined]
            except (TypeError, ValueError, ArithmeticError):
                return value
            # The unit that was sent, else the one that the field is declared with.
            unit = getattr(value, "Unit", None) or (fieldtext.unit(spec) if spec is not None else "")
            return f"{number} {unit}" if unit else number
        return value
    if isinstance(value, bytes | bytearray):
        return _bytes(bytes(value), spec.name if spec is not None else "")
    if isinstance(value, int) and not isinstance(value, bool) and spec is not None:
        return _number(value, spec)
    return _plain_leaf(value, spec)


def _number(value: int, spec: Spec) -> Any:
    """A number with its unit, or a point in time with its date."""
    unit = fieldtext.unit(spec)
    if unit:
        return f"{value} {unit}"
    if fieldtext.note(spec).startswith(fieldtext.SINCE_1970):
        try:
            return f"{value} ({datetime.datetime.fromtimestamp(value, datetime.UTC).isoformat()})"
        except (ValueError, OverflowError, OSError):
            return value
    return value


def _bytes(value: bytes, name: str) -> Any:
    """A certificate in words, anything else in hexadecimal."""
    shown = certificate(value) if "Cert" in name else None
    return value.hex() if shown is None else shown


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
