"""The picture of a what-if prediction: it is drawn, and the colours say what is better."""

import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from core.predictions import PredictedMetric, Prediction
from render.prediction_png import draw_prediction
from render.theme import LIGHT

START = datetime(2026, 3, 2, tzinfo=UTC)


def prediction(*metrics: PredictedMetric) -> Prediction:
    return Prediction(
        name="a cache", start=START, end=START.replace(hour=6), level=0.9, calls=9000, sampled=1.0, metrics=metrics, effects=(),
        assumptions=(),
    )  # fmt: skip


def metric(name: str, before: float, after: float, *, more_is_better: bool = False) -> PredictedMetric:
    return PredictedMetric(
        name=name, title=name, unit="ms", before=before, after=after, lower=after * 0.98, upper=after * 1.02,
        more_is_better=more_is_better,
    )  # fmt: skip


def colours(png: bytes) -> set[str]:
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return {f"#{red:02X}{green:02X}{blue:02X}" for red, green, blue in set(zip(*[iter(image.tobytes())] * 3, strict=True))}


def test_better_and_worse_have_their_colours() -> None:
    better, worse = LIGHT.series[1], LIGHT.anomaly
    assert better in colours(draw_prediction(prediction(metric("latency", 100.0, 50.0))))
    both = colours(draw_prediction(prediction(metric("latency", 100.0, 150.0), metric("tps", 10.0, 10.0, more_is_better=True))))
    assert worse in both
    assert better not in both


def test_without_a_prediction_there_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_prediction(prediction())
