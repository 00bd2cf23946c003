"""Replays in the background: one at a time, a short queue, an end by whoever wants it or by the time; told in words."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from core.clock import FakeClock
from core.errors import StoreUnavailable
from core.predicting import Progress
from core.predictions import Prediction
from core.whatif import WhatIf
from dashboards.whatif.runs import MOST_KEPT, MOST_WAITING, RunState, TooManyRuns, WhatIfRuns
from tests.support.wait import wait_until

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def scenario(entries: int) -> WhatIf:
    return WhatIf.model_validate({"window": {"last": "1h"}, "caches": [{"entries": entries}]})


def nothing(name: str = "") -> Prediction:
    return Prediction(name=name, start=NOW, end=NOW, level=0.9, calls=7, sampled=1.0, metrics=(), effects=(), assumptions=())


@dataclass
class Held:
    """A predictor that goes on when it is let: how it began, how often, and how many at once at most."""

    release: threading.Event = field(default_factory=threading.Event)
    began: list[WhatIf] = field(default_factory=list)
    at_once: int = 0
    most: int = 0

    def __call__(self, what: WhatIf, _now: datetime, progress: Progress) -> Prediction:
        self.began.append(what)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            while not self.release.wait(0.002):
                progress(0.25)
            return nothing(what.name)
        finally:
            self.at_once -= 1


@contextmanager
def runs_of(predictor: Callable[[WhatIf, datetime, Progress], Prediction], budget_s: float = 30.0) -> Iterator[WhatIfRuns]:
    runs = WhatIfRuns(predictor, FakeClock(NOW), budget_s=budget_s)
    try:
        yield runs
    finally:
        runs.close()


def over(runs: WhatIfRuns, run_id: str) -> RunState:
    def ended() -> bool:
        found = runs.get(run_id)
        return found is not None and found.state.is_over

    wait_until(ended, 10, "the run is over")
    found = runs.get(run_id)
    assert found is not None
    return found.state


def test_one_goes_on_few_wait_and_more_are_refused() -> None:
    held = Held()
    with runs_of(held) as runs:
        asked = [runs.ask(scenario(number)) for number in range(1, MOST_WAITING + 2)]
        with pytest.raises(TooManyRuns, match="5 replays are under way"):
            runs.ask(scenario(99))
        assert runs.ask(scenario(2)).id == asked[1].id, "the same scenario is not replayed twice at a time"
        assert [runs.get(one.id).waits_for for one in asked[1:]] == [1, 2, 3, 4]  # type: ignore[union-attr]
        held.release.set()
        assert [over(runs, one.id) for one in asked] == [RunState.DONE] * 5
        assert (held.most, len(held.began)) == (1, 5)
        done = runs.latest(scenario(3))
        assert done is not None
        assert done.prediction is not None
        assert (done.prediction.calls, done.ended_at) == (7, NOW)
        assert runs.ask(scenario(3)).id != done.id, "what is over is replayed again"


def test_what_is_cancelled_ends_whether_it_waits_or_goes_on() -> None:
    held = Held()
    with runs_of(held) as runs:
        first, second, third = (runs.ask(scenario(number)) for number in (1, 2, 3))
        wait_until(lambda: runs.get(first.id).progress == 0.25, 10, "the first one goes on")  # type: ignore[union-attr]
        for run in (second, first):
            ended = runs.cancel(run.id)
            assert ended is not None
            assert (ended.state, ended.problem, ended.prediction) == (RunState.CANCELLED, "cancelled", None)
        held.release.set()
        assert over(runs, third.id) is RunState.DONE
        assert len(held.began) == 2, "what was cancelled while it waited never began"
        assert runs.cancel(third.id) == runs.get(third.id), "what is over stays"
        assert runs.cancel("nothing") is None


def test_a_replay_has_its_time_and_the_next_one_comes_after_it() -> None:
    held = Held()
    with runs_of(held, budget_s=0.02) as runs:
        run = runs.ask(scenario(1))
        assert over(runs, run.id) is RunState.FAILED
        assert "took longer than the 0.02 s" in runs.get(run.id).problem  # type: ignore[union-attr]
        held.release.set()
        assert over(runs, runs.ask(scenario(2)).id) is RunState.DONE


@pytest.mark.parametrize(
    ("error", "words"),
    [(StoreUnavailable("store: secret.host is away"), "the store does not answer"), (ZeroDivisionError(), "went wrong")],
)
def test_what_fails_says_so_and_nothing_of_the_inside(error: Exception, words: str) -> None:
    def failing(_what: WhatIf, _now: datetime, _progress: Progress) -> Prediction:
        raise error

    with runs_of(failing) as runs:
        run = runs.ask(scenario(1))
        assert over(runs, run.id) is RunState.FAILED
        problem = runs.get(run.id).problem  # type: ignore[union-attr]
        assert words in problem
        assert "secret" not in problem


def test_the_oldest_are_forgotten_and_the_end_of_the_service_ends_what_goes_on() -> None:
    runs = WhatIfRuns(lambda what, _now, _progress: nothing(what.name), FakeClock(NOW))
    asked = []
    for number in range(1, MOST_KEPT + 4):
        asked.append(runs.ask(scenario(number)).id)
        over(runs, asked[-1])
    assert [runs.get(one) is None for one in asked] == [True] * 3 + [False] * MOST_KEPT
    runs.close()
    held = Held()
    closing = WhatIfRuns(held, FakeClock(NOW))
    run = closing.ask(scenario(1))
    wait_until(lambda: bool(held.began), 10, "it goes on")
    began = time.monotonic()
    closing.close()
    assert time.monotonic() - began < 5
    assert closing.get(run.id).problem == "the service stops"  # type: ignore[union-attr]
