"""Who waits for a question, so that one that nobody waits for any longer is ended in the engine.

A question carries a mark as a comment; `KILL QUERY` finds it among the engine's processes by that, from another connection.
The asker is a context variable: threads that work for a request run in a copy of its context.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from core.errors import QuestionAbandoned
from storage.contract import Params

KILL = "KILL QUERY WHERE position(query, {mark:String}) > 0 AND NOT startsWith(query, 'KILL') ASYNC"


class Asker:
    """Somebody who asks questions of a store and may leave before they are answered. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Callable[[str, Params], None]] = {}
        self._why = ""
        self.failed = False
        """Whether some question was not answered: what was made of the others is not to be kept."""

    @property
    def why(self) -> str:
        """Why the answers are not waited for any longer; empty: they are."""
        return self._why

    def leave(self, why: str) -> None:
        """Ask nothing more, and end what is being answered. May block for as long as the engine takes to hear of it."""
        with self._lock:
            self._why = self._why or why
            running = list(self._running.items())
        for mark, command in running:
            command(KILL, {"mark": mark})

    def begins(self, mark: str, command: Callable[[str, Params], None]) -> None:
        """Note a question; raises QuestionAbandoned after `leave`."""
        with self._lock:
            if self._why:
                raise QuestionAbandoned(self._why)
            self._running[mark] = command

    def ends(self, mark: str) -> None:
        with self._lock:
            self._running.pop(mark, None)


_asker: ContextVar[Asker | None] = ContextVar("tpscope_asker", default=None)


def current_asker() -> Asker | None:
    """Who asks in this context; None: somebody who stays, as a job."""
    return _asker.get()


def unfinished() -> None:
    """Say that not all was answered, so that what was made of it is not kept; of somebody who stays nothing is kept anyway."""
    if (asker := _asker.get()) is not None:
        asker.failed = True


@contextmanager
def asking(asker: Asker) -> Iterator[None]:
    """Ask in the name of `asker`."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


@contextmanager
def marked(sql: str, command: Callable[[str, Params], None]) -> Iterator[str]:
    """The statement with its mark, while it runs; `command` runs another one beside it.

    Raises QuestionAbandoned instead of what the engine says of a question that was ended.
    """
    asker = _asker.get()
    if asker is None:
        yield sql
        return
    mark = uuid.uuid4().hex
    asker.begins(mark, command)
    try:
        yield f"/* {mark} */ {sql}"
    except Exception as error:
        if asker.why:
            raise QuestionAbandoned(asker.why) from error
        raise
    finally:
        asker.ends(mark)
