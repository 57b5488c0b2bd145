"""The charger as a process: sockets opened, backend connected, stopped in the orderly way.

`serve(options)` runs until SIGTERM, SIGINT, the loss of its lifeline, or the loss of the cable; power is
off before
anything else is closed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.charger import defects
from bench.charger.backend import Backend, CsmsLink, IdToken, Variables
from bench.charger.cable import Cable, CableError, IdealCable, TcpCable
from bench.charger.model import Charger
from bench.charger.profile import ChargerProfile
from bench.charger.secc.sdp import SdpServer
from bench.charger.secc.server import Listener
from bench.charger.secc.warm_up import warm_up
from bench.charger.standalone import PlainVariables, StandaloneBackend
from bench.charger.store import CertificateStore
from bench.slac.port import PortError, open_port
from bench.v2g import sdp

log = logging.getLogger(__name__)

LIFELINE_GRACE_S = 5.0
CLOSE_TIMEOUT_S = 3.0


class ServiceError(Exception):
    """The charger cannot start; the text is one line for the user."""


@dataclass(frozen=True)
class Options:
    """How to run; `csms` None: a permissive backend in-process, `cable` None: an ideal connector, `plc`
    None: no powerline, the EV is at the interface at once."""

    interface: str
    profile: ChargerProfile
    csms: CsmsLink | None = None
    cable: tuple[str, int] | None = None
    plc: str | None = None
    store: Path | None = None
    defects: Sequence[str] = ()
    sdp_port: int = sdp.PORT
    ready_json: bool = False
    lifeline: bool = False


@dataclass(frozen=True)
class Ready:
    """Where the charger listens; `tls_port` is None without an SECC certificate."""

    sdp_port: int
    tls_port: int | None
    tcp_port: int
    address: str
    pid: int

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "sdp_port": self.sdp_port,
                "tls_port": self.tls_port,
                "tcp_port": self.tcp_port,
                "address": self.address,
                "pid": self.pid,
            }
        )


def own_address(interface: str) -> tuple[str, int]:
    """The IPv6 address to listen on and its scope id: link-local, or ::1 on loopback. Raises ServiceError."""
    try:
        index = socket.if_nametoindex(interface)
    except OSError as error:
        raise ServiceError(f"no network interface {interface!r}") from error
    try:
        lines = Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    found = [line.split()[0] for line in lines if line.split()[-1] == interface]
    addresses = [ipaddress.IPv6Address(bytes.fromhex(each)) for each in found]
    for each in addresses:
        if each.is_link_local:
            return str(each), index
    if any(each.is_loopback for each in addresses):
        return "::1", 0
    raise ServiceError(f"interface {interface!r} has no IPv6 link-local address")


class Service:
    """A charger with its sockets. `start`, then `close`; `charger` is the charger itself."""

    def __init__(self, options: Options) -> None:
        """Assemble the charger. Raises StoreError, UnknownDefect, ServiceError."""
        self.options = options
        defects.find(options.defects)  # a wrong name is told before anything is opened
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        folder = options.store
        if folder is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="plugbench-charger-")
            folder = Path(self._scratch.name)
        elif not folder.is_dir():
            raise ServiceError(f"{folder}: no such certificate store")
        cable: Cable = TcpCable(*options.cable) if options.cable is not None else IdealCable()
        variables: Variables = PlainVariables()
        if options.csms is not None:
            from bench.charger.variables import DeviceModel

            variables = DeviceModel()
        self.charger = Charger(options.profile, CertificateStore(folder), variables, cable)
        self.charger.backend = self._backend()
        if options.csms is None:
            self.charger.on_card_wanted.append(self._willing_customer)
        self.listeners: list[Listener] = []
        self.sdp: SdpServer | None = None
        self.ready: Ready | None = None

    def _backend(self) -> Backend:
        if self.options.csms is None:
            return StandaloneBackend()
        from bench.charger.ocpp import create_backend

        return create_backend(self.charger, self.options.csms)

    def _willing_customer(self) -> None:
        """Without a CSMS somebody with a card is always there."""
        self.charger.background(self.charger.present_card(IdToken("STANDALONE", "Local")))

    async def start(self) -> Ready:
        """Connect the cable, listen, connect the backend. Raises ServiceError."""
        charger, options = self.charger, self.options
        warm_up(charger)
        defects.apply(charger, options.defects)
        address, scope = own_address(options.interface)
        try:
            if options.plc is not None:
                charger.slac.open(open_port(options.plc))
            await charger.cable.start()
            plain = Listener(charger, address, scope, tls=False)
            self.listeners.append(plain)
            secure = None
            if charger.tls.context is not None:
                secure = Listener(charger, address, scope, tls=True)
                self.listeners.append(secure)
            sdp_socket = sdp.open_sdp_socket(options.interface, options.sdp_port)
        except (CableError, PortError) as error:
            raise ServiceError(str(error)) from error
        except (OSError, sdp.SdpError) as error:
            raise ServiceError(f"cannot listen on {options.interface}: {error}") from error
        for listener in self.listeners:
            listener.start()
        tls_port = secure.port if secure is not None else None
        self.sdp = charger.sdp = SdpServer(charger, address, tcp_port=plain.port, tls_port=tls_port)
        for callback in charger.on_listening:
            callback()
        sdp_port = int(sdp_socket.getsockname()[1])
        await self.sdp.start(sdp_socket)
        await charger.backend.start()
        charger.backend.status_changed("Occupied" if charger.plugged else "Available")
        self.ready = Ready(sdp_port, tls_port, plain.port, address, os.getpid())
        return self.ready

    async def close(self) -> None:
        """Power off, then sockets, then the backend (bounded)."""
        self.charger.safe_state()
        if self.sdp is not None:
            self.sdp.close()
        for listener in self.listeners:
            await listener.close()
        await self.charger.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.charger.backend.close()
        except TimeoutError:
            log.warning("the backend connection did not close in time")
        self.charger.safe_state()  # again: ending sessions had a last say on the power
        self.charger.slac.close()
        await self.charger.cable.close()
        if self._scratch is not None:
            self._scratch.cleanup()


async def _lifeline(lost: asyncio.Event) -> None:
    """Set `lost` when standard input ends: whoever started this process is gone."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        continue
    lost.set()


