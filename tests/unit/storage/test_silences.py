from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.types import Action, IncidentAction, Silence
from storage.contract import Store
from storage.silences import action_used, read_actions, read_silences, write_actions, write_silence

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SILENCE = Silence(
    id="s1",
    match={"service": "chat", "route": "~/v1/.*"},
    starts_at=AT,
    ends_at=AT + HOUR,
    created_at=AT,
    created_by="ops",
    comment='a "move"',
)


def test_a_silence_comes_back_until_it_has_ended(store: Store) -> None:
    write_silence(store, SILENCE)
    assert read_silences(store, AT) == [SILENCE]
    assert read_silences(store, AT + HOUR) == []
    ended = replace(SILENCE, ends_at=AT + HOUR / 2)
    write_silence(store, ended)
    assert read_silences(store, AT) == [ended]
    assert read_silences(store, AT + HOUR / 2) == []


def test_an_action_comes_back_once_and_its_link_is_used(store: Store) -> None:
    said = IncidentAction(id="n1", incident_id="i1", action=Action.SNOOZE, receiver="chat", at=AT, until=AT + HOUR)
    other = IncidentAction(id="n2", incident_id="i1", action=Action.EXPECTED, receiver="chat", at=AT + HOUR)
    assert not action_used(store, "n1")
    write_actions(store, [said])
    write_actions(store, [said, other])
    assert action_used(store, "n1")
    assert read_actions(store, AT - HOUR) == [said, other]
    assert read_actions(store, AT) == [other]
