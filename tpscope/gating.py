"""`tpscope gate`: finds both sides, has them judged, and writes the verdict in every form that was asked for."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from analytics.gating.judging import Asked, judge
from analytics.gating.targets import Target
from core.capacity import LoadRun
from core.config import Settings
from core.errors import ConfigError
from core.gate_settings import GATED
from core.gating import GateReport
from core.mixes import CallMix, together
from core.objective_settings import ObjectiveSettings
from core.series import Selector
from core.transactions import Transaction
from render.gate_png import draw_gate
from render.gate_report import as_json, junit, lines, markdown
from storage.capacity import read_runs
from storage.contract import Store
from storage.frozen import list_frozen, read_frozen, window_is_kept
from storage.mixes import read_frozen_mix, read_mix
from storage.transaction_series import refuse_other_version
from tpscope.baseline_commands import window_option
from tpscope.baselines import selection
from tpscope.gate_files import is_file, read_file
from tpscope.options import print_json
from tpscope.reading import reading

_SAME_HOURS = "same-hours"
_LEAST = timedelta(minutes=1)
_WHERE = {True: "--candidate", False: "--against"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """What the command line asks for."""

    candidate: str
    against: str
    selector: str = ""
    against_selector: str | None = None
    transaction: str = ""
    objectives: tuple[str, ...] = ()
    format: str = "auto"
    junit: Path | None = None
    markdown: Path | None = None
    picture: Path | None = None
    picture_url: str = ""
    as_json: bool = False


def run_gate(settings: Settings, request: GateRequest) -> int:
    """Judge, tell and write; the exit code is the outcome."""
    report = report_of(settings, request)
    picture = draw_gate(report)
    if request.junit is not None:
        _write(request.junit, junit(report).encode())
    if request.picture is not None:
        _write(request.picture, picture)
    if request.markdown is not None:
        beside = request.picture or request.markdown.with_suffix(".png")
        if request.picture is None:
            _write(beside, picture)
        _write(request.markdown, markdown(report, request.picture_url or beside.name).encode())
    if request.as_json:
        print_json(as_json(report))
    else:
        console = Console(soft_wrap=True)
        for line in lines(report):
            console.print(line, highlight=False, markup=False)
    return int(report.outcome)


def report_of(settings: Settings, request: GateRequest) -> GateReport:
    """The gate's report. Raises ConfigError for what cannot be compared."""
    wanted, counted = selection(settings, request.selector, request.transaction)
    other = wanted if request.against_selector is None else _parsed("--against-selector", request.against_selector)
    now = datetime.now(UTC)
    with _Sides(settings, request.format, counted, now) as sides:
        if request.candidate == _SAME_HOURS:
            raise ConfigError("--candidate", f"{_SAME_HOURS!r} is what a candidate is compared with; give it to --against")
        if request.against != _SAME_HOURS:
            before = sides.of(request.against, other, candidate=False)
            plain = not request.selector and not request.transaction and request.against_selector is None
            like = before if plain and sides.is_frozen(request.against) else None
            after = sides.of(request.candidate, wanted, candidate=True, like=like)
        else:
            after = sides.of(request.candidate, wanted, candidate=True)
            before = sides.same_hours(after, after.selector if request.against_selector is None else other)
        _refuse_overlap(request, before, after)
        sides.refuse_other_version(before, after)
        targets = [sides.target(request.candidate, after, name) for name in request.objectives]
        driven = sides.is_run(request.candidate) and before.selector == after.selector and request.against != _SAME_HOURS
    return judge(before, after, settings.gate, Asked(throughput=driven, targets=targets))


