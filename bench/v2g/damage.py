"""Bit damage to an EXI stream, by name: what a test sends to a decoder that must not stumble.

    damage.truncate(exi, 12)                      damage.flip(exi, 17, -1)
    damage.wrong_header(exi, 0xA0)                damage.trailing(exi, bytes(3))
    damage.unknown_event_code(exi, "iso2", "V2G_Message/Body")
    damage.named("truncate:12")(exi, "iso2")      as the command line has it

Each returns the damaged bytes and raises DamageError where the stream has no such place. What a schema does
not allow but EXI can carry is no damage: ``codec.encode(message, deviations=True)`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.v2g import codec

NAMES = {
    "truncate": "truncate:N         keep the first N bytes (negative: leave the last -N out)",
    "flip": "flip:BIT[,BIT...]  flip bits, 0 the first of the stream, -1 the last",
    "header": "header:HH          another first byte, in hexadecimal (80 is right, a0 announces options)",
    "event-code": "event-code[:PATH]  a code that means nothing, in the element at PATH (V2G_Message/Body)",
    "trailing": "trailing:HEX       append bytes",
}
"""Name of a damage -> how the command line gives it."""


class DamageError(codec.CodecError):
    """The stream has no place for this damage, or the name is none."""


def truncate(exi: bytes, length: int) -> bytes:
    """The first ``length`` bytes; a negative ``length`` leaves so many out at the end."""
    if not -len(exi) <= length <= len(exi):
        raise DamageError(f"truncate: the stream has {len(exi)} bytes, not {abs(length)}")
    return exi[:length]


def flip(exi: bytes, *bits: int) -> bytes:
    """Other values of these bits: 0 is the most significant of the first byte, -1 the last of all."""
    data = bytearray(exi)
    for bit in bits:
        index = bit + 8 * len(data) if bit < 0 else bit
        if not 0 <= index < 8 * len(data):
            raise DamageError(f"flip: bit {bit} is outside the {len(data)} bytes of EXI")
        data[index // 8] ^= 0x80 >> (index % 8)
    return bytes(data)


def wrong_header(exi: bytes, value: int = 0xA0) -> bytes:
    """Another EXI header than 0x80; the default announces options that do not follow."""
    if not exi or not 0 <= value <= 0xFF:
        raise DamageError("header: needs a stream and one byte")
    return bytes([value]) + exi[1:]


def trailing(exi: bytes, data: bytes = b"\x00") -> bytes:
    """Bytes after the message."""
    return exi + data


def unknown_event_code(exi: bytes, schema: str, path: str | None = None, fragment: bool = False) -> bytes:
    """The stream with one event code that no production has, at the first place that has codes to spare.

    ``path`` names the element in which the code stands ("V2G_Message/Body", "" for the document's root);
    without it that is the first element with a spare code. Everything else keeps its place. A state with n
    productions has ceil(log2(n + 1)) bits, the last used code being the escape to undeclared events: with n =
    1 both codes are taken, so that not every element can be damaged like this.
    """
    found = codec.productions(schema, exi, fragment)
    spare = [
        p for p in found if p.known < 1 << p.width and (p.path != "" if path is None else p.path == path)
    ]
    if path is None and not spare:
        spare = [p for p in found if p.known < 1 << p.width]
    if not spare:
        where = "the stream" if path is None else path or "the document's root"
        raise DamageError(f"event-code: {where} has no event code to spare")
    place = spare[0]
    shift = len(exi) * 8 - place.bit - place.width
    value = int.from_bytes(exi, "big") | ((1 << place.width) - 1) << shift
    return value.to_bytes(len(exi), "big")


def named(text: str) -> Callable[[bytes, str, bool], bytes]:
    """The damage that ``text`` names ("flip:17,-1"), to be called with stream, schema and fragment. Raises
    DamageError for an unknown name or a wrong argument.
    """
    name, _, argument = text.partition(":")
    try:
        if name == "truncate":
            length = int(argument)
            return lambda exi, schema, fragment: truncate(exi, length)
        if name == "flip":
            bits = [int(each) for each in argument.split(",")]
            return lambda exi, schema, fragment: flip(exi, *bits)
        if name == "header":
            value = int(argument or "a0", 16)
            return lambda exi, schema, fragment: wrong_header(exi, value)
        if name == "trailing":
            data = bytes.fromhex(argument or "00")
            return lambda exi, schema, fragment: trailing(exi, data)
        if name == "event-code":
            path = argument or None
            return lambda exi, schema, fragment: unknown_event_code(exi, schema, path, fragment)
    except ValueError as exc:
        raise DamageError(f"{text!r}: give {' '.join(NAMES[name].split()[:1])}") from exc
    raise DamageError(f"{name!r} is no damage; known: {', '.join(NAMES)}")