async def serve(options: Options) -> int:
    """Run a charger until it is told to stop; returns the exit status. Raises ServiceError, StoreError,
    UnknownDefect."""
    service = Service(options)
    stop, orphaned = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    waiting = [asyncio.create_task(stop.wait())]
    try:
        ready = await service.start()
        announce(ready, options)
        if options.lifeline:
            service.charger.background(_lifeline(orphaned))
            waiting.append(asyncio.create_task(orphaned.wait()))
        cable = service.charger.cable
        if isinstance(cable, TcpCable):
            waiting.append(asyncio.create_task(cable.lost.wait()))
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        service.charger.safe_state()
        for task in waiting:
            task.cancel()
        async with asyncio.timeout(LIFELINE_GRACE_S):
            await service.close()
    return 0


def announce(ready: Ready, options: Options) -> None:
    """Say on standard output that the charger listens."""
    if options.ready_json:
        print(ready.to_json(), flush=True)
        return
    tls = f"TLS port {ready.tls_port}" if ready.tls_port else "no TLS (no SECC certificate; see --store)"
    print(f"{options.profile.vendor} {options.profile.model}: [{ready.address}] on {options.interface}")
    print(f"  SDP port {ready.sdp_port}, TCP port {ready.tcp_port}, {tls}")
    print(f"  backend: {options.csms.url if options.csms else 'in-process, accepts everybody (no --csms)'}")
    print(f"  connector: {'rig' if options.cable else 'ideal, with a willing vehicle (no --cable)'}")
    if options.defects:
        print(f"  defects: {', '.join(options.defects)}")
    print("Ctrl-C stops it.", flush=True)
