"""The listening side: a thread for each client, until SIGTERM."""

import logging
import signal
import socket
import ssl
import threading
from dataclasses import dataclass

from chdb.state.sqlitelike import connect

from tests.support.native.conversation import Conversation
from tests.support.native.faults import Faults

logger = logging.getLogger(__name__)

_MAX_CLIENTS = 64
_STOP_TIMEOUT_S = 5.0
_IDLE_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the server is started with; without a certificate it speaks plainly, without faults it does as it is told."""

    port: int
    path: str
    user: str = "default"
    password: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    faults: str = ""


class Server:
    """Serves the directory `options.path` on 127.0.0.1 until `stop` or SIGTERM."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stopping = threading.Event()
        self._slots = threading.BoundedSemaphore(_MAX_CLIENTS)
        self._clients: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._faults = Faults.parse(options.faults)
        self._tls: ssl.SSLContext | None = None
        if options.tls_cert:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(options.tls_cert, options.tls_key)

    def serve(self) -> None:
        """Accept clients until it is stopped; then let the running queries end, for a short while."""
        # Sessions share the engine; this connection keeps it open while no client is there.
        keeper = connect(self._options.path)
        signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())
        with socket.create_server(("127.0.0.1", self._options.port), backlog=_MAX_CLIENTS) as listener:
            listener.settimeout(0.2)
            while not self._stopping.is_set():
                self._accept(listener)
        self._hang_up()
        keeper.close()

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return
        if not self._slots.acquire(blocking=False):
            logger.warning("more than %d clients; one is turned away", _MAX_CLIENTS)
            connection.close()
            return
        connection.settimeout(_IDLE_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=self._serve_client, args=(connection,), daemon=True)
        with self._lock:
            self._clients[thread] = connection
        thread.start()

    def _serve_client(self, plain: socket.socket) -> None:
        options = self._options
        connection = plain
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
                with self._lock:  # the plain socket is an empty shell now
                    self._clients[threading.current_thread()] = connection
            Conversation(connection, path=options.path, user=options.user, password=options.password, faults=self._faults).run()
        except (EOFError, OSError) as gone:
            logger.info("a client went away: %s", gone)
        except Exception:  # the top of a client's thread: the log says why its connection closed
            logger.exception("a client's connection is closed")
        finally:
            connection.close()
            with self._lock:
                del self._clients[threading.current_thread()]
            self._slots.release()

    def _hang_up(self) -> None:
        with self._lock:
            clients = dict(self._clients)
        for connection in clients.values():
            try:
                connection.shutdown(socket.SHUT_RD)
            except OSError as gone:
                logger.debug("a client is gone already: %s", gone)
        for thread in clients:
            thread.join(_STOP_TIMEOUT_S)
