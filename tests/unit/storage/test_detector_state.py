from datetime import UTC, datetime

from storage.contract import Store
from storage.detector_state import read_state, write_state


def test_the_latest_state_of_the_highest_epoch_holds(store: Store) -> None:
    now = datetime.now(UTC)
    write_state(store, "forest", now, {"open": {"a": [1, 2.5, None]}, "names": ["x"]}, 2)
    write_state(store, "forest", now, {"open": {}}, 1)
    write_state(store, "other", now, {"open": {"b": []}}, 9)
    assert read_state(store, "forest") == {"open": {"a": [1, 2.5, None]}, "names": ["x"]}
    write_state(store, "forest", now, {"open": {"later": True}}, 2)
    assert read_state(store, "forest") == {"open": {"later": True}}


def test_a_detector_without_state_is_none(store: Store) -> None:
    assert read_state(store, "forest") is None


def test_the_state_of_a_replay_of_old_history_stays(store: Store) -> None:
    """Retention once counted from the minute that was judged, so that a replay forgot at once what it had open."""
    write_state(store, "forest", datetime(2020, 1, 1, tzinfo=UTC), {"open": {}}, 1)
    store.command("OPTIMIZE TABLE detector_state FINAL")
    assert read_state(store, "forest") == {"open": {}}
