"""A mail server on 127.0.0.1 that keeps what it gets."""

from email import message_from_bytes
from email.message import Message
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.support.wait import wait_until


class MailServer:
    """An SMTP server for tests; a context manager. `refuse` is answered to the next messages instead of 250."""

    def __init__(self, password: str = "") -> None:
        self.messages: list[Message] = []
        self.refuse = ""
        options: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0}
        if password:
            options |= {"auth_required": True, "auth_require_tls": False, "authenticator": self._authenticator(password)}
        self._controller = _AnyPort(self, **options)

    @property
    def port(self) -> int:
        return self._controller.bound_port

    def wait_for(self, count: int) -> list[Message]:
        wait_until(lambda: len(self.messages) >= count, 10, f"{count} mails")
        return self.messages

    async def handle_DATA(  # noqa: N802  the library calls it so
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        if self.refuse:
            return self.refuse
        self.messages.append(message_from_bytes(envelope.content))
        return "250 taken"

    def _authenticator(self, password: str) -> Any:
        def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
            return AuthResult(success=data.password == password.encode())

        return check

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._controller.stop()


class _AnyPort(Controller):
    """Listens on a free port; the library connects to the configured port to see that it listens, which 0 is not."""

    @property
    def bound_port(self) -> int:
        server: Any = self.server
        return int(server.sockets[0].getsockname()[1])

    def _trigger_server(self) -> None:
        self.port = self.bound_port
        trigger: Any = super()._trigger_server
        trigger()
