"""Whether anybody can come in at all: a service that others can reach does not start before that is so."""

from core.clock import Clock
from core.config import WebSettings
from core.errors import ConfigError
from dashboards.access.directory import Directory
from storage.contract import Store


def check_way_in(store: Store, settings: WebSettings, clock: Clock) -> None:
    """Raises ConfigError, in one line that says what to do, where a login is needed and there is no token to log in with."""
    if not settings.login_needed or settings.proxy_user_header or Directory(store, settings, clock).anybody():
        return
    where = "web.login" if settings.is_local else "web.host"
    why = "asks everybody to log in" if settings.is_local else f"{settings.host!r} can be reached from other machines"
    raise ConfigError(
        where,
        f"{why}, and there is no token to log in with; run `tpscope token create NAME --scope admin` first, "
        "set web.admin_token, or listen on 127.0.0.1",
    )
