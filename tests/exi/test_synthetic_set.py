"""Shapes that the V2G sets so far do not have: the compiled codec and the general one agree on them."""

import itertools
import sys

import pytest

from bench.exi.compiler import Plan
from bench.exi.convert import Converter
from bench.exi.declare import UNBOUNDED, Choice, MessageSet, Record, attribute, element
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
    from bench.exi.compiler import NotPlain

    with pytest.raises(NotPlain):
        PLAN.encode(Shapes(Pairs=PAIRS[:1], Fixed=7), False)
