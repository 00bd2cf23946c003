"""Real request logs by import and through a real broker into both engines: every count as pandas makes it from the file."""

import gzip
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pandas as pd
import pytest

from core.clock import SystemClock
from core.config import RetentionSettings, StoreSettings
from core.load import load_settings
from ingest.formats import Format, build_format
from ingest.importer import import_files
from storage.calls import count_by, count_calls, span_of_calls
from storage.contract import Store
from storage.dead_letters import count_dead_letters
from storage.migrate import migrate
from storage.open import open_store
from storage.series import read_panel
from tests.integration.ingesting import consuming, kafka_settings
from tests.support.data import REPOSITORY, shared_data
from tests.support.kafka_broker import KafkaBroker
from tests.support.rollups import ROLLUP_TABLES
from tests.support.topics import produce
from tests.support.wait import wait_until

EXAMPLES = REPOSITORY / "docs" / "examples" / "formats.yaml"
GENAI = "genai_gateway/request_log_2024-11-15_to_2024-11-29.csv.gz"
AZURE = "azure_llm/AzureLLMInferenceTrace_conv.csv.gz"
AZURE_SLICE = REPOSITORY / "tests" / "data" / "azure_llm" / "conv_600.csv"
STATUS = {"SUCCEED": 200.0, "FAILED": 500.0}
FOREVER = timedelta(days=3650)
LONG = RetentionSettings(calls=FOREVER, rollups=FOREVER, seconds=FOREVER)
"""For what comes through Kafka with times of years ago: only imports are exempt from the retention."""


def format_of(name: str) -> Format:
    return build_format(name, load_settings(EXAMPLES, {}).formats)


