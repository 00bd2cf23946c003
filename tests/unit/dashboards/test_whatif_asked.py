"""Scenarios and addresses: each leads to the other, and what cannot be used is one sentence."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.durations import format_duration
from core.load import read_part
from core.whatif import WhatIf
from core.whatif_text import scenario_json, scenario_yaml
from dashboards.whatif.asked import BadScenario, address_of, read_scenario
from dashboards.window import BadWindow

NAMES = st.text(st.characters(codec="utf-8", exclude_characters=",", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
TIMES = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=9)).map(format_duration)
QUERIES = st.fixed_dictionaries(
    {"cache": TIMES, "last": st.sampled_from(["1h", "6h", "7d"])},
    optional={
        "service": NAMES,
        "route": NAMES,
        "entries": st.integers(1, 10**6).map(str),
        "rate": st.integers(1, 500).map(str),
        "burst": st.integers(1, 500).map(str),
        "per": st.sampled_from(["tenant", "route"]),
        "moved": NAMES,
        "share": st.integers(1, 100).map(str),
        "to_provider": NAMES,
        "order": st.lists(NAMES, min_size=1, max_size=3).map(", ".join),
        "timeout": TIMES,
    },
)


@settings(max_examples=60)
@given(QUERIES)
def test_a_scenario_leads_back_to_itself_through_its_address_and_through_its_file(query: dict[str, str]) -> None:
    if "share" in query or "moved" in query:
        query = {"to_provider": "b", "share": "50", **query}
    asked = read_scenario(query)
    assert read_scenario(address_of(asked)).model_dump() == asked.model_dump()
    assert WhatIf.model_validate(scenario_json(asked)) == asked


def test_the_file_is_what_the_command_reads(tmp_path: Path) -> None:
    window = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}
    asked = read_scenario({"cache": "30m", "to_model": "small", "timeout": "8s", "service": "chat", **window})
    file = tmp_path / "scenario.yaml"
    file.write_text(scenario_yaml(asked), encoding="utf-8")
    assert read_part(file, WhatIf) == asked
    assert asked.caches[0].entries == 10_000
    assert asked.moves[0].share == 1.0
    assert address_of(asked)["from"] == "2026-03-01T00:00:00Z"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "Choose a change"),
        ({"entries": "5"}, "Choose a change"),
        ({"cache": "soon"}, "The cache cannot be used: ttl 'soon' is no duration"),
        ({"cache": "1h", "entries": "many"}, "The cache cannot be used: entries input should be a valid integer"),
        ({"cache": "99999999999999d"}, "The cache cannot be used: ttl '99999999999999d' is longer than any time."),
        ({"rate": "-1"}, "The rate limit cannot be used: rate input should be greater than 0"),
        ({"rate": "1", "per": "planet"}, "The rate limit cannot be used: per"),
        ({"share": "50"}, "The move cannot be used: to name a provider, a model or an account"),
        ({"share": "half", "to_provider": "b"}, "The share 'half' is no number of percent."),
        ({"share": "150", "to_provider": "b"}, "The move cannot be used: share"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_a_sentence(query: dict[str, str], words: str) -> None:
    with pytest.raises(BadScenario) as refused:
        read_scenario(query)
    assert words in str(refused.value)


def test_a_window_that_is_none_is_named() -> None:
    with pytest.raises(BadWindow, match="last"):
        read_scenario({"cache": "1h", "last": "ever"})
