"""Regular expressions that people may give: read, and held to what ends soon whatever it is tried on. Pure.

Python's `re` tries one way after another; a pattern with repeats in repeats may have more ways than anybody can wait for
(OWASP, Regular expression Denial of Service). The ways are bounded from the pattern alone, by its parsed form
(`re._parser`, which `re` itself compiles from): a repeat has as many as it may stop at, a choice as many as it has branches,
and what follows one another multiplies.
"""

import re
from importlib import import_module
from typing import Any

LONGEST_PATTERN = 200
_OPEN = 40
"""What a repeat counts that may stop at more places; a label has some hundred characters, but a step over them costs little."""

_MOST_WAYS = 1e5
"""Three open repeats (`.*a.*b.*`) are let in, and sixteen times `?`: 20 ms at worst on 500 characters, and at once on names."""

_parser: Any = import_module("re._parser")
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def check_expression(pattern: str) -> None:
    """Raises ValueError, in words that follow the pattern, for one that cannot be read, is too long or might never end."""
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"is longer than {LONGEST_PATTERN} characters")
    try:
        re.compile(pattern)
        ways = _ways(_parser.parse(pattern))
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from error
    except (RecursionError, OverflowError):
        ways = float("inf")
    if ways > _MOST_WAYS:
        raise ValueError("might be tried for ever; write it without repeats or choices inside of repeats, or with fewer")


def _ways(parsed: Any) -> float:
    """The most ways in which a sequence can be tried on a label; infinite where a repeated part has more than one itself."""
    ways = 1.0
    for operator, argument in parsed:
        ways *= _ways_of(str(operator), argument)
    return ways


def _ways_of(operator: str, argument: Any) -> float:
    if operator in _REPEATS:
        least, most, part = argument
        inner = _ways(part)
        stops = float(min(int(most) - int(least) + 1, _OPEN))
        return stops * inner if inner <= 1 or int(most) <= 1 else float("inf")
    if operator == "BRANCH":
        return sum(_ways(branch) for branch in argument[1])
    if operator in ("GROUPREF", "GROUPREF_EXISTS"):
        return float("inf")
    parts = argument if isinstance(argument, tuple) else (argument,)
    return max((_ways(one) for one in parts if isinstance(one, _parser.SubPattern)), default=1.0)
