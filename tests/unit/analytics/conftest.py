"""Simulated traffic and what was learned from it: drawn and trained once."""

from dataclasses import dataclass

import pytest

from analytics.trained import Trained
from tests.support.traffic import JUDGEMENT_SEEDS, Traffic
from tests.unit.analytics.builders import train

TRAINED_DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Traffic of which the first `days` days were learned; the three after them were not seen."""

    traffic: Traffic
    trained: Trained
    days: int


@pytest.fixture(scope="session")
def learned() -> Learned:
    traffic = Traffic(JUDGEMENT_SEEDS[0], TRAINED_DAYS + 3)
    trained = train(traffic.panels(0, TRAINED_DAYS), TRAINED_DAYS)
    return Learned(traffic=traffic, trained=trained, days=TRAINED_DAYS)
