"""`tpscope demo`: everything embedded, simulated traffic, from an empty directory to an alert within minutes."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from analytics.counting import TransactionCounter
from analytics.jobs import run_baselines, run_forecasts, run_hours
from core.changes import Change, ChangeKind
from core.clock import Clock, FastClock, SystemClock, floor_to
from core.config import Settings
from core.durations import format_duration
from core.errors import ConfigError
from core.series import Selector
from ingest.kafka_client import open_client
from storage.bulk import bulk_insert
from storage.changes import new_change_id, write_changes
from storage.contract import Store
from storage.epochs import claim_epoch
from storage.lock import DirectoryLock
from storage.migrate import migrate
from storage.open import open_store
from storage.past import replicate_hours
from storage.priority import COMMANDS, parted
from tpscope.broker import EmbeddedBroker
from tpscope.demo_settings import demo_config, write_config
from tpscope.guarded import free_port, port_is_free
from tpscope.history import fill_calls
from tpscope.leader import create_topic
from tpscope.receiver import LocalReceiver
from tpscope.simulate.generate import TrafficGenerator
from tpscope.simulate.incidents import ScheduledIncident, lasting, schedule
from tpscope.simulate.live import LiveTraffic
from tpscope.simulate.scenario import load_scenario
from tpscope.simulate.sinks import KafkaSink
from tpscope.wiring import Role, Service
from tpscope.workers import Workers

_MARKER = ".tpscope-demo"
_MINUTE = timedelta(minutes=1)
_PARTITIONS = 3
_WEEK = timedelta(weeks=1)
_UNHURRIED_S = 3600.0
"""All of the history is counted before anything is learned from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the demo was asked for.

    Attributes
    ----------
    rate : float
        Mean calls a second, of history and live traffic alike.
    calls_span, hours_span : timedelta
        How much history is made as single calls, and as hourly rollups in all; multiples of a week.
    run_for : timedelta or None
        Ends by itself after this; None: runs until it is interrupted.
    speed : float
        How many times as fast as the machine's the demo's clock runs, jobs included; for rehearsals.
    """

    scenario: str
    rate: float
    directory: Path
    port: int
    calls_span: timedelta = timedelta(weeks=2)
    hours_span: timedelta = timedelta(weeks=8)
    run_for: timedelta | None = None
    speed: float = 1.0


def run_demo(options: DemoOptions, console: Console, stop: threading.Event) -> int:
    """Run the demo until `stop` is set or its time is over; returns the exit code.

    Raises ConfigError (unknown scenario, directory of somebody else), NotInstalledError (extra `demo`), StoreInUse.
    """
    clock: Clock = SystemClock() if options.speed == 1.0 else FastClock(options.speed)
    scenario = load_scenario(options.scenario)
    steps = _Steps(console)
    console.print(f"[bold]tpscope demo[/bold]: {escape(scenario.title)}, about {options.rate:g} calls a second", soft_wrap=True)
    with ExitStack() as stack:
        terminal = _Terminal(console, clock)
        with steps.step("embedded Kafka-compatible broker"):
            broker = stack.enter_context(EmbeddedBroker())
        receiver = LocalReceiver(terminal.show_alert)
        receiver.start()
        stack.callback(receiver.stop)
        port = options.port if options.port and port_is_free(options.port) else free_port()
        config = demo_config(scenario, options.rate, options.directory, port, broker.bootstrap, receiver.url)
        settings = Settings.model_validate(config)
        for target, _, text in scenario.scaled_targets(options.rate):
            console.print(f"   target {target.name}: {escape(text)}", style="dim", soft_wrap=True)
        create_topic(settings.kafka, settings.kafka.topic, _PARTITIONS, open_client)
        with steps.step(f"embedded ClickHouse in {options.directory}"):
            prepare_directory(options.directory)
            write_config(config, options.directory)
            store = open_store(settings.store, owner=True)
            stack.callback(store.close)
            migrate(store, settings.retention)
        began = clock.now()
        generator = TrafficGenerator(scenario, options.rate, began)
        lasts = [lasting(scenario.past, began)] if scenario.past else []
        with parted(store, COMMANDS) as filled:
            live_from = _fill(filled, generator, lasts, options, settings, clock, steps)
            write_changes(filled, [_noted(one) for one in lasts])
        service = Service(settings, store, Role.ALL, clock, pace=options.speed)
        stack.callback(service.stop)
        with steps.step("pages, Kafka consumer and jobs"):
            service.start()
        first = floor_to(clock.now(), _MINUTE) + _MINUTE
        incidents = schedule(scenario, first, first + timedelta(days=2))
        sink = KafkaSink(settings.kafka, open_client)
        stack.callback(sink.close)
        live = LiveTraffic(generator, [*lasts, *incidents], sink, clock, live_from)
        workers = Workers()
        stack.callback(workers.stop)
        workers.start("live traffic", live.run)
        workers.start("announcer", lambda event: terminal.announce(incidents, event))
        _tell_where(console, service.address, options, incidents[0])
        return _wait(service, workers, stop, options.run_for)


def prepare_directory(directory: Path) -> None:
    """An empty directory that belongs to the demo; one left by an earlier demo is cleared, any other is refused."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / _MARKER).exists():
            raise ConfigError("--dir", f"{directory} holds something else; choose an empty or a new directory")
        _refuse_if_in_use(directory)
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / _MARKER).write_text("Made by `tpscope demo`; cleared when it starts again.\n", encoding="utf-8")


def _refuse_if_in_use(directory: Path) -> None:
    """Raise StoreInUse while another process owns the directory."""
    DirectoryLock(directory).release()


