"""Which calls a page or an answer is about: dimension filters of a query."""

from collections.abc import Mapping

from core.record import DIMENSIONS
from core.series import Selector

FILTERS: tuple[str, ...] = ("service", "route", "provider", "model", "tenant")
"""The dimensions that pages offer to choose from."""

LONGEST = 500
"""Longest value that is accepted; longer ones are no dimension of a call."""


def read_selector(query: Mapping[str, str]) -> Selector:
    """The selection that the dimension parameters of `query` name; other parameters and empty values are passed over."""
    return Selector.of({name: query[name][:LONGEST] for name in DIMENSIONS if query.get(name)})


def overlaps(one: Selector, other: Selector) -> bool:
    """Whether some call may be in both: no dimension is asked to have two values."""
    mine = one.labels
    return all(mine.get(name, value) == value for name, value in other.pairs)


def within(inner: Selector, outer: Selector) -> bool:
    """Whether every call of `inner` is in `outer`."""
    labels = inner.labels
    return all(labels.get(name) == value for name, value in outer.pairs)


def selector_of(labels: Mapping[str, str]) -> Selector:
    """The selection that the labels of an incident name; those that are no dimensions are passed over."""
    return Selector.of({name: value for name, value in labels.items() if name in DIMENSIONS})
