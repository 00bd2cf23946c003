"""Killed at random instants with receivers that flap: every opening and end arrives, each once by its idempotency key."""

import itertools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.data import REPOSITORY
from tests.support.receiver import Answer, Receiver

FLAPPING = [Answer(), Answer(status=503), Answer(), Answer(drop=True), Answer(), Answer(status=429), Answer()]


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.soak)])
def test_every_opening_and_end_arrives_once_however_often_the_service_is_killed(tmp_path: Path, kills: int) -> None:
    with Receiver() as receiver:
        receiver.answer(*itertools.islice(itertools.cycle(FLAPPING), kills * 12))
        command = [sys.executable, "-m", "tests.integration.alerts_killed", str(tmp_path), receiver.url, str(kills), "7"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120 + 10 * kills)
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads(done.stdout.splitlines()[-1])
        requests = receiver.requests
    assert found["states"] == ["resolved"]
    assert len(found["incidents"]) == found["blocks"] > 0, "nothing missed, nothing opened twice"
    made = Counter((incident, receiver, reason) for incident, receiver, reason, _ in found["messages"])
    told = itertools.product(found["incidents"], ("ops", "team"), ("opened", "resolved"))
    assert made == Counter(told), "each is one message under one key"
    assert found["undelivered"] == []
    keys = {key for *_, key in found["messages"]}
    assert {request.headers["idempotency-key"] for request in requests} == keys, "each has arrived"
