"""What can be wrong with a bench. All of it is the bench's fault, never the charger's.

BenchError                   a bench that cannot be opened, or that broke; one line: what, where, how to
mend it +-- BenchFileError           the bench file or the charger file is wrong (exit code 2) +--
BenchInUse               another controller holds the bench +-- MissingCapability        a plan asks for an
instrument that the bench does not have
"""

from __future__ import annotations


class BenchError(Exception):
    """The bench cannot be used; the text is one line that says what is wrong and how to mend it."""


class BenchFileError(BenchError):
    """A bench or charger file is wrong; the text names file, key, what is wrong and what it could be."""


class BenchInUse(BenchError):  # noqa: N818 - reads as what it says
    """Another controller holds the lock of the bench."""


class MissingCapability(BenchError):  # noqa: N818 - the name is fixed in docs/internals.md
    """The bench has no instrument with this capability."""
