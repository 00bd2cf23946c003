"""Which `Host` headers are ours: a page of another name that resolves to this machine (DNS rebinding) must not read our data.

Such a page needs a name of its own, so plain addresses are let in where the service listens on more than loopback.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from core.config import WebSettings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})


class AllowedHosts:
    """Decides about `Host` headers, with or without a port."""

    def __init__(self, settings: WebSettings) -> None:
        names = set(LOOPBACK) | {settings.host.lower()}
        if settings.public_url:
            names.add((urlsplit(settings.public_url).hostname or "").lower())
        self._wide = settings.host in _WILDCARDS
        if self._wide:
            names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        self._names = names - _WILDCARDS

    def allows(self, header: str) -> bool:
        """Whether a request with this header is for us."""
        host = _without_port(header.strip().lower())
        if host in self._names:
            return True
        return self._wide and _is_address(host)


def _without_port(header: str) -> str:
    if header.startswith("["):
        return header.partition("]")[0].removeprefix("[")
    return header if header.count(":") > 1 else header.partition(":")[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
