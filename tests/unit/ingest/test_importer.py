"""Importing files into the embedded engine: once each, resumed where it ended, and clear about what cannot be read."""

import gzip
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.clock import FakeClock, floor_to
from core.config import CardinalitySettings, FormatSettings, StoreSettings
from core.errors import ConfigError, StoreUnavailable
from ingest.cardinality import build_guard
from ingest.formats import Format, build_format
from ingest.importer import FileReport, ImportReport, import_files
from storage.bulk import HeldMerges
from storage.calls import count_by, count_calls, read_calls
from storage.contract import Store
from storage.dead_letters import count_dead_letters, read_dead_letters
from storage.ranges import read_ranges
from storage.remote import RemoteStore
from storage.watermarks import read_watermarks
from tests.support.rollups import ROLLUP_TABLES
from tests.support.store_api import store_api
from tests.support.stores import chdb_store
from tests.unit.ingest.builders import NOON, encoded, record

FORMAT = build_format("tpscope", {})
SOME_DAY = datetime(2025, 3, 1, tzinfo=UTC)
NOW = floor_to(datetime.now(UTC), timedelta(milliseconds=1))
"""When the imports run: dead letters are kept for a while from their arrival."""
NEXT_DAY = SOME_DAY + timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with chdb_store(tmp_path) as opened:
        yield opened


def lines(count: int, first: int = 0) -> bytes:
    return b"".join(one + b"\n" for one in encoded(*(record(request_id=str(n)) for n in range(first, first + count))))


def imported(store: Store, *paths: Path, format_: Format = FORMAT, **options: Any) -> ImportReport:
    return import_files(store, paths, format_, FakeClock(NOW), **options)


def only(report: ImportReport) -> FileReport:
    (one,) = report.files
    return one


def request_ids(store: Store) -> list[str]:
    found: list[str] = read_calls(store, SOME_DAY, NEXT_DAY, limit=100_000).column("request_id").to_pylist()
    return sorted(found, key=lambda text: int(text) if text.isdigit() else -1)


def test_rows_get_the_files_identity(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n" + lines(3))
    report = only(imported(store, path))
    assert (report.rows, report.written, report.rejected, report.skipped, report.problem) == (3, 3, 0, 0, "")
    calls = read_calls(store, SOME_DAY, NEXT_DAY).to_pylist()
    assert {(row["topic"], row["partition"]) for row in calls} == {(report.topic, 0)}
    assert report.topic.startswith("import:")
    assert len(report.topic) == len("import:") + 16
    assert [row["offset"] for row in calls] == [1, 2, 3]
    assert {row["ingested_at"] for row in calls} == {NOW}
    assert count_calls(store, origin="import") == 3
    assert read_watermarks(store) == []  # history says nothing about how late live calls are
    assert report.line() == f"{path}: 3 rows imported"


def test_a_second_import_writes_nothing_and_says_so(store: Store, tmp_path: Path) -> None:
    path, copy = tmp_path / "a.ndjson", tmp_path / "copy of a.jsonl"
    path.write_bytes(lines(250) + b"broken\n")
    copy.write_bytes(path.read_bytes())
    imported(store, path, chunk_rows=100)
    for again in (imported(store, path), imported(store, copy, chunk_rows=37)):
        assert (only(again).written, only(again).rejected, only(again).skipped) == (0, 0, 251)
        assert only(again).line().endswith("nothing written, its 251 rows were imported before")
    assert count_calls(store) == 250
    assert count_dead_letters(store).letters.tolist() == [1]


@pytest.mark.parametrize("writers", [1, 2, 4])
def test_an_import_that_fails_midway_goes_on_from_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writers: int
) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(lines(1000))
    insert, calls = store.insert, iter(range(100))

    def fails_at_times(table: str, rows: pa.Table, *, token: str | None = None) -> None:
        # After the write as well as before it: the caller cannot tell which.
        attempt = next(calls)
        if attempt == 5:
            raise StoreUnavailable("store: gone")
        insert(table, rows, token=token)
        if attempt == 8:
            raise StoreUnavailable("store: gone")

    monkeypatch.setattr(store, "insert", fails_at_times)
    failures = 0
    reports: list[ImportReport] = []
    while not reports:
        try:
            reports.append(imported(store, path, chunk_rows=100, writers=writers))
        except StoreUnavailable:
            failures += 1
    assert 1 <= failures <= 2
    report = only(reports[0])
    assert report.rows == 1000
    assert report.written + report.skipped == 1000
    assert report.skipped >= (300 if writers == 1 else 100)
    assert f"{report.skipped:,} imported before" in report.line()
    assert request_ids(store) == [str(number) for number in range(1000)]
    frame = store.frame("SELECT toInt64(sum(calls)) AS calls FROM tenant_1m")
    assert frame.calls.tolist() == [1000]
    assert sum(one.rows for one in read_ranges(store, report.topic)) == 1000


