"""Expressions that people give for labels: which are let in, and that each of these ends soon."""

import re
import time

import pytest

from core.expressions import LONGEST_PATTERN, check_expression

LABEL = "a" * 500
LET_IN = (
    "checkout|pay.*",
    "team-[0-9]+",
    r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}",
    ".*a.*b.*",
    "(?:eu|us)-gw-[1-9]?",
    "(?i:CHAT).*",
    "(x|y|z)+",
    ".*.*.*x",
    "a?" * 16 + "b",
)
FOR_EVER = (
    "(a+)+$",
    "(a*)*b",
    "(ab|a)*c",
    "(a?){50}",
    "((a{1,20}){1,20}){1,20}",
    ".*.*.*.*b",
    "a?" * 30 + "a" * 30,
    "(?=(a+)+b)a",
    r"(a*)\1b",
    "(?>(a+)+)b",
)


@pytest.mark.parametrize("pattern", LET_IN)
def test_an_expression_that_is_let_in_ends_soon(pattern: str) -> None:
    check_expression(pattern)
    began = time.process_time()
    re.fullmatch(pattern, LABEL)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("pattern", FOR_EVER)
def test_one_that_might_never_end_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="might be tried for ever"):
        check_expression(pattern)


@pytest.mark.parametrize(("pattern", "words"), [("[", "is no regular expression"), ("a" * (LONGEST_PATTERN + 1), "is longer")])
def test_one_that_cannot_be_read_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_expression(pattern)