@dataclass
class _Sides:
    """Finds the calls of a side; opens the store when one asks for it."""

    settings: Settings
    format: str
    transaction: Transaction | None
    now: datetime
    _stack: ExitStack = field(default_factory=ExitStack)
    _opened: Store | None = None

    def __enter__(self) -> "_Sides":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def _store(self) -> Store:
        if self._opened is None:
            self._opened = self._stack.enter_context(reading(self.settings))
        return self._opened

    def of(self, text: str, selector: Selector, *, candidate: bool, like: CallMix | None = None) -> CallMix:
        """The calls that a text names; `like`: counted as this side is."""
        where = _WHERE[candidate]
        if is_file(text):
            return self._file(where, text, selector)
        run = self._run(text) if candidate else None
        if run is None and self.is_frozen(text):
            return self._frozen(where, text, selector)
        run = run or self._run(text)
        transaction = self._like(like)
        if like is not None:
            selector = like.selector
        if run is not None:
            span = run.started_at, run.ended_at or self.now
            return self._window(where, span, _both(where, run.selector, selector), transaction, run.name)
        if ".." not in text and not text[:1].isdigit():
            raise ConfigError(where, f"{text!r} is no file, load test, window or frozen baseline{self._known()}")
        return self._window(where, window_option(where, text, self.now), selector, transaction, "")

    def same_hours(self, after: CallMix, selector: Selector) -> CallMix:
        """The same hours by the clock of the weeks before, as far as their calls are kept."""
        zone, found = ZoneInfo(self.settings.time_zone), []
        (start, end) = after.spans[0][0], after.spans[-1][1]
        for weeks in range(self.settings.gate.weeks, 0, -1):
            first, last = (_weeks_before(moment, weeks, zone) for moment in (start, end))
            if last <= start and window_is_kept(self._store, *_whole_minutes(first, last)):
                mix = read_mix(self._store, first, last, selector, self.transaction)
                found += [mix] if mix is not None else []
        if not found:
            raise ConfigError("--against", f"no call is kept of the same hours of the {self.settings.gate.weeks} weeks before")
        return together("", found)

    def target(self, text: str, after: CallMix, name: str) -> tuple[Target, CallMix]:
        """An objective, and the candidate's calls that it is of."""
        one = _objective(self.settings, name)
        if not one.transaction:
            value, at_most = (one.at_most, True) if one.at_most is not None else (one.at_least, False)
            wanted = Target(name=name, metric=one.metric, value=value or 0.0, at_most=at_most)
            return wanted, self.narrowed(text, after, Selector.of(one.selector))
        counted = _counted(selection(self.settings, "", one.transaction)[1], one.under)
        if is_file(text) or self.is_frozen(text):
            raise ConfigError("--objective", f"{name!r} is of transaction {one.transaction}; give the candidate as a window")
        (span,) = after.spans
        wanted = Target(name=name, metric="error_rate", value=one.allowed or 0.0, at_most=True)
        return wanted, self._window("--objective", span, after.selector, counted, after.name)

    def narrowed(self, text: str, after: CallMix, selector: Selector) -> CallMix:
        """The candidate's calls that an objective is of."""
        both = _both("--objective", after.selector, selector)
        if both == after.selector:
            return after
        if self.is_frozen(text) and not is_file(text):
            raise ConfigError("--objective", f"is of {selector.words}, which the frozen {text!r} does not tell apart")
        if is_file(text):
            return self._file("--candidate", text, both)
        (span,) = after.spans
        return self._window("--objective", span, both, self.transaction, after.name)

    def is_frozen(self, text: str) -> bool:
        return not is_file(text) and read_frozen(self._store, text) is not None

    def is_run(self, text: str) -> bool:
        return not is_file(text) and self._run(text) is not None

    def refuse_other_version(self, before: CallMix, after: CallMix) -> None:
        if before.transaction and before.transaction == after.transaction:
            refuse_other_version(self._store, before.transaction, before.version, after.version)

    def _run(self, text: str) -> LoadRun | None:
        return next((one for one in read_runs(self._store) if text in (one.name, one.id)), None)

    def _file(self, where: str, text: str, selector: Selector) -> CallMix:
        self._check_no_transaction(where)
        if not Path(text).is_file():
            raise ConfigError(where, f"there is no file {text!r}")
        return read_file(self.settings, Path(text), self.format, selector)

    def _frozen(self, where: str, name: str, selector: Selector) -> CallMix:
        window = read_frozen(self._store, name)
        assert window is not None
        mine = self.transaction.name if self.transaction else ""
        if (mine or selector.pairs) and (window.transaction, window.selector) != (mine, selector):
            counts = f"transaction {window.transaction}" if window.transaction else window.selector.words
            raise ConfigError(where, f"{name!r} was frozen of {counts}; freeze another of what is asked for")
        mix = read_frozen_mix(self._store, name)
        if mix is None and not window.transaction and window_is_kept(self._store, window.start, window.end):
            mix = read_mix(self._store, window.start, window.end, window.selector, name=name)
        if mix is None:
            raise ConfigError(where, f"{name!r} was frozen without its routes, and its calls are gone; freeze another one")
        return mix

    def _window(
        self, where: str, span: tuple[datetime, datetime], selector: Selector, transaction: Transaction | None, name: str
    ) -> CallMix:
        start, end = span
        if end - start < _LEAST:
            raise ConfigError(where, f"{name or 'the window'} is shorter than a minute; nothing can be said of that")
        if not window_is_kept(self._store, *_whole_minutes(start, end)):
            words = f"single calls from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC are not all kept any more"
            raise ConfigError(where, f"{words}; freeze a baseline before retention.calls is over")
        mix = read_mix(self._store, start, end, selector, transaction, name=name)
        if mix is None:
            counts = f"transaction {transaction.name}" if transaction else selector.words
            raise ConfigError(where, f"there is no call of {counts} from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC")
        return mix

    def _like(self, like: CallMix | None) -> Transaction | None:
        if like is None or not like.transaction:
            return self.transaction
        return selection(self.settings, "", like.transaction)[1]

    def _check_no_transaction(self, where: str) -> None:
        if self.transaction is not None:
            raise ConfigError(where, "a file cannot be counted as a transaction; import it first, and give its window")

    def _known(self) -> str:
        names = ", ".join(list_frozen(self._store)["name"])
        return f" (known: {names})" if names else "; write for example 2h, FROM..TO, or see `tpscope baseline list`"


