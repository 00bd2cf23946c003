"""A service of alerts that is killed at random: run as a program of one thread, which forks what it kills.

Each child goes on where the one before was killed: minutes of calls, some failing, the rules, the delivery. How far it came is
in a file that is replaced as a whole; a minute may be written twice, under the same token.
"""

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alerts.jobs import Deliverer, run_alerts
from core.clock import FakeClock
from core.config import Settings
from core.types import Watermark
from storage.calls import insert_calls
from storage.contract import Store
from storage.epochs import claim_epoch
from storage.incidents import read_incidents
from storage.notifications import read_notifications
from storage.watermarks import write_watermarks
from tests.support.stores import chdb_store
from tests.unit.storage.batches import batch

MINUTE = timedelta(minutes=1)
BLOCK = 4
"""Minutes that all is well, then minutes that calls fail, and so on."""

RULE = {"kind": "threshold", "name": "failing", "metric": "error_rate", "by": ["provider"], "above": 0.2, "recover_after": "2m"}


def settings_for(url: str) -> Settings:
    receivers = [{"name": name, "url": f"{url}/{name}", "timeout": "500ms", "backoff": "100ms"} for name in ("ops", "team")]
    routing = {"group_wait": "0s", "group_wait_critical": "0s"}
    return Settings.model_validate({"rules": [RULE], "receivers": receivers, "routing": routing})


class Progress:
    """How many minutes have passed, beside the store."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "minutes"

    def read(self) -> int:
        return int(self._path.read_text()) if self._path.exists() else 0

    def write(self, minutes: int) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(str(minutes))
        new.replace(self._path)


def minute_passes(store: Store, start: datetime, number: int) -> FakeClock:
    """One minute's calls; returns the clock shortly after it."""
    minute = start + number * MINUTE
    failing = (number // BLOCK) % 2 == 1
    rows = [
        {
            "ts": minute + timedelta(seconds=2 * call),
            "provider": provider,
            "status": 503 if failing and provider == "openai" else 200,
            "latency_ms": 100.0,
            "topic": "calls",
        }
        for provider in ("openai", "mistral")
        for call in range(30)
    ]
    insert_calls(store, batch(rows, number * 60), token=f"minute-{number}")
    end = minute + MINUTE
    mark = Watermark(topic="calls", partition=0, event_at=end, arrived_at=end, next_offset=0, delay_s=0.5)
    write_watermarks(store, [mark])
    return FakeClock(end + timedelta(seconds=6))


def live(folder: Path, url: str, start: datetime, until: int) -> None:
    """Minutes pass until `until` of them have."""
    progress = Progress(folder)
    with chdb_store(folder) as store:
        epoch = claim_epoch(store, 0)
        settings = settings_for(url)
        for number in range(progress.read(), until):
            clock = minute_passes(store, start, number)
            run_alerts(store, clock, settings, epoch)
            Deliverer(store, settings, clock, epoch).run_once()
            progress.write(number + 1)


def settle(folder: Path, url: str, start: datetime) -> dict[str, Any]:
    """Pass the minutes of one more quiet block, deliver all, and say what the store knows."""
    done = Progress(folder).read()
    live(folder, url, start, (done // (2 * BLOCK) + 1) * 2 * BLOCK + BLOCK)
    with chdb_store(folder) as store:
        settings, epoch = settings_for(url), claim_epoch(store, 0)
        clock = FakeClock(start + Progress(folder).read() * MINUTE)
        for _ in range(60):
            Deliverer(store, settings, clock, epoch).run_once()
            clock.advance(MINUTE)
        incidents, messages = read_incidents(store), read_notifications(store, limit=5000)
    return {
        "blocks": done // (2 * BLOCK) + 1,
        "incidents": sorted(one.id for one in incidents),
        "states": sorted({one.state.value for one in incidents}),
        "messages": sorted((one.incident_id, one.receiver, one.reason.value, one.id) for one in messages),
        "undelivered": [one.error for one in messages if one.state.value != "sent"],
    }


def main(folder: Path, url: str, kills: int, seed: int) -> None:
    """Kill `kills` children, each after a random time, and print what came of it."""
    chance, start = random.Random(seed), datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=2)
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            live(folder, url, start, 10**6)
            os._exit(1)
        time.sleep(0.4 + chance.random() * 1.2)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(json.dumps(settle(folder, url, start)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