def test_bad_rows_are_kept_with_the_files_name_and_counted(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "mixed.ndjson"
    path.write_bytes(lines(5) + b"broken\n" + encoded(record(status=7))[0] + b"\n" + lines(1, 5) + b"[]\n")
    report = only(imported(store, path, chunk_rows=3, dead_letter_bytes=20))
    assert (report.written, report.rejected) == (6, 3)
    assert report.reasons == {"not_json": 1, "bad_value": 1, "not_object": 1}
    assert "3 cannot be read (bad_value 1, not_json 1, not_object 1)" in report.line()
    letters = {one.offset: one for one in read_dead_letters(store, 10)}
    assert sorted(letters) == [5, 6, 8]
    assert letters[6].detail == "mixed.ndjson: status: 7 is not in 100 to 999"
    assert letters[6].payload == encoded(record(status=7))[0][:20]
    assert letters[6].size_bytes > 400
    assert letters[5].topic == report.topic


def test_a_table_goes_through_the_same_mapping(store: Store, tmp_path: Path) -> None:
    fields = {
        "ts": "when",
        "status": {"path": "state", "values": {"OK": 200, "BAD": 500, "WAIT": None}},
        "latency_ms": {"path": "took.total", "unit": "s"},
        "tenant": "team",
        "attributes.images": "images",
    }
    format_ = build_format("shop", {"shop": FormatSettings.model_validate({"fields": fields})})
    header, data = ["when", "state", "took.total", "team", "images"], [
        ["2025-03-01 12:00:00", "OK", "1.5", "blue", "3"],
        ["2025-03-01 12:00:01", "WAIT", "", "red", ""],
        ["2025-03-01 12:00:02", "LOST", "2", "red", ""],
    ]  # fmt: skip
    files = [tmp_path / "a.csv", tmp_path / "b.parquet", tmp_path / "c.json.gz"]
    files[0].write_text("\n".join(",".join(row) for row in [header, *data]))
    columns = {name: [row[number] or None for row in data] for number, name in enumerate(header)}
    times = pa.array([datetime.fromisoformat(str(one)) for one in columns["when"]], pa.timestamp("us"))
    took = pa.array([float(one) if one else None for one in columns["took.total"]])
    pq.write_table(pa.table({**columns, "when": times, "took.total": took}), files[1])
    objects = [{"when": row[0], "state": row[1], "took": {"total": row[2]}, "team": row[3], "images": row[4]} for row in data]
    files[2].write_bytes(gzip.compress(orjson.dumps(objects)))

    report = imported(store, *files, format_=format_)

    assert (report.written, report.rejected, report.problems) == (6, 3, ())
    calls = read_calls(store, SOME_DAY, NEXT_DAY).to_pylist(maps_as_pydicts="strict")
    found = sorted((row["ts"], row["status"], row["latency_ms"], row["tenant"], str(row["attributes"])) for row in calls)
    first = (NOON, 200, 1500.0, "blue", "{'images': '3'}")
    second = (NOON + timedelta(seconds=1), None, None, "red", "{}")
    assert found == [first] * 3 + [second] * 3
    details = sorted(one.detail for one in read_dead_letters(store, 10))
    assert details == [f"{name}: status: 'LOST' is no number" for name in ("a.csv", "b.parquet", "c.json.gz")]
    by_name = {one.detail[:5]: one.payload for one in read_dead_letters(store, 10)}
    assert orjson.loads(by_name["a.csv"]) == dict(zip(header, data[2], strict=True))


def test_exported_calls_can_be_imported(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(20))
    imported(store, tmp_path / "a.ndjson")
    exported = read_calls(store, SOME_DAY, NEXT_DAY)
    pq.write_table(exported, tmp_path / "exported.parquet")
    assert only(imported(store, tmp_path / "exported.parquet")).written == 20
    assert count_by(store, SOME_DAY, NEXT_DAY, ("tenant", "status")).calls.tolist() == [40]


def test_unreadable_csv_rows_are_counted_with_the_others(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"ts,tenant\n2025-03-01T12:00:00Z,a\n1,2,3\n2025-03-01T12:00:00Z,\xff\nnever,b\n2025-03-01T12:00:00Z,c\n")
    report = only(imported(store, path))
    assert (report.written, report.reasons) == (2, {"bad_csv": 1, "bad_value": 1, "bad_ts": 1})
    assert sorted(one.offset for one in read_dead_letters(store, 10)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.ndjson", b"", "a.ndjson: is empty; there is nothing to import"),
        ("a.log", b"x", "a.log: has a suffix that is not known; tpscope reads .ndjson, .jsonl, .json, .csv, .parquet"),
        ("missing.csv", None, "missing.csv: cannot be read (No such file or directory)"),
    ],
)
def test_files_that_cannot_be_imported_stop_everything_before_it_starts(
    store: Store, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    good, bad = tmp_path / "good.ndjson", tmp_path / name
    good.write_bytes(lines(3))
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        imported(store, good, bad)
    assert says in str(caught.value)
    assert count_calls(store) == 0


def test_a_folder_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "logs.csv").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        imported(store, tmp_path / "logs.csv")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.ndjson", b"\n\n", "there are no rows in it"),
        ("a.csv", b"ts,tenant\n", "there are no rows in it"),
        ("a.ndjson.gz", gzip.compress(b"", mtime=0), "there are no rows in it"),
        ("a.csv", b"time,team\n1,a\n2,b\n", "none of its 2 rows can be read in the format 'tpscope' (row 0: bad_ts, ts: None"),
        ("a.ndjson", b"x\n" * 2500, "none of its 2,500 rows can be read in the format 'tpscope' (row 0: not_json, "),
        ("a.parquet", b"not parquet", "it is no Parquet file"),
    ],
)
def test_a_file_without_a_valid_row_leaves_nothing_behind(
    store: Store, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path, good = tmp_path / name, tmp_path / "good.ndjson"
    path.write_bytes(content)
    good.write_bytes(lines(2))
    report = imported(store, path, good, chunk_rows=1000)
    (problem,) = report.problems
    assert problem.startswith(f"{path}: {says}")
    assert report.lines() == (problem, f"{good}: 2 rows imported")
    assert count_dead_letters(store).empty
    # It can be imported once the format fits, since nothing of it is noted as done.
    assert read_ranges(store, report.files[0].topic) == []


def test_an_import_goes_through_the_owner_of_the_directory_even_where_answers_are_lost(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(lines(2000))
    (tmp_path / "token").write_text("secret")

    def every_fifth_insert(action: str, number: int) -> str:
        return ("before", "after")[number % 2] if action == "insert" and number % 5 == 0 else ""

    with store_api(store, "secret", every_fifth_insert) as api:
        remote = RemoteStore(api.address, tmp_path / "token", StoreSettings())
        with closing(remote):
            for _ in range(20):
                try:
                    report = only(imported(remote, path, chunk_rows=100))
                    break
                except StoreUnavailable:  # a range that was perhaps noted: the import is started again
                    continue
    assert report.written + report.skipped == 2000
    assert request_ids(store) == [str(number) for number in range(2000)]
    assert store.frame("SELECT toInt64(sum(calls)) AS calls FROM route_1m").calls.tolist() == [2000]


def test_values_of_columns_are_bounded_and_raw_paths_become_templates(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    calls = [record(tenant=f"team-{number}", route=f"/users/{1000 + number}") for number in range(50)]
    path.write_bytes(b"\n".join(encoded(*calls)))
    guard = build_guard(CardinalitySettings(tenant=20))
    assert only(imported(store, path, guard=guard, writers=1)).written == 50
    counted = count_by(store, SOME_DAY, NEXT_DAY, ("tenant",)).set_index("tenant").calls
    assert len(counted) == 21
    assert counted["__other__"] == 30
    assert count_by(store, SOME_DAY, NEXT_DAY, ("route",)).route.tolist() == ["/users/{id}"]


def test_a_file_whose_first_rows_are_all_bad_is_imported(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"x\n" * 2500 + lines(3))
    report = only(imported(store, path, chunk_rows=1000))
    assert (report.written, report.rejected) == (3, 2500)


def test_rows_before_the_damage_are_imported_and_the_problem_is_told(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(lines(20_000))[:-100])
    report = only(imported(store, path, chunk_rows=1000))
    assert report.written > 0
    assert report.line().startswith(f"{path}: the compressed data are damaged")
    assert report.line().endswith(f"the {report.written:,} rows before that are imported")
    assert count_calls(store) == report.written


def test_progress_goes_up_to_the_files_size(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(lines(1000))
    told: list[tuple[Path, int, int]] = []
    imported(store, path, progress=lambda *one: told.append(one), chunk_rows=100)
    size = path.stat().st_size
    assert len(told) == 10
    assert {(one[0], one[2]) for one in told} == {(path, size)}
    assert [one[1] for one in told] == sorted(one[1] for one in told)
    assert told[-1][1] == size


def test_imported_history_outlives_the_retention(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "old.ndjson"
    path.write_bytes(
        b"".join(one + b"\n" for one in encoded(*(record(ts=f"2023-0{month}-01T00:00:00Z") for month in range(1, 10))))
    )
    imported(store, path)
    for table in ("calls", *ROLLUP_TABLES):
        store.command(f"OPTIMIZE TABLE {table} FINAL")
    assert count_calls(store) == 9
    assert store.frame("SELECT toInt64(sum(calls)) AS calls FROM calls_1s").calls.tolist() == [9]


def test_a_chunk_may_span_hundreds_of_days(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "sparse.ndjson"
    days = (SOME_DAY + timedelta(days=day) for day in range(400))
    path.write_bytes(b"".join(one + b"\n" for one in encoded(*(record(ts=day.isoformat()) for day in days))))
    assert only(imported(store, path)).written == 400
    assert count_calls(store) == 400


def test_many_small_files_are_watched_like_a_large_one(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is one part: unwatched, a folder of hourly files would have more than the engine takes."""
    looks: list[HeldMerges] = []
    monkeypatch.setattr(HeldMerges, "look", lambda merges: looks.append(merges))
    files = [tmp_path / f"{number}.ndjson" for number in range(40)]
    for number, path in enumerate(files):
        path.write_bytes(lines(1, first=number))
    imported(store, *files)
    assert len(looks) == 2
    assert count_calls(store) == 40
