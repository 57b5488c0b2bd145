"""The host's side of a modem, shared by the modem's driver and whoever matches over it.

Both read the same wire: the driver waits for the answer to its own request while the SLAC machine waits for
the charger. Whichever of them reads hands a frame to whom it belongs, so that neither takes what is the
other's and nothing is lost.
"""

from __future__ import annotations

import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bench.slac.port import EthernetPort, PortError, Received

MAX_WAITING = 1024
"""Frames that nobody has fetched; when there are more, the oldest is dropped and counted."""

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Question:
    """A request of the driver that waits for its answer."""

    matches: Callable[[bytes], bool]
    answer: Received | None = None


class SharedPort(EthernetPort):
    """A port of which `ask` takes the answers and `receive` everything else. Safe from several threads.

    One thread at a time reads the wire; the others wait for what it finds. `on_frame` sees every frame
    that is not an answer, in the order of arrival, from the reading thread. `sent` counts what others than
    the driver have sent.
    """

    def __init__(self, wire: EthernetPort, on_frame: Callable[[Received], None]) -> None:
        self._wire = wire
        self._on_frame = on_frame
        self.mac = wire.mac
        self.name = wire.name
        self.dropped = 0
        self.sent = 0
        self._changed = threading.Condition()
        self._reading = False
        self._closed = False
        self._questions: list[_Question] = []
        self._waiting: deque[Received] = deque()
        # select() on the wire alone would miss a frame that the driver has read meanwhile
        self._flag = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready = select.epoll()
        self._ready.register(self._flag, select.EPOLLIN)
        self._ready.register(wire.fileno(), select.EPOLLIN)
        self._stop = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(wire.fileno(), select.POLLIN)
        self._poll.register(self._stop, select.POLLIN)

    def send(self, frame: bytes) -> int:
        self.sent += 1
        return self._wire.send(frame)

    def receive(self, timeout_s: float) -> Received | None:
        return self._until(self._fetch, time.monotonic() + timeout_s)

    def ask(self, request: bytes, matches: Callable[[bytes], bool], timeout_s: float) -> Received | None:
        """Send a request; the first frame that `matches`, or None when none came in time. Raises
        PortError.
        """
        question = _Question(matches)
        self._catch_up()  # a late answer to an earlier question must not answer this one
        with self._changed:
            self._questions.append(question)
        try:
            self._wire.send(request)
            return self._until(lambda: question.answer, time.monotonic() + timeout_s)
        finally:
            with self._changed:
                self._questions.remove(question)

    def fileno(self) -> int:
        return self._ready.fileno()

    def close(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._closed = True
            os.eventfd_write(self._stop, 1)
            self._changed.notify_all()
            while self._reading:
                self._changed.wait()
        self._ready.close()
        os.close(self._flag)
        os.close(self._stop)
        self._wire.close()

    def _catch_up(self) -> None:
        """Hand on what has come already; another thread that is reading does that by itself."""
        with self._changed:
            if self._closed:
                raise PortError(f"{self.name}: the port is closed")
            if self._reading:
                return
            for _ in range(MAX_WAITING):
                frame = self._wire.receive(0.0)
                if frame is None:
                    return
                self._hand_on(frame)

    def _until(self, found: Callable[[], _T | None], deadline: float) -> _T | None:
        """What `found` finds, looked for after every frame that anybody reads."""
        looked = False
        while True:
            mine = False
            frame: Received | None = None
            try:
                with self._changed:
                    if self._closed:
                        raise PortError(f"{self.name}: the port is closed")
                    if (what := found()) is not None:
                        return what
                    left_s = deadline - time.monotonic()
                    if left_s <= 0 and (looked or self._reading):
                        return None
                    if self._reading:
                        self._changed.wait(left_s)
                        continue
                    mine = self._reading = looked = True
                self._poll.poll(max(0, math.ceil(left_s * 1000)))
                frame = self._wire.receive(0.0)
            finally:
                if mine:
                    with self._changed:
                        self._reading = False
                        if frame is not None:
                            self._hand_on(frame)
                        self._changed.notify_all()

    def _hand_on(self, frame: Received) -> None:
        for question in self._questions:
            if question.answer is None and question.matches(frame.frame):
                question.answer = frame
                return
        self._on_frame(frame)
        if len(self._waiting) == MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(frame)
        if len(self._waiting) == 1 and not self._closed:
            os.eventfd_write(self._flag, 1)

    def _fetch(self) -> Received | None:
        if not self._waiting:
            return None
        frame = self._waiting.popleft()
        if not self._waiting:
            os.eventfd_read(self._flag)
        return frame
