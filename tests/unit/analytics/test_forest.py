"""The forest: equal to scikit-learn's, kept as arrays, and a judge of single metrics as well as of several."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from analytics import forest as forests
from analytics.features import DETECTION_METRICS, Floats
from analytics.forest import Forest, features, fit_forest, from_arrays, to_arrays

METRICS = DETECTION_METRICS


@pytest.fixture(scope="module")
def rows() -> Floats:
    """Ordinary deviations: half of the selections have correlated metrics, one in ten values is unknown."""
    rng = np.random.default_rng(11)
    common = rng.normal(size=(20_000, 1)) * (rng.random((20_000, 1)) < 0.5)
    values = 0.6 * common + 0.8 * rng.normal(size=(20_000, len(METRICS)))
    return np.where(rng.random(values.shape) < 0.1, np.nan, values)


@pytest.fixture(scope="module")
def forest(rows: Floats) -> Forest:
    return fit_forest(rows, METRICS, trees=100, quantile=0.9995, seed=7)


def test_scores_equal_scikit_learns(rows: Floats) -> None:
    points = features(rows[:3000], METRICS).astype(np.float32)
    points[:50] *= 4.0
    grown = IsolationForest(n_estimators=60, max_samples=300, random_state=3).fit(points)
    ours = forests._as_arrays(grown, METRICS)
    np.testing.assert_allclose(ours.raw(points.astype(float)), -grown.score_samples(points), rtol=0, atol=1e-12)


def test_the_edge_is_the_quantile_of_ordinary_rows(rows: Floats, forest: Forest) -> None:
    score = forest.score(rows)
    assert score.min() >= 0.0
    assert 0.0 < np.mean(score > 1.0) <= 0.001
    unseen = np.random.default_rng(12).normal(size=(20_000, len(METRICS)))
    assert np.mean(forest.score(unseen) > 1.0) < 0.003


def test_outliers_outrank_inliers_and_further_ones_score_higher(forest: Forest) -> None:
    for metric in ("tps", "error_rate", "latency_p95", "cost_per_h"):
        column = METRICS.index(metric)
        ladder = np.zeros((5, len(METRICS)))
        ladder[:, column] = [0.0, 3.0, 6.0, 10.0, 14.0]
        score = forest.score(ladder)
        assert (np.diff(score) > 0).all(), metric
        assert score[1] < 1.0 < score[3], metric


def test_several_metrics_together_need_less_each(forest: Forest) -> None:
    one, three = np.zeros((2, 1, len(METRICS)))
    one[0, 0] = 4.2
    three[0, [0, 5, 6]] = 4.2
    assert forest.score(three)[0] > max(1.0, forest.score(one)[0])


def test_the_good_side_and_unknown_values_are_ordinary(forest: Forest) -> None:
    good = np.zeros((1, len(METRICS)))
    good[0, METRICS.index("latency_p95")] = -9.0
    good[0, METRICS.index("error_rate")] = -9.0
    good[0, METRICS.index("cache_hit_rate")] = 9.0
    assert forest.score(good)[0] == 0.0
    assert forest.score(np.full((1, len(METRICS)), np.nan))[0] == 0.0
    assert forest.score(np.zeros((0, len(METRICS)))).shape == (0,)


def test_the_same_seed_grows_the_same_forest(rows: Floats, forest: Forest) -> None:
    again = fit_forest(rows, METRICS, trees=100, quantile=0.9995, seed=7)
    other = fit_forest(rows, METRICS, trees=100, quantile=0.9995, seed=8)
    probe = np.random.default_rng(1).normal(0, 3, (200, len(METRICS)))
    np.testing.assert_array_equal(forest.score(probe), again.score(probe))
    assert not np.array_equal(forest.score(probe), other.score(probe))


def test_a_forest_survives_the_way_through_arrays(forest: Forest) -> None:
    meta, arrays = to_arrays(forest)
    assert {array.dtype for array in arrays.values()} == {np.dtype(float)}
    again = from_arrays(meta, arrays)
    probe = np.random.default_rng(2).normal(0, 3, (200, len(METRICS)))
    np.testing.assert_array_equal(forest.score(probe), again.score(probe))
    assert again.metrics == METRICS


def test_little_history_still_grows_a_forest_and_none_is_refused() -> None:
    quiet = fit_forest(np.zeros((30, len(METRICS))), METRICS, trees=10, quantile=0.9995, seed=1)
    far = np.zeros((1, len(METRICS)))
    far[0, 0] = 10.0
    assert quiet.score(far)[0] > 1.0
    with pytest.raises(ValueError, match="needs rows"):
        fit_forest(np.zeros((0, len(METRICS))), METRICS, trees=10, quantile=0.9995, seed=1)
