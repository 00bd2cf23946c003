"""Like for like: what a call would have got elsewhere is drawn from calls that were really served there.

A donor is of the same route, of the same size of prompt (half octaves of tokens) and near in time, so that neither the mix of
calls nor the load of the hour passes for the provider's merit. Which model answers and whether it fails is drawn first, among
all of the route: a failed call often has no tokens to be matched by, and who is sent elsewhere does not choose a model there
by the size of the prompt. Then a donor of that model and size is drawn.
"""

from dataclasses import dataclass

import numpy as np

from analytics.replay.calls import Floats, Ints, LoggedCalls, Mask

LEAST_DONORS = 20
"""Calls of a route (and size) below which nothing is drawn."""
_NEAREST = 50
_WIDEN = 2
"""Half octaves to either side that may lend donors where a size has too few."""
_UNKNOWN = -99


@dataclass(frozen=True, slots=True)
class _Cell:
    wanted: Ints
    own: Ints
    sized: dict[int, Ints]


class Donors:
    """Draws a served call for each of the wanted calls.

    Parameters
    ----------
    served : ndarray of bool
        Calls of the target.
    wanted : ndarray of int
        Places of the calls that are to be answered there.
    by_size : bool
        Whether the size of the prompt must be alike.
    """

    def __init__(self, calls: LoggedCalls, served: Mask, wanted: Ints, *, by_size: bool = True) -> None:
        self._size, self._models = calls.ts_s.size, calls.labels["model"].codes
        self.classes = size_classes(calls.prompt_tokens) if by_size else np.full(len(calls), _UNKNOWN)
        self._cells, self.without = self._cut(calls, np.flatnonzero(served), wanted)

    def _cut(self, calls: LoggedCalls, served: Ints, wanted: Ints) -> tuple[list[_Cell], Ints]:
        """Cells of wanted calls with their donors, and the wanted calls that have none."""
        routes = calls.labels["route"].codes
        cells, without = list[_Cell](), [np.empty(0, dtype=np.int64)]
        for route in np.unique(routes[wanted]):
            of_route = served[routes[served] == route]
            asking = wanted[routes[wanted] == route]
            if len(of_route) < LEAST_DONORS:
                without.append(asking)
                continue
            for size in np.unique(self.classes[asking]):
                these = asking[self.classes[asking] == size]
                if size != _UNKNOWN and len(self._of_size(of_route, int(size))) < LEAST_DONORS:
                    without.append(these)
                else:
                    cells.append(_Cell(these, of_route, self._by_model(of_route, int(size))))
        return cells, np.concatenate(without)

    def _by_model(self, of_route: Ints, size: int) -> dict[int, Ints]:
        """Donors of a size for each model that has them; none where the size is unknown."""
        if size == _UNKNOWN:
            return {}
        models = self._models[of_route]
        sized = {int(model): self._of_size(of_route[models == model], size) for model in np.unique(models)}
        return {model: donors for model, donors in sized.items() if len(donors)}

    def _of_size(self, of_route: Ints, size: int) -> Ints:
        for wide in range(_WIDEN + 1):
            found: Ints = of_route[np.abs(self.classes[of_route] - size) <= wide]
            if len(found) >= LEAST_DONORS:
                break
        return found

    @property
    def matched(self) -> Ints:
        """Places of the wanted calls that have donors."""
        return np.sort(np.concatenate([cell.wanted for cell in self._cells])) if self._cells else np.empty(0, dtype=np.int64)

    def draw(self, rng: np.random.Generator, among: Mask | None = None) -> Ints:
        """The donor of every call, by its place; -1 where none is wanted (or it is not `among` those).

        Donors are resampled each time, so that repeated draws also tell how much rests on there being these few.
        """
        out = np.full(self._size, -1, dtype=np.int64)
        for cell in self._cells:
            wanted = cell.wanted if among is None else cell.wanted[among[cell.wanted]]
            if not len(wanted):
                continue
            out[wanted] = first = self._near(cell.own, wanted, rng)
            for model, donors in cell.sized.items():
                again = (self._models[first] == model) & (self.classes[first] != _UNKNOWN)
                if again.any():
                    out[wanted[again]] = self._near(donors, wanted[again], rng)
        return out

    def _near(self, donors: Ints, wanted: Ints, rng: np.random.Generator) -> Ints:
        """For each wanted call one of the donors next to it in time."""
        resampled = np.sort(donors[rng.integers(0, len(donors), len(donors))])  # places rise with time
        most = min(_NEAREST, len(resampled))
        first = np.searchsorted(resampled, wanted) - most // 2
        first = np.clip(first, 0, len(resampled) - most)
        near: Ints = resampled[first + rng.integers(0, most, len(wanted))]
        return near


def size_classes(prompt_tokens: Floats) -> Ints:
    """Half octaves of the prompt's tokens; -99 where they are unknown."""
    known = np.isfinite(prompt_tokens)
    out = np.full(len(prompt_tokens), _UNKNOWN, dtype=np.int64)
    out[known] = np.floor(2.0 * np.log2(np.maximum(prompt_tokens[known], 1.0))).astype(np.int64)
    return out
