"""Every key and every metric has its line in the reference pages."""

from core.config import Settings
from core.telemetry import METRIC_DOCS
from scripts.reference_docs import DOCS, PAGES


def test_the_reference_pages_are_what_the_code_says() -> None:
    for name, make in PAGES.items():
        assert (DOCS / name).read_text(encoding="utf-8") == make(), f"run: python scripts/reference_docs.py ({name})"


def test_every_key_has_a_meaning_and_every_metric_an_advice() -> None:
    assert all(info.description for info in Settings.model_fields.values())
    assert all(doc.meaning and doc.when_it_moves for doc in METRIC_DOCS)
