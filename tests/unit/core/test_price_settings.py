"""Prices from a file: each format, what is wrong by line, and that a correction needs no restart."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.config import PriceSettings
from core.errors import ConfigError
from core.price_settings import read_price_file

MARCH, APRIL = datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 4, 15, tzinfo=UTC)
CSV = """\
# USD for a million tokens
provider,model,valid_from,input,output,cached
acme,small,,1,2,0.5
acme,small,2026-04-01,0.8,2,
"""


def test_dates_and_classes_come_from_a_csv_and_a_correction_holds_at_once(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(CSV)
    settings = PriceSettings.model_validate({"file": str(file), "tokens": [{"provider": "other", "input": 9, "output": 9}]})
    before, after = (settings.read_table().at("acme", "small", at) for at in (MARCH, APRIL))
    assert before is not None
    assert after is not None
    assert (before.input, before.cached) == (1.0, 0.5)
    assert (after.input, after.cached) == (0.8, None)
    assert settings.read_table().at("other", "any", MARCH) is not None
    assert settings.read_table().at("acme", "large", MARCH) is None
    file.write_text(CSV.replace("small,,1,", "small,,1.5,"))
    corrected = settings.read_table().at("acme", "small", MARCH)
    assert corrected is not None
    assert corrected.input == 1.5


def test_yaml_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV)
    (tmp_path / "p.yaml").write_text(
        "- {provider: acme, model: small, input: 1, output: 2, cached: 0.5}\n"
        "- {provider: acme, model: small, valid_from: 2026-04-01, input: 0.8, output: 2}\n"
    )
    assert read_price_file(tmp_path / "p.csv") == read_price_file(tmp_path / "p.yaml")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.csv", "provider,model,input,output\nacme,m,1,much\n", "line 2: output: Input should be a valid number"),
        ("a.csv", "provider,model,input\nacme,m,1\n", "line 2: output: Field required"),
        (
            "a.csv",
            "provider,model,input,output\nacme,m,1,2\nacme,m,3,4\n",
            "line 3: has the provider, model and date of line 2",
        ),
        ("a.csv", "provider,model,input,output\nacme,m,1,2,3\n", "line 2: more cells than the header"),
        ("a.csv", "provider,model,input,output,discount\nacme,m,1,2,3\n", "line 2: discount: Extra inputs"),
        ("a.yaml", "model: m\n", "must be a list of prices"),
        ("a.yaml", "- {model: m, input: -1, output: 1}\n", "entry 1: input: Input should be greater"),
        ("a.yaml", "- [\n", "is no YAML"),
    ],
)
def test_what_is_wrong_is_said_by_line(tmp_path: Path, name: str, text: str, problem: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"{name}: ") as failure:
        read_price_file(file)
    assert problem in str(failure.value)
    assert "\n" not in str(failure.value)
    with pytest.raises(ValidationError):
        PriceSettings(file=str(file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv: cannot be read"):
        read_price_file(tmp_path / "none.csv")
