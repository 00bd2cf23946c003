"""How routes are described: the shape of what they answer, and of every refusal."""

from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.responses import Response

from dashboards.api.tagged import TaggedRoute

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457: one clear sentence, and the parameter that it is about.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "parameter": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_PROBLEM = {"content": {"application/problem+json": {"schema": PROBLEM_SCHEMA}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Cannot be answered as it was asked; `detail` says why.", **_PROBLEM},
    "5XX": {"description": "Cannot be answered now; `detail` says why.", **_PROBLEM},
}


def described(model: type[BaseModel], status: int = 200, words: str = "The answer.") -> dict[str, Any]:
    """Arguments of a route whose answers have the shape of `model`."""
    responses = {status: {"model": model, "description": words}, **PROBLEMS}
    if status == 200:
        responses[304] = {"description": "What the client has is still right (`If-None-Match`)."}
    return {"response_class": Response, "status_code": status, "responses": responses}


def described_file(*content_types: str) -> dict[str, Any]:
    """Arguments of a route that answers with a file."""
    content = {name.partition(";")[0]: {"schema": _file_schema(name)} for name in content_types}
    return {"response_class": Response, "responses": {200: {"description": "The file.", "content": content}, **PROBLEMS}}


def _file_schema(content_type: str) -> dict[str, Any]:
    if content_type != "application/json":
        return {"type": "string", "format": "binary"}
    rows = {"type": "array", "items": {"type": "object"}}
    return {"type": "object", "properties": {"meta": {"type": "object"}, "rows": rows}, "required": ["meta", "rows"]}


def described_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """The same of a JSON body that the route reads itself."""
    schema = inlined(model)
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema without references, for a body whose parts stand nowhere else in the description."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def whole(node: Any) -> Any:
        if isinstance(node, list):
            return [whole(one) for one in node]
        if not isinstance(node, dict):
            return node
        part = parts.get(str(node.get("$ref", "")).removeprefix("#/$defs/"), {})
        return {name: whole(value) for name, value in {**part, **node}.items() if name != "$ref"}

    found: dict[str, Any] = whole(schema)
    return found


def describe_tokens(app: FastAPI) -> None:
    """Say in the description that a bearer token opens the API, so that its documentation can be tried with one."""
    plain = app.openapi

    def described_with_tokens() -> dict[str, Any]:
        description = plain()
        schemes = description.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["token"] = {"type": "http", "scheme": "bearer", "description": "A token of `tpscope token create`."}
        description["security"] = [{"token": []}, {}]
        return description

    app.openapi = described_with_tokens  # type: ignore[method-assign]


def api_router(tag: str) -> APIRouter:
    """A router below /api/v1 whose answers carry an ETag."""
    return APIRouter(prefix="/api/v1", tags=[tag], route_class=TaggedRoute)
