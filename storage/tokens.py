"""Tokens and the sessions that were begun with them: append-only, read in their latest state."""

from datetime import datetime
from typing import Any

import pyarrow as pa

from core.access import ApiToken, Scope, Session
from core.record import TS_TYPE
from storage.contract import Store
from storage.frames import EVENT_FIELDS, events_table, moment, moment_or_none

_TOKEN_COLUMNS = "id, name, hash, scope, tenants, created_at, created_by, expires_at, revoked_at"
LATEST_TOKENS = f"""
SELECT {_TOKEN_COLUMNS} FROM (SELECT {_TOKEN_COLUMNS} FROM api_tokens ORDER BY epoch DESC, seq DESC LIMIT 1 BY id)
ORDER BY created_at, id
"""
_SESSION_COLUMNS = "hash, token_id, started_at, expires_at, ended_at"
LIVE_SESSIONS = f"""
SELECT {_SESSION_COLUMNS}
FROM (SELECT {_SESSION_COLUMNS} FROM sessions WHERE expires_at > {{now:DateTime64(3, 'UTC')}}
    ORDER BY epoch DESC, seq DESC LIMIT 1 BY hash)
WHERE ended_at IS NULL
"""
_TOKEN = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "name", "hash", "scope")),
        pa.field("tenants", pa.list_(pa.string())),
        pa.field("created_at", TS_TYPE),
        pa.field("created_by", pa.string()),
        *(pa.field(name, TS_TYPE) for name in ("expires_at", "revoked_at")),
        *EVENT_FIELDS,
    ]
)
_SESSION = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("hash", "token_id")),
        *(pa.field(name, TS_TYPE) for name in ("started_at", "expires_at", "ended_at")),
        *EVENT_FIELDS,
    ]
)


def write_token(store: Store, token: ApiToken) -> None:
    """Append the present state; an earlier row of the same id no longer holds."""
    store.insert("api_tokens", events_table(_TOKEN, [token], 0, tenants=[list(token.tenants)]))


def read_tokens(store: Store) -> list[ApiToken]:
    """Every token that was ever made, revoked ones too, in order of their making."""
    return [_token(row) for row in store.arrow(LATEST_TOKENS).to_pylist()]


def write_session(store: Store, session: Session) -> None:
    """Append the present state; an earlier row of the same hash no longer holds."""
    store.insert("sessions", events_table(_SESSION, [session], 0))


def read_sessions(store: Store, now: datetime) -> list[Session]:
    """The sessions that neither ended nor expired."""
    return [_session(row) for row in store.arrow(LIVE_SESSIONS, {"now": now}).to_pylist()]


def _token(row: dict[str, Any]) -> ApiToken:
    return ApiToken(
        **{
            **row,
            "scope": Scope(row["scope"]),
            "tenants": tuple(row["tenants"]),
            "created_at": moment(row["created_at"]),
            "expires_at": moment_or_none(row["expires_at"]),
            "revoked_at": moment_or_none(row["revoked_at"]),
        }
    )


def _session(row: dict[str, Any]) -> Session:
    times = {name: moment(row[name]) for name in ("started_at", "expires_at")}
    return Session(**{**row, **times, "ended_at": moment_or_none(row["ended_at"])})
