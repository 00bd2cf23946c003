"""What-if replays in the background: one at a time in a process, a short queue, a time for each, and an end whenever wanted.

They are kept in memory, the latest of them: a restart forgets them, and another process of the same service does not know them.
"""

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from core.clock import Clock
from core.errors import QuestionAbandoned, TpscopeError
from core.predicting import Predictor
from core.predictions import Prediction
from core.whatif import WhatIf
from core.whatif_text import scenario_json
from storage.asking import Asker, asking

logger = logging.getLogger(__name__)

BUDGET_S = 120.0
"""How long one may take."""
MOST_WAITING = 4
"""Runs that may wait for the one that goes on."""
MOST_KEPT = 32

CANCELLED = "cancelled"
_STOPPED = "the service stops"


class RunState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self not in (RunState.WAITING, RunState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A replay that was asked for, as it is now.

    Attributes
    ----------
    progress : float
        Which part is done, in [0, 1].
    waits_for : int
        How many go before it, the one that is running among them.
    problem : str
        Why it has no prediction; empty where it has one, or may have one.
    """

    id: str
    scenario: WhatIf
    asked_at: datetime
    state: RunState = RunState.WAITING
    progress: float = 0.0
    waits_for: int = 0
    ended_at: datetime | None = None
    problem: str = ""
    prediction: Prediction | None = None


class TooManyRuns(TpscopeError):
    """The queue is full."""


class WhatIfRuns:
    """The runs of one process; safe to use from several threads."""

    def __init__(self, predictor: Predictor, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self._predictor, self._clock, self._budget_s = predictor, clock, budget_s
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._askers: dict[str, Asker] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tpscope-what-if")

    def ask(self, scenario: WhatIf) -> Run:
        """Begin a replay, or queue it; one of the same scenario that is not over stands for it. Raises TooManyRuns."""
        with self._lock:
            under_way = [one for one in self._runs.values() if not one.state.is_over]
            same = next((one for one in under_way if _same(one.scenario, scenario)), None)
            if same is None and len(under_way) > MOST_WAITING:
                raise TooManyRuns(f"{len(under_way)} replays are under way in this process; wait for one of them, or cancel it")
            run = same or Run(id=uuid.uuid4().hex, scenario=scenario, asked_at=self._clock.now())
            if same is None:
                self._keep(run)
                self._askers[run.id] = Asker()
                self._pool.submit(self._work, run.id)
        return self._placed(run)

    def get(self, run_id: str) -> Run | None:
        with self._lock:
            found = self._runs.get(run_id)
        return None if found is None else self._placed(found)

    def latest(self, scenario: WhatIf) -> Run | None:
        """The run of this scenario that was asked for last."""
        with self._lock:
            found = next((one for one in reversed(self._runs.values()) if _same(one.scenario, scenario)), None)
        return None if found is None else self._placed(found)

    def cancel(self, run_id: str, why: str = CANCELLED) -> Run | None:
        """End it, also what the store is answering of it; one that is over stays as it is."""
        with self._lock:
            asker = self._askers.get(run_id)
            if asker is not None:
                self._end(run_id, RunState.CANCELLED, problem=why)
        if asker is not None:
            asker.leave(why)
        return self.get(run_id)

    def close(self) -> None:
        """End all of them."""
        for run_id in list(self._askers):
            self.cancel(run_id, _STOPPED)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, run_id: str) -> None:
        with self._lock:
            run, asker = self._runs[run_id], self._askers.get(run_id)
            if asker is None:
                return
            self._runs[run_id] = replace(run, state=RunState.RUNNING)
        words = f"it took longer than the {self._budget_s:g} s that a replay may take here; choose a shorter window"
        watch = threading.Timer(self._budget_s, asker.leave, (words,))
        watch.daemon = True
        watch.start()
        try:
            with asking(asker):
                prediction = self._predictor(run.scenario, self._clock.now(), self._progress(run_id, asker))
            self._over(run_id, RunState.DONE, prediction=prediction)
        except TpscopeError as error:
            self._over(run_id, RunState.FAILED, problem=_words(error))
        except Exception:
            logger.exception("a what-if replay failed")
            self._over(run_id, RunState.FAILED, problem="something went wrong; the service's log says what")
        finally:
            watch.cancel()

    def _progress(self, run_id: str, asker: Asker) -> Callable[[float], None]:
        def tell(part: float) -> None:
            if asker.why:
                raise QuestionAbandoned(asker.why)
            with self._lock:
                if run_id in self._askers:
                    self._runs[run_id] = replace(self._runs[run_id], progress=part)

        return tell

    def _over(self, run_id: str, state: RunState, *, problem: str = "", prediction: Prediction | None = None) -> None:
        with self._lock:
            if run_id in self._askers:
                self._end(run_id, state, problem=problem, prediction=prediction)

    def _end(self, run_id: str, state: RunState, *, problem: str = "", prediction: Prediction | None = None) -> None:
        del self._askers[run_id]
        run, now = self._runs[run_id], self._clock.now()
        self._runs[run_id] = replace(run, state=state, ended_at=now, problem=problem, prediction=prediction)

    def _keep(self, run: Run) -> None:
        self._runs[run.id] = run
        over = [one.id for one in self._runs.values() if one.state.is_over]
        for run_id in over[: max(len(self._runs) - MOST_KEPT, 0)]:
            del self._runs[run_id]

    def _placed(self, run: Run) -> Run:
        if run.state is not RunState.WAITING:
            return run
        with self._lock:
            names = [one.id for one in self._runs.values() if not one.state.is_over]
        return replace(run, waits_for=names.index(run.id) if run.id in names else 0)


def _same(one: WhatIf, other: WhatIf) -> bool:
    return scenario_json(one) == scenario_json(other)


def _words(error: TpscopeError) -> str:
    """What a person may be told: what was ended says why; of the store's own words there is nothing to learn."""
    if isinstance(error, QuestionAbandoned):
        return str(error)
    logger.warning("a what-if replay failed: %s", error)
    return "the store does not answer; the service's log says more"
