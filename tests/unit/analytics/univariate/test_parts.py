"""The parts that the detector is made of."""

import numpy as np
import pytest

from analytics.univariate import Cadence, step_of
from analytics.univariate.edges import BLOCK_POINTS, BLOCKS, Edges
from analytics.univariate.spread import Spread
from analytics.univariate.structure import Structure
from tests.unit.analytics.univariate.builders import daily, seconds_of

KNOWN = np.array([True])


@pytest.mark.parametrize("step_s", [1.0, 60.0, 120.0, 300.0, 1_800.0, 3_600.0, 86_400.0, 604_800.0])
def test_the_weights_of_the_questions_add_up(step_s: float) -> None:
    cadence = Cadence.of(step_s)
    assert cadence.noise + cadence.novelty + cadence.spread == pytest.approx(1.0)
    assert min(cadence.noise, cadence.novelty, cadence.spread) >= 0.0
    assert cadence.slots >= 1
    position, weekend = cadence.place(seconds_of(50, step_s))
    assert ((position >= 0) & (position < cadence.slots)).all()
    assert set(weekend) <= {0, 1}


def test_the_step_is_that_of_the_first_points_whatever_comes_later() -> None:
    assert step_of(seconds_of(500, 300.0)) == 300.0
    assert step_of(np.concatenate([seconds_of(30, 300.0), seconds_of(500, 60.0)])) == 300.0
    assert step_of(np.array([5])) == 60.0
    assert step_of(np.array([5, 5, 5])) == 60.0


def test_the_edge_is_the_highest_peak_but_k_and_an_incident_is_one_peak() -> None:
    edges, rng = Edges.unseen(1), np.random.default_rng(0)
    values = rng.uniform(0.0, 1.0, BLOCKS * BLOCK_POINTS)
    values[600:630] = 50.0
    values[3_000] = 40.0
    for value in values:
        edges.learn(np.array([[value], [-value]]), edges.reach(), KNOWN, 3)
    peaks = np.sort(values.reshape(BLOCKS, BLOCK_POINTS).max(1))
    assert edges.reach()[0, 0] == pytest.approx(peaks[-3])
    assert edges.reach()[1, 0] == pytest.approx(np.sort(-values.reshape(BLOCKS, BLOCK_POINTS).min(1))[-3])


def test_an_outlier_widens_an_edge_by_a_step_at_most_where_that_is_wanted() -> None:
    edges = Edges.unseen(1)
    for value in np.tile([1.0, *[0.5] * 59], BLOCKS):
        edges.learn(np.array([[value], [-value]]), edges.reach(), KNOWN, 1, 1.5)
    for value in (100.0, 0.5):
        edges.learn(np.array([[value], [-value]]), edges.reach(), KNOWN, 1, 1.5)
    assert edges.reach()[0, 0] == pytest.approx(1.5)
    edges.learn(np.array([[100.0], [-100.0]]), edges.reach(), KNOWN, 1, 1.5)
    assert edges.reach()[0, 0] == pytest.approx(2.25)


def test_of_few_blocks_the_highest_peak_counts_where_that_is_wanted() -> None:
    peaks = (3.0, 2.0, 1.0)
    for early_high, edge in ((True, 3.0), (False, 1.0)):
        edges = Edges.unseen(1)
        for value in np.repeat(peaks, BLOCK_POINTS):
            edges.learn(np.array([[value], [-value]]), edges.reach(), KNOWN, 5, early_high=early_high)
        assert edges.reach()[0, 0] == pytest.approx(edge)


def test_outliers_move_the_drawn_spread_little() -> None:
    spread, rng = Spread.unseen((1,)), np.random.default_rng(0)
    values = rng.normal(0.0, 1.0, 2_000)
    values[500::100] = 60.0
    for value in values:
        spread.learn(np.array([value]), KNOWN)
    assert np.sqrt(spread.variance[0]) > 5.0
    assert np.sqrt(spread.drawn_variance[0]) < np.sqrt(spread.variance[0])
    assert spread.answer(np.array([60.0])).score[0] > spread.answer(np.array([3.0])).score[0]


def test_the_season_is_learned_where_there_is_one_and_else_not() -> None:
    cadence = Cadence.of(300.0)
    seconds = seconds_of(6 * 288, 300.0)
    for season, most in ((daily(6, 300.0, noise=0.02), 0.3), (np.random.default_rng(0).normal(100.0, 5.0, 6 * 288), 1.05)):
        structure, misses = Structure.unseen(1, cadence), []
        for value, second in zip(season, seconds, strict=True):
            expected = structure.expect(*cadence.place(np.array([second])), cadence)
            misses.append(value - expected.center[0])
            structure.learn(np.array([value]), KNOWN, expected, cadence)
        assert np.std(misses[-288:]) < most * np.std(season[-288:])
