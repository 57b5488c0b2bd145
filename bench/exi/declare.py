"""How a message set is declared: one class a complex type, one line a child element or attribute.

    class PhysicalValue(Record, ns=DATATYPES):
        Multiplier: int = element(unitMultiplier)
        Unit: unitSymbol = element()

A class derived from :class:`Record` is a slotted record; the bit grammar, validation, XML and JSON are
derived from
its fields. Order of fields is the schema's order; a derived class comes after its base, as xs:extension has
it.
Class keywords (``class X(Record, ns=..., element=True)``):

    ns          namespace of the type, inherited if left out
    qualified   False: child elements are in no namespace (elementFormDefault="unqualified")
    attributes_qualified  True: attributes are in ``ns``
    element     True: a global element of the class's name exists with this type
    replaceable True: other elements may stand for this one although it is not abstract (xs:substitutionGroup)
    abstract    True: the type (and the element) may only stand for its derived classes
    type_name   the schema's name of the type (default: class name + "Type")
    content     the particle tree, where it is not simply the sequence of the fields
    mixed       True: character data may stand between the children
    default_element  the element a bare instance stands for as fragment root, where several have this type
    head        the class whose element this global element may replace; default: the nearest global base that
                is abstract or replaceable
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self, dataclass_transform, get_args, get_origin

from bench.exi.values import BUILTIN, Enumeration, Simple

UNBOUNDED = -1
"""``max`` of an element that may repeat without limit."""


class _Missing(enum.Enum):
    MISSING = 0


MISSING = _Missing.MISSING


class Spec:
    """One declared field: a child element, an attribute, the simple content, or the ordered mixed content.

    ``type`` is a :class:`Simple` or a Record class; ``uri`` and ``name`` are the XML name.
    """

    __slots__ = (
        "choice",
        "choice_optional",
        "default",
        "default_factory",
        "kind",
        "max",
        "min",
        "name",
        "owner",
        "ref",
        "type",
        "uri",
    )

    def __init__(  # noqa: PLR0917
        self,
        kind: str,
        type: Any,
        default: Any,
        default_factory: Callable[[], Any] | None,
        min: int,
        max: int,
        ref: bool = False,
    ) -> None:
        self.ref = ref
        self.kind, self.type, self.default, self.default_factory = kind, type, default, default_factory
        self.min, self.max = min, max
        self.name = self.uri = ""
        self.owner: Any = None
        self.choice, self.choice_optional = "", False

    @property
    def head(self) -> bool:
        """Whether other elements may stand in the place of this one: its type heads a substitution group."""
        kind = self.type
        if not isinstance(kind, RecordMeta) or not kind._element:
            return False
        return kind._abstract or (kind._replaceable and self.ref)

    @property
    def repeated(self) -> bool:
        """Whether the field holds a list."""
        return self.max != 1

    @property
    def optional(self) -> bool:
        """Whether the field may be left out."""
        return self.min == 0

    def initial(self) -> Any:
        """The value of a field that was not given; MISSING when it is required."""
        return self.default_factory() if self.default_factory is not None else self.default

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


def element(
    type: Any = None,
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    min: int | None = None,
    max: int = 1,
    ref: bool = False,
    one_of: str = "",
    at_most_one_of: str = "",
) -> Any:
    """A child element. Without ``type`` it is that of the annotation (an enumeration or a Record class).

    ``default=None`` (or ``default_factory=list`` on a repeated one) declares it optional, minOccurs="0".
    ``ref=True`` is a reference to the global element of that class, which brings its own namespace (a field
    whose
    type is an abstract head always is one). Neighbours with the same ``one_of`` are an xs:choice, of which
    exactly one
    is present; with ``at_most_one_of`` the choice may be left out.
    """
    optional = default is not MISSING or default_factory is not None
    spec = Spec(
        "element", type, default, default_factory, (0 if optional else 1) if min is None else min, max, ref
    )
    spec.choice, spec.choice_optional = one_of or at_most_one_of, bool(at_most_one_of)
    return spec


def attribute(type: Any = None, *, default: Any = MISSING) -> Any:
    """An attribute; optional when it has a default. Without ``type`` it is the annotated enumeration."""
    return Spec("attribute", type, default, None, 0 if default is not MISSING else 1, 1)


def text(type: Any) -> Any:
    """The character data of a type with simple content."""
    return Spec("text", type, MISSING, None, 1, 1)


def any_content(*, default_factory: Callable[[], Any]) -> Any:
    """The children that have no field of their own, in order.

    Text as ``str``, foreign elements as Node, declared ones as :class:`Named` or as an instance of their
    class.
    """
    return Spec("content", None, MISSING, default_factory, 0, UNBOUNDED)


@dataclass_transform(kw_only_default=True, field_specifiers=(element, attribute, text, any_content))
class RecordMeta(type):
    """Collects the declared fields of a class and gives it slots for them."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        *,
        ns: str | None = None,
        qualified: bool = True,
        attributes_qualified: bool | None = None,
        element: bool = False,
        abstract: bool = False,
        replaceable: bool = False,
        type_name: str | None = None,
        content: Any = None,
        mixed: bool = False,
        default_element: str | None = None,
        head: Any = None,
    ) -> RecordMeta:
        own = {k: v for k, v in body.items() if isinstance(v, Spec)}
        annotations = body.get("__annotations__", {})
        for key in own:
            del body[key]
        body["__slots__"] = (*own, *body.pop("_extra_slots", ()))
        cls = super().__new__(mcs, name, bases, body)
        base: Any = bases[0] if bases else None
        any_cls: Any = cls
        any_cls._ns = base._ns if ns is None and base is not None else ns or ""
        inherited_aq = getattr(base, "_attributes_qualified", False)
        any_cls._attributes_qualified = inherited_aq if attributes_qualified is None else attributes_qualified
        any_cls._element, any_cls._abstract = element, abstract
        any_cls._replaceable = replaceable
        any_cls._type_name = f"{name}Type" if type_name is None else type_name
        any_cls._content = content
        any_cls._mixed = mixed or getattr(base, "_mixed", False)
        any_cls._default_element = default_element
        any_cls._head = head or (_nearest_head(base) if element and base is not None else None)
        fields = dict(getattr(base, "_fields", {}))
        for key, spec in own.items():
            spec.name, spec.owner = key, cls
            if spec.type is None and spec.kind in ("element", "attribute"):
                spec.type = _annotated_type(annotations[key])
            if spec.kind == "element":
                if spec.ref or spec.head:
                    spec.uri = spec.type._ns
                else:
                    spec.uri = any_cls._ns if qualified else ""
            elif spec.kind == "attribute":
                spec.uri = any_cls._ns if any_cls._attributes_qualified else ""
            fields[key] = spec
        any_cls._fields = fields
        any_cls._plain = body.get("_plain", cls)
        return cls

    @property
    def __doc__(cls) -> str | None:  # type: ignore[override]
        """The docstring with every field, its type, limits and unit, made from the declaration."""
        from bench.exi.fieldtext import documentation

        return documentation(cls)

    _ns: str
    _element: bool
    _abstract: bool
    _replaceable: bool
    _type_name: str
    _content: Any
    _mixed: bool
    _default_element: str | None
    _head: Any
    _plain: Any
    _fields: dict[str, Spec]


