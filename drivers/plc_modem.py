"""Capability PlcModem: the modem on the car's end of the charging cable, and the host's port behind it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from bench.slac.port import EthernetPort
from drivers.base import Driver


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """The logical network that the modem is a member of (CM_NW_INFO.CNF, HomePlug AV)."""

    nid: bytes
    """Network identifier: 7 bytes."""
    short_nid: int
    terminal_id: int
    """The modem's own number in the network (TEI); the coordinator has 1, as a rule."""
    role: str
    """`"station"`, `"proxy coordinator"` or `"coordinator"`."""
    coordinator_mac: bytes | None = None
    """6 bytes, or None when the modem does not say."""


@dataclass(frozen=True, slots=True)
class Attenuation:
    """What the modem measured of a sound of the other side (CM_ATTEN_PROFILE.IND), in dB a carrier group."""

    station_mac: bytes
    """Who sounded: 6 bytes."""
    groups_db: tuple[int, ...]
    t_ns: int

    @property
    def mean_db(self) -> float:
        """Mean over the groups, as SLAC judges by it (ISO 15118-3, A.9.2)."""
        return sum(self.groups_db) / len(self.groups_db) if self.groups_db else 0.0


class PlcModem(Driver):
    """A HomePlug Green PHY modem between the host and the control pilot line."""

    @property
    @abstractmethod
    def port(self) -> EthernetPort:
        """The host's side of the modem: SLAC frames go over it. It belongs to the driver: `close` is the
        driver's. Raises InstrumentLost while the driver is not open.
        """

    @abstractmethod
    def set_key(self, nid: bytes, nmk: bytes) -> None:
        """Make the modem a member of the network with this identifier (7 bytes) and membership key (16
        bytes). Raises InstrumentRefused when it does not take them, InstrumentLost when it does not answer.
        """

    @abstractmethod
    def link_up(self) -> bool:
        """Whether the modem sees another member of its network now; False while it restarts. Raises
        InstrumentLost.
        """

    @abstractmethod
    def wait_link(self, timeout_s: float) -> bool:
        """Wait until the link is up; False when it is not within the time. Raises InstrumentLost when the
        modem does not answer at the end of it: then nothing is known of the link.
        """

    @abstractmethod
    def network_info(self) -> NetworkInfo | None:
        """The network that the modem is in, or None when it is in none. Raises InstrumentLost."""

    @abstractmethod
    def software_version(self) -> str:
        """The firmware's name of itself. Raises InstrumentLost."""

    @abstractmethod
    def reset(self) -> None:
        """Restart the modem and wait until it answers again; it is in no network then. Raises
        InstrumentLost.
        """

    @abstractmethod
    def attenuation(self) -> Attenuation | None:
        """The last attenuation profile that the modem told its host, or None. A modem measures the sounds
        of the other side only: on the car's end there is none, and the charger's is in CM_ATTEN_CHAR.IND.
        """

    @abstractmethod
    def set_amplitude_map(self, levels: bytes) -> None:
        """Cap the modem's transmit power, one level (0 to 15) a carrier (CM_AMP_MAP.REQ). Raises
        LimitExceeded, InstrumentRefused, InstrumentLost.
        """
