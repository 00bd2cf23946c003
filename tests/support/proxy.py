"""A TCP proxy on 127.0.0.1 that can lose what a server answers."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Proxy:
    """Passes bytes between clients and `target`.

    Attributes
    ----------
    lose : int
        So many times, a connection whose client sends more than `threshold` bytes at once is cut when the server has
        answered that: the server has done its work, and the client does not hear of it.
    stall : bool
        Answers are swallowed without a word.
    connections : int
        How many clients have connected.
    """

    threshold = 100_000

    def __init__(self, target: int) -> None:
        self._target = target
        self.lose = 0
        self.stall = False
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._target), 10)
            server.settimeout(None)
            self._open += [client, server]
            doomed = threading.Event()
            threading.Thread(target=self._upwards, args=(client, server, doomed), daemon=True).start()
            threading.Thread(target=self._downwards, args=(client, server, doomed), daemon=True).start()

    def _upwards(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                sent += len(data)
                if self.lose and sent > self.threshold and not doomed.is_set():
                    self.lose -= 1
                    doomed.set()
                server.sendall(data)
        _cut(client, server)

    def _downwards(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if doomed.is_set():
                    break
                if not self.stall:
                    client.sendall(data)
        _cut(client, server)


def _cut(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy to a port of 127.0.0.1, until the block ends."""
    running = Proxy(target)
    try:
        yield running
    finally:
        running.close()
