"""Streams to mutate: valid random messages of every message set, made from the declarations."""

from __future__ import annotations

import random
from typing import Any

from bench.exi.declare import Named, RecordMeta
from bench.exi.values import Binary, Boolean, Enumeration, Integer, Simple, String
from bench.v2g import codec

Stream = tuple[str, bool, bytes]
"""Message set, whether the fragment grammar applies, EXI."""

DEPTH = 9
"""Nesting from which optional children are left out: xmldsig is recursive."""


def own_streams(seed: int, per_side: int = 60, schemas: tuple[str, ...] = codec.SCHEMAS) -> list[Stream]:
    """Streams of random valid messages: at most ``per_side`` documents and as many fragments of every set."""
    rng = random.Random(seed)
    found: list[Stream] = []
    for schema in schemas:
        grammars = codec._set(schema).grammars
        for fragment in (False, True):
            roots = [d for d in (grammars.fragment if fragment else grammars.document) if _usable(d.type)]
            for _ in range(per_side):
                root = rng.choice(roots)
                message = Named(root.name, _value(root.type, schema, rng, 0), root.uri)
                try:
                    found.append((schema, fragment, codec.encode(message, schema, fragment)))
                except codec.ValidationError:
                    continue  # two values of a choice whose rule the declaration does not carry
    return found


def _usable(kind: Any) -> bool:
    return isinstance(kind, Simple) or (isinstance(kind, RecordMeta) and not kind._abstract)


def _value(kind: Any, schema: str, rng: random.Random, depth: int) -> Any:
    if isinstance(kind, RecordMeta):
        return _record(kind, schema, rng, depth)
    if isinstance(kind, Boolean):
        return rng.random() < 0.5
    if isinstance(kind, Enumeration):
        return rng.choice(kind.values)
    if isinstance(kind, Integer):
        low = -(2**70) if kind.low is None else kind.low
        high = 2**70 if kind.high is None else kind.high
        return rng.choice((low, high, rng.randint(low, high), min(max(rng.randint(-9, 300), low), high)))
    most = min(kind.max_length or 40, 40) if isinstance(kind, Binary | String) else 0
    length = rng.randint(min(kind.min_length, most), most)
    if isinstance(kind, Binary):
        return rng.randbytes(max(length, kind.min_length))
    letters = "abcXYZ019 -_:/" if rng.random() < 0.8 else "aé€😀\n"
    return "".join(rng.choices(letters, k=length))


def _record(cls: Any, schema: str, rng: random.Random, depth: int) -> Any:
    choices: dict[str, list[str]] = {}
    for key, spec in cls._fields.items():
        if spec.choice:
            choices.setdefault(spec.choice, []).append(key)
    chosen = {rng.choice(keys) for keys in choices.values()}
    values: dict[str, Any] = {}
    for key, spec in cls._fields.items():
        if spec.kind == "content":
            values[key] = []
            continue
        absent = (spec.choice and key not in chosen) or (
            spec.optional and not spec.choice and (depth > DEPTH or rng.random() < 0.5)
        )
        if absent:
            values[key] = [] if spec.repeated else None
            continue
        kinds = [spec.type]
        if spec.head:
            members = codec._set(schema).grammars.substitutes(spec.type)
            kinds = [c for c in members if not c._abstract] or [None]
        count = 1
        if spec.repeated:
            top = 4 if spec.max < 0 else spec.max
            count = rng.choice((spec.min or 1, top if rng.random() < 0.1 else min(max(spec.min, 3), top)))
        made = [
            None if k is None else _value(k, schema, rng, depth + 1)
            for k in (rng.choice(kinds) for _ in range(count))
        ]
        values[key] = made if spec.repeated else made[0]
    return cls(**values)
