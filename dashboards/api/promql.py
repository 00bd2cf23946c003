"""The part of PromQL that our metrics can answer: a selection, and its split by dimensions. Pure.

    tps                                           all calls
    latency_p95{service="chat",model=~"a|b"}      equal, or one of several; `.+` and `.*` stand for every value
    sum by (service) (tps{provider="openai"})     a line for each combination

The store counts each line from its own calls, so that `avg by (service) (latency_p95)` is each service's own percentile and no
mean of means. `sum` is for rates, `avg` for all others; what would add up lines afterwards, or functions over time, is refused.
Names and grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

import re
from dataclasses import dataclass, field

from core.record import DIMENSIONS
from core.series import METRICS

MAX_LENGTH = 4000
_ADDED = frozenset({"tps", "bytes_per_s", "tokens_per_s", "cost_per_h"})
"""Rates that add up over disjoint calls; a peak does not."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<sign>=~|!=|!~|[={}(),]))""",
    re.VERBOSE,
)
_SUM_OF_NUMBERS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:\+\s*(\d+(?:\.\d+)?)\s*)?")
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_EVERY = frozenset({".*", ".+", ""})


class BadQuery(ValueError):
    """The expression cannot be answered; the message says why in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorQuery:
    """What an expression asks for.

    Attributes
    ----------
    equal : mapping of dimension to value
    one_of : mapping of dimension to values
        Lines are split by these dimensions as well, and only these values are kept; none: all values.
    by : tuple of str
        Dimensions that the lines are told apart by.
    """

    metric: str
    equal: dict[str, str] = field(default_factory=dict)
    one_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    by: tuple[str, ...] = ()

    @property
    def split(self) -> tuple[str, ...]:
        """Every dimension that the store has to split by."""
        return tuple(dict.fromkeys((*self.by, *self.one_of)))


def parse(text: str) -> VectorQuery | float:
    """The question of an expression, or the number that it is. Raises BadQuery."""
    if len(text) > MAX_LENGTH:
        raise BadQuery(f"the query is longer than {MAX_LENGTH} characters")
    if number := _SUM_OF_NUMBERS.fullmatch(text):
        return float(number[1]) + float(number[2] or 0)
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise BadQuery(f'{text[at : at + 20].strip()!r} is not understood; write for example tps{{service="chat"}}')
            self._tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            at = match.end()
        self._at = 0

    def whole(self) -> VectorQuery:
        kind, word = self._next()
        if kind != "name" and word != "{":
            raise BadQuery(f"{word!r} cannot begin a query; write for example tps or sum by (service) (tps)")
        aggregated = word in ("sum", "avg") and self._peek() in ("by", "(")
        found = self._aggregated(word) if aggregated else self._selection(word)
        if self._at < len(self._tokens):
            raise BadQuery(f"{self._peek()!r} is not understood behind {found.metric!r}")
        return found

    def _aggregated(self, function: str) -> VectorQuery:
        by = self._by() if self._peek() == "by" else ()
        self._expect("(")
        inner = self._selection(self._next()[1])
        self._expect(")")
        if self._peek() == "by" and not by:
            by = self._by()
        if (function == "sum") is not (inner.metric in _ADDED):
            right = "sum" if inner.metric in _ADDED else "avg"
            raise BadQuery(f"{inner.metric} is split with `{right} by (…)`, each line counted from its own calls")
        if len({*by, *inner.one_of} - set(by)):
            raise BadQuery("a dimension that is compared with =~ must stand in by (…) as well: its lines are not added up")
        return VectorQuery(metric=inner.metric, equal=inner.equal, one_of=inner.one_of, by=by)

    def _by(self) -> tuple[str, ...]:
        self._expect("by")
        self._expect("(")
        names: list[str] = []
        while (word := self._next()[1]) != ")":
            if word != ",":
                names.append(_dimension(word))
        return tuple(dict.fromkeys(names))

    def _selection(self, word: str) -> VectorQuery:
        metric = "" if word == "{" else word
        equal: dict[str, str] = {}
        one_of: dict[str, tuple[str, ...]] = {}
        if word == "{" or self._peek() == "{":
            if word != "{":
                self._expect("{")
            while (name := self._next()[1]) != "}":
                if name == ",":
                    continue
                sign, (kind, quoted) = self._next()[1], self._next()
                if kind != "text":
                    raise BadQuery(f"{quoted!r}: a value stands in quotes")
                value = re.sub(r"\\(.)", r"\1", quoted[1:-1])
                if name == "__name__" and sign == "=" and not metric:
                    metric = value
                    continue
                self._condition(_dimension(name), sign, value, equal, one_of)
        if metric not in METRICS:
            raise BadQuery(f"{metric!r} is no metric; choose from {', '.join(METRICS)}")
        return VectorQuery(metric=metric, equal=equal, one_of=one_of, by=tuple(one_of))

    @staticmethod
    def _condition(name: str, sign: str, value: str, equal: dict[str, str], one_of: dict[str, tuple[str, ...]]) -> None:
        if name in equal or name in one_of:
            raise BadQuery(f"{name} is compared twice")
        if sign == "=":
            equal[name] = value
        elif sign == "=~":
            one_of[name] = () if value in _EVERY else tuple(_literal(part) for part in value.strip("()").split("|"))
        else:
            raise BadQuery(f"{name}: {sign} is not understood; compare with = or =~")

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise BadQuery('the query ends too early; write for example tps{service="chat"}')
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, word: str) -> None:
        found = self._next()[1]
        if found != word:
            raise BadQuery(f"{word!r} is expected where {found!r} stands")


def _dimension(name: str) -> str:
    if name not in DIMENSIONS:
        raise BadQuery(f"{name!r} is no dimension; choose from {', '.join(DIMENSIONS)}")
    return name


def _literal(part: str) -> str:
    """One of the values between bars; an expression of more than that would run on the server as long as its writer likes."""
    plain = re.sub(r"\\(.)", r"\1", part)
    if _SPECIAL.search(re.sub(r"\\.", "", part)):
        raise BadQuery(f"{part!r}: of regular expressions only values with bars between them are understood, and .* or .+")
    return plain
