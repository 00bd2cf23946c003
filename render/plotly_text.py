"""Times and words as Plotly takes them: wall clocks of a zone, and text that is not read as markup."""

import textwrap
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from render.parts import Span


def clock_texts(times: pd.Series, span: Span) -> list[str]:
    """Wall-clock texts in the span's zone, which Plotly takes as they are."""
    local = pd.to_datetime(times, utc=True).dt.tz_convert(ZoneInfo(span.zone)).dt.tz_localize(None)
    texts: list[str] = np.datetime_as_string(local.to_numpy().astype("datetime64[s]")).tolist()
    return texts


def as_column(values: Sequence[object]) -> npt.NDArray[np.object_]:
    """The same for a trace: Plotly takes an array as it is, while of a list it looks at every item."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def safe_text(text: str) -> str:
    """Text that Plotly must not read as markup: its labels know a little HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "% {")


def wrapped(text: str) -> str:
    """The same in lines of some words."""
    return "<br>".join(safe_text(line) for line in textwrap.wrap(text, 56))
