"""Tokens, scopes and sessions, without a store."""

from datetime import UTC, datetime, timedelta

import pytest

from core.access import (
    LOCAL,
    NOBODY,
    ApiToken,
    Scope,
    Session,
    csrf_of,
    hash_of,
    id_of,
    matches,
    new_session,
    new_token,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_token_is_told_by_its_id_and_kept_as_a_hash() -> None:
    id_, secret = new_token()
    assert id_of(secret) == id_
    assert matches(secret, hash_of(secret))
    assert not matches(secret + "x", hash_of(secret))
    assert secret not in hash_of(secret)
    assert new_token() != new_token()
    for text in ("", "tps_", secret + "x", secret.replace("tps_", "xps_"), secret.upper()):
        assert id_of(text) == ""


def test_scopes_include_those_before_them() -> None:
    order = [Scope.READ, Scope.OPERATE, Scope.ADMIN]
    for place, one in enumerate(order):
        assert [one.includes(other) for other in order] == [other <= place for other in range(3)]
    assert LOCAL.may(Scope.ADMIN)
    assert not NOBODY.may(Scope.READ)


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "valid"),
    [
        (None, None, True),
        (NOW + timedelta(seconds=1), None, True),
        (NOW, None, False),
        (None, NOW - timedelta(days=1), False),
        (None, NOW + timedelta(days=1), False),
    ],
)
def test_a_token_holds_until_it_expires_or_is_revoked(
    expires_at: datetime | None, revoked_at: datetime | None, valid: bool
) -> None:
    token = ApiToken(
        id="i", name="n", hash="h", scope=Scope.READ, tenants=(), created_at=NOW, created_by="x",
        expires_at=expires_at, revoked_at=revoked_at,
    )  # fmt: skip
    assert token.valid(NOW) is valid


def test_a_session_ends_with_its_time_or_a_logout() -> None:
    session = Session(hash="h", token_id="t", started_at=NOW, expires_at=NOW + timedelta(hours=1))
    assert session.valid(NOW)
    assert not session.valid(NOW + timedelta(hours=1))
    ended = Session(hash="h", token_id="t", started_at=NOW, expires_at=NOW + timedelta(hours=1), ended_at=NOW)
    assert not ended.valid(NOW)


def test_what_pages_send_tells_nothing_of_the_session() -> None:
    secret = new_session()
    assert csrf_of(secret) == csrf_of(secret) != csrf_of(new_session())
    assert hash_of(secret) != csrf_of(secret)
