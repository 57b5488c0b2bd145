"""Simulated twin of PLC modems and of the powerline between them.

A modem stands between its host (a tunnel or an interface) and the line. Requests to the modem itself are
answered and stay on its side. Management messages of hosts go to every other modem on the line and from there
to its host; each CM_MNBC_SOUND.IND of a car's side is followed, at every EVSE's host, by that modem's
CM_ATTEN_PROFILE.IND. Anything else (IPv6) passes only between modems that hold the same NID and NMK.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Any

from bench.slac import mme
from bench.slac.port import ethertype
from drivers.simulated.modem import Modem, Quirks
from drivers.simulated.modem_host import HostLink, InterfaceHost, TunnelHost

MAX_MODEMS = 8
SIDES = ("ev", "evse")


class PowerlineError(ValueError):
    """A command to the line makes no sense; one line that says why."""


class Powerline:
    """The line and its modems by name: "ev" and "evse" at first, more by `command`.

    Not thread-safe: it lives in the rig's event loop.
    """

    def __init__(self, seed: int = 1) -> None:
        self.modems: dict[str, Modem] = {}
        self._noise = random.Random(seed)
        self._pairs_db: dict[tuple[str, str], float] = {}

    async def start(self, *, ev_interface: str = "", evse_interface: str = "") -> None:
        """The first two modems, each host on a tunnel, or on the interface named. Raises OSError."""
        await self._add("ev", "ev", Quirks(), ev_interface)
        await self._add("evse", "evse", Quirks(), evse_interface)

    def close(self) -> None:
        """Cut every link."""
        for modem in self.modems.values():
            modem.host.close()

    def endpoints(self) -> dict[str, str]:
        """`plc`: the car's host port, `plc-evse`: the charger's; without those that are interfaces."""
        names = {"plc": "ev", "plc-evse": "evse"}
        return {
            endpoint: self.modems[name].host.resource
            for endpoint, name in names.items()
            if name in self.modems and self.modems[name].host.resource.startswith("tunnel:")
        }

    def state(self) -> dict[str, Any]:
        """The true state of each modem, for tests."""
        return {name: {**modem.state(), "linked": self._peers(modem)} for name, modem in self.modems.items()}

    async def command(self, order: Any) -> None:
        """Change the line: `{"add": NAME, "side": "ev"|"evse", QUIRK: VALUE}`, `{"remove": NAME}`,
        `{"set": NAME, QUIRK: VALUE}`, `{"between": [EV, EVSE], "attenuation_db": DB}`. Raises
        PowerlineError, TypeError.
        """
        if not isinstance(order, dict):
            raise PowerlineError("an order to the powerline is an object")
        rest = dict(order)
        if "add" in rest:
            name, side = str(rest.pop("add")), rest.pop("side", "evse")
            if name in self.modems or len(self.modems) >= MAX_MODEMS or side not in SIDES:
                raise PowerlineError(f"no modem {name!r} on side {side!r} can be added")
            await self._add(name, side, _changed(Quirks(), rest), "")
        elif "remove" in rest:
            modem = self._named(rest.pop("remove"))
            modem.host.close()
            del self.modems[modem.name]
        elif "set" in rest:
            modem = self._named(rest.pop("set"))
            modem.quirks = _changed(modem.quirks, rest)
        elif "between" in rest:
            ev, evse = rest["between"]
            self._pairs_db[self._named(ev).name, self._named(evse).name] = float(rest["attenuation_db"])
        else:
            raise PowerlineError("an order to the powerline is one of add, remove, set, between")

    def _named(self, name: object) -> Modem:
        if name not in self.modems:
            raise PowerlineError(f"there is no modem {name!r}; there are {', '.join(self.modems)}")
        return self.modems[str(name)]

    async def unplug(self, name: str) -> None:
        """Cut the modem from its host."""
        self._named(name).host.close()

    async def plug(self, name: str) -> None:
        """Join the modem to its host again, at the place where it was."""
        await self._named(name).host.start()

    async def _add(self, name: str, side: str, quirks: Quirks, interface: str) -> None:
        number = len(self.modems) + 1
        while any(modem.mac[5] == number for modem in self.modems.values()):
            number += 1
        # locally administered addresses: no real modem has them
        mac = bytes.fromhex("0200b05200") + bytes([number])
        host: HostLink = InterfaceHost(interface) if interface else TunnelHost()
        modem = Modem(name, side, mac, quirks=quirks, host=host)
        modem.has_link = lambda: bool(self._peers(modem))
        host.on_frame = lambda frame: self._from_host(modem, frame)
        await host.start()
        self.modems[name] = modem

    def _peers(self, modem: Modem) -> list[str]:
        """Names of the modems that are in the same network."""
        if not modem.joined:
            return []
        return [
            other.name
            for other in self.modems.values()
            if other is not modem and other.joined and other.key == modem.key
        ]

    def _from_host(self, modem: Modem, frame: bytes) -> None:
        if not modem.awake:
            return
        if modem.concerns(frame):
            modem.answer(frame)
            return
        if ethertype(frame) != mme.ETHERTYPE:
            for name in self._peers(modem):
                self.modems[name].to_host(frame)
            return
        try:
            parsed = mme.parse_frame(frame)
        except mme.MmeError:
            parsed = None  # a deviating frame travels like any other
        message = None if parsed is None else parsed.mme
        if isinstance(message, mme.MnbcSoundInd) and modem.loses_sound(message.run_id):
            return
        modem.notice(message)
        for other in self.modems.values():
            # what is for a far modem itself is not for its host
            if other is modem or not other.awake or other.mac == frame[:6]:
                continue
            other.to_host(frame)
            other.notice(message)
            if isinstance(message, mme.MnbcSoundInd) and (modem.side, other.side) == SIDES:
                other.profile(frame[6:12], self._groups(modem, other))

    def _groups(self, ev: Modem, evse: Modem) -> bytes:
        level_db = self._pairs_db.get((ev.name, evse.name), evse.quirks.attenuation_db)
        jitter_db = evse.quirks.jitter_db
        return bytes(
            min(255, max(0, round(level_db + self._noise.uniform(-jitter_db, jitter_db))))
            for _ in range(evse.quirks.profile_groups)
        )


def _changed(quirks: Quirks, changes: Mapping[str, Any]) -> Quirks:
    """The quirks with some replaced, each by a value of its type. Raises PowerlineError."""
    known = {field.name: getattr(Quirks(), field.name) for field in dataclasses.fields(Quirks)}
    for key, value in changes.items():
        if key not in known:
            raise PowerlineError(f"there is no quirk {key!r}; there are {', '.join(sorted(known))}")
        wanted = type(known[key])
        if wanted is float and type(value) is int:
            continue
        if type(value) is not wanted:
            raise PowerlineError(f"{key} = {value!r} is no {wanted.__name__}")
    return dataclasses.replace(quirks, **changes)
