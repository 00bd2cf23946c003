"""Exported files on their way to a bucket and to a webhook, over real HTTP: tried again, signed, no secret told."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from core.clock import FakeClock
from core.config import ExportSettings
from core.errors import ConfigError
from tests.support.receiver import Receiver
from tpscope.transfers import ExportedFile, TransferFailed, transfer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FILE = ExportedFile(name="plan.csv", content=b"a,b\n1,2\n", media_type="text/csv; charset=utf-8")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"T_ACCESS": "AKID", "T_SECRET": "s3cr3t-one", "T_HOOK": "s3cr3t-two"}.items():
        monkeypatch.setenv(name, value)


def bucket(receiver: Receiver, **more: Any) -> ExportSettings:
    place = {"endpoint": receiver.url, "name": "plans", "access_key": "env:T_ACCESS", "secret_key": "env:T_SECRET"}
    return ExportSettings.model_validate({"name": "plan", "bucket": {**place, "prefix": "eu/"}, "timeout": "2s", **more})


@pytest.mark.usefixtures("secrets")
def test_a_bucket_is_put_to_with_a_signature_of_the_content(receiver: Receiver) -> None:
    transfer(bucket(receiver), FILE, FakeClock(NOW))
    (request,) = receiver.requests
    assert (request.method, request.path) == ("PUT", "/plans/eu/plan.csv")
    assert request.body == FILE.content
    assert request.headers["x-amz-content-sha256"] == sha256(FILE.content).hexdigest()
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/20260302/us-east-1/s3/aws4_request")


@pytest.mark.usefixtures("secrets")
def test_trouble_that_may_pass_is_tried_again_a_few_times(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    waits: list[float] = []
    receiver.answer(503, 503, 200)
    transfer(bucket(receiver), FILE, FakeClock(NOW), waits.append)
    assert waits == [1.0, 2.0]
    receiver.answer(503, 503, 503)
    with pytest.raises(TransferFailed, match=r"exports: plan: plan\.csv was not taken in 3 tries: HTTP 503") as failure:
        transfer(bucket(receiver, retries=2), FILE, FakeClock(NOW), waits.append)
    assert "s3cr3t" not in f"{failure.value} {caplog.text}"


@pytest.mark.usefixtures("secrets")
def test_what_is_refused_for_good_is_said_at_once(receiver: Receiver) -> None:
    receiver.answer(403)
    with pytest.raises(ConfigError, match=r"exports: plan: the bucket plans refuses plan\.csv: HTTP 403"):
        transfer(bucket(receiver), FILE, FakeClock(NOW))
    assert len(receiver.requests) == 1


@pytest.mark.usefixtures("secrets")
def test_a_webhook_gets_the_file_signed(receiver: Receiver) -> None:
    hook = {"url": f"{receiver.url}/hook", "secret": "env:T_HOOK"}
    export = ExportSettings.model_validate({"name": "plan", "webhook": hook})
    transfer(export, FILE, FakeClock(NOW))
    transfer(export, FILE, FakeClock(NOW))
    first, second = receiver.requests
    assert (first.method, first.path, first.body) == ("POST", "/hook", FILE.content)
    assert first.headers["content-type"] == FILE.media_type
    assert 'filename="plan.csv"' in first.headers["content-disposition"]
    assert first.headers["x-tpscope-signature"].startswith("v1=")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]  # one file is one delivery


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "one of folder, bucket or webhook"),
        ({"folder": "x", "webhook": {"url": "https://example.com"}}, "one of folder, bucket or webhook"),
        ({"webhook": {"url": "http://example.com"}}, "must be https"),
        ({"webhook": {"url": "https://example.com", "secret": "plain"}}, "a secret must not stand here"),
    ],
)
def test_an_export_has_one_place_that_is_safe(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ExportSettings.model_validate({"name": "plan", **given})
