"""The span of time that a page or an answer covers, and the step between its points: read from a query, written back to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from core.clock import floor_to
from core.durations import format_duration, parse_duration

POINTS = 400
"""Most points a line of a page has: more than a chart's pixels show only costs time."""

STEPS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400)

HOURS_FROM = timedelta(days=4)
"""Windows of this length and longer are shown by the hour at least: a hundred points."""

MIN_SPAN = timedelta(minutes=1)
_YEAR = timedelta(days=366)
MAX_SPAN = 5 * _YEAR
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class BadWindow(ValueError):
    """A parameter of the window cannot be used.

    Attributes
    ----------
    parameter : str
        Its name.
    readable : bool
        False where the text could not be read at all.
    """

    def __init__(self, parameter: str, problem: str, *, readable: bool = True) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter = parameter
        self.readable = readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open span [start, end) whose ends are whole steps.

    Attributes
    ----------
    last : timedelta or None
        Set where the window follows the clock.
    """

    start: datetime
    end: datetime
    step_s: int
    last: timedelta | None = None

    @property
    def step(self) -> timedelta:
        return timedelta(seconds=self.step_s)

    @property
    def points(self) -> int:
        return int((self.end - self.start) / self.step)

    def whole_until(self, until: datetime | None) -> datetime:
        """The end of the last step that lies before `until`; the window's own end for None, its start where no step does."""
        end = self.end if until is None else min(self.end, until)
        return self.start + max(end - self.start, timedelta()) // self.step * self.step

    @property
    def query(self) -> dict[str, str]:
        """The parameters that lead back here."""
        if self.last is not None:
            return {"last": format_duration(self.last)}
        return {"from": iso(self.start), "to": iso(self.end)}


def read_window(query: Mapping[str, str], now: datetime, default: str, step_s: int | None = None) -> Window:
    """The window that `last`, or `from` and `to`, of `query` name.

    Without `to` a window ends now; without all of them it is the `default` duration up to now. With `step_s` None the step
    follows from the span. Raises BadWindow, which names the parameter.
    """
    if "last" in query and ("from" in query or "to" in query):
        raise BadWindow("last", "cannot stand beside from or to; give one of them")
    if "to" in query and "from" not in query:
        raise BadWindow("from", "is missing; to alone names no span")
    if "from" in query:
        start = read_time("from", query["from"])
        end = read_time("to", query["to"]) if "to" in query else now
        if end - start < MIN_SPAN:
            raise BadWindow("from", "must lie at least one minute before to")
        return _aligned(start, end, step_s or step_for(end - start), None)
    last = read_span("last", query.get("last", default))
    return _aligned(now - last, now, step_s or step_for(last), last)


def read_long_window(query: Mapping[str, str], now: datetime, default: str) -> Window:
    """The same; where it is long its steps are made of hours, of which there are numbers, and not minutes to add up."""
    window = read_window(query, now, default)
    long = (window.last or window.end - window.start) >= HOURS_FROM
    return read_window(query, now, default, 3600) if long and window.step_s < 3600 else window


def read_time(parameter: str, text: str) -> datetime:
    """An instant: RFC 3339, `2026-03-01T12:00` (UTC when it names no zone). Raises BadWindow."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
    except ValueError:
        raise BadWindow(
            parameter, f"{text[:40]!r} is no time; write for example 2026-03-01T12:00:00Z", readable=False
        ) from None
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    if not EARLIEST <= moment <= LATEST:
        raise BadWindow(parameter, f"{text[:40]!r} lies outside of the years 2000 to 2100")
    return moment


def read_span(parameter: str, text: str, least: timedelta = MIN_SPAN, most: timedelta = MAX_SPAN) -> timedelta:
    """A duration such as `6h`, from `least` to `most`. Raises BadWindow."""
    try:
        span = parse_duration(text[:40])
    except (ValueError, OverflowError):
        raise BadWindow(parameter, f"{text[:40]!r} is no duration; write for example 15m, 6h or 14d", readable=False) from None
    if not least <= span <= most:
        longest = f"{most // _YEAR} years" if most >= 2 * _YEAR else format_duration(most)
        raise BadWindow(parameter, f"{text[:40]!r} must lie between {format_duration(least)} and {longest}")
    return span


def step_for(span: timedelta, points: int = POINTS) -> int:
    """The smallest step in seconds that cuts `span` into at most `points` parts."""
    seconds = span.total_seconds()
    return next((step for step in STEPS_S if seconds / step <= points), -(-int(seconds // points) // 86_400) * 86_400)


def complete_until(now: datetime, newest: datetime | None, delay: timedelta) -> datetime | None:
    """The end of what is known whole: the newest minute with calls once it is over and late arrivals have had `delay`.

    None where nothing is known.
    """
    if newest is None:
        return None
    return min(newest + timedelta(minutes=1), floor_to(now - delay, timedelta(minutes=1)))


def iso(moment: datetime) -> str:
    """`2026-03-01T12:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def link(path: str, query: Mapping[str, str]) -> str:
    """`path` with `query` behind it, escaped."""
    return f"{path}?{urlencode(query)}" if query else path


def _aligned(start: datetime, end: datetime, step_s: int, last: timedelta | None) -> Window:
    step = timedelta(seconds=step_s)
    return Window(
        start=floor_to(start, step), end=floor_to(end + step - timedelta(microseconds=1), step), step_s=step_s, last=last
    )
