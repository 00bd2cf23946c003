"""What tokens cost: prices by provider, model and token class, with the date from which they hold.

A prompt's tokens are of three classes as providers bill them: read from a cache, written to a cache, and the rest; a
completion's of two: reasoning and the rest (`core/record.py`). A class without a price of its own is billed as its whole is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

TOKEN_CLASSES: tuple[str, ...] = (
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
"""Columns of the call record; cached and cache-write are parts of prompt, reasoning is a part of completion."""

_PER = 1e6
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """Prices of one model, or of all that a pattern fits, in USD for a million tokens.

    Attributes
    ----------
    provider, model : str
        As calls have them; `*` and `?` stand for any text and any letter.
    valid_from : datetime
        The price holds from here until the next one of the same provider and model.
    cached, cache_write, reasoning : float or None
        None: billed as `input`, `input`, `output`.
    """

    provider: str
    model: str
    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    valid_from: datetime = _ALWAYS

    def cost_usd(self, tokens: Mapping[str, float]) -> float:
        """Cost of tokens by the names of `TOKEN_CLASSES`; of parts that exceed their whole the parts count."""
        cached, written, reasoning = tokens["cached_tokens"], tokens["cache_write_tokens"], tokens["reasoning_tokens"]
        plain = max(tokens["prompt_tokens"] - cached - written, 0.0)
        said = max(tokens["completion_tokens"] - reasoning, 0.0)
        micro = (
            plain * self.input
            + cached * _or(self.cached, self.input)
            + written * _or(self.cache_write, self.input)
            + said * self.output
            + reasoning * _or(self.reasoning, self.output)
        )
        return micro / _PER


@dataclass(frozen=True, slots=True)
class PriceTable:
    """All prices; which of several holds is decided here."""

    prices: tuple[TokenPrice, ...] = ()

    @property
    def changes(self) -> tuple[datetime, ...]:
        """Instants at which some price begins, rising: between two of them nothing changes."""
        return tuple(sorted({price.valid_from for price in self.prices}))

    def at(self, provider: str, model: str, moment: datetime) -> TokenPrice | None:
        """The price of a model at an instant; None: unknown, which is not nought.

        Of several that fit, names without a pattern come before patterns, longer patterns before shorter, later dates last of
        all: a new price for `gpt-*` does not displace the one of `gpt-4o`.
        """
        fitting = [price for price in self.prices if price.valid_from <= moment and _fits(price, provider, model)]
        return max(fitting, key=_exactness, default=None)


def _fits(price: TokenPrice, provider: str, model: str) -> bool:
    return fnmatchcase(provider, price.provider) and fnmatchcase(model, price.model)


def _exactness(price: TokenPrice) -> tuple[Sequence[int], Sequence[int], datetime]:
    return _precise(price.model), _precise(price.provider), price.valid_from


def _precise(pattern: str) -> tuple[int, int]:
    return int(not any(sign in pattern for sign in "*?[")), len(pattern)


def _or(price: float | None, instead: float) -> float:
    return instead if price is None else price
