"""Writes the Python source of the compiled decoders and encoders (see compiler.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.exi.declare import RecordMeta, Spec
from bench.exi.layout import ATTRIBUTE, CHOICE, ELEMENT, END, HEAD, TEXT, Item, productions
from bench.exi.values import Binary, Boolean, Enumeration, Integer, String

if TYPE_CHECKING:
    from bench.exi.compiler import Plan


class NotPlain(Exception):
    """The message or stream needs the general way."""


MAX_INLINE = 24
"""Classes with at most this many fields are expanded in place, unless they hold lists."""


def more_octets(value: int, left: int, first: int) -> tuple[int, int]:
    """The rest of a varint whose first octet has its top bit set: (value, bits left)."""
    result, shift = first & 127, 7
    while True:
        left -= 8
        octet = value >> left & 255
        result |= (octet & 127) << shift
        if octet < 128:
            return result, left
        shift += 7
        if shift > 12_000:
            raise NotPlain


def append_varint(value: int, number: int) -> int:
    """Appends a varint."""
    while number > 127:
        value = value << 8 | number & 127 | 128
        number >>= 7
    return value << 8 | number


class _Emitter:
    """Source lines, constants and fresh names; ``pending`` collects what will move in one operation."""

    def __init__(self, plan: Plan, cls: Any) -> None:
        self.plan, self.cls = plan, cls
        self.lines: list[str] = []
        self.level = 1
        self.names: dict[str, Any] = {"NotPlain": NotPlain}
        self.counter = 0
        self.pending: list[tuple[int, int | str]] = []
        self.post: list[str] = []

    def later(self, line: str) -> None:
        """A line that needs what is pending: it follows the next flush."""
        self.post.append(line)

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.level + line)

    def fresh(self, stem: str = "v") -> str:
        self.counter += 1
        return f"{stem}{self.counter}"

    def constant(self, value: Any, stem: str) -> str:
        for name, known in self.names.items():
            if known is value:
                return name
        name = self.fresh(stem)
        self.names[name] = value
        return name

    def const(self, width: int, value: int) -> None:
        if width:
            self.pending.append((width, value))

    def inlinable(self, kind: Any) -> list[Item] | None:
        items: list[Item] | None = self.plan.layout(kind)
        if items is None or len(items) > MAX_INLINE or kind._abstract:
            return None
        plain = all(i.kind in (ATTRIBUTE, ELEMENT, TEXT, END) and not i.absent for i in items)
        return items if plain and not any(i.spec is not None and i.spec.repeated for i in items) else None

    def compile(self, header: str) -> Any:
        source = "\n".join([header, *self.lines, ""])
        space: dict[str, Any] = dict(self.names)
        exec(compile(source, f"<exi {self.cls.__name__}>", "exec"), space)  # noqa: S102  # made from the declaration
        return space["run"]


class DecodeEmitter(_Emitter):
    """Generates ``run(x, s)``: x the stream as an integer, s the bits left."""

    def function(self) -> Any:
        items = self.plan.layout(self.cls)
        if items is None or self.cls._abstract:
            return _refuse
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
            if code is None and (item.optional or item.codes > 1 and item.kind != END):
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
                self.choice(item, code, values)
                code = None
                continue
            spec = item.spec
            assert spec is not None
            result = self.fresh()
            values[spec.name] = result
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
                self.emit(f"{result} = {'[]' if spec.repeated else 'None'}")
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
        code, one = self.fresh("c"), self.fresh()
        self.emit(f"{result} = []")
        self.emit("while True:")
        self.level += 1
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

    def choice(self, item: Item, code: str, values: dict[str, str]) -> None:
        names = {s.name: self.fresh() for s in item.specs}
        values.update(names)
        self.flush()
        self.emit(" = ".join(names.values()) + " = None")
        for index, spec in enumerate(item.specs):
            self.emit(f"{'if' if index == 0 else 'elif'} {code} == {index}:")
            self.level += 1
            self.child(spec, names[spec.name])
            self.flush()
            self.level -= 1
        self.emit("else: raise NotPlain")

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
            members = self.constant(_members(kind), "E")
            self.later(f"{result} = {members}[{raw if kind.bits else 0}]")
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
            self.emit(f"{result} = str({octets}, 'ascii')" if isinstance(kind, String) else f"{result} = {octets}")
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


class EncodeEmitter(_Emitter):
    """Generates ``run(m, a)``: appends message m to the integer a."""

    def function(self) -> Any:
        items = self.plan.layout(self.cls)
        if items is None or self.cls._abstract:
            return _refuse
        self.names.update(varint=append_varint, from_bytes=int.from_bytes)
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
        state: tuple[str, str] | None = None  # variables with width and code, where an optional item came before
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
                self.choice(item, source, state, width)
                state = None
                continue
            spec = item.spec
            assert spec is not None
            got = self.fresh()
            self.emit(f"{got} = {source}.{spec.name}")
            if item.optional:
                if state is None:
                    self.flush()
                    state = self.fresh("w"), self.fresh("c")
                    self.emit(f"{state[0]} = {width}; {state[1]} = 0")
                self.emit(f"if {got}{'' if spec.repeated else ' is not None'}:")
                self.level += 1
                self.one(item, got, state, width, after, state)
                self.level -= 1
                self.emit("else:")
                self.level += 1
                if spec.repeated:
                    self.emit(f"if {got} != []: raise NotPlain")
                self.emit(f"{state[1]} += {item.codes}")
                self.level -= 1
                continue
            following: tuple[str, str] | None = None
            if spec.repeated:
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

    def one(
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

    def many(
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
        self.emit(f"for {position + ', ' if position else ''}{one} in {f'enumerate({got})' if position else got}:")
        self.level += 1
        self.emit(f"a = a << {state[0]} | {state[1]}")
        self.child(spec, one)
        self.flush()
        if position:
            self.emit(f"{state[0]} = 1 if {position} + 1 < {spec.min} else {inside}; {state[1]} = 0")
        else:
            self.emit(f"{state[0]} = {inside}; {state[1]} = 0")
        self.level -= 1
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

    def choice(self, item: Item, source: str, state: tuple[str, str] | None, width: int) -> None:
        self.flush()
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
        self.emit(f"if {done} != 1: raise NotPlain")

    def value(self, kind: Any, got: str) -> None:
        """A typed value; anything its type does not allow is not plain."""
        if isinstance(kind, Boolean):
            self.emit(f"if {got} is not True and {got} is not False: raise NotPlain")
            self.pending.append((1, got))
        elif isinstance(kind, Enumeration):
            raw = self.fresh("b")
            codes = self.constant(_codes(kind), "E")
            self.emit(f"{raw} = {codes}[{got}]")
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
                raw = got if kind.low == 0 else f"({got} - {kind.low})" if kind.low > 0 else f"({got} + {-kind.low})"
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


_cached_members: dict[Any, list[Any]] = {}
_cached_codes: dict[Any, dict[Any, int]] = {}


def _members(kind: Enumeration) -> list[Any]:
    return _cached_members.setdefault(kind.members, kind.values)


def _codes(kind: Enumeration) -> dict[Any, int]:
    return _cached_codes.setdefault(kind.members, {m.value: i for i, m in enumerate(kind.values)})


def _refuse(*_: Any) -> Any:
    raise NotPlain
