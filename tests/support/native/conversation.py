"""One client's conversation with the server, from hello to its end."""

import hmac
import socket

from tests.support.native import wire
from tests.support.native.engine import EngineError, Insert, Session
from tests.support.native.faults import Fault, Faults
from tests.support.native.layout import UnknownType
from tests.support.native.source import Source

_NOT_IMPLEMENTED = 48
_AUTHENTICATION_FAILED = 516
_UNKNOWN_PACKET = 99
_INJECTED = 1001  # STD_EXCEPTION: no fault of the rows


class Conversation:
    """Answers one client on `connection` until it hangs up.

    Raises EOFError or OSError when the client went away in the middle of something.
    """

    def __init__(self, connection: socket.socket, *, path: str, user: str, password: str, faults: Faults | None = None) -> None:
        self._connection = connection
        self._faults = faults
        self._source = Source.of_socket(connection)
        self._path = path
        self._user = user
        self._password = password
        self._revision = 0

    def run(self) -> None:
        """Greet the client and answer its packets."""
        try:
            session = self._greet()
        except EngineError as error:
            self._send(wire.exception_packet(error.code, error.message))
            return
        try:
            while self._answer(session):
                pass
        finally:
            session.close()

    def _greet(self) -> Session:
        if self._source.varint() != wire.Client.HELLO:
            raise EngineError(_UNKNOWN_PACKET, "DB::Exception: a hello was expected")
        hello = wire.read_hello(self._source)
        self._revision = min(hello.revision, wire.REVISION)
        if hello.revision < wire.OLDEST_REVISION:
            raise EngineError(_NOT_IMPLEMENTED, f"DB::Exception: revision {hello.revision} is too old for this server")
        if hello.user != self._user or not hmac.compare_digest(hello.password.encode(), self._password.encode()):
            raise EngineError(
                _AUTHENTICATION_FAILED,
                f"DB::Exception: {hello.user}: Authentication failed: password is incorrect, or there is no such user",
            )
        session = Session(self._path, hello.database or "default")
        major, minor, patch = (int(part) for part in session.scalar("SELECT version()").split(".")[:3])
        zone = session.scalar("SELECT timezone()")
        self._send(wire.hello_packet((major, minor, patch), self._revision, zone))
        wire.read_addendum(self._source, self._revision)
        return session

    def _answer(self, session: Session) -> bool:
        """Answer one packet; False when the client has hung up."""
        try:
            kind = self._source.varint()
        except EOFError:
            return False
        if kind == wire.Client.PING:
            self._send(wire.varint(wire.Server.PONG))
        elif kind == wire.Client.TABLES_STATUS:
            self._send(wire.tables_packet([one for one in wire.read_tables(self._source) if session.has_table(*one)]))
        elif kind == wire.Client.QUERY:
            return self._answer_query(session, wire.read_query(self._source, self._revision))
        elif kind != wire.Client.CANCEL:  # a cancel that came after the query's end
            self._send(wire.exception_packet(_UNKNOWN_PACKET, f"DB::Exception: packet {kind} was not expected"))
            return False
        return True

    def _answer_query(self, session: Session, query: wire.Query) -> bool:
        try:
            if query.compressed:
                raise UnknownType("compression; connect with compression=False")
            self._read_external_tables()
            settings = session.apply(query.settings, query.parameters)
            try:
                self._carry_out(session, query.text)
            finally:
                session.reset(settings)
        except EngineError as error:
            self._send(wire.exception_packet(error.code, error.message))
        except UnknownType as error:  # we do not know where the client's next packet begins
            self._send(wire.exception_packet(_NOT_IMPLEMENTED, f"DB::Exception: this test server does not do {error}"))
            return False
        return True

    def _carry_out(self, session: Session, sql: str) -> None:
        if insert := Insert.parse(sql):
            self._insert(session, insert)
        else:
            for block in session.read(sql):
                self._send(wire.data_packet(block, self._revision))
        self._send(wire.varint(wire.Server.END_OF_STREAM))

    def _insert(self, session: Session, insert: Insert) -> None:
        fault = self._faults.draw() if self._faults else Fault.NONE
        with session.spool() as spool:
            self._send(wire.data_packet(session.columns_of(insert, spool), self._revision))
            while not (block := self._read_data()[1]).ends_stream:
                if fault is Fault.CUT:
                    raise EOFError(f"a fault of the test: {fault.value}")
                spool.write(wire.native_bytes(block))
                self._send(wire.profile_packet(self._revision))
            if fault is not Fault.REFUSED:
                session.write(insert, spool)
        if fault is Fault.CUT_LATE:
            raise EOFError(f"a fault of the test: {fault.value}")
        if fault is not Fault.NONE:
            raise EngineError(_INJECTED, f"DB::Exception: a fault of the test: {fault.value}")
        self._send(wire.profile_packet(self._revision))

    def _read_external_tables(self) -> None:
        table, block = self._read_data(scalars=True)
        if not block.ends_stream:
            raise UnknownType(f"external tables, such as {table!r}")

    def _read_data(self, *, scalars: bool = False) -> tuple[str, wire.Block]:
        """The next data packet; `scalars` may come before it, by which another engine shares what it has worked out."""
        while (kind := self._source.varint()) == wire.Client.SCALAR and scalars:
            wire.read_data(self._source, self._revision)
        if kind != wire.Client.DATA:
            raise EOFError(f"the client gave up its query with packet {kind}")
        return wire.read_data(self._source, self._revision)

    def _send(self, packet: bytes) -> None:
        self._connection.sendall(packet)
