"""At most a thousand rows of a longer frame, such that a line through them looks as one through all: no peak is lost.

The rows are cut into stretches of the same length, and of each the lowest, the highest and the first unknown one are kept.
LTTB (Steinarsson 2013, "Downsampling Time Series for Visual Representation") keeps one row of each, and may pass over a peak.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

MOST_POINTS = 1000
"""Most points of a line: about the pixels that a wide screen gives it."""


def thinned(frame: pd.DataFrame, low: str = "value", high: str = "value", most: int = MOST_POINTS) -> pd.DataFrame:
    """At most `most` rows (8 or more) in their order, the first and the last among them; a frame that is short enough stays.

    Parameters
    ----------
    low, high : str
        Columns of floats whose lowest and highest values are kept; a row is unknown where `high` is NaN.
    """
    count = len(frame)
    if count <= most:
        return frame
    stretches = (most - 2) // 3
    stretch = np.arange(count) * stretches // count
    lows, highs = frame[low].to_numpy("float64"), frame[high].to_numpy("float64")
    unknown = np.isnan(highs)
    kept = [
        np.array([0, count - 1]),
        _first_of_each(stretch, np.where(np.isnan(lows), np.inf, lows)),
        _first_of_each(stretch, np.where(unknown, np.inf, -highs)),
        _first_of_each(stretch, np.where(unknown, 0.0, 1.0))[np.bincount(stretch[unknown], minlength=stretches) > 0],
    ]
    return frame.iloc[np.unique(np.concatenate(kept))]


def _first_of_each(stretch: npt.NDArray[np.int64], key: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Where the smallest key of each stretch stands, the earliest of equal ones; shape (n_stretches,)."""
    order = np.lexsort((key, stretch))
    found: npt.NDArray[np.int64] = order[np.unique(stretch[order], return_index=True)[1]]
    return found
