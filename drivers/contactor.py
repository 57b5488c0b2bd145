"""Capability: the vehicle's DC contactor."""

from __future__ import annotations

from abc import abstractmethod

from drivers.base import Driver


class Contactor(Driver):
    """Joins the sink to the connector. Safe state: open."""

    @abstractmethod
    def close_contactor(self) -> None:
        """Close it. Raises DriverError."""

    @abstractmethod
    def open_contactor(self) -> None:
        """Open it. Raises DriverError."""

    @abstractmethod
    def is_closed(self) -> bool:
        """Whether it is closed, as the box reports it. Raises InstrumentLost."""
