"""Masks over the API: what is masked is not told, and who may say so."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from alerts.evaluate import judge_anomalies
from core.config import AnomalyRule
from storage.anomalies import read_anomalies, write_anomalies
from storage.masks import read_masks
from tests.support.web import Service, filled_service
from tests.unit.core.test_masks import anomaly

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with filled_service(tmp_path_factory.mktemp("masks"), days=1, per_minute=10) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address, timeout=30, trust_env=False) as asking:
        yield asking


GIVEN = {"kind": "expected", "why": "x", "who": "y"}


def test_an_anomaly_that_is_expected_is_muted_and_what_it_opened_ends(client: httpx.Client, service: Service) -> None:
    start = service.filled.end - HOUR
    one = replace(anomaly(0, 0), id="feed", started_at=start, last_at=start + 10 * MINUTE, severity=0.9)
    write_anomalies(service.store, [one], 3)
    body = {"kind": "expected", "why": "a campaign", "who": "ada", "anomaly": "feed"}
    made = client.post("/api/v1/masks", json=body)
    assert made.status_code == 201, made.text
    mask = made.json()
    assert (mask["anomalies"], mask["selector"], mask["until"]) == (["feed"], {"service": "chat"}, None)
    listed = client.get("/api/v1/anomalies", params={"last": "2h"}).json()["anomalies"]
    assert [(each["mask_id"], each["muted"]) for each in listed if each["id"] == "feed"] == [(mask["id"], True)]
    rule = AnomalyRule(kind="anomaly", name="anomaly")
    stored = [each for each in read_anomalies(service.store, start, service.filled.end) if each.id == "feed"]
    muted = judge_anomalies(rule, stored, service.filled.end, service.clock.now().tzinfo)  # type: ignore[arg-type]
    assert (muted.firings, len(muted.clears)) == ((), 1)
    assert [each["id"] for each in client.get("/api/v1/masks").json()["masks"]] == [mask["id"]]
    ended = client.post(f"/api/v1/masks/{mask['id']}/end", json={"withdraw": True}).json()
    assert ended["until"] == ended["from"]
    assert client.get("/api/v1/masks").json()["masks"] == []
    again = client.get("/api/v1/anomalies", params={"last": "2h"}).json()["anomalies"]
    assert [each["muted"] for each in again if each["id"] == "feed"] == [False]


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        ({"kind": "nosuch", "why": "x", "who": "y"}, {}, 400, "kind: "),
        ({"why": "x", "who": "y"}, {}, 400, "kind: field required"),
        (
            {"kind": "expected", "why": "x", "who": "y", "selector": {"color": "red"}},
            {},
            400,
            "selector: 'color' is no dimension",
        ),
        ({**GIVEN, "anomaly": "nosuch"}, {}, 404, "anomaly: there is none"),
        ({**GIVEN, "until": "2020-01-01T00:00:00Z"}, {}, 422, "until: the end"),
        ({**GIVEN, "from": "monday"}, {}, 400, "from: 'monday' is no time"),
        (GIVEN, {"origin": "https://evil.example"}, 403, "another site"),
        (GIVEN, {"content-type": "text/plain"}, 415, "must be JSON"),
    ],
)
def test_a_bad_mask_is_refused_in_one_sentence(
    client: httpx.Client, service: Service, body: dict[str, Any], headers: dict[str, str], status: int, words: str
) -> None:
    before = len(read_masks(service.store))
    answer = client.post("/api/v1/masks", content=json.dumps(body), headers={"content-type": "application/json", **headers})
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert len(read_masks(service.store)) == before


def test_the_status_says_who_is_learning(client: httpx.Client) -> None:
    assert client.get("/api/v1/status").json()["learning"] == {"selections": 0, "series": []}
