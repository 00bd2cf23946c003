"""Real calls for the gate's benchmark, from the data beside the checkout: an AI service, and LLM providers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.gating.counting import CallColumns
from core.mixes import UNKNOWN_SIZE, Floats, Stratum

_REQUESTS = "genai_gateway/request_log_2024-11-15_to_2024-11-29.csv.gz"
_PROVIDERS = "llmperf/per_request_latency.csv.gz"

Real = tuple[str, CallColumns, tuple[Stratum, ...]]
"""Name, calls in order of time, and their strata."""


def real_sets(data: Path) -> Iterator[Real]:
    """The data sets that are there."""
    if (data / _REQUESTS).exists():
        yield _requests(pd.read_csv(data / _REQUESTS))
    if (data / _PROVIDERS).exists():
        yield _providers(pd.read_csv(data / _PROVIDERS))


def some(calls: CallColumns, which: npt.NDArray[np.bool_]) -> CallColumns:
    return CallColumns(**{name: getattr(calls, name)[which] for name in CallColumns.__slots__})


def slower(calls: CallColumns, factor: float) -> CallColumns:
    return replace(calls, latency_ms=calls.latency_ms * factor)


def _requests(rows: pd.DataFrame) -> Real:
    """Two weeks of an image service: route and size are the kind of request and its number of steps times images."""
    rows = rows.sort_values("gmt_create", kind="stable")
    status = rows["predict_status"].to_numpy()
    work = (rows["num_inference_steps"].fillna(1) * rows["num_images_per_prompt"].fillna(1)).to_numpy("float64")
    at = pd.to_datetime(rows["gmt_create"]).to_numpy().astype("datetime64[ms]").astype(np.int64)
    done = np.isin(status, ["SUCCEED", "FAILED"])
    latency = np.where(status == "SUCCEED", rows["exec_time_seconds"].to_numpy("float64") * 1000.0, np.nan)
    return _set("AI service", rows["predict_type"].fillna("").to_numpy(), work, at, done, status == "FAILED", latency)


def _providers(rows: pd.DataFrame) -> Real:
    """Requests to ten providers and models; they have no time, so that their order stands for it."""
    failed = rows["error_code"].notna().to_numpy()
    route = (rows["provider"] + "/" + rows["model_size"]).to_numpy()
    order = rows.groupby(["provider", "model_size"]).cumcount().to_numpy().astype(np.int64) * 1000
    latency = np.where(failed, np.nan, rows["end_to_end_latency_s"].to_numpy("float64") * 1000.0)
    tokens = rows["number_input_tokens"].to_numpy("float64")
    return _set("LLM providers", route, tokens, order, np.ones(len(rows), bool), failed, latency)


def _set(
    name: str,
    route: npt.NDArray[np.object_],
    size: Floats,
    at_ms: npt.NDArray[np.int64],
    known: npt.NDArray[np.bool_],
    errors: npt.NDArray[np.bool_],
    latency_ms: Floats,
) -> Real:
    sized = np.where(size > 0, np.floor(np.log2(np.maximum(size, 1.0)) + 1e-9), UNKNOWN_SIZE).astype(np.int64)
    keys = pd.MultiIndex.from_arrays([route, sized])
    codes, found = keys.factorize(sort=True)
    strata = tuple(Stratum(service=name, method="", route=str(one), size=int(size), last_size=int(size)) for one, size in found)
    nothing = np.full(len(at_ms), np.nan)
    calls = CallColumns(
        at_ms=at_ms,
        stratum=codes.astype(np.int64),
        known=known,
        errors=errors & known,
        rate_limited=np.zeros(len(at_ms), bool),
        latency_ms=latency_ms,
        ttft_ms=nothing,
        cost_usd=nothing,
    )
    return name, calls, strata
