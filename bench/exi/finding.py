"""What is odd in a stream that can be read all the same."""

from __future__ import annotations

from typing import Any


class Finding(str):
    """One tolerance: the text is for people, ``name`` for programs.

    ``schema`` is the message set, ``path`` the element in which it was met ("" for the stream as a whole),
    ``bit`` the position in the stream counted from its first bit. ``breach`` tells what breaks the standard
    or the schema from what is merely uncommon (and worth knowing, because other decoders refuse it).

    ====================== ====== ==================================================================
    name                   breach met when
    ====================== ====== ==================================================================
    exi-cookie             yes    ``$EXI`` stands before the header
    exi-header             yes    the header byte is not 80 (EXI 1.0, clause 5; ISO 15118-2, 7.9.1.3)
    trailing-bytes         yes    whole bytes follow the message
    not-of-schema          yes    content that the schema does not allow
    array-as-unbounded     yes    a full array ends as if it had no maxOccurs (EXIficient as Josev ships it)
    fragment-end           yes    another code than that of the end of the fragment stands at its end
    string-table-hit       no     a value is a string table hit, though valuePartitionCapacity is 0 (RISE-V2G)
    empty-as-end           no     an empty value is an end of element without characters (EXIficient)
    ====================== ====== ==================================================================
    """

    name: str
    schema: str
    path: str
    bit: int
    breach: bool

    def __new__(
        cls, text: str, name: str, schema: str, path: str = "", bit: int = 0, *, breach: bool = True
    ) -> Finding:
        made = super().__new__(cls, text)
        made.name, made.schema, made.path, made.bit, made.breach = name, schema, path, bit, breach
        return made

    @property
    def located(self) -> str:
        """The text with name and place: "exi-header: iso2: document at bit 0 (byte 0): header 90 ..."."""
        where = f"{self.schema}: {self.path or 'document'} at bit {self.bit} (byte {self.bit // 8})"
        return f"{self.name}: {where}: {self}"

    def as_data(self) -> dict[str, Any]:
        """JSON-able data for an event or a report."""
        return {
            "name": self.name,
            "schema": self.schema,
            "path": self.path,
            "bit": self.bit,
            "breach": self.breach,
            "text": str(self),
        }
