"""Occasions: what is expected in general, learned by kind and by name, and how little of it is known."""

import numpy as np
import pytest

from analytics.features import Floats
from analytics.forecasting import HOURLY, Occasion
from analytics.forecasting.growth import doubt
from analytics.forecasting.occasions import General
from analytics.forecasting.unlike import Effects, effects, to_learn_from
from tests.unit.analytics.forecasting.builders import WEEK, weekly

QUIET = General(low=0.4, factor=0.7, high=0.9)


def day(number: int, name: str = "", kind: str = "day off", general: General | None = QUIET) -> Occasion:
    return Occasion(name=name or f"day {number}", start=24 * number, end=24 * number + 24, kind=kind, general=general)


def with_factors(factors: dict[int, float], weeks: int = 10) -> Floats:
    values = weekly(weeks, noise=0.02, wander=0.0)
    for number, factor in factors.items():
        values[24 * number : 24 * number + 24] *= factor
    return values


def of_next_day(values: Floats, past: list[Occasion], name: str = "") -> Effects:
    return effects(values, 24, [*past, day(len(values) // 24, name)], HOURLY)


def test_of_a_day_of_which_nothing_was_seen_the_usual_is_expected_and_the_rare_allowed() -> None:
    found = of_next_day(weekly(6), [])
    assert 0.7 <= found.factor[0] < 0.8
    assert found.below[0] > found.above[0] > 0.0
    assert np.exp(-1.645 * found.below[0]) * found.factor[0] < 0.5


def test_a_machine_knows_no_holidays() -> None:
    found = of_next_day(np.full(6 * WEEK, 50.0), [])
    np.testing.assert_array_equal(found.factor, 1.0)
    assert found.below.max() < 1e-3


def test_a_day_without_anything_expected_or_seen_changes_nothing() -> None:
    found = effects(weekly(4), 48, [day(4 * 7 + 1, kind="", general=None)], HOURLY)
    np.testing.assert_array_equal(found.factor, 1.0)
    np.testing.assert_array_equal(found.below, 0.0)


def test_days_of_a_kind_tell_of_one_another_the_more_the_alike_they_were() -> None:
    places = (5, 17, 29, 41)
    past = [day(number) for number in places]
    alike = of_next_day(with_factors(dict.fromkeys(places, 0.5)), past)
    unlike = of_next_day(with_factors(dict(zip(places, (0.2, 0.4, 0.6, 1.2), strict=True))), past)
    assert alike.factor[0] == pytest.approx(0.53, abs=0.05)
    assert unlike.below[0] > 1.4 * alike.below[0]


def test_the_same_day_of_an_earlier_year_counts_more_than_others_of_its_kind() -> None:
    places = (5, 17, 29)
    values = with_factors({5: 0.2, 17: 0.8, 29: 0.8})
    past = [day(number, "Christmas" if number == 5 else "") for number in places]
    christmas, another = (of_next_day(values, past, name).factor[0] for name in ("Christmas", "Easter"))
    assert christmas < 0.4 < 0.5 < another


def test_what_the_user_expects_is_taken_without_doubt() -> None:
    values = weekly(4)
    found = effects(values, 24, [Occasion(name="sale", start=len(values) + 2, end=len(values) + 5, uplift=1.4)], HOURLY)
    np.testing.assert_array_equal(found.factor, [1.0] * 2 + [1.4] * 3 + [1.0] * 19)
    np.testing.assert_array_equal(found.above, 0.0)


def test_days_off_that_just_were_are_set_right_and_older_ones_left_out() -> None:
    values = with_factors({60: 0.7, 69: 0.7})
    learned, mask = to_learn_from(values, [day(60, kind=""), day(40), day(69)], HOURLY)
    assert np.flatnonzero(mask).tolist() == list(range(40 * 24, 41 * 24))
    usual = weekly(10, noise=0.02, wander=0.0)
    assert learned[69 * 24 :].sum() == pytest.approx(usual[69 * 24 :].sum(), rel=0.15)
    np.testing.assert_array_equal(learned[: 60 * 24], values[: 60 * 24])


def test_unusual_growth_is_doubted_the_more_the_stronger_it_is_and_the_further_ahead() -> None:
    usual, some, much = (doubt(weekly(8, noise=0.02, wander=0.0, growth=rate), 4 * WEEK, HOURLY) for rate in (0.08, 0.16, 0.4))
    np.testing.assert_array_equal(usual, 0.0)
    assert 0.0 < some.max() < much.max()
    assert (np.diff(much) > 0).all()
    np.testing.assert_array_equal(doubt(weekly(2, growth=0.4), WEEK, HOURLY), 0.0)
    np.testing.assert_array_equal(doubt(weekly(8, growth=0.4) - 10_000.0, WEEK, HOURLY), 0.0)
