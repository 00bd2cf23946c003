"""Every relative link of README.md, CHANGELOG.md and docs/ leads to a file that is there, and its anchor to a heading in it."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.support.data import REPOSITORY

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
_FENCED = re.compile(r"^ *(```+|~~~+).*?^ *\1", re.M | re.S)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.M)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")  # a scheme


def links(text: str) -> list[str]:
    """Where the links of a page lead within the repository; code holds none."""
    prose = _CODE.sub("", _FENCED.sub("", text))
    return [target for target in _LINK.findall(prose) if not _ELSEWHERE.match(target)]


def anchors(text: str) -> set[str]:
    """The headings of a page as GitHub names them: small letters, no punctuation, the second of a name with `-1`."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(_FENCED.sub("", text)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


@cache
def anchors_of(path: Path) -> set[str]:
    return anchors(path.read_text("utf-8"))


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(REPOSITORY))) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in links(page.read_text("utf-8")):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            dead.append(link)
    assert dead == []


def test_links_in_code_are_none_and_headings_are_named_as_they_are_on_the_web() -> None:
    page = "# Kafka, and `lag`\n## Lag\n## Lag\n```\n# no heading [a](b)\n```\n[x](y.md#z) `[c](d)` [e](f:g) ![g](h.png)\n"
    assert links(page) == ["y.md#z", "h.png"]
    assert anchors(page) == {"kafka-and-lag", "lag", "lag-1"}
