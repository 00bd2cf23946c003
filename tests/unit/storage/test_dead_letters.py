from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.types import DeadLetter
from storage.contract import Store
from storage.dead_letters import count_dead_letters, read_dead_letters, write_dead_letters

AT = datetime.now(UTC).replace(microsecond=0)
LETTER = DeadLetter(
    received_at=AT,
    topic="gateway-calls",
    partition=3,
    offset=17,
    reason="not_json",
    detail="found 'x\n\\",
    payload=bytes(range(256)),
    size_bytes=4096,
)


def test_any_bytes_come_back(store: Store) -> None:
    write_dead_letters(store, [LETTER, replace(LETTER, offset=18, payload=b"")])
    assert read_dead_letters(store, 10) == [LETTER, replace(LETTER, offset=18, payload=b"")]


def test_a_repeat_under_the_same_token_writes_nothing(store: Store) -> None:
    for _ in range(2):
        write_dead_letters(store, [LETTER], token="gateway-calls/3/17")
    write_dead_letters(store, [], token="nothing")
    assert len(read_dead_letters(store, 10)) == 1


def test_counted_by_reason_since_a_time(store: Store) -> None:
    old = replace(LETTER, received_at=AT - timedelta(hours=1), reason="bad_ts")
    write_dead_letters(store, [LETTER, LETTER, old])
    counted = count_dead_letters(store)
    assert list(zip(counted["reason"], counted["letters"], strict=True)) == [("not_json", 2), ("bad_ts", 1)]
    assert list(count_dead_letters(store, AT)["reason"]) == ["not_json"]
    assert list(count_dead_letters(store, AT + timedelta(hours=1)).columns) == ["reason", "letters"]


def test_newest_first_and_by_reason(store: Store) -> None:
    newer = replace(LETTER, received_at=AT + timedelta(seconds=1), reason="bad_ts", offset=18)
    write_dead_letters(store, [LETTER, newer])
    assert read_dead_letters(store, 1) == [newer]
    assert read_dead_letters(store, 10, "not_json") == [LETTER]
