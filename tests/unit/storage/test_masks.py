from dataclasses import replace
from datetime import timedelta

import pytest

from core.masks import MaskKind
from core.series import Selector
from core.types import Learning
from storage.anomalies import read_anomalies, write_anomalies
from storage.contract import Store
from storage.learning import read_learning, write_learning
from storage.masks import add_mask, anomaly_by_id, end_mask, new_mask_id, read_masks
from tests.unit.core.test_masks import CHAT, MINUTE, NOON, anomaly, mask

HOUR = timedelta(hours=1)


def test_a_mask_labels_the_anomalies_of_its_time_and_its_end_labels_them_anew(store: Store) -> None:
    inside, later = replace(anomaly(5, 10), id="inside"), replace(anomaly(40, 50), id="later")
    write_anomalies(store, [inside, later], 7)
    open_mask = replace(mask(), end=None, why='it\'s "fine"')
    named = add_mask(store, open_mask)
    assert sorted(one.id for one in named) == ["inside", "later"]
    assert all(one.muted for one in read_anomalies(store, NOON, NOON + HOUR))
    assert read_masks(store, NOON + 100 * HOUR, NOON + 101 * HOUR) == [open_mask]
    assert anomaly_by_id(store, "later") == replace(later, mask_id="m1", muted=True)
    ended = end_mask(store, "m1", NOON + 30 * MINUTE)
    assert ended == replace(open_mask, end=NOON + 30 * MINUTE)
    assert read_masks(store) == [ended]
    assert read_masks(store, NOON + 30 * MINUTE, NOON + HOUR) == []
    assert {one.id: (one.mask_id, one.muted) for one in read_anomalies(store, NOON, NOON + HOUR)} == {
        "inside": ("m1", True),
        "later": ("", False),
    }
    withdrawn = end_mask(store, "m1", NOON - HOUR)
    assert withdrawn is not None
    assert withdrawn.end == NOON
    assert read_anomalies(store, NOON, NOON + HOUR) == [later, inside]


def test_of_several_masks_each_is_read_in_its_latest_form(store: Store) -> None:
    masks = [mask(id=f"m{n}", kind=kind, start=NOON + n * HOUR, end=NOON + (n + 1) * HOUR) for n, kind in enumerate(MaskKind)]
    for one in masks:
        assert add_mask(store, one) == []
    assert read_masks(store) == masks[::-1]
    assert read_masks(store, mask_id="m1") == [masks[1]]
    assert end_mask(store, "nosuch", NOON) is None
    assert anomaly_by_id(store, "nosuch") is None
    with pytest.raises(ValueError, match="must lie after the start"):
        add_mask(store, mask(end=NOON))
    assert len({new_mask_id() for _ in range(100)}) == 100


def test_who_is_still_learning_is_told_until_the_next_building(store: Store) -> None:
    assert read_learning(store, NOON) == []
    young, new = Learning(selector=CHAT, have_h=30.0, need_h=48.0), Learning(selector=Selector(), have_h=2.0, need_h=48.0)
    write_learning(store, [new, young], NOON, 3)
    assert read_learning(store, NOON + 12 * HOUR) == [replace(young, have_h=42.0), replace(new, have_h=14.0)]
    assert read_learning(store, NOON + 30 * HOUR)[0].have_h == 48.0
    write_learning(store, [], NOON, 2)
    assert len(read_learning(store, NOON)) == 2, "of an ousted process"
    write_learning(store, [], NOON, 3)
    assert read_learning(store, NOON) == []
