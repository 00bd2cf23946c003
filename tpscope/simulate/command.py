"""`tpscope simulate`: gateway logs to a file, to standard output or to Kafka, with the truth of their incidents."""

import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.clock import SystemClock, floor_to
from core.config import Settings
from core.errors import ConfigError
from tpscope.simulate.encode import encode
from tpscope.simulate.generate import TrafficGenerator
from tpscope.simulate.incidents import ScheduledIncident, schedule
from tpscope.simulate.live import LiveTraffic
from tpscope.simulate.scenario import load_scenario
from tpscope.simulate.sinks import KafkaSink, StreamSink

_CHUNK = timedelta(minutes=10)
_FIRST_INCIDENT_AFTER = timedelta(minutes=10)


def run_simulate(
    settings: Settings, scenario_name: str, rate: float, to: str, span: timedelta, start: datetime | None, seed: int
) -> int:
    """Write `span` of traffic; to Kafka live, as time passes, otherwise as fast as it can be drawn."""
    scenario = load_scenario(scenario_name)
    now = floor_to(datetime.now(UTC), timedelta(seconds=1))
    if to == "kafka":
        start = now
    elif start is None:
        start = now - span
    generator = TrafficGenerator(scenario, rate, start, seed)
    incidents = schedule(scenario, start + _FIRST_INCIDENT_AFTER, start + span)
    if to == "kafka":
        return _to_kafka(settings, generator, incidents, start, span)
    sink = StreamSink(to)
    try:
        at = start
        while at < start + span:
            until = min(at + _CHUNK, start + span)
            sink.send(encode(generator.generate(at, until, incidents)))
            at = until
    finally:
        sink.close()
    _write_truth(to, incidents)
    return 0


def _to_kafka(
    settings: Settings, generator: TrafficGenerator, incidents: list[ScheduledIncident], start: datetime, span: timedelta
) -> int:
    from ingest.kafka_client import open_client
    from tpscope.process import prepare_process

    stop = prepare_process("WARNING")
    if not settings.kafka.brokers:
        raise ConfigError("kafka.brokers", "is empty; set it, or TPSCOPE_KAFKA__BROKERS, to simulate into Kafka")
    sink = KafkaSink(settings.kafka, open_client)
    _write_truth("-", incidents)
    timer = threading.Timer(span.total_seconds(), stop.set)
    timer.start()
    try:
        LiveTraffic(generator, incidents, sink, SystemClock(), start).run(stop)
    finally:
        timer.cancel()
        sink.close()
    return 0


def _write_truth(to: str, incidents: list[ScheduledIncident]) -> None:
    """Beside a file as FILE.truth.json; on standard error where there is no file."""
    truth = json.dumps([incident.truth() for incident in incidents], indent=2)
    if to == "-":
        sys.stderr.write(truth + "\n")
    else:
        Path(f"{to}.truth.json").write_text(truth + "\n", encoding="utf-8")
