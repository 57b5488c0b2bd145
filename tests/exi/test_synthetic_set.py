"""Shapes that the V2G sets so far do not have: the compiled codec and the general one agree on them."""

import itertools
import sys
from typing import Any

import pytest

from bench.exi.compiler import NotPlain, Plan
from bench.exi.convert import Converter, is_deviant
from bench.exi.declare import UNBOUNDED, Choice, MessageSet, Record, attribute, element
from bench.exi.errors import ValidationError
from bench.exi.grammar import Grammars
from bench.exi.reader import Reader
from bench.exi.values import BOOLEAN, BYTE, STRING, UNSIGNED_LONG, Integer
from bench.exi.writer import Writer

NAMESPACE = "urn:example:shapes"
single = Integer("single", 7, 7)
wide = Integer("wide", 0, 4095)


class Point(Record, ns=NAMESPACE):
    """A nested type."""

    X: int = element(BYTE)
    Y: int | None = element(wide, default=None)


class Either(Record, ns=NAMESPACE, content=Choice("A", "B")):
    """A choice with an attribute."""

    A: int | None = element(UNSIGNED_LONG, default=None)
    B: Point | None = element(default=None)
    Tag: str | None = attribute(STRING, default=None)


_Either = Either


class Shapes(Record, ns=NAMESPACE, element=True):
    """Lists of every kind, optional and not."""

    Pairs: list[Point] = element(min=2, max=4)
    Maybe: list[int] = element(wide, default_factory=list, max=3)
    Endless: list[str] = element(STRING, default_factory=list, max=UNBOUNDED)
    Fixed: int = element(single)
    Flag: bool | None = element(BOOLEAN, default=None)
    Either: _Either | None = element(default=None)


class Mode(Record, ns=NAMESPACE, element=True, replaceable=True):
    """An element that another may replace although it is not abstract."""

    Level: int = element(BYTE)


class LoudMode(Mode, element=True):
    """Replaces Mode."""

    Volume: int | None = element(wide, default=None)


class Empty(Record, ns=NAMESPACE):
    """A type without content."""


_Mode = Mode
_Empty = Empty


class Mixture(Record, ns=NAMESPACE, element=True):
    """Choices between other elements, each behind an optional one and a required one, and a replaceable
    element."""

    Lead: int | None = element(wide, default=None)
    Left: _Empty | None = element(default=None, one_of="side")
    Right: Point | None = element(default=None, one_of="side")
    Mode: _Mode = element(ref=True)
    Price: int | None = element(UNSIGNED_LONG, default=None, at_most_one_of="cost")
    Level: _Empty | None = element(default=None, at_most_one_of="cost")
    Note: str | None = element(STRING, default=None)
    Coin: int | None = element(BYTE, default=None, at_most_one_of="means")
    Card: str | None = element(STRING, default=None, at_most_one_of="means")


SET = MessageSet("shapes", namespaces={"s": NAMESPACE}, modules=(sys.modules[__name__],))
GRAMMARS = Grammars(SET)
CONVERTER = Converter(GRAMMARS)
PLAN = Plan(GRAMMARS, CONVERTER.bare_root)

PAIRS = [Point(X=-128), Point(X=127, Y=4095), Point(X=0, Y=0), Point(X=1)]
CHOICES = [None, Either(A=2**64 - 1), Either(B=Point(X=3), Tag="t"), Either(A=0, Tag="")]


@pytest.mark.parametrize(
    ("pairs", "maybe", "endless"), list(itertools.product((2, 3, 4), (0, 1, 2, 3), (0, 1, 5)))
)
def test_compiled_and_general_codec_agree(pairs: int, maybe: int, endless: int) -> None:
    for flag, either in itertools.product((None, True, False), CHOICES):
        message = Shapes(
            Pairs=PAIRS[:pairs],
            Maybe=[0, 4095, 17][:maybe],
            Endless=["", "a", "bb", "c" * 200, "ä"][:endless] if endless < 5 else ["x"] * 5,
            Fixed=7,
            Flag=flag,
            Either=either,
        )
        general = Writer(GRAMMARS).write(CONVERTER.to_node(message), False)
        assert PLAN.encode(message, False) == general
        assert PLAN.decode(general, False)[0] == message
        assert CONVERTER.from_node(Reader(GRAMMARS, general, 8).read(False)) == message


def test_too_few_items_are_not_plain() -> None:
    with pytest.raises(NotPlain):
        PLAN.encode(Shapes(Pairs=PAIRS[:1], Fixed=7), False)


SIDES = [{"Left": Empty()}, {"Right": Point(X=1, Y=2)}, {"Right": Point(X=1)}]
MODES = [Mode(Level=-1), LoudMode(Level=5), LoudMode(Level=5, Volume=4000)]
COSTS: list[dict[str, Any]] = [{}, {"Price": 2**40}, {"Level": Empty()}]
MEANS: list[dict[str, Any]] = [{}, {"Coin": 7}, {"Card": "visa"}]


@pytest.mark.parametrize(("lead", "note"), list(itertools.product((None, 17), (None, "n"))))
def test_choices_and_replaceable_elements(lead: int | None, note: str | None) -> None:
    for side, mode, cost, means in itertools.product(SIDES, MODES, COSTS, MEANS):
        message = Mixture(Lead=lead, Mode=mode, Note=note, **side, **cost, **means)
        CONVERTER.check(message)
        node = CONVERTER.to_node(message)
        assert any(n.name == type(mode).__name__ for n in node.elements())
        general = Writer(GRAMMARS, strict=True).write(node, False)
        assert PLAN.encode(message, False) == general
        assert PLAN.decode(general, False)[0] == message
        read = CONVERTER.from_node(Reader(GRAMMARS, general, 8).read(False))
        assert read == message
        assert not is_deviant(read)


def test_a_choice_is_one_of_its_fields() -> None:
    for wrong in (
        {},
        {"Left": Empty(), "Right": Point(X=1)},
        {"Left": Empty(), "Price": 1, "Level": Empty()},
    ):
        message = Mixture(Mode=Mode(Level=1), **wrong)
        with pytest.raises(NotPlain):
            PLAN.encode(message, False)
        with pytest.raises(ValidationError):
            Writer(GRAMMARS, strict=True).write(CONVERTER.to_node(message), False)
        sent = Writer(GRAMMARS).write(CONVERTER.to_node(message), False)
        assert is_deviant(CONVERTER.from_node(Reader(GRAMMARS, sent, 8).read(False)))


def test_integers_out_of_bounds_are_typed_where_a_varint_carries_them() -> None:
    message = Shapes(Pairs=PAIRS[:2], Fixed=7, Either=Either(A=2**70))
    node = CONVERTER.to_node(message)
    sent = Writer(GRAMMARS).write(node, False)
    assert CONVERTER.from_node(Reader(GRAMMARS, sent, 8).read(False)) == message
    largest = message.copy(Either=Either(A=2**64 - 1))
    assert len(sent) == len(Writer(GRAMMARS).write(CONVERTER.to_node(largest), False)) + 1
    with pytest.raises(ValidationError):
        Writer(GRAMMARS, strict=True).write(node, False)
