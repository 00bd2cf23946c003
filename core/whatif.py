"""What-if scenarios: which logged calls are replayed, and what would have been different. The schema of `SCENARIO.yaml`."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from core.durations import Duration
from core.part import Part
from core.record import DIMENSIONS
from core.series import Selector

KEY_OF_ATTRIBUTE = "attributes."
PROMPT_HASH = "prompt_hash"


class _OfCalls(Part):
    selector: dict[str, str] = Field(default_factory=dict, description="Which calls it is about; empty: all.")

    @field_validator("selector")
    @classmethod
    def _dimensions(cls, selector: dict[str, str]) -> dict[str, str]:
        Selector.of(selector)
        return selector

    @property
    def calls(self) -> Selector:
        return Selector.of(self.selector)


_LONGEST = timedelta(days=3660)
_YEARS = range(2000, 2101)


def _span(span: timedelta | None) -> timedelta | None:
    if span is not None and not timedelta(0) <= span <= _LONGEST:
        raise ValueError("must lie between 0 and ten years")
    return span


class Window(Part):
    """The time that is replayed: the last so much, or from one time to another."""

    last: Duration | None = Field(None, description="The calls of this long until now.")
    start: AwareDatetime | None = Field(None, alias="from", description="First instant (RFC 3339).")
    until: AwareDatetime | None = Field(None, description="Where it ends (RFC 3339), itself not included.")

    _of_last = field_validator("last")(_span)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.last is None) == (self.start is None):
            raise ValueError("give either `last`, or `from` and `until`")
        if (self.start is None) != (self.until is None):
            raise ValueError("`from` and `until` go together")
        if self.start is not None and self.until is not None and self.start >= self.until:
            raise ValueError("`until` must lie after `from`")
        if any(moment is not None and moment.year not in _YEARS for moment in (self.start, self.until)):
            raise ValueError("`from` and `until` lie in the years 2000 to 2100")
        return self


class RateLimitChange(_OfCalls):
    """A token bucket for each key, asked before anything else."""

    per: str = Field("tenant", description="A dimension: each of its values has a bucket of its own.")
    rate: float = Field(gt=0, description="Calls a second that refill the bucket.")
    burst: float = Field(ge=1, description="What the bucket holds: calls that may come at once.")

    @field_validator("per")
    @classmethod
    def _dimension(cls, per: str) -> str:
        Selector.of({per: ""})
        return per


class CacheChange(_OfCalls):
    """A response cache: least recently used goes first, an answer is good for `ttl` from when it was made."""

    key: tuple[str, ...] = Field(
        ("route", PROMPT_HASH),
        min_length=1,
        description="What makes two calls the same: dimensions, `prompt_hash`, `attributes.NAME`.",
    )
    ttl: Duration = Field(timedelta(hours=1), description="How long an answer may be given again.")
    entries: int = Field(10_000, ge=1, description="Answers it holds.")

    @field_validator("key")
    @classmethod
    def _columns(cls, key: tuple[str, ...]) -> tuple[str, ...]:
        for name in key:
            if name not in DIMENSIONS and name != PROMPT_HASH and not name.startswith(KEY_OF_ATTRIBUTE):
                raise ValueError(f"{name!r} is no part of a key; use dimensions, `prompt_hash` or `attributes.NAME`")
        return key


class Target(Part):
    provider: str = Field("", description="As calls have it.")
    model: str = Field("", description="As calls have it.")
    account: str = Field("", description="As calls have it.")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not (self.provider or self.model or self.account):
            raise ValueError("name a provider, a model or an account")
        return self

    @property
    def calls(self) -> Selector:
        return Selector.of({name: value for name, value in self.model_dump().items() if value})


class MoveChange(_OfCalls):
    """A share of the calls is answered by another provider or model."""

    share: float = Field(gt=0, le=1, description="Which part of the selected calls that are not there already.")
    to: Target


class FallbackChange(_OfCalls):
    """What failed, or took too long, is asked of the next provider; without any, too long is a failure."""

    order: tuple[str, ...] = Field((), description="Providers, in the order in which they are asked.")
    timeout: Duration | None = Field(None, description="How long each may take; none: as long as it takes.")
    on: tuple[Literal["error", "timeout", "rate_limit"], ...] = Field(
        ("error", "timeout", "rate_limit"), description="What is asked again."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.order and self.timeout is None:
            raise ValueError("give an `order`, a `timeout` or both")
        return self


class WhatIf(_OfCalls):
    """A whole scenario; changes act in the order rate limits, caches, moves, fallbacks, as calls meet them in a gateway."""

    name: str = Field("what if", description="For the heading.")
    window: Window = Field(default_factory=lambda: Window(last=timedelta(days=1)))
    warm_up: Duration = Field(timedelta(0), description="So much of the window fills buckets and caches and is not counted.")
    rate_limits: tuple[RateLimitChange, ...] = ()
    caches: tuple[CacheChange, ...] = ()
    moves: tuple[MoveChange, ...] = ()
    fallbacks: tuple[FallbackChange, ...] = ()

    _of_warm_up = field_validator("warm_up")(_span)

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if not (self.rate_limits or self.caches or self.moves or self.fallbacks):
            raise ValueError("nothing would change; give one of rate_limits, caches, moves, fallbacks")
        return self