def _nearest_head(base: Any) -> Any:
    for cls in base.__mro__:
        if isinstance(cls, RecordMeta) and cls._element and (cls._abstract or cls._replaceable):
            return cls
    return None


def _annotated_type(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType):
        annotation = next(a for a in get_args(annotation) if a is not types.NoneType)
    if get_origin(annotation) is list:
        (annotation,) = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.StrEnum):
        return _enumeration(annotation)
    if isinstance(annotation, RecordMeta):
        return annotation
    raise TypeError(f"give the simple type of a field annotated {annotation!r}")


_enumerations: dict[Any, Enumeration] = {}


def _enumeration(members: type[enum.StrEnum]) -> Enumeration:
    if members not in _enumerations:
        _enumerations[members] = Enumeration(members.__name__, members)
    return _enumerations[members]


class _DataclassFields:
    """Lets ``dataclasses.replace``, ``fields`` and ``asdict`` work on a Record without costing import
    time."""

    def __get__(self, obj: object, owner: Any) -> dict[str, Any]:
        found = {}
        for key in owner._fields:
            item: Any = dataclasses.field()
            item.name, item.init, item._field_type = key, True, dataclasses._FIELD  # type: ignore[attr-defined]
            found[key] = item
        return found


class Record(metaclass=RecordMeta):
    """Base of every message class: keyword construction, equality by fields, readable repr,
    ``copy(**changes)``.

    Values are not checked when they are set, so that a test can deviate; the codec checks them when it
    encodes.
    """

    _fields: ClassVar[dict[str, Spec]]  # set by the metaclass
    __dataclass_fields__: ClassVar[Any] = _DataclassFields()

    def __init__(self, **values: Any) -> None:
        for key, spec in type(self)._fields.items():
            if key in values:
                setattr(self, key, values.pop(key))
                continue
            initial = spec.initial()
            if initial is MISSING:
                raise TypeError(f"{type(self).__name__} needs {key}")
            setattr(self, key, initial)
        if values:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(values)}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        same = all(getattr(self, k, None) == getattr(other, k, None) for k in self._fields)
        return same and getattr(self, "_node", None) == getattr(other, "_node", None)

    __hash__ = None  # type: ignore[assignment]  # mutable, as a dataclass is

    def __repr__(self) -> str:
        shown = (f"{k}={getattr(self, k, '<unset>')!r}" for k, s in self._fields.items() if self._shown(k, s))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, key: str, spec: Spec) -> bool:
        return not (spec.optional and getattr(self, key, None) in (None, []))

    def copy(self, **changes: Any) -> Self:
        """A shallow copy with the given fields changed. Raises TypeError for a name that is no field.

        The copy of a message that was read with content beyond its fields has the fields only.
        """
        values = {k: getattr(self, k) for k in self._fields}
        values.update(changes)
        kind: Any = type(self)
        return kind._plain(**values)  # type: ignore[no-any-return]


