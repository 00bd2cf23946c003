"""When a delivery is tried again, for every receiver alike. Pure."""

import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

MAX_WAIT = timedelta(minutes=5)
"""Longest wait between two attempts, also when a receiver asks for more by Retry-After."""

TRANSIENT_STATUS = frozenset({408, 429})
"""Client errors that pass: the request timed out on their side, or we are too fast. Every 5xx passes as well."""


def wait_before(attempt: int, backoff: timedelta, key: str, retry_after: timedelta | None = None) -> timedelta:
    """How long to wait before attempt number `attempt` (the first repeat is 1).

    Doubles from `backoff` to `MAX_WAIT`; half of it is jitter made of `key` and `attempt`, so that messages which failed
    together do not come back together, and a test or a restart sees the same waits ("equal jitter":
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). A longer `retry_after` holds, up to
    `MAX_WAIT`.
    """
    full = min(backoff * float(2 ** min(attempt - 1, 30)), MAX_WAIT)
    digest = hashlib.sha256(f"{key}|{attempt}".encode()).digest()
    jittered = full * (0.5 + 0.5 * int.from_bytes(digest[:8]) / 2**64)
    return min(max(jittered, retry_after or timedelta(0)), MAX_WAIT)


def parse_retry_after(header: str | None, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for, in seconds or as an HTTP date (RFC 9110, 10.2.3); None: it says nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 86_400))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(at.replace(tzinfo=at.tzinfo or UTC) - now, timedelta(0))
