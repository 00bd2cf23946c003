"""Settings of the pages and the API: where they listen, and who may come in."""

import ipaddress
import re
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from core.access import Scope
from core.durations import Duration
from core.part import Part
from core.secrets import Secret

_LOOPBACK_NAMES = frozenset({"localhost"})
_LEAST_SECRET = 32
_HEADER = re.compile(r"[A-Za-z0-9-]+")


class WebSettings(Part):
    host: str = Field(
        "127.0.0.1", description="Address to listen on. On any but a loopback address people and programs must log in."
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    public_url: str = Field("", description="Address that people reach the pages by; used in messages.")
    link_key: Secret | None = Field(
        None,
        description="Key that links in messages are signed with, by which people acknowledge, snooze or explain an incident: "
        "`env:NAME` or `file:/path`. Not given: messages have no such links. They need `public_url`.",
    )
    max_points: int = Field(5000, ge=100, description="Most points that one series request returns.")
    login: Literal["auto", "always"] = Field(
        "auto",
        description="`auto`: nobody needs to log in while the service listens on loopback only; `always`: all do.",
    )
    admin_token: Secret | None = Field(
        None,
        description="A token with the scope `admin` besides those of `tpscope token create`, for containers: `env:NAME` or "
        "`file:/path` of 32 characters or more.",
    )
    session_life: Duration = Field(timedelta(hours=12), description="How long a login on the pages lasts.")
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks of proxies whose `proxy_user_header` is believed: `10.0.0.7`, `10.1.0.0/24`."
    )
    proxy_user_header: str = Field(
        "", description="Header in which a trusted proxy names who it has let in, for example `X-Forwarded-User`."
    )
    proxy_scope: Scope = Field(Scope.READ, description="What people may do whom a trusted proxy has let in.")
    proxy_users: dict[str, Scope] = Field(default_factory=dict, description="Scopes of single people behind a trusted proxy.")
    rate_limit: int = Field(
        1200, ge=1, description="Most requests a minute to the API by one token, or by one address where nobody logs in."
    )

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can reach the service."""
        if self.host.lower() in _LOOPBACK_NAMES:
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def login_needed(self) -> bool:
        """Whether nobody comes in without a proof of who they are."""
        return self.login == "always" or not self.is_local or bool(self.proxy_user_header)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text)
            except ValueError:
                raise ValueError(f"{text!r} is no address or network; write for example 10.0.0.7 or 10.1.0.0/24") from None
        return value

    @field_validator("proxy_user_header")
    @classmethod
    def _header(cls, value: str) -> str:
        if value and not _HEADER.fullmatch(value):
            raise ValueError(f"{value!r} is no name of a header; write for example X-Forwarded-User")
        return value

    @field_validator("admin_token")
    @classmethod
    def _long_enough(cls, value: Secret | None) -> Secret | None:
        if value is not None and len(value.reveal()) < _LEAST_SECRET:
            raise ValueError(f"is too short to be safe; give at least {_LEAST_SECRET} random characters")
        return value

    @field_validator("session_life")
    @classmethod
    def _bounded(cls, value: timedelta) -> timedelta:
        if not timedelta(minutes=1) <= value <= timedelta(days=30):
            raise ValueError("must lie between 1m and 30d")
        return value

    @model_validator(mode="after")
    def _proxies_together(self) -> Self:
        if bool(self.trusted_proxies) != bool(self.proxy_user_header):
            raise ValueError("trusted_proxies and proxy_user_header belong together; give both or neither")
        return self
