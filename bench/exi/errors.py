"""Errors of the codec.

CodecError              anything the codec refuses
  DecodeError           a stream that is not a message of the set: schema, path, bit position, what was
  expected
  ValidationError       a message (or XML) that is not valid against its schema: path and reason
"""

from __future__ import annotations


class CodecError(Exception):
    """Base of the codec's errors."""


class DecodeError(CodecError):
    """A stream that cannot be decoded.

    ``schema`` is the message set, ``path`` the element being read ("V2G_Message/Body"), ``bit`` the position
    in the
    stream counted from its first bit, ``expected`` what should have been there.
    """

    def __init__(self, schema: str, path: str, bit: int, expected: str) -> None:
        super().__init__(
            f"{schema}: {path or 'document'} at bit {bit} (byte {bit // 8}): expected {expected}"
        )
        self.schema, self.path, self.bit, self.expected = schema, path, bit, expected


class ValidationError(CodecError):
    """A value that the schema does not allow. ``path`` leads to it, ``reason`` says what is wrong and what
    was expected; ``schema`` is the message set, where it is known.
    """

    def __init__(self, path: str, reason: str, schema: str = "") -> None:
        super().__init__(f"{schema}: {path}: {reason}" if schema else f"{path}: {reason}")
        self.path, self.reason, self.schema = path, reason, schema