@pytest.fixture(params=["chdb", "clickhouse"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store on each engine, with the default retention."""
    url = request.getfixturevalue("clickhouse_url") if request.param == "clickhouse" else f"chdb://{tmp_path / 'store'}"
    opened = open_store(StoreSettings(url=url), owner=True)
    try:
        migrate(opened, RetentionSettings())
        yield opened
    finally:
        opened.close()


@pytest.fixture
def topic(kafka_broker: KafkaBroker, unique_name: Callable[[str], str]) -> str:
    name = unique_name("calls")
    kafka_broker.create_topic(name, 3)
    return name


def genai() -> pd.DataFrame:
    """The request log with the columns that are counted by."""
    frame = pd.read_csv(shared_data(GENAI))
    frame["hour"] = pd.to_datetime(frame.gmt_create, utc=True).dt.floor("h")
    frame["status"] = frame.predict_status.map(STATUS)
    frame["tenant"], frame["model"] = frame.groupId, frame.checkpoint_model_version_id.fillna("")
    return frame.assign(errors=(frame.status == 500).astype("int64"), calls=1)


def azure(path: Path) -> pd.DataFrame:
    """The trace with its tokens by hour and minute."""
    frame = pd.read_csv(path).rename(columns={"ContextTokens": "prompt_tokens", "GeneratedTokens": "completion_tokens"})
    at = pd.to_datetime(frame.TIMESTAMP, utc=True)
    return frame.assign(hour=at.dt.floor("h"), minute=at.dt.floor("min"), calls=1)


def test_the_request_log_imported(store: Store) -> None:
    path, expected = shared_data(GENAI), genai()
    report = import_files(store, [path], format_of("genai_gateway"), SystemClock())
    assert (report.written, report.rejected, report.problems) == (14_008, 0, ())
    again = import_files(store, [path], format_of("genai_gateway"), SystemClock())
    assert (again.written, again.skipped) == (0, 14_008)
    for table in ("calls", *ROLLUP_TABLES):
        store.command(f"OPTIMIZE TABLE {table} FINAL")  # when the retention would delete
    assert count_calls(store, origin="import") == 14_008
    assert_request_log(store, expected)


def test_the_request_log_through_kafka(store: Store, kafka_broker: KafkaBroker, topic: str) -> None:
    migrate(store, LONG)
    expected = genai()
    produce(kafka_broker.bootstrap, topic, as_json(pd.read_csv(shared_data(GENAI))), partitions=3)
    with consuming(store, kafka_settings(kafka_broker.bootstrap, topic), format_of("genai_gateway")):
        wait_until(lambda: count_calls(store) >= 14_008, 60, "the calls")
    assert count_calls(store, origin="live") == 14_008
    assert_request_log(store, expected)


def test_the_token_trace_imported(store: Store) -> None:
    path = shared_data(AZURE)
    report = import_files(store, [path], format_of("azure_llm"), SystemClock())
    assert (report.written, report.rejected) == (19_366, 0)
    assert_tokens(store, azure(path))


def test_the_token_trace_through_kafka(store: Store, kafka_broker: KafkaBroker, topic: str) -> None:
    path = shared_data(AZURE)
    migrate(store, LONG)
    produce(kafka_broker.bootstrap, topic, as_json(pd.read_csv(path)), partitions=3)
    with consuming(store, kafka_settings(kafka_broker.bootstrap, topic), format_of("azure_llm")):
        wait_until(lambda: count_calls(store) >= 19_366, 60, "the calls")
    assert_tokens(store, azure(path))


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".ndjson", ".json.gz"])
def test_the_committed_slice_imported(store: Store, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"slice{suffix}"
    rows = pd.read_csv(AZURE_SLICE)
    if suffix == ".parquet":
        rows.to_parquet(path)
    else:
        lines = b"\n".join(as_json(rows))
        content = {"csv": AZURE_SLICE.read_bytes(), "ndjson": lines, "json": b"[" + lines.replace(b"\n", b",\n") + b"]"}
        chosen = content[suffix.split(".")[1]]
        path.write_bytes(gzip.compress(chosen) if suffix.endswith(".gz") else chosen)
    report = import_files(store, [path], format_of("azure_llm"), SystemClock())
    assert (report.written, report.rejected, report.problems) == (600, 0, ())
    assert_tokens(store, azure(AZURE_SLICE))


def test_the_committed_slice_through_kafka(store: Store, kafka_broker: KafkaBroker, topic: str) -> None:
    migrate(store, LONG)
    produce(kafka_broker.bootstrap, topic, as_json(pd.read_csv(AZURE_SLICE)), partitions=3)
    with consuming(store, kafka_settings(kafka_broker.bootstrap, topic), format_of("azure_llm")):
        wait_until(lambda: count_calls(store) >= 600, 60, "the calls")
    assert_tokens(store, azure(AZURE_SLICE))


def assert_request_log(store: Store, expected: pd.DataFrame) -> None:
    """Single calls and rollups agree with the file."""
    start, end = expected.hour.min(), expected.hour.max() + pd.Timedelta(hours=1)
    for by in (
        ("hour", "status"),
        ("tenant",),
        ("model",),
        ("tenant", "status"),
        ("model", "status"),
        ("hour", "tenant", "model"),
    ):
        found = count_by(store, start, end, by)[[*by, "calls", "errors"]]
        wanted = expected.groupby(list(by), dropna=False, as_index=False)[["calls", "errors"]].sum()
        assert_same(found, wanted, list(by))
    for dimension in ("tenant", "model"):
        panel = read_panel(store, start, end, 3600, (dimension,), ("tps", "error_rate"))
        panel = panel.rename(columns={"ts": "hour"})
        known = panel.error_rate.notna()
        wanted = expected.groupby(["hour", dimension], as_index=False).agg(
            calls=("calls", "sum"), errors=("errors", "sum"), known=("status", "count")
        )
        assert_same(panel[["hour", dimension, "calls"]], wanted[["hour", dimension, "calls"]], ["hour", dimension])
        merged = panel[known].merge(wanted, on=["hour", dimension], validate="one_to_one")
        assert len(merged) == (wanted.known > 0).sum()
        assert merged.error_rate.to_list() == pytest.approx((merged.errors / merged.known).to_list())
    assert count_dead_letters(store).empty


def assert_tokens(store: Store, expected: pd.DataFrame) -> None:
    """Calls and token sums by hour and minute agree with the file."""
    start, end = expected.minute.min(), expected.minute.max() + pd.Timedelta(minutes=1)
    sums = ["calls", "prompt_tokens", "completion_tokens"]
    found = count_by(store, start, end, ("hour",))[["hour", *sums]]
    assert_same(found, expected.groupby("hour", as_index=False)[sums].sum(), ["hour"])
    panel = read_panel(store, start, end, 60, (), ("tokens_per_s",))
    wanted = expected.groupby("minute", as_index=False)[sums].sum()
    assert panel.ts.to_list() == wanted.minute.to_list()
    assert panel.calls.to_list() == wanted.calls.to_list()
    per_second = (wanted.prompt_tokens + wanted.completion_tokens) / 60
    assert panel.tokens_per_s.to_list() == pytest.approx(per_second.to_list())
    span = span_of_calls(store)
    assert span is not None
    assert span[0] == pd.to_datetime(expected.TIMESTAMP.min(), utc=True).floor("ms")
    assert count_dead_letters(store).empty


def assert_same(found: pd.DataFrame, wanted: pd.DataFrame, by: list[str]) -> None:
    wanted = wanted.sort_values(by, ignore_index=True)
    found = found.sort_values(by, ignore_index=True)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


def as_json(frame: pd.DataFrame) -> list[bytes]:
    """Each row as a JSON object, missing values as null."""
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY) for record in records]
