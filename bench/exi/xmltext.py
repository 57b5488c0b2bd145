"""Nodes to XML text and back. No DTD, no entities beyond those of XML, no processing instructions."""

from __future__ import annotations

from xml.parsers import expat

from bench.exi.errors import ValidationError
from bench.exi.grammar import XSD, XSI
from bench.exi.node import Node

_SEPARATOR = "\x1f"
MAX_DEPTH = 64


class _Parser:
    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[Node] = []
        self.scopes: dict[str, list[str]] = {"": [""]}
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartNamespaceDeclHandler = self.declare
        self.parser.EndNamespaceDeclHandler = self.undeclare
        self.parser.StartDoctypeDeclHandler = self.doctype

    def doctype(self, *_: object) -> None:
        raise ValidationError("document", "a document type declaration is not allowed")

    def declare(self, prefix: str | None, uri: str | None) -> None:
        self.scopes.setdefault(prefix or "", []).append(uri or "")

    def undeclare(self, prefix: str | None) -> None:
        self.scopes[prefix or ""].pop()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise ValidationError(name, f"nested deeper than {MAX_DEPTH}")
        node = Node(*_split(name))
        for key, value in attributes.items():
            qname = _split(key)
            node.attributes[qname] = self.resolve(value) if qname == (XSI, "type") else value
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def resolve(self, value: str) -> str:
        prefix, _, local = value.strip().rpartition(":")
        known = self.scopes.get(prefix)
        if not known:
            raise ValidationError("xsi:type", f"prefix {prefix!r} is not declared")
        return f"{{{known[-1]}}}{local}"

    def end(self, _: str) -> None:
        node = self.open.pop()
        # Space between elements is layout, not content.
        if any(isinstance(c, Node) for c in node.children):
            node.children = [c for c in node.children if isinstance(c, Node) or c.strip(" \t\r\n")]

    def text(self, data: str) -> None:
        children = self.open[-1].children
        if children and isinstance(children[-1], str):
            children[-1] += data
        else:
            children.append(data)


def _split(name: str) -> tuple[str, str]:
    uri, _, local = name.rpartition(_SEPARATOR)
    return uri, local


def parse_xml(text: str | bytes) -> Node:
    """The root element of an XML document. Raises ValidationError when it is not well-formed."""
    parser = _Parser()
    try:
        parser.parser.Parse(text, True)
    except expat.ExpatError as exc:
        raise ValidationError("XML", f"not well-formed: {exc}") from exc
    assert parser.root is not None
    return parser.root


def escape(text: str) -> str:
    """Text as character data; a carriage return would be normalised away, so it goes out as a reference."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def quoteattr(text: str) -> str:
    """Text as a quoted attribute value."""
    kept = escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{kept}"'


def write_xml(root: Node, prefixes: dict[str, str], *, indent: bool = False) -> str:
    """XML text of a Node; ``prefixes`` maps URI to prefix, any other URI gets one of its own."""
    known = {XSI: "xsi", XSD: "xs", **prefixes}
    used: dict[str, str] = {}

    def prefix(uri: str) -> str:
        if uri not in used:
            used[uri] = known.get(uri) or f"x{len(used)}"
        return used[uri]

    def tag(uri: str, name: str) -> str:
        return f"{prefix(uri)}:{name}" if uri else name

    def render(node: Node, level: int) -> str:
        name = tag(node.uri, node.name)
        attributes = ""
        for (uri, local), value in node.attributes.items():
            shown = value
            if (uri, local) == (XSI, "type"):
                target, _, kind = value[1:].rpartition("}") if value.startswith("{") else ("", "", value)
                shown = tag(target, kind)
            attributes += f" {tag(uri, local)}={quoteattr(shown)}"
        if not node.children:
            return f"<{name}{attributes}/>"
        laid_out = indent and all(isinstance(c, Node) for c in node.children)
        gap = "\n" + "  " * (level + 1) if laid_out else ""
        inner = "".join(
            gap + (escape(c) if isinstance(c, str) else render(c, level + 1)) for c in node.children
        )
        close = "\n" + "  " * level if laid_out else ""
        return f"<{name}{attributes}>{inner}{close}</{name}>"

    body = render(root, 0)
    declarations = "".join(f" xmlns:{p}={quoteattr(u)}" for u, p in used.items() if u)
    name = tag(root.uri, root.name)
    return f"<{name}{declarations}{body[len(name) + 1 :]}"
