"""Settings of exports that are made by themselves: what, in which format, and where it goes."""

from datetime import timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from core.durations import Duration
from core.part import Part
from core.rules import known_metric
from core.secrets import Secret, SecretUrl

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class BucketSettings(Part):
    endpoint: str = Field(
        pattern=r"^https?://[^/?#@]+/?$", description="Address of the service, `https://s3.eu-central-1.amazonaws.com`."
    )
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="The bucket; it must exist.")
    prefix: str = Field("", pattern=r"^[A-Za-z0-9!_.()/-]*$", description="Put before each file's name, `capacity/`.")
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]+$", description="Region that requests are signed for.")
    access_key: Secret = Field(description="Access key: `env:NAME` or `file:/path`.")
    secret_key: Secret = Field(description="Its secret: `env:NAME` or `file:/path`.")
    session_token: Secret | None = Field(None, description="Token of keys that are lent for a time.")


class ExportWebhookSettings(Part):
    url: SecretUrl = Field(description="Address that files are posted to: a URL, `env:NAME` or `file:/path`.")
    secret: Secret | None = Field(
        None, description="Key that the files are signed with (`X-Tpscope-Signature`); none: unsigned."
    )


class ExportSettings(Part):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Unique name; part of the files' names.")
    folder: str = Field("", description="Folder that the files are written to; it is made where it is missing.")
    bucket: BucketSettings | None = Field(None, description="S3-compatible bucket that the files are put into.")
    webhook: ExportWebhookSettings | None = Field(None, description="Address that the files are posted to.")
    format: Literal["csv", "json", "parquet", "xlsx", "html"] = Field("xlsx", description="Format of the files.")
    metric: str | None = Field(None, description="Only the forecasts of this metric; left out: of all.")
    every: Duration = Field(
        timedelta(days=1), gt=timedelta(0), description="How far apart at least; a file is made when there is a newer forecast."
    )
    timeout: Duration = Field(timedelta(seconds=30), gt=timedelta(0), description="Longest wait for a bucket or a webhook.")
    retries: int = Field(3, ge=0, le=10, description="How often a failed transfer is repeated before the job is said to fail.")
    allow_http: bool = Field(False, description="Allow an address without TLS; to this machine itself it always is.")
    allow_networks: tuple[str, ...] = Field(
        (), description="Networks (`169.254.7.0/24`) that files may go to although they are denied by default."
    )

    @field_validator("metric")
    @classmethod
    def _metric(cls, metric: str | None) -> str | None:
        if metric is not None:
            known_metric(metric)
        return metric

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if [bool(self.folder), bool(self.bucket), bool(self.webhook)].count(True) != 1:
            raise ValueError(f"export {self.name!r}: one of folder, bucket or webhook must be given")
        url = self.bucket.endpoint if self.bucket else self.webhook.url.reveal() if self.webhook else ""
        address = urlsplit(url)
        if address.scheme == "http" and address.hostname not in _LOOPBACK and not self.allow_http:
            raise ValueError(f"export {self.name!r}: the address must be https; or set allow_http: true")
        return self
