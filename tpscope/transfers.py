"""Where an exported file goes: a folder, an S3-compatible bucket, or a webhook; a failed transfer is repeated a few times."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from alerts.receivers.base import IDEMPOTENCY_HEADER
from alerts.receivers.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from alerts.web_client import ReceiverUnavailable, Request, WebClient
from core.clock import Clock
from core.config import ExportSettings
from core.errors import ConfigError, DeliveryRefused, TransientError
from core.export_settings import ExportWebhookSettings
from render.export import write_whole
from tpscope.s3 import put_object

logger = logging.getLogger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30)

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    name: str
    content: bytes
    media_type: str


class TransferFailed(TransientError):
    """The file did not arrive; the job tries again at its next turn."""


def transfer(export: ExportSettings, file: ExportedFile, clock: Clock, sleep: Sleep = time.sleep) -> None:
    """Bring the file to where `export` says. Blocks up to the timeout times the tries.

    Raises TransferFailed after the last try, and ConfigError for what another try would not better; neither holds a secret.
    """
    if export.folder:
        _write(Path(export.folder), file, export.name)
        return
    client = WebClient()
    try:
        _send(client, export, file, clock, sleep)
    finally:
        client.close()


def _write(folder: Path, file: ExportedFile, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"exports: {name}", f"{folder} cannot be made ({error.strerror})") from error
    write_whole(file.content, folder / file.name)


def _send(client: WebClient, export: ExportSettings, file: ExportedFile, clock: Clock, sleep: Sleep) -> None:
    where = f"exports: {export.name}"
    wait = _FIRST_WAIT
    for left in range(export.retries, -1, -1):
        try:
            request = _request(export, file, clock)
            client.send(request, timeout=export.timeout, now=clock.now(), allowed=export.allow_networks)
        except ReceiverUnavailable as error:
            if not left:
                raise TransferFailed(f"{where}: {file.name} was not taken in {export.retries + 1} tries: {error}") from None
            logger.warning("export %s: %s was not taken (%s); trying again", export.name, file.name, error)
            sleep(min(error.retry_after or wait, _LONGEST_WAIT).total_seconds())
            wait *= 2
        except DeliveryRefused as error:
            raise ConfigError(where, f"{_place(export)} refuses {file.name}: {error}") from None
        else:
            return


def _place(export: ExportSettings) -> str:
    return f"the bucket {export.bucket.name}" if export.bucket else "the webhook"


def _request(export: ExportSettings, file: ExportedFile, clock: Clock) -> Request:
    """Made anew for each try: signatures hold the time."""
    if export.bucket is not None:
        return put_object(export.bucket, file.name, file.content, file.media_type, clock.now())
    if export.webhook is None:
        raise ConfigError(f"exports: {export.name}", "has no place to go to")
    return _post(export.webhook, file, clock)


def _post(webhook: ExportWebhookSettings, file: ExportedFile, clock: Clock) -> Request:
    headers = {
        "content-type": file.media_type,
        "content-disposition": f'attachment; filename="{file.name}"',
        IDEMPOTENCY_HEADER: f"{file.name}-{hashlib.sha256(file.content).hexdigest()[:16]}",
    }
    if webhook.secret is not None:
        timestamp = str(int(clock.now().timestamp()))
        headers |= {
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature(file.content, timestamp, webhook.secret.read_again().reveal()),
        }
    return Request(url=webhook.url.reveal(), body=file.content, headers=headers)
