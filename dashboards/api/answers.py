"""How answers of the API are written: JSON with null for what is unknown, times as RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response


def answer(body: Any, status: int = 200) -> Response:
    """`body` as JSON; NaN and infinities become null, aware times end in Z."""
    content = orjson.dumps(
        body, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_SERIALIZE_NUMPY
    )
    return Response(content, status, media_type="application/json")


def utc(moment: datetime | None) -> str | None:
    """`2026-03-01T12:00:00Z`, with milliseconds only where there are any."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")