class Named:
    """An element whose name does not follow from the class of its value.

    ``Named("EVTargetVoltage", PhysicalValue(...), uri)``: a fragment root or an item of mixed content.
    ``value`` is
    a Record, or the Python value of a simple type.
    """

    __slots__ = ("name", "uri", "value")

    def __init__(self, name: str, value: Any, uri: str = "") -> None:
        self.name, self.value, self.uri = name, value, uri

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Named):
            return NotImplemented
        return (self.name, self.uri, self.value) == (other.name, other.uri, other.value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Named({self.name!r}, {self.value!r}, {self.uri!r})"


class Sequence:
    """Particles one after the other; an item is a field name, ANY, or a nested particle."""

    def __init__(self, *items: Any, min: int = 1, max: int = 1) -> None:
        self.items, self.min, self.max = items, min, max


class Choice(Sequence):
    """Exactly one of the particles (times min/max)."""


class Wildcard:
    """xs:any: an element of any name (``##any`` and ``##other`` are the same event, SE(*))."""

    def __init__(self, *, min: int = 1, max: int = 1) -> None:
        self.min, self.max = min, max


class Child:
    """A child element that has no field: it lives in the ``content`` list."""

    def __init__(self, name: str, type: Any, *, min: int = 1, max: int = 1) -> None:
        self.name, self.type, self.min, self.max = name, type, min, max


class MessageSet:
    """A schema set. Grammars belong to a set, not to a type: the same type in two sets is coded differently.

    ``modules`` are searched for Record classes, simple types and enumerations; ``classes`` names further
    Record
    classes; ``includes`` are imported sets; ``simple`` maps (uri, name) of each global element with a simple
    type to
    that type; ``namespaces`` maps prefixes for XML output.
    """

    def __init__(
        self,
        name: str,
        *,
        namespaces: dict[str, str],
        modules: Iterable[types.ModuleType] = (),
        classes: Iterable[Any] = (),
        includes: Iterable[MessageSet] = (),
        simple: dict[tuple[str, str], Simple] | None = None,
    ) -> None:
        self.name = name
        self.prefixes = {uri: prefix for prefix, uri in namespaces.items()}
        self.modules, self.includes = tuple(modules), tuple(includes)
        self.classes: list[RecordMeta] = list(classes)
        self.simple = dict(simple or {})
        self._collected = False

    def collect(self) -> None:
        """Finds the classes and type names of the modules; done once, at first use."""
        if self._collected:
            return
        self._collected = True
        for module in self.modules:
            found = [v for v in vars(module).values() if getattr(v, "__module__", None) == module.__name__]
            records = [v for v in found if isinstance(v, RecordMeta)]
            self.classes += [v for v in records if v not in self.classes]
        for included in self.includes:
            included.collect()
            self.classes += [c for c in included.classes if c not in self.classes]
            self.simple.update(included.simple)
            for uri, prefix in included.prefixes.items():
                self.prefixes.setdefault(uri, prefix)

    def type_names(self) -> dict[tuple[str, str], Any]:
        """Every named type by (uri, name): a Record class, a Simple, or an enumeration's Simple."""
        self.collect()
        found: dict[tuple[str, str], Any] = {(c._ns, c._type_name): c for c in self.classes if c._type_name}
        for module in self.modules:
            # A module declares the types of one namespace, which is its first constant.
            uri = next((v for v in vars(module).values() if isinstance(v, str) and v in self.prefixes), "")
            for value in vars(module).values():
                if isinstance(value, Simple):
                    name = value.name
                    if getattr(module, name, None) is value and not any(value is b for b in BUILTIN):
                        found[uri, name] = value
                elif _is_enumeration(value, module):
                    found[uri, f"{value.__name__}Type"] = _enumeration(value)
        for included in self.includes:
            found.update(included.type_names())
        return found


def _is_enumeration(value: Any, module: types.ModuleType) -> bool:
    if not isinstance(value, type) or value.__module__ != module.__name__:
        return False
    return issubclass(value, enum.StrEnum)


_deviants: dict[Any, Any] = {}
_INHERITED = (
    "_ns",
    "_element",
    "_abstract",
    "_type_name",
    "_content",
    "_mixed",
    "_default_element",
    "_head",
    "_replaceable",
)


def deviant(cls: Any) -> Any:
    """The variant of a Record class whose instances carry, in ``_node``, the XML that the fields cannot
    say."""
    cls = cls._plain
    if cls not in _deviants:
        made: Any = RecordMeta(cls.__name__, (cls,), {"_extra_slots": ("_node",), "_plain": cls})
        for key in _INHERITED:
            setattr(made, key, getattr(cls, key))
        _deviants[cls] = made
    return _deviants[cls]


def is_record(value: object) -> bool:
    """Whether ``value`` is a Record class."""
    return isinstance(value, RecordMeta)
