"""Simulated traffic and what was learned from it: drawn and trained once."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pytest

from analytics.trained import Trained
from storage.contract import Capabilities, Params, Store
from tests.support.shared import shared
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
def learned(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return shared(tmp_path_factory, "learned", _learn)


def _learn() -> Learned:
    traffic = Traffic(JUDGEMENT_SEEDS[0], TRAINED_DAYS + 3)
    trained = train(traffic.panels(0, TRAINED_DAYS), TRAINED_DAYS)
    return Learned(traffic=traffic, trained=trained, days=TRAINED_DAYS)


class Offline:
    """A store that nobody may ask."""

    @property
    def capabilities(self) -> Capabilities:
        raise AssertionError("the store was asked")

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        raise AssertionError(f"the store was asked: {sql}")

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        raise AssertionError(f"the store was asked: {sql}")

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        raise AssertionError(f"the store was written to: {table}")

    def command(self, sql: str, params: Params | None = None) -> None:
        raise AssertionError(f"the store was asked: {sql}")

    def close(self) -> None:
        raise AssertionError("the store was closed")


@pytest.fixture
def offline() -> Store:
    return Offline()