def _noted(past: ScheduledIncident) -> Change:
    """As somebody would have marked it."""
    of = Selector.of(past.spec.match)
    name: dict[str, Any] = {"id": new_change_id(), "what": past.spec.name, "who": "demo", "kind": ChangeKind.DEPLOY}
    return Change(**name, at=past.start, selector=of, found=False, made_at=past.start)


def _fill(
    store: Store,
    generator: TrafficGenerator,
    lasts: list[ScheduledIncident],
    options: DemoOptions,
    settings: Settings,
    clock: Clock,
    steps: "_Steps",
) -> datetime:
    """History, baselines and forecasts; returns the instant up to which calls exist."""
    start = floor_to(clock.now(), timedelta(days=1)) - options.calls_span  # whole days, as reviews compare them
    end = floor_to(clock.now(), _MINUTE)
    with steps.step(f"{format_duration(options.calls_span)} of calls") as tell:
        with bulk_insert(store):
            written = fill_calls(store, generator, start, end, lambda rows, share: tell(f"{rows:,} calls, {share:.0%}"), lasts)
        tell(f"{written:,} calls")
    epoch = claim_epoch(store, 0)
    with steps.step(f"{format_duration(options.hours_span)} of hourly rollups, labelled as generated"):
        run_hours(store, clock, settings, epoch)
        _older_hours(store, generator, options, start, epoch)
    with steps.step("transactions counted"):
        TransactionCounter(_UNHURRIED_S).run(store, clock, settings, epoch)
    with steps.step("baselines and the isolation forest"):
        run_baselines(store, clock, settings, epoch)
    with steps.step("forecasts"):
        run_forecasts(store, clock, settings, epoch)
    live_from = floor_to(clock.now(), timedelta(seconds=1))
    fill_calls(store, generator, end, live_from, lambda rows, share: None, lasts)
    return live_from


def _older_hours(store: Store, generator: TrafficGenerator, options: DemoOptions, start: datetime, epoch: int) -> None:
    """Rollups of the weeks before the calls: those of the calls' span, moved back in time, scaled by the growth, with noise."""
    shift = options.calls_span
    moved = shift
    while moved < options.hours_span:
        growth = (1.0 + generator.scenario.season.growth_per_week) ** (-(moved / _WEEK))
        replicate_hours(store, start, start + options.calls_span, shift=moved, factor=growth, epoch=epoch)
        moved += shift


def _tell_where(console: Console, address: str, options: DemoOptions, first: ScheduledIncident) -> None:
    command = Path(sys.argv[0]).name if Path(sys.argv[0]).name == "tpscope" else "tpscope"
    config = options.directory / "tpscope.yaml"
    console.print(f"\n[bold green]The pages are ready:[/bold green] {address}", soft_wrap=True)
    console.print(f"   forecast  {address}/forecast\n   incidents {address}/incidents", soft_wrap=True)
    console.print(f"   for commands in a second terminal: export TPSCOPE_CONFIG={config}", soft_wrap=True, style="dim")
    for words in ("status", "review", "export forecasts --to forecasts.csv"):
        console.print(f"             {command} {words}", soft_wrap=True, style="dim")
    console.print(
        f"   first scripted incident at {first.start:%H:%M:%S} UTC; its alert comes to this terminal and to the incidents page",
        soft_wrap=True,
    )
    console.print("   Ctrl-C ends the demo\n")


def _wait(service: Service, workers: Workers, stop: threading.Event, run_for: timedelta | None) -> int:
    deadline = time.monotonic() + run_for.total_seconds() if run_for else None
    while not stop.wait(0.2):
        if service.failed.is_set() or workers.failed.is_set():
            return 1
        if deadline is not None and time.monotonic() >= deadline:
            return 0
    return 0


class _Steps:
    """Says what is being done while it is done, and how long it took."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, what: str) -> Iterator[Any]:
        began = time.monotonic()
        note = ""
        with self._console.status(escape(what)) as status:

            def tell(text: str) -> None:
                nonlocal note
                note = text
                status.update(f"{escape(what)}: {escape(text)}")

            yield tell
        took = time.monotonic() - began
        detail = f" ({note})" if note else ""
        self._console.print(f" [green]✓[/green] {escape(what)}{escape(detail)} [dim]{took:.1f} s[/dim]", soft_wrap=True)


class _Terminal:
    """Shows what happens: scripted incidents as they begin and end, alerts as the receiver gets them."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console, self._clock = console, clock

    def show_alert(self, message: dict[str, Any]) -> None:
        resolved = message.get("reason") == "resolved"
        style, word = ("green", "RESOLVED") if resolved else ("bold red", "ALERT")
        self._line(f"[{style}]webhook {word}[/{style}] {escape(str(message.get('headline', '')))}")
        for detail in (message.get("explanation"), (message.get("links") or {}).get("incident")):
            if detail:
                self._console.print(f"            {escape(str(detail))}", soft_wrap=True)

    def announce(self, incidents: list[ScheduledIncident], stop: threading.Event) -> None:
        """Print each incident when it begins and when it ends."""
        moments = [(incident.start, "begins", incident) for incident in incidents]
        moments += [(incident.end, "ends", incident) for incident in incidents]
        for at, verb, incident in sorted(moments, key=lambda moment: moment[0]):
            while (wait_s := (at - self._clock.now()).total_seconds()) > 0:
                if stop.wait(min(wait_s, 1.0)):
                    return
            self._line(f"[yellow]scripted incident {verb}[/yellow] {escape(incident.spec.description)}")

    def _line(self, text: str) -> None:
        self._console.print(f" [dim]{self._clock.now():%H:%M:%S}[/dim] {text}", soft_wrap=True)
