"""Writes the Python source of the compiled encoders (see compiler.py)."""

from __future__ import annotations

from typing import Any

from bench.exi.codegen import LONG, Emitter, append_varint, codes, joined, refuse
from bench.exi.declare import RecordMeta, Spec
from bench.exi.layout import ATTRIBUTE, CHOICE, END, HEAD, TEXT, Item, productions
from bench.exi.values import Binary, Boolean, Enumeration, Integer, String


class EncodeEmitter(Emitter):
    """Generates ``run(m, a)``: appends message m to the integer a."""

    def function(self) -> Any:
        items = self.plan.layout(self.cls)
        if items is None or self.cls._abstract:
            return refuse
        self.names.update(varint=append_varint, from_bytes=int.from_bytes, joined=joined, LONG=LONG)
        self.record(self.cls, items, "m")
        self.flush()
        self.emit("return a")
        return self.compile("def run(m, a):")

    def flush(self) -> None:
        """Appends all that is pending with one shift."""
        if not self.pending:
            return
        total = sum(w for w, _ in self.pending)
        offset, fixed, parts = total, 0, []
        for width, what in self.pending:
            offset -= width
            if isinstance(what, str):
                parts.append(f"{what} << {offset}" if offset else what)
            else:
                fixed |= what << offset
        if fixed:
            parts.append(str(fixed))
        self.emit(" | ".join([f"a = a << {total}", *parts]))
        self.pending.clear()

    def record(self, cls: Any, items: list[Item], source: str) -> None:
        """Emits the content of ``source``, an instance of ``cls``, after its start."""
        state: tuple[str, str] | None = (
            None  # variables with width and code, where an optional item came before
        )
        for index, item in enumerate(items):
            count = productions(items, index)
            width = count.bit_length()
            after = productions(items, index + 1) if index + 1 < len(items) else 0
            if item.kind == END:
                for spec in item.absent:
                    got = self.fresh()
                    self.emit(f"{got} = {source}.{spec.name}")
                    self.emit(f"if {got} is not None and {got} != []: raise NotPlain")
                self.start(state, width, item.offset)
                return
            if item.kind == CHOICE:
                state = self.choice(item, source, state, width, after)
                continue
            field = item.spec
            assert field is not None
            got = self.fresh()
            self.emit(f"{got} = {source}.{field.name}")
            if item.optional:
                if state is None:
                    self.flush()
                    state = self.fresh("w"), self.fresh("c")
                    self.emit(f"{state[0]} = {width}; {state[1]} = 0")
                self.emit(f"if {got}{'' if field.repeated else ' is not None'}:")
                self.level += 1
                self.one(item, got, state, width, after, state)
                self.level -= 1
                self.emit("else:")
                self.level += 1
                if field.repeated:
                    self.emit(f"if {got} != []: raise NotPlain")
                self.emit(f"{state[1]} += {item.codes}")
                self.level -= 1
                continue
            following: tuple[str, str] | None = None
            if field.repeated:
                self.flush()
                following = self.fresh("w"), self.fresh("c")
            self.one(item, got, state, width, after, following)
            state = following

    def start(self, state: tuple[str, str] | None, width: int, code: int) -> None:
        """The event code: constant, or from the variables after optional items."""
        if state is None:
            self.const(width, code)
        else:
            self.flush()
            self.emit(f"a = a << {state[0]} | {state[1]}" + (f" + {code}" if code else ""))

    def one(  # noqa: PLR0917
        self,
        item: Item,
        got: str,
        state: tuple[str, str] | None,
        width: int,
        after: int,
        following: tuple[str, str] | None,
    ) -> None:
        """One item that is present; ``following`` receives width and code of the state behind it."""
        spec = item.spec
        assert spec is not None
        if item.kind == HEAD:
            table = self.constant(self.plan.lazy_encoders(item.classes), "H")
            entry = self.fresh("h")
            self.emit(f"{entry} = {table}[{got}.__class__]")
            self.flush()
            if state is None:
                self.emit(f"a = a << {width} | {entry}[0]")
            else:
                self.emit(f"a = a << {state[0]} | {state[1]} + {entry}[0]")
            self.emit(f"a = {entry}[1]({got}, a)")
        elif item.kind in (ATTRIBUTE, TEXT):
            self.start(state, width, 0)
            self.value(spec.type, got)
        elif spec.repeated:
            assert following is not None
            self.many(spec, got, state, width, after, following)
            return
        else:
            self.start(state, width, 0)
            self.child(spec, got)
        if following is not None:
            self.flush()
            self.emit(f"{following[0]} = {after.bit_length()}; {following[1]} = 0")

    def many(  # noqa: PLR0917
        self,
        spec: Spec,
        got: str,
        state: tuple[str, str] | None,
        width: int,
        after: int,
        following: tuple[str, str],
    ) -> None:
        inside = (1 + after).bit_length()
        count, one = self.fresh("n"), self.fresh()
        self.emit(f"if {got}.__class__ is not list: raise NotPlain")
        self.emit(f"{count} = len({got})")
        limits = [f"{count} < {max(spec.min, 1)}"] + ([f"{count} > {spec.max}"] if spec.max > 0 else [])
        self.emit(f"if {' or '.join(limits)}: raise NotPlain")
        self.flush()
        if state is None:
            self.emit(f"{following[0]} = {width}; {following[1]} = 0")
            state = following
        position = self.fresh("i") if spec.min > 1 else ""
        done = self.fresh("q")
        self.emit(f"{done} = 0")
        self.emit(
            f"for {position + ', ' if position else ''}{one} in {f'enumerate({got})' if position else got}:"
        )
        self.level += 1
        self.emit(f"if a > LONG: {done} = joined({done}, a); a = 1")
        self.emit(f"a = a << {state[0]} | {state[1]}")
        self.child(spec, one)
        self.flush()
        if position:
            self.emit(f"{state[0]} = 1 if {position} + 1 < {spec.min} else {inside}; {state[1]} = 0")
        else:
            self.emit(f"{state[0]} = {inside}; {state[1]} = 0")
        self.level -= 1
        self.emit(f"if {done}: a = joined({done}, a)")
        if spec.max > 0:
            self.emit(f"if {count} == {spec.max}: {following[0]} = {after.bit_length()}; {following[1]} = 0")
            self.emit(f"else: {following[0]} = {inside}; {following[1]} = 1")
        else:
            self.emit(f"{following[0]} = {inside}; {following[1]} = 1")

    def child(self, spec: Spec, got: str) -> None:
        kind = spec.type
        if not isinstance(kind, RecordMeta):
            self.const(1, 0)
            self.value(kind, got)
            self.const(1, 0)
            return
        self.emit(f"if {got}.__class__ is not {self.constant(kind, 'C')}: raise NotPlain")
        items = self.inlinable(kind)
        if items is not None:
            self.record(kind, items, got)
            return
        self.flush()
        self.emit(f"a = {self.constant(self.plan.encoder(kind), 'F')}({got}, a)")

    def choice(
        self, item: Item, source: str, state: tuple[str, str] | None, width: int, after: int
    ) -> tuple[str, str] | None:
        """One of several children; returns the variables of the state behind it when it may be left out."""
        self.flush()
        if item.optional and state is None:
            state = self.fresh("w"), self.fresh("c")
            self.emit(f"{state[0]} = {width}; {state[1]} = 0")
        done = self.fresh("d")
        self.emit(f"{done} = 0")
        for index, spec in enumerate(item.specs):
            got = self.fresh()
            self.emit(f"{got} = {source}.{spec.name}")
            self.emit(f"if {got} is not None:")
            self.level += 1
            self.emit(f"{done} += 1")
            self.start(state, width, index)
            self.child(spec, got)
            self.flush()
            self.level -= 1
        if not item.optional or state is None:
            self.emit(f"if {done} != 1: raise NotPlain")
            return None
        self.emit(f"if {done} == 0: {state[1]} += {item.codes}")
        self.emit(f"elif {done} == 1: {state[0]} = {after.bit_length()}; {state[1]} = 0")
        self.emit("else: raise NotPlain")
        return state

    def value(self, kind: Any, got: str) -> None:
        """A typed value; anything its type does not allow is not plain."""
        if isinstance(kind, Boolean):
            self.emit(f"if {got} is not True and {got} is not False: raise NotPlain")
            self.pending.append((1, got))
        elif isinstance(kind, Enumeration):
            raw = self.fresh("b")
            table = self.constant(codes(kind), "E")
            self.emit(f"{raw} = {table}[{got}]")
            if kind.bits:
                self.pending.append((kind.bits, raw))
        elif isinstance(kind, Integer):
            self.integer(kind, got)
        elif isinstance(kind, Binary | String):
            self.octets(kind, got)
        else:
            raise TypeError(f"no code for {kind!r}")

    def integer(self, kind: Integer, got: str) -> None:
        checks = [f"{got}.__class__ is not int"]
        checks += [] if kind.low is None else [f"{got} < {kind.low}"]
        checks += [] if kind.high is None else [f"{got} > {kind.high}"]
        self.emit(f"if {' or '.join(checks)}: raise NotPlain")
        if kind.bits is not None:
            assert kind.low is not None
            if kind.bits:
                raw = (
                    got
                    if kind.low == 0
                    else f"({got} - {kind.low})"
                    if kind.low > 0
                    else f"({got} + {-kind.low})"
                )
                self.pending.append((kind.bits, raw))
            return
        if kind.signed:
            sign, size = self.fresh("g"), self.fresh("u")
            self.emit(f"if {got} < 0: {sign} = 1; {size} = ~{got}")
            self.emit(f"else: {sign} = 0; {size} = {got}")
            self.pending.append((1, sign))
            got = size
        self.varint(got)

    def varint(self, got: str) -> None:
        """A varint behind what is pending: one operation when it fits an octet."""
        self.flush()
        self.emit(f"a = a << 8 | {got} if {got} < 128 else varint(a, {got})")

    def octets(self, kind: Binary | String, got: str) -> None:
        text = isinstance(kind, String)
        size = self.fresh("n")
        self.emit(f"if {got}.__class__ is not {'str' if text else 'bytes'}: raise NotPlain")
        self.emit(f"{size} = len({got})")
        checks = [f"{size} < {kind.min_length}"] if kind.min_length else []
        checks += [f"{size} > {kind.max_length}"] if kind.max_length is not None else []
        if text:
            checks.append(f"not {got}.isascii()")
        if checks:
            self.emit(f"if {' or '.join(checks)}: raise NotPlain")
        self.flush()
        shown = f"{size} + 2" if text else size
        small = 126 if text else 128
        self.emit(f"a = a << 8 | {shown} if {size} < {small} else varint(a, {shown})")
        octets = f"{got}.encode()" if text else got
        self.emit(f"a = a << ({size} << 3) | from_bytes({octets}, 'big')")
