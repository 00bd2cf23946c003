"""Faults too weak for one minute show over several; quiet series stay quiet; nothing looks ahead."""

import numpy as np
import pytest

from analytics.baseline import SLOTS, Baselines
from analytics.features import DETECTION_METRICS, Panel, transform
from analytics.sustained import LEAD, WINDOWS, Edges, Sustained, learn_edges, sustained
from core.series import ALL_CALLS, METRICS, Selector
from tests.unit.analytics.builders import MONDAY

RARE = Selector.of(model="rare")
RATES = np.array([300.0, 4.0])
"""Calls a minute of all traffic, and of a model that is judged in no single minute."""
LEVELS = {
    "error_rate": 0.01, "rate_limited_rate": 0.002, "cache_hit_rate": 0.3, "latency_p50": 200.0, "latency_p95": 600.0,
}  # fmt: skip
METRIC = DETECTION_METRICS.index


def drawn(minutes: int, seed: int, calls: float = 1.0, tokens: float = 1.0, latency: float = 1.0) -> Panel:
    """Minutes at constant rates; the last 60 of the rare model are changed by the factors."""
    rng = np.random.default_rng(seed)
    late = np.arange(minutes) >= minutes - 60
    rates = RATES[:, None] * np.where(late & (np.arange(2)[:, None] == 1), calls, 1.0)
    count = rng.poisson(rates).astype(float)
    some = np.maximum(count, 1.0)
    moved = np.where(late & (np.arange(2)[:, None] == 1), 1.0, 0.0)
    values = {"tps": count / 60.0}
    values["tokens_per_s"] = count * 700.0 / 60.0 * rng.lognormal(0.0, 0.7 / np.sqrt(some)) * tokens**moved
    values["cost_per_h"] = values["tokens_per_s"] * 3e-3
    for metric, level in LEVELS.items():
        noise = rng.lognormal(0.0, 0.6 / np.sqrt(some)) * latency**moved
        known = rng.binomial(some.astype(int), level) / some if METRICS[metric].unit == "1" else level * noise
        values[metric] = np.where(count > 0, known, np.nan)
    return Panel(selectors=(ALL_CALLS, RARE), start=MONDAY, calls=count, values=values)


def flat_baselines() -> Baselines:
    usual = {**LEVELS, "tps": RATES / 60.0, "tokens_per_s": RATES * 700.0 / 60.0, "cost_per_h": RATES * 700.0 / 60.0 * 3e-3}
    center = {name: _rows(transform(name, np.broadcast_to(np.asarray(usual[name], float), 2))) for name in DETECTION_METRICS}
    scale = {name: _rows(np.maximum(0.7 / np.sqrt(RATES), 0.05)) for name in DETECTION_METRICS}
    return Baselines(selectors=(ALL_CALLS, RARE), time_zone="UTC", center=center, scale=scale, samples=scale)


def _rows(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[:, None], SLOTS, axis=1)


@pytest.fixture(scope="module")
def edges() -> Edges:
    return learn_edges(flat_baselines(), drawn(3 * 1440, 1), np.ones(3 * 1440, dtype=bool), DETECTION_METRICS)


def judged(panel: Panel, edges: Edges, minutes: int = 60) -> Sustained:
    return sustained(flat_baselines(), panel, edges, minutes)


def test_ordinary_hours_stay_within(edges: Edges) -> None:
    for seed in range(2, 5):
        assert judged(drawn(8 * 60, seed), edges, 8 * 60 - LEAD).strength.max() < 1.0


@pytest.mark.parametrize(
    ("metric", "change"), [("tokens_per_s", {"tokens": 6.0}), ("latency_p50", {"latency": 4.0}), ("tps", {"calls": 4.0})]
)
def test_a_weak_fault_of_a_rare_selection_shows(edges: Edges, metric: str, change: dict[str, float]) -> None:
    found = judged(drawn(4 * 60, 7, **change), edges)
    row = METRIC(metric)
    assert found.strength[row, 1].max() >= 1.0
    assert found.strength[row, 0].max() < 1.0
    last = found.strength[row, 1].argmax()
    assert found.value[row, 1, last] > 1.5 * found.usual[row, 1, last]


def test_nothing_looks_ahead_and_pieces_are_as_the_whole(edges: Edges) -> None:
    panel = drawn(4 * 60, 7, tokens=5.0)
    whole = judged(panel, edges, 120)
    first = judged(panel.slice(0, 180), edges, 60)
    assert first.strength == pytest.approx(whole.strength[:, :, :60])
    later = judged(panel.slice(180 - LEAD, 240), edges, 60)
    assert later.strength == pytest.approx(whole.strength[:, :, 60:])


