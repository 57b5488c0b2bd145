"""What an EV session can end with.

EvError
  ProfileError            the EV profile is wrong; one line "file: key: what, how to mend"
  MissingPower            a step needs an instrument that this bench does not have
  PlanMistake             the plan asks for something that cannot be (unknown message name, no contract given)
  SessionEnded            the charger did not get the session where the plan wanted it
    CarGaveUp             the car itself did not go on: the pending request was never sent
    ChargerTimeout        no answer in time
    ChargerClosed         the charger closed or refused the connection
    ChargerGarbage        the charger sent what cannot be understood
"""

from __future__ import annotations


class EvError(Exception):
    """Base of all errors of the EV room."""


class BenchBroke(EvError):  # noqa: N818
    """The bench broke while the car was talking: nothing more is sent."""


class ProfileError(EvError):
    """An EV profile cannot be used; the text is one line naming file, key, fault and remedy."""


class MissingPower(EvError):  # noqa: N818 - the name that plans use
    """The session needs an instrument (`capability`) that the bench lacks; `step` says what for."""

    def __init__(self, capability: str, step: str) -> None:
        super().__init__(
            f"{step} needs a {capability}, and this bench has none: name one in the bench file, "
            "or use Vehicle.without_power() for a test of the protocol alone"
        )
        self.capability, self.step = capability, step


class PlanMistake(EvError):  # noqa: N818 - the name that plans use
    """The caller asked for something that no session can do."""


class SessionEnded(EvError):  # noqa: N818 - the name that plans use
    """The session ended, or went another way, before it got where the plan wanted it.

    `after` is the last message sent or received, `response_code` the charger's last code (None before the
    first).
    """

    def __init__(self, reason: str, after: str | None = None, response_code: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.after, self.response_code = reason, after, response_code


class CarGaveUp(SessionEnded):
    """The car would not send the pending request, for what came before it: the voltage does not match, say.

    So nothing can be said about the charger's answer to that request.
    """


class ChargerTimeout(SessionEnded):
    """The charger did not answer within the time that the EV waits."""


class ChargerClosed(SessionEnded):
    """The charger closed, reset or refused the connection."""


class ChargerGarbage(SessionEnded):
    """The charger sent a frame or a message that cannot be decoded."""
