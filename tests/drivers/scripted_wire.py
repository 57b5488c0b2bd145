"""Fake endpoints that check the exact bytes both ways; what was expected and did not come is a failure."""

from __future__ import annotations

import os
import select
import socket
import threading
import tty
from collections.abc import Callable, Sequence
from types import TracebackType

Script = Sequence[tuple[bytes, bytes]]
"""(what the driver must send, what it gets); empty bytes for no answer."""


class _Scripted:
    """Plays a script over `receive` and `send`."""

    def __init__(self, script: Script) -> None:
        self._script = list(script)
        self.problems: list[str] = []
        self.position = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        raise NotImplementedError

    def _play(self, handle: int, receive: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
        waiting = b""
        while not self._stop.is_set():
            ready, _, _ = select.select([handle], [], [], 0.02)
            if not ready:
                continue
            try:
                data = receive(4096)
            except OSError:
                return
            if not data:
                return
            waiting += data
            while waiting and not self.problems:
                if self.position >= len(self._script):
                    self.problems.append(f"nothing more was expected, but {waiting!r} came")
                    break
                expected, reply = self._script[self.position]
                if not expected.startswith(waiting[: len(expected)]):
                    self.problems.append(f"expected {expected!r}, but {waiting!r} came")
                    break
                if len(waiting) < len(expected):
                    break
                waiting = waiting[len(expected) :]
                self.position += 1
                if reply:
                    send(reply)

    def finish(self) -> None:
        self._stop.set()
        self._thread.join(2)
        assert not self.problems, self.problems[0]
        assert self.position == len(self._script), f"never came: {self._script[self.position :]}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self._stop.set()


class TcpWire(_Scripted):
    """A TCP server with a script; `address` is (host, port)."""

    def __enter__(self) -> TcpWire:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread.start()
        return self

    @property
    def resource(self) -> str:
        return f"TCPIP0::127.0.0.1::{self.port}::SOCKET"

    def _run(self) -> None:
        self._listener.settimeout(5)
        with self._listener:
            while not self._stop.is_set():
                ready, _, _ = select.select([self._listener], [], [], 0.02)
                if ready:
                    connection, _ = self._listener.accept()
                    with connection:
                        self._play(connection.fileno(), connection.recv, connection.sendall)


class PtyWire(_Scripted):
    """A pseudo-terminal with a script; `path` is the device to open."""

    def __enter__(self) -> PtyWire:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._thread.start()
        return self

    def _run(self) -> None:
        master = self._master
        self._play(master, lambda size: os.read(master, size), lambda data: os.write(master, data))

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            os.close(self._master)
            os.close(self._slave)


def lines(*pairs: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    """A script of text lines, each ended by LF; an empty answer stays empty."""
    return [((sent + "\n").encode(), (reply + "\n").encode() if reply else b"") for sent, reply in pairs]