def test_what_is_over_is_over_within_the_shortest_window(edges: Edges) -> None:
    panel = drawn(4 * 60, 7, tokens=6.0)
    calm = drawn(4 * 60, 8)
    joined = Panel(
        selectors=panel.selectors,
        start=panel.start,
        calls=np.concatenate([panel.calls, calm.calls], axis=1),
        values={name: np.concatenate([matrix, calm.values[name]], axis=1) for name, matrix in panel.values.items()},
    )
    after = judged(joined, edges, 4 * 60).strength[METRIC("tokens_per_s"), 1]
    assert after[: WINDOWS[0]].max() >= 1.0
    assert (after[2 * WINDOWS[0] :] >= 1.0).mean() < 0.1


def test_what_one_incident_left_in_an_hour_is_no_sign_of_another(edges: Edges) -> None:
    """Ten minutes of eight times the calls stay in the window of an hour; a mere stray half an hour later is no second one."""
    panel = drawn(4 * 60, 9)
    calls = panel.calls.copy()
    calls[1, 130:140] = 8.0 * RATES[1]
    calls[1, 175:180] = 2.0 * RATES[1]
    found = judged(Panel(selectors=panel.selectors, start=panel.start, calls=calls, values=panel.values), edges, 120)
    strength = found.strength[METRIC("tps"), 1]
    assert strength[10:20].max() >= 1.0
    assert strength[50:65].max() < 1.0


def test_minutes_whose_window_holds_an_anomaly_do_not_raise_the_edge() -> None:
    panel = drawn(1440, 1)
    calls, calm = panel.calls.copy(), np.ones(1440, dtype=bool)
    calls[1, 700:720] *= 10.0
    calm[700:720] = False
    hurt = Panel(selectors=panel.selectors, start=panel.start, calls=calls, values=panel.values)
    quiet = learn_edges(flat_baselines(), panel, np.ones(1440, dtype=bool), DETECTION_METRICS)
    learned = learn_edges(flat_baselines(), hurt, calm, DETECTION_METRICS)
    assert (learned.edges[:, METRIC("tps"), 1] <= quiet.edges[:, METRIC("tps"), 1]).all()


def sparing(minutes: int, seed: int) -> Panel:
    """As `drawn`, but only every seventh call carries tokens."""
    panel = drawn(minutes, seed)
    rng = np.random.default_rng(seed)
    carried = rng.binomial(panel.calls.astype(int), 1.0 / 7.0) * 4_900.0 / 60.0 * rng.lognormal(0.0, 0.5, panel.calls.shape)
    values = {**panel.values, "tokens_per_s": carried}
    return Panel(selectors=panel.selectors, start=panel.start, calls=panel.calls, values=values)


def test_sums_that_few_calls_carry_have_edges_of_their_own() -> None:
    learned = learn_edges(flat_baselines(), sparing(3 * 1440, 1), np.ones(3 * 1440, dtype=bool), DETECTION_METRICS)
    row = METRIC("tokens_per_s")
    assert (learned.edges[:, row] > learned.edges[:, METRIC("tps")]).all()
    assert judged(sparing(12 * 60, 2), learned, 11 * 60).strength[row].max() < 1.0


def test_the_edge_is_farther_out_where_more_series_are_watched() -> None:
    def least(count: int) -> float:
        names = tuple(Selector.of(tenant=str(number)) for number in range(count))
        constant = {"tps": np.full((count, SLOTS), transform("tps", np.array([0.1]))[0])}
        wide = {"tps": np.full((count, SLOTS), 0.5)}
        baselines = Baselines(selectors=names, time_zone="UTC", center=constant, scale=wide, samples=wide)
        calls = np.full((count, 10), 6.0)
        panel = Panel(selectors=names, start=MONDAY, calls=calls, values={"tps": calls / 60.0})
        return float(learn_edges(baselines, panel, np.ones(10, dtype=bool), ("tps",)).edges.min())

    assert least(2) == least(200)
    assert 1.05 * least(2) < least(5_000) < 1.2 * least(2)


def test_an_unknown_selection_is_never_out_and_edges_survive_storage(edges: Edges) -> None:
    again = Edges.from_arrays(*edges.to_arrays())
    assert np.array_equal(again.edges, edges.edges)
    assert np.isinf(again.of((Selector.of(model="other"),))).all()
