"""What `tpscope token` does; a running service knows of it after five seconds at the latest."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from core.access import ApiToken, Scope, hash_of, new_token
from core.config import Settings
from core.errors import ConfigError
from storage.audit import write_audit
from storage.tokens import read_tokens, write_token
from tpscope.options import print_json
from tpscope.reading import reading
from tpscope.tenants import actor

CREATED, REVOKED = "token.create", "token.revoke"
_LONGEST_NAME = 200


def run_create(
    settings: Settings, name: str, scope: Scope, tenants: tuple[str, ...], expires: timedelta | None, *, as_json: bool
) -> int:
    """Make a token; its text goes to stdout alone, so that it can be piped to where it is kept."""
    now = datetime.now(UTC)
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigError("token create", f"a name has 1 to {_LONGEST_NAME} printable characters")
    if any(not tenant for tenant in tenants):
        raise ConfigError("--tenant", "is empty; give the tenant as the calls name it")
    if tenants and scope is Scope.ADMIN:
        raise ConfigError("--tenant", "cannot stand beside --scope admin: an admin sees the rows of all")
    if expires is not None and expires <= timedelta(0):
        raise ConfigError("--expires", "must be longer than nothing, for example 90d")
    id_, secret = new_token()
    token = ApiToken(
        id=id_,
        name=name.strip(),
        hash=hash_of(secret),
        scope=scope,
        tenants=tuple(dict.fromkeys(tenants)),
        created_at=now,
        created_by=actor(),
        expires_at=now + expires if expires else None,
    )
    with reading(settings) as store:
        write_token(store, token)
        write_audit(store, now, actor(), CREATED, id_, {"name": token.name, "scope": scope.value, "tenants": token.tenants})
    if as_json:
        print_json({**_shown(token, now), "token": secret})
    else:
        _say(f"token {id_} for {token.name!r} ({_words(token)}); it is shown this once:")
        sys.stdout.write(f"{secret}\n")
    return 0


def run_list(settings: Settings, *, as_json: bool) -> int:
    now = datetime.now(UTC)
    with reading(settings) as store:
        found = read_tokens(store)
    if as_json:
        print_json({"tokens": [_shown(one, now) for one in found]})
        return 0
    console = Console(soft_wrap=True)
    for one in found:
        console.print(f"{one.id}  {_state(one, now)}  {one.name}  ({_words(one)})", highlight=False, markup=False)
    if not found:
        console.print("there is no token; tpscope token create NAME makes one", highlight=False, markup=False)
    return 0


def run_revoke(settings: Settings, token_id: str) -> int:
    now = datetime.now(UTC)
    with reading(settings) as store:
        found = next((one for one in read_tokens(store) if one.id == token_id), None)
        if found is None:
            raise ConfigError("token revoke", f"there is no token {token_id!r}; tpscope token list names them")
        if found.revoked_at is None:
            write_token(store, replace(found, revoked_at=now))
            write_audit(store, now, actor(), REVOKED, token_id, {"name": found.name})
    _say(f"token {token_id} ({found.name}) is revoked")
    return 0


def _state(token: ApiToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.valid(now) else "expired"


def _words(token: ApiToken) -> str:
    whose = f", tenants {', '.join(token.tenants)}" if token.tenants else ""
    until = f", until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else ""
    return f"{token.scope}{whose}{until}"


def _shown(token: ApiToken, now: datetime) -> dict[str, Any]:
    def text(moment: datetime | None) -> str | None:
        return None if moment is None else moment.isoformat()

    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope.value,
        "tenants": list(token.tenants),
        "state": _state(token, now),
        "created_at": text(token.created_at),
        "created_by": token.created_by,
        "expires_at": text(token.expires_at),
        "revoked_at": text(token.revoked_at),
    }


def _say(words: str) -> None:
    Console(stderr=True, soft_wrap=True).print(words, highlight=False, markup=False)
