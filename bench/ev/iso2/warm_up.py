"""Pay for the codec's one-time costs before the first handshake.

The codec compiles a message type at its first use, some 10 ms each; left to the first session, that would be
charged to the charger's handshake. An example of every message, made from its declaration, goes through it
once.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

from bench.exi import values
from bench.exi.declare import Record
from bench.v2g import codec
from bench.v2g.messages import din, iso2, sap


def example(kind: Any, variant: int = 0) -> Any:
    """The smallest instance of a message class that has every typed field; `variant` picks among
    substitutions.
    """
    if getattr(kind, "_abstract", False):
        concrete = [each for each in kind.__subclasses__() if not each._abstract]
        return example(concrete[variant % len(concrete)], variant) if concrete else None
    fields: dict[str, Any] = {}
    for name, spec in kind._fields.items():
        if spec.kind == "content" or (spec.optional and not _is_message(spec.type)):
            continue
        value = example(spec.type, variant) if _is_message(spec.type) else _simple(spec.type)
        if value is not None:
            fields[name] = [value] if spec.repeated else value
    return kind(**fields)


def _is_message(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Record)


def _simple(kind: Any) -> Any:
    if isinstance(kind, values.Boolean):
        return False
    if isinstance(kind, values.Integer):
        return kind.low if kind.low is not None else 0
    if isinstance(kind, values.String):
        return "x" * max(1, kind.min_length or 0)
    if isinstance(kind, values.Binary):
        return bytes(max(1, kind.min_length or 0))
    if isinstance(kind, values.Enumeration):
        return kind.values[0]
    return None


@functools.cache
def codec_ready(schema: Literal["iso2", "din"] = "iso2") -> int:
    """Send an example of every message of a protocol through the codec; the number that went through.

    Runs once in a process for each protocol. A type that has no example is not an error: it is compiled when
    it is first used.
    """
    done = 0
    for kind in (sap.supportedAppProtocolReq, sap.supportedAppProtocolRes):
        done += _round_trip("sap", example(kind))
    kinds: Any = {"iso2": iso2, "din": din}[schema]
    for body in kinds.BodyElement.__subclasses__():
        for variant in range(2):
            done += _round_trip(
                schema,
                kinds.V2G_Message(
                    Header=kinds.MessageHeader(SessionID=bytes(8)),
                    Body=kinds.Body(BodyElement=example(body, variant)),
                ),
            )
    return done


def _round_trip(schema: str, message: Any) -> bool:
    try:
        codec.decode(schema, codec.encode(message, schema))
    except codec.CodecError:
        return False
    return True
