"""Every page of the navigation stands in the matrix of checks, and every test that the matrix names is there."""

import re
from dataclasses import asdict

from dashboards.pages.shell import LEAVES, PAGES
from tests.support.data import REPOSITORY
from tests.support.page_checks import EVERY, LOGIN, ROWS, WALK


def test_every_page_is_checked_in_every_way() -> None:
    assert set(ROWS) == {path for path, _ in PAGES} | set(LEAVES)
    texts = [file.read_text("utf-8") for file in (REPOSITORY / "tests/integration").glob("test_*.py")]
    there = {name for text in texts for name in re.findall(r"^def (test_\w+)\(", text, re.M)}
    named = {word for row in ROWS.values() for word in asdict(row).values() if str(word).startswith("test_")}
    assert named | {EVERY, WALK, LOGIN} <= there
    for path, row in ROWS.items():
        assert row.address.partition("?")[0] == path
        assert all(word.startswith("test_") or " " in word for word in (row.data, row.drill, row.window, row.file))
