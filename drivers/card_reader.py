"""Capability: somebody or something that holds an RFID card against the charger's reader."""

from __future__ import annotations

from abc import abstractmethod

from drivers.base import Driver


class CardReader(Driver):
    """Presents RFID cards to the charger."""

    @abstractmethod
    def present(self, token: str) -> None:
        """Hold the card with this token (hex or text, 1 to 36 characters) against the reader once.

        Raises DriverError, LimitExceeded for a token that no card can have.
        """
