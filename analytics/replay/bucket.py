"""Token buckets over logged arrivals: which calls each key's bucket would have refused."""

import numpy as np
import numpy.typing as npt

from analytics.replay.calls import Floats, Mask


def refused(ts_s: Floats, keys: npt.NDArray[np.int64], rate: float, burst: float) -> Mask:
    """Calls that find less than one token in the bucket of their key. Buckets begin full; a refused call takes nothing.

    Parameters
    ----------
    ts_s : ndarray of shape (n_calls,)
        Rising.
    keys : ndarray of shape (n_calls,)
        Small numbers, one for each bucket.
    rate, burst : float
        Tokens a second, and what a bucket holds at most.
    """
    out = np.zeros(len(ts_s), dtype=bool)
    for key in np.unique(keys):
        places = np.flatnonzero(keys == key)
        out[places] = _one_bucket(ts_s[places], rate, burst)
    return out


def _one_bucket(ts_s: Floats, rate: float, burst: float) -> Mask:
    level, before, out = burst, float(ts_s[0]), []
    for at in ts_s.tolist():
        level = min(burst, level + (at - before) * rate)
        before = at
        out.append(level < 1.0 - 1e-9)
        if not out[-1]:
            level -= 1.0
    return np.array(out, dtype=bool)
