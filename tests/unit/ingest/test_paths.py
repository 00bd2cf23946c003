"""Raw paths to templates: what is an id, what is a word."""

import gzip
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.paths import PathTemplates, template_of
from tests.support.data import shared_data


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/users/8123", "/users/{id}"),
        ("/users/8123/orders/77/", "/users/{id}/orders/{id}/"),
        ("/users/3f2b6d4e-1111-4222-8333-abcdefabcdef/x", "/users/{id}/x"),
        ("/commits/9f86d081", "/commits/{id}"),
        ("/blobs/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "/blobs/{id}"),
        ("/objects/507f1f77bcf86cd799439011", "/objects/{id}"),
        ("/x/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/x/{id}"),
        ("/v1/threads/thread_abc123XYZ9/runs/run_Zk39dfKl2", "/v1/threads/thread_{id}/runs/run_{id}"),
        ("/customers/cus_NffrFeUfNV2Hib", "/customers/cus_{id}"),
        ("/t/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP", "/t/{id}"),
        ("/fonts/xjAJXh38I15wypJXxuGMBp0EAVxt0G0biEntp43Qt6E.ttf", "/fonts/{id}.ttf"),
        ("/img/12345.png", "/img/{id}.png"),
        ("/assets/main.3f2b6d4e.js", "/assets/main.{id}.js"),
        ("/orders/order-123456", "/orders/order-{id}"),
        ("/geo/52.52,13.40", "/geo/{id}"),
        ("/reports/2024-01-15", "/reports/{date}"),
        ("/reports/2024-01-15T12:00:00Z.json", "/reports/{date}.json"),
        ("/weeks/2024-W03", "/weeks/{date}"),
        ("/mail/bob@example.com/inbox", "/mail/{email}/inbox"),
        ("/mail/bob%40example.com", "/mail/{email}"),
        ("/shop/cart;jsessionid=8A7C", "/shop/cart"),
    ],
)
def test_what_is_an_id(path: str, template: str) -> None:
    assert template_of(path) == template


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1.2/x",
        "/api/1.0.3/x",
        "/rest/api/2/issue",
        "/v1/models/gpt-4o-mini-2024-07-18",
        "/models/claude-3-5-sonnet-20241022",
        "/openai/deployments/gpt-4/chat",
        "/missions/sts-71/mission-sts-71.html",
        "/presentations/logstash-scale11x/",
        "/static/jquery-3.6.0.min.js",
        "/internationalization/deadbeef/facade",
        "/getUserAccountSettingsForAdmin",
        "/users/{id}/orders/12",
        "/users/:id/orders/12",
        "/users/<int:id>/12",
        "/files/*/12345",
        "GET",
        "8123",
        "/",
        "",
    ],
)
def test_what_stays(path: str) -> None:
    assert template_of(path) == path


_segments = st.one_of(
    st.sampled_from(["users", "v1", "api", "2", "order-123456", "main.3f2b6d4e.js", "{id}", ":x", "a@b.de", "2024-01-15", ""]),
    st.integers(0, 10**18).map(str),
    st.uuids().map(str),
    st.text("0123456789abcdefABCDEFxyz_-.;%@\x1a ", max_size=40),
    st.text(max_size=8),
)
_paths = st.lists(_segments, max_size=5).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(_paths.filter(lambda path: "\x1a" not in path), min_size=1, max_size=30))
def test_many_at_once_are_what_each_is_alone(paths: list[str]) -> None:
    many = [*paths, *(f"/filler/{number}a" for number in range(2_048))]
    assert PathTemplates().of(pa.array(many)).to_pylist() == [template_of(path) for path in many]


@given(_paths)
def test_a_template_is_its_own_template(path: str) -> None:
    once = template_of(path)
    assert template_of(once) == once
    assert once.count("/") <= path.count("/")


def test_the_cache_is_bounded_and_changes_nothing() -> None:
    small = PathTemplates(cached=2)
    for _ in range(2):
        paths = pa.array([f"/users/{number}/a{number % 3}" for number in range(50)])
        assert set(small.of(paths).to_pylist()) == {"/users/{id}/a0", "/users/{id}/a1", "/users/{id}/a2"}


def test_a_real_access_log() -> None:
    """10,000 requests of a web site: its words stay, its numbers do not make routes."""
    with gzip.open(shared_data("apache_access_log") / "apache_logs.gz", "rt", encoding="utf-8", errors="replace") as lines:
        found = [match[1] for line in lines if (match := re.search(r'"[A-Z]+ (/[^ ?"]*)', line))]
    templates = PathTemplates().of(pa.array(found)).to_pylist()
    assert len(found) > 9_000
    assert len(set(templates)) <= len(set(found))
    assert templates[found.index("/presentations/logstash-monitorama-2013/images/kibana-search.png")].endswith(
        "kibana-search.png"
    )
    kept = sum(1 for path, template in zip(found, templates, strict=True) if path == template)
    assert kept / len(found) > 0.9  # it has few identifiers, but for the years of its images
    assert "/images/web/{id}/banner.png" in templates
