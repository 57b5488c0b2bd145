"""PlcModem: Qualcomm QCA7000, QCA7005 and AR7420 class, over raw Ethernet.

The modem answers on its host port to its own address and to 00:B0:52:00:00:01. Where real ones differ there
is an option: CM_SET_KEY.CNF says 1 for success where the specification has 0; a CM_SET_KEY just after a match
can be refused; some restart after it; it takes 1 to 10 s to settle.
"""

from __future__ import annotations

import re
import threading
import time
from typing import ClassVar, TypeVar

from bench.slac import mme
from bench.slac.keys import NID_BYTES, NMK_BYTES, new_nmk, nid_from_nmk
from bench.slac.port import EthernetPort, PortError, Received, open_port
from drivers.base import Identity, InstrumentLost, LimitExceeded, Trace
from drivers.modem_port import SharedPort
from drivers.plc_modem import Attenuation, NetworkInfo, PlcModem

MAX_CARRIERS = 1155
"""Carriers of HomePlug AV between 1.8 and 30 MHz (from memory)."""
MAX_AMPLITUDE = 15

_ROLES = {0: "station", 1: "proxy coordinator", 2: "coordinator"}
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)
_VERSION = re.compile(r"MAC-([A-Z]{2,4}\d{4}[A-Z]?)-(.+)")
_PROFILE = mme.ETHERTYPE.to_bytes(2, "big") + b"\x01" + mme.AttenProfileInd.mmtype.to_bytes(2, "little")
_A = TypeVar("_A", bound=mme.Mme)


