"""A workload: what traffic looks like without any of its content, so that a load test can repeat it."""

from dataclasses import dataclass
from datetime import datetime

from core.series import Selector

SLICE_S = 10
"""Bursts are measured between slices of this length."""

SIZES: tuple[str, ...] = ("bytes_in", "prompt_tokens", "completion_tokens")
"""What a call's size is, as columns of the call record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRoute:
    """Calls of one route.

    Attributes
    ----------
    share : float
        Of all calls.
    sizes : dict of str to (share, quantiles)
        By the names of `SIZES`: the share of the calls that has one, and 101 quantiles of it, from the least to the largest.
    """

    service: str
    method: str
    route: str
    kind: str
    model: str
    share: float
    sizes: dict[str, tuple[float, tuple[float, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Traffic of a span of whole hours.

    Attributes
    ----------
    hours : tuple of int
        Calls of each hour.
    burstiness : float
        Coefficient of variation of the rate from slice to slice within an hour; 0: as even as chance.
    think_s : tuple of float
        101 quantiles of the pause between two calls of a tenant, up to half an hour; empty where there are too few.
    """

    start: datetime
    end: datetime
    selector: Selector
    hours: tuple[int, ...]
    burstiness: float
    think_s: tuple[float, ...]
    routes: tuple[WorkloadRoute, ...]
