"""A TLS or TCP server on loopback for the tests of the transport: one thread, one connection at a time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Handler = Callable[[socket.socket], None]


def echo(connection: socket.socket) -> None:
    """Send everything back until the peer closes."""
    while data := connection.recv(65_536):
        connection.sendall(data)


@contextlib.contextmanager
def server(context: ssl.SSLContext | None = None, handler: Handler = echo) -> Iterator[int]:
    """Serve `handler` on a port of ::1; errors of a connection end that connection only."""
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                connection.settimeout(5)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if context is None:
                    handler(connection)
                else:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        handler(secured)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        with contextlib.suppress(OSError), socket.create_connection(("::1", listener.getsockname()[1]), 1):
            pass
        thread.join()
        listener.close()