class Qca7000(PlcModem):
    """A modem behind a host interface (`eth1`), or the simulated one (`rig:plc`).

    Options: `local_address` the modem's address on its host port; `host_address` another station address for
    the host than the interface's; `timeout_s` for one answer, asked `tries` times; `set_key_results` codes
    of success; `set_key_tries` and `set_key_retry_s` when it refuses a key; `settle_s` for how long after a
    new key the link status is not believed (1 to 10 on real modems); `reboots_after_set_key` and
    `restart_s`, how long that may take; `poll_s` between two looks at the link.
    """

    vendor: ClassVar[str] = "Qualcomm Atheros"
    model: ClassVar[str] = "QCA7000"
    verified_on: ClassVar[str | None] = None

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        trace: Trace | None = None,
        local_address: str = "00:b0:52:00:00:01",
        host_address: str = "",
        timeout_s: float = 0.5,
        tries: int = 3,
        set_key_results: str = "0,1",
        set_key_tries: int = 5,
        set_key_retry_s: float = 0.5,
        settle_s: float = 1.0,
        reboots_after_set_key: bool = False,
        restart_s: float = 15.0,
        poll_s: float = 0.05,
    ) -> None:
        super().__init__(resource, name=name, trace=trace)
        self._local = self._address("local_address", local_address)
        self._host = self._address("host_address", host_address) if host_address else None
        self._timeout_s = self._within("timeout_s", timeout_s, 0.02, 10)
        self._tries = int(self._within("tries", tries, 1, 20))
        self._successes = self._codes(set_key_results)
        self._set_key_tries = int(self._within("set_key_tries", set_key_tries, 1, 50))
        self._set_key_retry_s = self._within("set_key_retry_s", set_key_retry_s, 0, 10)
        self._settle_s = self._within("settle_s", settle_s, 0, 30)
        self._reboots = reboots_after_set_key
        self._restart_s = self._within("restart_s", restart_s, 0.1, 120)
        self._poll_s = self._within("poll_s", poll_s, 0.001, 5)
        self._port: SharedPort | None = None
        self._modem: bytes | None = None
        self._closing = threading.Event()
        self._settled_at = 0.0
        self._restarted_by = 0.0
        self._has_link_status = True
        self._nid: bytes | None = None
        self._left_at: int | None = None
        self._profile: Attenuation | None = None

    def _address(self, option: str, text: str) -> bytes:
        if not _MAC.fullmatch(text):
            raise LimitExceeded(
                f"{self.name} ({self.model}): {option} {text!r} is no address like 00:b0:52:00:00:01"
            )
        return bytes.fromhex(text.replace(":", ""))

    def _codes(self, text: str) -> frozenset[int]:
        try:
            return frozenset(
                int(self._within("set_key_results", int(code), 0, 255)) for code in text.split(",")
            )
        except ValueError as error:
            raise LimitExceeded(
                f"{self.name} ({self.model}): set_key_results {text!r} are no numbers with commas"
            ) from error

    # --- life cycle ---------------------------------------------------------------------------

    def open(self) -> None:
        with self._lock:
            self._closing.clear()
            self._modem = self._nid = self._left_at = self._profile = None
            self._has_link_status = True
            self._restarted_by = self._settled_at = 0.0
            try:
                self._port = SharedPort(open_port(self.resource, mac=self._host), self._heard)
            except PortError as error:
                raise self._not_found(str(error)) from error
            try:
                self.software_version()
            except InstrumentLost as error:
                where = self._port.name
                self.close()
                raise self._not_found(
                    f"no modem answers VS_SW_VER.REQ at {mme.mac_text(self._local)} on {where}:"
                    " is it powered, is its Ethernet side this interface, is it of this class?"
                ) from error

    def close(self) -> None:
        self._closing.set()  # before the lock: a thread that waits for the link holds it at times
        with self._lock:
            port, self._port = self._port, None
        if port is not None:
            port.close()

    @property
    def port(self) -> EthernetPort:
        if self._port is None:
            raise self._lost("port", "the modem is not open")
        return self._port

    def identify(self) -> Identity:
        """Model and firmware as the firmware's name has them; the serial is the modem's station address."""
        version = self.software_version()
        serial = "" if self._modem is None else mme.mac_text(self._modem)
        parts = _VERSION.fullmatch(version)
        if parts is None:
            return Identity(self.vendor, self.model, serial, version)
        return Identity(self.vendor, parts[1], serial, parts[2])

    def keep_alive(self) -> None:
        self.software_version()

    def make_safe(self) -> None:
        """Leave the network: a random key, which no other station has. Nothing is sent when it has such a key
        and nobody has used the port since.
        """
        with self._lock:
            if self._port is not None and self._port.sent == self._left_at:
                return
            nmk = new_nmk()
            self.set_key(nid_from_nmk(nmk), nmk)
            self._left_at = None if self._port is None else self._port.sent

    # --- the network --------------------------------------------------------------------------

    def set_key(self, nid: bytes, nmk: bytes) -> None:
        if len(nid) != NID_BYTES or len(nmk) != NMK_BYTES:
            raise LimitExceeded(
                f"{self.name} ({self.model}): a NID has {NID_BYTES} bytes and an NMK {NMK_BYTES},"
                f" not {len(nid)} and {len(nmk)}"
            )
        request = mme.SetKeyReq(nid=nid, new_key=nmk)
        command = f"{request.name} nid {nid.hex()}"
        with self._lock:
            self._nid = self._left_at = None
            result: int | None = None
            for attempt in range(self._set_key_tries):
                if attempt:
                    self._closing.wait(self._set_key_retry_s)
                answer = self._try(request, mme.SetKeyCnf, self._timeout_s, command)
                result = result if answer is None else answer.result
                taken = answer is not None and answer.result in self._successes
                self._settled_at = time.monotonic() + self._settle_s
                if taken or answer is None:
                    self._await_restart()
                if taken or (answer is None and self._in_network(nid)):
                    break
            else:
                if result is None:
                    raise self._lost(command, f"no answer, {self._set_key_tries} times")
                raise self._refused(command, f"CM_SET_KEY.CNF has result 0x{result:02x}")
            self._restarted_by = time.monotonic() + self._restart_s
            self._no_other_network(nid, command)
            self._nid = nid

    def _await_restart(self) -> None:
        if self._reboots:
            self._restarted_by = time.monotonic() + self._restart_s
            self._answers_again()

    def _answers_again(self) -> None:
        """Wait until the modem answers, for `restart_s`. Raises InstrumentLost."""
        request = mme.VsSwVerReq()
        deadline = time.monotonic() + self._restart_s
        while self._try(request, mme.VsSwVerCnf, self._timeout_s) is None:
            if time.monotonic() > deadline or self._closing.is_set():
                raise self._lost(request.name, f"it has not come back within {self._restart_s:g} s")

    def _in_network(self, nid: bytes) -> bool:
        info = self._try(mme.NwInfoReq(), mme.NwInfoCnf, self._timeout_s)
        return info is not None and any(network.nid == nid for network in info.networks)

    def _no_other_network(self, nid: bytes, command: str) -> None:
        """The modem must not go on in another network; in none is well, the other side may be missing. The
        old one may be told of until `settle_s` is over. Raises InstrumentRefused.
        """
        while True:
            info = self._try(mme.NwInfoReq(), mme.NwInfoCnf, self._timeout_s)
            networks = [] if info is None else [each.nid for each in info.networks]
            if not networks or nid in networks:
                return
            if time.monotonic() >= self._settled_at:
                raise self._refused(command, f"it said yes, but is in the network {networks[0].hex()}")
            self._closing.wait(self._poll_s)

    def link_up(self) -> bool:
        return self._link(self._timeout_s)

    def _link(self, timeout_s: float) -> bool:
        with self._lock:
            if time.monotonic() < self._settled_at:
                return False
            restarting = time.monotonic() < self._restarted_by
            if self._has_link_status:
                for _ in range(1 if restarting else self._tries):
                    status = self._try(mme.VsLnkStatusReq(), mme.VsLnkStatusCnf, timeout_s)
                    if status is not None:
                        return status.mstatus == 0 and status.link_status == 1
            info = self._try(mme.NwInfoReq(), mme.NwInfoCnf, timeout_s)
            if info is not None:
                # it is there, and does not know the other question
                self._has_link_status = self._has_link_status and restarting
                # Alone, a modem is the coordinator of a network of one: only a station has found another.
                return any(each.nid == self._nid and each.sta_role != 2 for each in info.networks)
            if restarting:
                return False
            raise self._lost(mme.VsLnkStatusReq.name, "no answer, neither to CM_NW_INFO.REQ")

    def wait_link(self, timeout_s: float) -> bool:
        started = time.monotonic()
        deadline = started + timeout_s
        lost: InstrumentLost | None = None
        up = False
        while not up and not self._closing.is_set():
            left_s = deadline - time.monotonic()
            lost = None
            try:
                with self.quiet():
                    up = self._link(min(self._timeout_s, max(left_s, 0.02)))
            except InstrumentLost as error:
                lost = error
            if not up and left_s <= 0:
                break
            if not up:
                self._closing.wait(max(0.0, min(self._poll_s, left_s)))
        if lost is not None:
            raise lost
        waited_s = time.monotonic() - started
        self._note(mme.VsLnkStatusReq.name, f"link {'up' if up else 'not up'} after {waited_s:.3f} s")
        return up

    def network_info(self) -> NetworkInfo | None:
        info = self._ask(mme.NwInfoReq(), mme.NwInfoCnf)
        if not info.networks:
            return None
        first = info.networks[0]
        return NetworkInfo(
            nid=first.nid,
            short_nid=first.snid,
            terminal_id=first.tei,
            role=_ROLES.get(first.sta_role, f"role {first.sta_role}"),
            coordinator_mac=first.cco_mac if any(first.cco_mac) else None,
        )

    # --- the modem ----------------------------------------------------------------------------

    def software_version(self) -> str:
        version = self._ask(mme.VsSwVerReq(), mme.VsSwVerCnf).mversion.decode("ascii", "replace")
        return "".join(sign for sign in version if sign.isprintable())[:80]

    def reset(self) -> None:
        with self._lock:
            self._ask(mme.VsRsDevReq(), mme.VsRsDevCnf)
            self._nid = self._left_at = None
            self._settled_at = time.monotonic() + self._settle_s
            self._restarted_by = time.monotonic() + self._restart_s
            self._closing.wait(self._settle_s)  # it may answer until it goes down
            self._answers_again()

    def attenuation(self) -> Attenuation | None:
        return self._profile

    def set_amplitude_map(self, levels: bytes) -> None:
        if not 0 < len(levels) <= MAX_CARRIERS or max(levels) > MAX_AMPLITUDE:
            raise LimitExceeded(
                f"{self.name} ({self.model}): an amplitude map has 1 to {MAX_CARRIERS} levels"
                f" of 0 to {MAX_AMPLITUDE}"
            )
        even = levels + bytes(len(levels) % 2)
        packed = bytes(low | high << 4 for low, high in zip(even[::2], even[1::2], strict=True))
        request = mme.AmpMapReq(amlen=len(levels), amdata=packed)
        answer = self._ask(request, mme.AmpMapCnf)
        if answer.res_type != 0:
            raise self._refused(request.name, f"CM_AMP_MAP.CNF has result 0x{answer.res_type:02x}")

    # --- the wire -----------------------------------------------------------------------------

    def _heard(self, received: Received) -> None:
        """Every frame that is no answer: keep the modem's own word on the attenuation."""
        if _PROFILE not in received.frame[12:26]:
            return
        try:
            frame = mme.parse_frame(received.frame)
        except mme.MmeError:
            return  # the SLAC machine gets it too, and judges it
        if frame is not None and isinstance(frame.mme, mme.AttenProfileInd) and self._is_modem(frame.source):
            self._profile = Attenuation(frame.mme.pev_mac, tuple(frame.mme.aag), received.t_ns)

    def _is_modem(self, source: bytes) -> bool:
        return self._modem is None or source in (self._modem, self._local)

    def _ask(self, request: mme.Mme, kind: type[_A]) -> _A:
        """The answer to a request that changes nothing when it is asked again. Raises InstrumentLost."""
        with self._lock:
            for _ in range(self._tries):
                answer = self._try(request, kind, self._timeout_s)
                if answer is not None:
                    return answer
            raise self._lost(request.name, f"no answer within {self._timeout_s:g} s, {self._tries} times")

    def _try(self, request: mme.Mme, kind: type[_A], timeout_s: float, command: str = "") -> _A | None:
        """The answer, or None when none came in time. Raises InstrumentLost for a broken port and for an
        answer that makes no sense.
        """
        command = command or request.name
        with self._lock:
            if self._port is None:
                raise self._lost(command, "the modem is not open")
            frame = mme.build_frame(request, destination=self._local, source=self._port.mac)
            try:
                received = self._port.ask(frame, lambda other: self._answers(other, kind), timeout_s)
            except PortError as error:
                raise self._lost(command, str(error)) from error
            if received is None:
                return None
            try:
                parsed = mme.parse_frame(received.frame)
            except mme.MmeError as error:
                raise self._lost(command, f"it answered nonsense: {error}") from error
            if parsed is None or not isinstance(parsed.mme, kind):
                raise self._lost(command, "it answered nonsense")  # `_answers` lets nothing else through
            if self._modem is None and parsed.source != self._local:
                self._modem = parsed.source
            self._note(command, _words(parsed.mme))
            return parsed.mme

    def _answers(self, frame: bytes, kind: type[mme.Mme]) -> bool:
        """Whether a frame is the modem's answer of that kind, whole or cut short."""
        if not self._is_modem(frame[6:12]):
            return False
        try:
            parsed = mme.parse_frame(frame)
        except mme.MmeError as error:
            return str(error).startswith(kind.name)
        return parsed is not None and isinstance(parsed.mme, kind)


def _words(answer: mme.Mme) -> str:
    shown = {key: value for key, value in mme.fields(answer).items() if value not in (0, b"", None)}
    return answer.name + "".join(f" {key} {value}" for key, value in shown.items())
