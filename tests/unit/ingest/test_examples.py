"""The example mappings in the documentation can be used as they stand."""

from core.load import load_settings
from core.record import RECORD_SCHEMA
from ingest.formats import build_format
from tests.support.data import REPOSITORY
from tests.unit.ingest.builders import encoded

FORMATS = load_settings(REPOSITORY / "docs" / "examples" / "formats.yaml", {}).formats


def test_every_example_builds_and_reads_an_empty_record_as_one_without_time() -> None:
    assert set(FORMATS) == {"genai_gateway", "azure_llm"}
    for name in FORMATS:
        decoded = build_format(name, FORMATS).decode([b"{}"])
        assert decoded.rows.schema == RECORD_SCHEMA
        assert [reject.reason for reject in decoded.rejects] == ["bad_ts"]


def test_the_gateway_example_translates_its_words() -> None:
    rows = [
        {"gmt_create": "2024-11-15 16:57:50", "predict_status": status, "exec_time_seconds": seconds, "groupId": "G1"}
        for status, seconds in (("SUCCEED", 32.0), ("FAILED", 4), ("PENDING", 0.0), ("PROCESSING", 0))
    ]
    decoded = build_format("genai_gateway", FORMATS).decode(encoded(*rows))
    assert decoded.rejects == ()
    found = decoded.rows.select(["status", "error_type", "latency_ms", "kind", "tenant"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        (200, "", 32_000.0, "ai", "G1"),
        (500, "upstream", 4_000.0, "ai", "G1"),
        (None, "", None, "ai", "G1"),
        (None, "", None, "ai", "G1"),
    ]
