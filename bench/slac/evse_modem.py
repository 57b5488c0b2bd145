"""The charger's talk with its own modem: set the key of a network, look whether there is a link."""

from __future__ import annotations

from bench.slac import mme
from bench.slac.machine import Flow, Link, Machine, Send
from bench.slac.mme import LOCAL_MODEM, Frame, Mme, build_frame

ANSWER_S = 0.5
RETRY_S = 0.5
TRIES = 5
LOOK_S = 0.1
LOOK_LINKED_S = 0.25
"""TT_polling_pause."""
SILENT_LOOKS = 4
"""Looks without any answer after which a link counts as lost; an answer of "no link" counts at once."""
_SUCCESS = (0, 1)


class OwnModem(Machine):
    """Sets one key and then watches. `keyed`: None until the modem has answered, False when it refuses or is
    silent; `up`: whether another station of the network is heard.
    """

    def __init__(self, mac: bytes) -> None:
        super().__init__()
        self.mac = mac
        self.keyed: bool | None = None
        self.up = False
        self.watching = False
        self._nid = self._nmk = b""

    def set_key(self, nid: bytes, nmk: bytes, t: float) -> list[Send]:
        """Begin with this key."""
        self._nid, self._nmk = nid, nmk
        self.keyed, self.up, self.watching = None, False, False
        return [each for each in self.start(t) if isinstance(each, Send)]

    def watch(self, t: float) -> list[Send]:
        """A car has the key now: look at once, and from now on."""
        self.watching = True
        return [each for each in self.receive(Link(up=False), t) if isinstance(each, Send)]

    def _main(self) -> Flow:
        for _ in range(TRIES):
            self._send(mme.SetKeyReq(nid=self._nid, new_key=self._nmk))
            until = self.now + ANSWER_S
            while self.now < until and not self.keyed:
                what = yield until
                if isinstance(what, Frame) and isinstance(what.mme, mme.SetKeyCnf):
                    if what.mme.result in _SUCCESS:
                        self.keyed = True
                    else:
                        until = self.now + RETRY_S
            if self.keyed:
                break
        else:
            self.keyed = False
            return
        yield from self._watch()

    def _watch(self) -> Flow:
        """Nothing, until a car has the key; then the link is looked at for as long as the key is in use."""
        while not self.watching:
            yield None
        silent = 0
        while True:
            self._send(mme.VsLnkStatusReq())
            until = self.now + (LOOK_LINKED_S if self.up else LOOK_S)
            silent += 1
            while self.now < until:
                what = yield until
                if isinstance(what, Frame) and isinstance(what.mme, mme.VsLnkStatusCnf):
                    self.up = what.mme.mstatus == 0 and what.mme.link_status == 1
                    silent = 0
            if silent >= SILENT_LOOKS:
                self.up = False

    def _send(self, message: Mme) -> None:
        frame = build_frame(message, destination=LOCAL_MODEM, source=self.mac)
        self._out.append(Send(message.name, frame))
