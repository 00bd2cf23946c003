"""A response cache over logged calls: least recently used goes first, and what is older than its TTL is no answer."""

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from analytics.replay.calls import Floats, Mask


def hits(ts_s: Floats, keys: npt.NDArray[np.uint64], storable: Mask, ttl_s: float, entries: int) -> Mask:
    """Calls that find an answer of their key, made at most `ttl_s` before. The cache begins empty.

    Parameters
    ----------
    ts_s : ndarray of shape (n_calls,)
        Rising.
    keys : ndarray of shape (n_calls,)
        0: unknown; such a call neither finds nor leaves anything.
    storable : ndarray of bool
        Whether the answer that was logged may be given again (a failure may not).
    """
    held: OrderedDict[int, float] = OrderedDict()
    out = np.zeros(len(ts_s), dtype=bool)
    for place, (at, key, keep) in enumerate(zip(ts_s.tolist(), keys.tolist(), storable.tolist(), strict=True)):
        if key == 0:
            continue
        made = held.get(key)
        if made is not None and at - made <= ttl_s:
            held.move_to_end(key)
            out[place] = True
        elif keep:
            held[key] = at
            held.move_to_end(key)
            if len(held) > entries:
                held.popitem(last=False)
    return out
