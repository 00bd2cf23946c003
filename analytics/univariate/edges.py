"""How far a quantity usually reaches: the k-th highest of the peaks of the last blocks of points, upwards and downwards.

The method of block maxima (Gumbel 1958): an incident of half an hour is one peak, not thirty, so that it does not pass for
habit, while k of them do. What enters can be bounded by a multiple of the edge that was known, so that a great outlier widens
it by a step at most. Shapes are (2 directions, n); a downward edge is that of the negated quantity.
"""

from dataclasses import dataclass

import numpy as np

from analytics.univariate.cadence import Bools, Floats, Ints

BLOCK_POINTS = 60
BLOCKS = 106
"""Together about 6,400 points: four and a half days of minutes, three weeks of five minutes."""


@dataclass(slots=True, kw_only=True)
class Edges:
    """The state; `blocks` is (2, BLOCKS, n) of peaks, -inf where there was none. `done` counts points of the current
    block and `next_block` is where it will lie, both (n,): series need not have begun together."""

    blocks: Floats
    current: Floats
    kth: Floats
    above: Floats
    done: Ints
    next_block: Ints

    @classmethod
    def unseen(cls, n: int) -> "Edges":
        return cls(
            blocks=np.full((2, BLOCKS, n), -np.inf, np.float32),
            current=np.full((2, n), -np.inf),
            kth=np.full((2, n), -np.inf),
            above=np.full((2, n), np.inf),
            done=np.zeros(n, np.int64),
            next_block=np.zeros(n, np.int64),
        )

    def reach(self) -> Floats:
        """The edges as they are known, the current block's points included; -inf where no block is complete."""
        known = np.minimum(np.maximum(self.kth, self.current), self.above)
        return np.where(np.isfinite(self.kth), known, -np.inf)

    def learn(
        self, both: Floats, reach: Floats, known: Bools, rank: int, widen: float | None = None, early_high: bool = False
    ) -> None:
        """Take over the quantity (2, n) and its negation of one point.

        `rank` is k; an edge above 0 is widened to `widen` times itself at most. `early_high`: while fewer blocks are known the
        rank is lowered in proportion, so that the edge begins at the highest peak and not at the median one.
        """
        entered = np.where(known, both, -np.inf)
        if widen is not None:
            entered = np.where(reach > 0, np.minimum(entered, widen * reach), entered)
        np.maximum(self.current, entered, out=self.current)
        self.done += 1
        full = np.flatnonzero(self.done == BLOCK_POINTS)
        if len(full):
            self._close(full, rank, early_high)

    def _close(self, full: Ints, rank: int, early_high: bool) -> None:
        self.blocks[:, self.next_block[full], full] = self.current[:, full]
        self.next_block[full] = (self.next_block[full] + 1) % BLOCKS
        self.done[full] = 0
        self.current[:, full] = -np.inf
        blocks = self.blocks[:, :, full]
        top = np.sort(np.partition(blocks, BLOCKS - rank, axis=1)[:, BLOCKS - rank :], axis=1)
        peaks = np.isfinite(blocks).sum(1)
        taken = np.ceil(rank * peaks / BLOCKS) if early_high else np.minimum(rank, peaks)
        taken = np.clip(taken, 1, rank).astype(np.int64)
        self.kth[:, full] = _at(top, rank - taken)
        self.above[:, full] = np.where(taken > 1, _at(top, np.minimum(rank - taken + 1, rank - 1)), np.inf)


def _at(top: Floats, index: Floats) -> Floats:
    taken = np.take_along_axis(top, index[:, None].astype(np.int64), axis=1)
    return np.asarray(taken[:, 0], float)
