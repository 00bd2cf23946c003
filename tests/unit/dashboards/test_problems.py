import json
import logging

import pytest
from starlette.exceptions import HTTPException

from core.errors import ConfigError, NotInstalledError, StoreError, StoreUnavailable
from dashboards.problems import Problem, problem_of, response
from dashboards.window import BadWindow


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Problem(404, "gone"), 404),
        (BadWindow("last", "is odd"), 422),
        (BadWindow("last", "is odd", readable=False), 400),
        (HTTPException(405), 405),
        (StoreUnavailable("store: 10.0.0.7 is away"), 503),
        (StoreError("Code 47: SELECT secret", 47), 500),
        (NotInstalledError("the XLSX writer", "xlsx"), 422),
        (ConfigError("x", "y"), 422),
        (KeyError("secret"), 500),
    ],
)
def test_each_error_has_its_status_and_tells_no_secret(error: Exception, status: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        problem = problem_of(error)
    assert problem.status == status
    assert problem.detail
    assert "secret" not in problem.detail
    assert "10.0.0.7" not in problem.detail


def test_a_problem_is_a_document_that_names_its_parameter() -> None:
    answer = response(Problem(422, "step: is odd.", parameter="step"))
    assert answer.media_type == "application/problem+json"
    assert json.loads(bytes(answer.body)) == {
        "type": "about:blank",
        "title": "Cannot be answered",
        "status": 422,
        "detail": "step: is odd.",
        "parameter": "step",
    }
