"""Asks an application whatever its own description allows, and holds the answers against it."""

from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.access import Site

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
schemathesis.serializer.alias("application/x-ndjson", "text/plain")


def conforms(here: Site, role: str, examples: int) -> None:
    """Whatever the description allows is asked: no answer is a 5xx, and each has a documented status, type and shape."""
    description = schemathesis.openapi.from_dict(here.client.get("/api/v1/openapi.json", headers=here.as_("admin")).json())
    failures: list[str] = []
    for result in description.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=examples < 10,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any) -> None:
            request = case.as_transport_kwargs(base_url="http://127.0.0.1")
            answer = sent(here, role, request)
            if answer.status_code >= 500 and answer.status_code != 503:
                raise AssertionError(f"{case.method} {case.path} {request}: {answer.status_code} {answer.text[:300]}")
            case.validate_response(answer, checks=CHECKS)

        try:
            check()
        except (AssertionError, FailureGroup) as error:
            failures.append(f"{operation.label}: {error}"[:1500])
    assert not failures, "\n\n".join(failures)


def sent(here: Site, role: str, request: dict[str, Any]) -> httpx.Response:
    headers = {**dict(request.get("headers") or {}), **here.as_(role)}
    names = {"method": request["method"], "url": request["url"]}
    more = {name: request[name] for name in ("params", "json", "data", "content") if request.get(name) is not None}
    if "data" in more and not isinstance(more["data"], dict):
        raw = more.pop("data")
        more["content"] = raw.encode() if isinstance(raw, str) else raw
    return here.client.request(**names, headers=headers, **more)
