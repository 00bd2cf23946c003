"""One file into an S3-compatible bucket: a PUT signed by AWS Signature Version 4, by the standard library alone.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. The bucket stands in the path, which every
compatible server understands.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from alerts.web_client import Request
from core.export_settings import BucketSettings

_ALGORITHM = "AWS4-HMAC-SHA256"
_SERVICE = "s3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    access_key: str
    secret_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return "Credentials(<redacted>)"


def put_object(bucket: BucketSettings, name: str, content: bytes, media_type: str, now: datetime) -> Request:
    """The signed request that puts `content` under the bucket's prefix and `name`."""
    host = urlsplit(bucket.endpoint).netloc
    path = quote(f"/{bucket.name}/{bucket.prefix}{name}", safe="/")
    # Read anew each time: keys are exchanged while the service runs.
    keys = Credentials(
        access_key=bucket.access_key.read_again().reveal(),
        secret_key=bucket.secret_key.read_again().reveal(),
        session_token=bucket.session_token.read_again().reveal() if bucket.session_token else "",
    )
    headers = {"content-type": media_type, "host": host, "x-amz-content-sha256": hashlib.sha256(content).hexdigest()}
    signed = sign("PUT", path, headers, keys, bucket.region, now)
    return Request(url=f"{bucket.endpoint.rstrip('/')}{path}", body=content, headers=signed, method="PUT")


def sign(method: str, path: str, headers: Mapping[str, str], keys: Credentials, region: str, now: datetime) -> dict[str, str]:
    """`headers` (lower-case names, `host` and `x-amz-content-sha256` among them) with the signature's own added.

    `path` is percent-encoded and has no query.
    """
    moment = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    every = {**headers, "x-amz-date": moment}
    if keys.session_token:
        every["x-amz-security-token"] = keys.session_token
    names = ";".join(sorted(every))
    lines = "".join(f"{name}:{' '.join(every[name].split())}\n" for name in sorted(every))
    canonical = "\n".join([method, path, "", lines, names, every["x-amz-content-sha256"]])
    scope = f"{moment[:8]}/{region}/{_SERVICE}/aws4_request"
    to_sign = "\n".join([_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret_key}".encode()
    for part in (moment[:8], region, _SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"{keys.access_key}/{scope}"
    return {**every, "authorization": f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"}
