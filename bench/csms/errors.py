"""What a caller of the mock CSMS can meet."""

from __future__ import annotations

from typing import Any


class CsmsError(Exception):
    """The mock CSMS could not start, or was used wrongly; the text is one line for the user."""


class CsmsTimeout(Exception):  # noqa: N818 - the name is fixed by docs/internals.md
    """What was waited for did not come in time."""


class NotConnected(CsmsTimeout):
    """No charger is connected to send a call to."""


class CallError(Exception):
    """The charger answered a call with CALLERROR."""

    def __init__(self, action: str, code: str, description: str, details: dict[str, Any]) -> None:
        super().__init__(f"{action}: {code}{': ' + description if description else ''}")
        self.action = action
        self.code = code
        self.description = description
        self.details = details
