"""Bodies of requests: JSON by its media type, read as a model or refused with one sentence."""

from typing import Any

from fastapi import Request
from pydantic import BaseModel, ValidationError

from dashboards.problems import Problem


async def json_body(request: Request, model: type[BaseModel]) -> Any:
    """The request's JSON as `model`. Raises Problem for another media type, and for what does not fit."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "The body must be JSON, with the media type application/json.")
    try:
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        parameter = str(first["loc"][-1]) if first["loc"] else "body"
        words = str(first["msg"]).removeprefix("Value error, ")
        raise Problem(400, f"{parameter}: {words[0].lower()}{words[1:]}.", parameter=parameter) from None