def _refuse_overlap(request: GateRequest, before: CallMix, after: CallMix) -> None:
    """Calls that both sides count would be compared with themselves; sides of other labels may be of one time."""
    mine, other = before.selector.labels, after.selector.labels
    if any(mine.get(name, value) != value for name, value in other.items()):
        return
    files = [is_file(text) for text in (request.candidate, request.against)]
    if all(files) and Path(request.candidate).samefile(request.against):
        raise ConfigError("--against", "is the candidate's own file; give another, or --against-selector")
    shared = [
        (max(start, first), min(end, last))
        for start, end in before.spans
        for first, last in after.spans
        if max(start, first) < min(end, last)
    ]
    if shared and not any(files):
        start, end = shared[0][0], shared[-1][1]
        words = f"holds the candidate's own calls of {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
        raise ConfigError("--against", f"{words}; give a window before it, or --against-selector for other calls")


def _objective(settings: Settings, name: str) -> ObjectiveSettings:
    """One that calls can keep or break: not one of minutes, such as a transaction's throughput."""
    found = next((one for one in settings.objectives if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in settings.objectives) or "none is configured"
        raise ConfigError("--objective", f"there is no objective {name!r}; known: {known}")
    if found.transaction and found.at_least is not None:
        raise ConfigError("--objective", f"{name!r} is of minutes, not of calls; a gate takes shares of good or fast ones")
    if not found.transaction and found.metric not in GATED:
        raise ConfigError("--objective", f"{name!r} is of {found.metric}; a gate takes objectives of {', '.join(GATED)}")
    return found


def _counted(transaction: Transaction | None, under: timedelta | None) -> Transaction:
    """By the transaction's own rule, good only up to a latency where the objective names one."""
    assert transaction is not None  # the configuration knows the transactions of its objectives
    if under is None:
        return transaction
    most = under.total_seconds() * 1000
    return replace(transaction, max_latency_ms=min(most, transaction.max_latency_ms or most))


def _both(where: str, one: Selector, other: Selector) -> Selector:
    """Calls of both selections; raises ConfigError where there can be none."""
    labels = one.labels
    for name, value in other.pairs:
        if labels.setdefault(name, value) != value:
            raise ConfigError(where, f"no call is of {one.words} and of {other.words}")
    return Selector.of(labels)


def _parsed(where: str, text: str) -> Selector:
    try:
        return Selector.parse(text)
    except ValueError as error:
        raise ConfigError(where, str(error)) from error


def _weeks_before(moment: datetime, weeks: int, zone: ZoneInfo) -> datetime:
    """The same time by the clock, also where the clock was changed between."""
    return (moment.astimezone(zone) - timedelta(weeks=weeks)).astimezone(UTC)


def _whole_minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    """The whole minutes within a span: what rollups can say."""
    yield start + (-(start - datetime(1970, 1, 1, tzinfo=UTC))) % _LEAST
    yield end - (end - datetime(1970, 1, 1, tzinfo=UTC)) % _LEAST


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be written ({error.strerror or error})") from error
    sys.stderr.write(f"written: {path}\n")
