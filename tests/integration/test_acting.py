"""Links in messages: opening one changes nothing, its button acts, once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import FakeClock
from core.config import Settings
from core.links import ActionLink, InvalidLink, sign, verify
from core.secrets import Secret
from core.types import Action
from dashboards.run import serve
from dashboards.server import create_app
from storage.contract import Store
from storage.incidents import write_incidents
from storage.silences import read_actions
from tests.support.stores import chdb_store
from tests.unit.alerts.builders import incident

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = "k" * 32
LINK = ActionLink(
    incident_id="i1", action=Action.SNOOZE, receiver="chat", nonce="key-1-snooze", expires_at=NOW + timedelta(days=1)
)


def test_a_link_says_what_was_signed() -> None:
    assert verify(sign(LINK, KEY), KEY, NOW) == LINK


@given(st.integers(0, 400), st.characters(codec="ascii"))
def test_a_link_that_was_changed_is_none(place: int, character: str) -> None:
    token = sign(LINK, KEY)
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    if changed != token:
        with pytest.raises(InvalidLink):
            verify(changed, KEY, NOW)


OF_ANOTHER_KEY, EXPIRED = (sign(LINK, KEY), "other", NOW), (sign(LINK, KEY), KEY, LINK.expires_at)
EMPTY, NONE = ("", KEY, NOW), ("ü.ü", KEY, NOW)


@pytest.mark.parametrize(("token", "key", "at"), [OF_ANOTHER_KEY, EXPIRED, EMPTY, NONE])
def test_a_link_of_another_key_and_one_that_has_expired_are_none(token: str, key: str, at: datetime) -> None:
    with pytest.raises(InvalidLink):
        verify(token, key, at)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with chdb_store(tmp_path / "store") as opened:
        write_incidents(opened, [incident(title="Errors of <b>chat</b>", last_notified_at=None)], 1)
        yield opened


@contextmanager
def client(store: Store, **web: Any) -> Iterator[httpx.Client]:
    server = serve(create_app(store, Settings.model_validate({"web": web}), FakeClock(NOW), token=None), "127.0.0.1", 0)
    try:
        with httpx.Client(base_url=server.address, timeout=30, trust_env=False) as asking:
            yield asking
    finally:
        server.stop()


def test_opening_a_link_only_asks_and_its_button_acts_once(store: Store) -> None:
    token, since = sign(LINK, KEY), NOW - timedelta(hours=1)
    with client(store, link_key=Secret(KEY)) as asking:
        for _ in range(3):  # a chat that previews, and a person who looks
            page = asking.get("/act", params={"link": token})
            assert page.status_code == 200
            assert "Snooze this incident for an hour" in page.text
            assert "Errors of &lt;b&gt;chat&lt;/b&gt;" in page.text
            assert read_actions(store, since) == []
        assert asking.post("/act", data={"link": token}).status_code == 200
        (said,) = read_actions(store, since)
        assert (said.action, said.incident_id, said.until) == (Action.SNOOZE, "i1", NOW + timedelta(hours=1))
        again = asking.post("/act", data={"link": token})
        assert (again.status_code, "was used before" in again.text) == (400, True)
        assert len(read_actions(store, since)) == 1
        expired = sign(replace(LINK, expires_at=NOW - timedelta(seconds=1)), KEY)
        for bad, reason in [("<script>", "not valid"), (expired, "has expired"), ("", "not valid"), ("x" * 9_000, "not valid")]:
            answer = asking.post("/act", data={"link": bad})
            assert (answer.status_code, reason in answer.text) == (400, True)
            assert "<script>" not in answer.text


def test_without_a_key_links_are_turned_off(store: Store) -> None:
    with client(store) as asking:
        off = asking.get("/act", params={"link": sign(LINK, KEY)})
    assert (off.status_code, "web.link_key is not set" in off.text) == (400, True)
