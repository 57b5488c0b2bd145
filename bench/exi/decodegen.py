"""Writes the Python source of the compiled decoders (see compiler.py)."""

from __future__ import annotations

from typing import Any

from bench.exi.codegen import Emitter, members, more_octets, refuse
from bench.exi.declare import RecordMeta, Spec
from bench.exi.layout import ATTRIBUTE, CHOICE, END, HEAD, TEXT, Item, productions
from bench.exi.values import Binary, Boolean, Enumeration, Integer, String

TRIM = 4096
"""Bits of a long list after which they are taken off the integer."""


class DecodeEmitter(Emitter):
    """Generates ``run(x, s)``: x the stream as an integer, s the bits left."""

    def function(self) -> Any:
        items = self.plan.layout(self.cls)
        if items is None or self.cls._abstract:
            return refuse
        self.names["new"] = object.__new__
        self.names["more"] = more_octets
        self.names["from_bytes"] = int.from_bytes
        made = self.record(self.cls, items)
        self.flush()
        self.emit(f"return {made}, s")
        return self.compile("def run(x, s):")

    def flush(self) -> None:
        """Reads all that is pending with one shift; constants are compared, variables taken out."""
        self.take()
        for line in self.post:
            self.emit(line)
        self.post.clear()

    def take(self) -> None:
        if not self.pending:
            return
        total = sum(w for w, _ in self.pending)
        self.emit(f"s -= {total}")
        variables = [p for p in self.pending if isinstance(p[1], str)]
        offset, mask, want, takes = total, 0, 0, []
        for width, what in self.pending:
            offset -= width
            if isinstance(what, str):
                takes.append((what, offset, width))
            else:
                mask |= ((1 << width) - 1) << offset
                want |= what << offset
        if len(self.pending) == 1 and variables:
            self.emit(f"{takes[0][0]} = x >> s & {(1 << total) - 1}")
        elif not variables:
            self.emit(f"if x >> s & {mask} != {want}: raise NotPlain")
        else:
            self.emit(f"t = x >> s & {(1 << total) - 1}")
            if mask:
                self.emit(f"if t & {mask} != {want}: raise NotPlain")
            for name, shift, width in takes:
                place = f"t >> {shift}" if shift else "t"
                cover = f" & {(1 << width) - 1}" if shift + width < total else ""
                self.emit(f"{name} = {place}{cover}")
        self.pending.clear()

    def read(self, width: int, stem: str = "c") -> str:
        name = self.fresh(stem)
        if width:
            self.pending.append((width, name))
        self.flush()
        if not width:
            self.emit(f"{name} = 0")
        return name

    def record(self, cls: Any, items: list[Item]) -> str:
        """Emits the content of a class after its start; returns the variable with the object."""
        values: dict[str, str] = {}
        code: str | None = None
        for index, item in enumerate(items):
            width = productions(items, index).bit_length()
            after = productions(items, index + 1) if index + 1 < len(items) else 0
            if code is None and (item.optional or (item.codes > 1 and item.kind != END)):
                code = self.read(width)
            if item.kind == END:
                if code is None:
                    self.const(width, item.offset)
                else:
                    self.emit(f"if {code} != {item.offset}: raise NotPlain")
                for spec in item.absent:
                    values[spec.name] = "[]" if spec.kind == "content" or spec.repeated else "None"
                break
            assert item.spec is not None or item.kind == CHOICE
            if item.kind == CHOICE:
                assert code is not None
                self.choice(item, code, values, after)
                if not item.optional:
                    code = None
                continue
            field = item.spec
            assert field is not None
            result = self.fresh()
            values[field.name] = result
            if item.optional:
                assert code is not None
                self.flush()
                self.emit(f"if {code} < {item.codes}:")
                self.level += 1
                following = self.one(item, code, result, after)
                if following is None:
                    following = self.read(after.bit_length())
                self.flush()
                self.emit(f"{code} = {following}")
                self.level -= 1
                self.emit("else:")
                self.level += 1
                self.emit(f"{code} -= {item.codes}")
                self.emit(f"{result} = {'[]' if field.repeated else 'None'}")
                self.level -= 1
                continue
            if code is None:
                self.const(width, 0)
            elif item.codes == 1:
                self.emit(f"if {code}: raise NotPlain")
            code = self.one(item, code, result, after)
        made = self.fresh("o")
        self.later(f"{made} = new({self.constant(cls, 'C')})")
        for key, spec in cls._fields.items():
            shown = values.get(key, "[]" if spec.repeated else "None")
            self.later(f"{made}.{key} = {shown}")
        return made

    def one(self, item: Item, code: str | None, result: str, after: int) -> str | None:
        """Emits one occurrence (or all of a list) into ``result``; returns the code read ahead, if any."""
        spec = item.spec
        assert spec is not None
        if item.kind == HEAD:
            assert code is not None
            table = self.constant(self.plan.lazy_decoders(item.classes), "H")
            self.flush()
            self.emit(f"if {code} >= {item.codes}: raise NotPlain")
            self.emit(f"{result}, s = {table}[{code}](x, s)")
            return None
        if item.kind == ATTRIBUTE:
            self.value(spec.type, result)
            return None
        if item.kind == TEXT:
            self.value(spec.type, result)
            return None
        if not spec.repeated:
            self.child(spec, result)
            return None
        return self.many(spec, result, after)

    def many(self, spec: Spec, result: str, after: int) -> str:
        self.flush()
        code, one, cut = self.fresh("c"), self.fresh(), self.fresh("e")
        self.emit(f"{result} = []")
        self.emit(f"{cut} = s - {TRIM}")
        self.emit("while True:")
        self.level += 1
        # A shift costs as much as the bits in front of it, so those that were read go from time to time.
        self.emit(f"if s < {cut}: x &= (1 << s) - 1; {cut} = s - {TRIM}")
        self.child(spec, one)
        self.flush()
        self.emit(f"{result}.append({one})")
        if spec.max > 0:
            self.emit(f"if len({result}) == {spec.max}:")
            self.level += 1
            self.emit(f"{code} = {self.read(after.bit_length())}")
            self.emit("break")
            self.level -= 1
        if spec.min > 1:
            self.emit(f"if len({result}) < {spec.min}:")
            self.level += 1
            again = self.read(1)
            self.emit(f"if {again}: raise NotPlain")
            self.emit("continue")
            self.level -= 1
        # A state inside the list has the item and all that may follow the list.
        self.emit(f"{code} = {self.read((1 + after).bit_length())}")
        self.emit(f"if {code}:")
        self.level += 1
        self.emit(f"{code} -= 1")
        self.emit("break")
        self.level -= 2
        return code

    def child(self, spec: Spec, result: str) -> None:
        """A child element after its start."""
        kind = spec.type
        if not isinstance(kind, RecordMeta):
            self.const(1, 0)
            self.value(kind, result)
            self.const(1, 0)
            return
        items = self.inlinable(kind)
        if items is not None:
            made = self.record(kind, items)
            self.later(f"{result} = {made}")
            return
        self.flush()
        self.emit(f"{result}, s = {self.constant(self.plan.decoder(kind), 'F')}(x, s)")

    def choice(self, item: Item, code: str, values: dict[str, str], after: int) -> None:
        """One of several children; ``code`` becomes that of what follows when the choice may be left out."""
        names = {s.name: self.fresh() for s in item.specs}
        values.update(names)
        self.flush()
        self.emit(" = ".join(names.values()) + " = None")
        for index, spec in enumerate(item.specs):
            self.emit(f"{'if' if index == 0 else 'elif'} {code} == {index}:")
            self.level += 1
            self.child(spec, names[spec.name])
            if item.optional:
                self.emit(f"{code} = {self.read(after.bit_length())}")
            self.flush()
            self.level -= 1
        self.emit(f"else: {code} -= {item.codes}" if item.optional else "else: raise NotPlain")

    def value(self, kind: Any, result: str) -> None:
        """A typed value."""
        if isinstance(kind, Boolean):
            raw = self.fresh("b")
            self.pending.append((1, raw))
            self.later(f"{result} = {raw} == 1")
        elif isinstance(kind, Enumeration):
            raw = self.fresh("b")
            if kind.bits:
                self.pending.append((kind.bits, raw))
            table = self.constant(members(kind), "E")
            self.later(f"{result} = {table}[{raw if kind.bits else 0}]")
        elif isinstance(kind, Integer):
            self.integer(kind, result)
        elif isinstance(kind, Binary | String):
            self.pending.append((8, length := self.fresh("n")))
            self.flush()
            self.emit(f"if {length} > 127: {length}, s = more(x, s, {length})")
            if isinstance(kind, String):
                self.emit(f"if {length} < 2: raise NotPlain")
                self.emit(f"{length} -= 2")
            self.emit(f"k = {length} << 3")
            self.emit("s -= k")
            octets = f"(x >> s & (1 << k) - 1).to_bytes({length}, 'big')"
            self.emit(
                f"{result} = str({octets}, 'ascii')" if isinstance(kind, String) else f"{result} = {octets}"
            )
        else:
            raise TypeError(f"no code for {kind!r}")

    def integer(self, kind: Integer, result: str) -> None:
        if kind.bits is not None:
            assert kind.low is not None
            assert kind.high is not None
            if kind.bits:
                self.pending.append((kind.bits, result))
            if not kind.bits:
                self.later(f"{result} = {kind.low}")
                return
            if kind.high - kind.low + 1 < 1 << kind.bits:
                self.later(f"if {result} > {kind.high - kind.low}: raise NotPlain")
            if kind.low:
                self.later(f"{result} += {kind.low}")
            return
        self.pending.append((9 if kind.signed else 8, result))
        self.flush()
        sign = self.fresh("g")
        if kind.signed:
            self.emit(f"{sign} = {result} > 255")
            self.emit(f"{result} &= 255")
        self.emit(f"if {result} > 127: {result}, s = more(x, s, {result})")
        if kind.signed:
            self.emit(f"if {sign}: {result} = ~{result}")
        checks = [] if kind.low is None or kind.low == 0 else [f"{result} < {kind.low}"]
        checks += [] if kind.high is None else [f"{result} > {kind.high}"]
        if checks:
            self.emit(f"if {' or '.join(checks)}: raise NotPlain")
