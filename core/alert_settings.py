"""Who is told, how and when: receivers, routes, time intervals, maintenance windows and the heartbeat.

One idea: the half of alerting's configuration that is about people. What opens an incident is in `core/rules.py`.
"""

import ipaddress
from datetime import time, timedelta
from typing import Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from core.durations import Duration
from core.expressions import check_expression
from core.part import Part
from core.secrets import Secret, SecretUrl

ReceiverType = Literal[
    "webhook", "slack", "teams", "discord", "googlechat", "mattermost", "feishu", "dingtalk", "wecom", "pagerduty", "telegram",
    "email", "apprise",
]  # fmt: skip

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_NEEDS_URL = frozenset({"webhook", "teams", "discord", "googlechat", "mattermost", "feishu", "dingtalk", "wecom"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SmtpSettings(Part):
    host: str = Field(min_length=1, description="Name of the mail server.")
    port: int = Field(587, ge=1, le=65535, description="Its port: 587 for `starttls`, 465 for `tls`.")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="`none` only if `allow_http` is set.")
    username: str = Field("", description="Login; empty: none.")
    password: Secret | None = Field(None, description="Its password: `env:NAME` or `file:/path`.")
    tls_ca: str | None = Field(None, description="File of the authority that signed the server's certificate.")
    sender: str = Field(min_length=3, description="Address in From.")
    to: tuple[str, ...] = Field(min_length=1, description="Addresses of the recipients.")

    @field_validator("sender", "to")
    @classmethod
    def _one_line(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (value,) if isinstance(value, str) else value:
            if "@" not in address or any(character < " " for character in address):
                raise ValueError(f"{address!r} is no mail address")
        return value


class ReceiverSettings(Part):
    name: str = Field(min_length=1, description="Unique name.")
    type: ReceiverType = Field(
        "webhook",
        description="`webhook` (tpscope's JSON), `slack`, `teams`, `discord`, `googlechat`, `mattermost`, `feishu`, "
        "`dingtalk`, `wecom`, `pagerduty`, `telegram`, `email`, or `apprise` (extra `apprise`: everything else).",
    )
    url: SecretUrl | None = Field(
        None, description="Where messages are posted: a URL, `env:NAME` or `file:/path`. Printed redacted."
    )
    token: Secret | None = Field(
        None,
        description="Slack's bot token (then `channel` instead of `url`), Telegram's bot token, PagerDuty's routing key, or "
        "Apprise's address: `env:NAME` or `file:/path`.",
    )
    secret: Secret | None = Field(
        None, description="Key that messages are signed with (webhook, DingTalk, Feishu): `env:NAME` or `file:/path`."
    )
    channel: str = Field("", description="Slack's channel id for a bot token; Telegram's chat id.")
    smtp: SmtpSettings | None = Field(None, description="The mail server, for `email`.")
    template: str = Field("", description="File of a Jinja2 template for the message's body; empty: the built-in one.")
    picture: bool = Field(True, description="Attach a picture of the last hours, where the receiver takes one.")
    allow_http: bool = Field(False, description="Allow an address without TLS; to this machine itself it always is.")
    allow_networks: tuple[str, ...] = Field(
        (), description="Networks (`169.254.7.0/24`) that messages may go to although they are denied by default."
    )
    timeout: Duration = Field(timedelta(seconds=5), description="Longest wait for an answer.")
    deadline: Duration = Field(timedelta(days=1), description="A message that is older than this is given up.")
    retries: int | None = Field(
        None, ge=0, le=10_000, description="How often a failed delivery is repeated at most; not given: until `deadline`."
    )
    backoff: Duration = Field(
        timedelta(seconds=1), description="Wait before the first repeat; doubles each time, at most 5 min."
    )
    per_minute: int | None = Field(
        None, ge=1, le=6_000, description="Most messages a minute; not given: what the service documents, else 60."
    )
    send_resolved: bool = Field(True, description="Also tell when an incident ends.")

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network)
        return networks

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if problem := self._missing():
            raise ValueError(f"receiver {self.name!r} (type {self.type}) {problem}")
        address = urlsplit(self.url.reveal()) if self.url else None
        if address and address.scheme != "https" and address.hostname not in _LOOPBACK and not self.allow_http:
            raise ValueError(f"receiver {self.name!r}: the url must be https; or set allow_http: true")
        if self.smtp and self.smtp.security == "none" and self.smtp.host not in _LOOPBACK and not self.allow_http:
            raise ValueError(f"receiver {self.name!r}: smtp.security none needs allow_http: true")
        return self

    def _missing(self) -> str:
        if self.type in _NEEDS_URL and self.url is None:
            return "needs a url"
        if self.type == "slack" and self.url is None and not (self.token and self.channel):
            return "needs a url (an incoming webhook's), or token and channel"
        if self.type == "telegram" and not (self.token and self.channel):
            return "needs token and channel (the chat's id)"
        if self.type in ("pagerduty", "apprise") and self.token is None:
            return "needs a token"
        return "needs smtp" if self.type == "email" and self.smtp is None else ""


class TimeInterval(Part):
    name: str = Field(min_length=1, description="Unique name, for routes.")
    days: tuple[str, ...] = Field(DAYS, description="Days of the week: `mon`, or a span `mon-fri`.")
    start: str = Field("00:00", alias="from", description="First minute of the day, `HH:MM`.")
    end: str = Field("24:00", alias="to", description="End of the span, `HH:MM`; before `from`: it goes over midnight.")
    time_zone: str = Field("", description="IANA name; empty: that of the configuration.")

    @field_validator("days", mode="before")
    @classmethod
    def _spelled_out(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        found: list[str] = []
        for entry in value:
            first, _, last = str(entry).lower().partition("-")
            if first not in DAYS or (last or first) not in DAYS:
                raise ValueError(f"{entry!r} is no day of the week; write for example mon or mon-fri")
            begin, span = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7
            found += [DAYS[(begin + step) % 7] for step in range(span + 1)]
        return tuple(dict.fromkeys(found))

    @field_validator("start", "end")
    @classmethod
    def _clock(cls, text: str) -> str:
        if text != "24:00":
            try:
                time.fromisoformat(text)
            except ValueError:
                raise ValueError(f"{text!r} is no time of day; write HH:MM, in quotes") from None
        return text

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return known_zone(name)

    def minutes(self) -> tuple[int, int]:
        """Start and end as minutes of the day."""
        return _minute(self.start), _minute(self.end)


class RouteSettings(Part):
    match: dict[str, str] = Field(
        default_factory=dict,
        description="Labels that an incident must have (dimensions, the rule's labels, `severity`, `rule`, `kind`, `metric`); "
        "a value `~REGEX` is a regular expression for all of it.",
    )
    receivers: tuple[str, ...] = Field((), description="Who is told; empty: whoever the route above names.")
    active: tuple[str, ...] = Field((), description="Names of time intervals: outside of them the route tells nobody.")
    mute: tuple[str, ...] = Field((), description="Names of time intervals in which the route tells nobody.")
    go_on: bool = Field(False, alias="continue", description="Try the routes after this one as well.")
    repeat_interval: Duration | None = Field(None, description="Instead of the one above.")
    routes: tuple["RouteSettings", ...] = Field((), description="Finer routes, tried in order before this one counts.")

    @field_validator("match")
    @classmethod
    def _expressions(cls, match: dict[str, str]) -> dict[str, str]:
        return checked_match(match)


class RoutingSettings(Part):
    receivers: tuple[str, ...] = Field((), description="Receivers of rules that name none; empty: all receivers.")
    repeat_interval: Duration = Field(timedelta(hours=4), description="A firing incident is told again after this.")
    group_wait: Duration = Field(
        timedelta(seconds=20), description="How long a new incident waits for others of the same cause before it is told."
    )
    group_wait_critical: Duration = Field(timedelta(seconds=5), description="The same for critical incidents.")
    group_from: int = Field(
        3, ge=2, le=1000, description="So many new incidents of one rule are told as one, named by what they have in common."
    )
    routes: tuple[RouteSettings, ...] = Field((), description="Who is told of what; the first that fits counts.")


class MaintenanceSettings(Part):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Unique name, shown on what it muted.")
    match: dict[str, str] = Field(default_factory=dict, description="As a route's `match`; empty: everything.")
    cron: str = Field(description="When a window begins: minute, hour, day, month, day of the week (`0 2 * * SUN`).")
    duration: Duration = Field(description="How long it lasts.")
    time_zone: str = Field("", description="IANA name; empty: that of the configuration.")
    comment: str = Field("", description="Why.")

    @field_validator("match")
    @classmethod
    def _expressions(cls, match: dict[str, str]) -> dict[str, str]:
        return checked_match(match)

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return known_zone(name)

    @field_validator("duration")
    @classmethod
    def _bounded(cls, duration: timedelta) -> timedelta:
        if not timedelta(minutes=1) <= duration <= timedelta(days=7):
            raise ValueError("must be from 1m to 7d")
        return duration


class HeartbeatSettings(Part):
    url: SecretUrl | None = Field(
        None, description="Address that is fetched at an interval while rules are evaluated; not given: none."
    )
    every: Duration = Field(timedelta(minutes=1), description="How often.")
    allow_http: bool = Field(False, description="Allow an address without TLS; to this machine itself it always is.")


def known_zone(name: str) -> str:
    """`name`, which is empty or an IANA time zone; raises ValueError otherwise."""
    try:
        if name:
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no IANA time zone; write for example 'Europe/Berlin'") from error
    return name


def checked_match(match: dict[str, str]) -> dict[str, str]:
    """`match`, whose `~` values are regular expressions; raises ValueError that quotes one that is none, or might never end."""
    for name, wanted in match.items():
        if wanted.startswith("~"):
            try:
                check_expression(wanted[1:])
            except ValueError as error:
                raise ValueError(f"{name}: {wanted[1:]!r} {error}") from error
    return match


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
