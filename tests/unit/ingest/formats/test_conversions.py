"""Named conversions, one value at a time; what they do not know comes back as it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.conversions import _CONVERSIONS, apply

CASES = [
    ("path", "/a/b?c=d#e", "/a/b"),
    ("path", "GET /a/b?c=d HTTP/1.1", "/a/b"),
    ("path", "https://user@host:443/a?b", "/a"),
    ("path", "http://host", "/"),
    ("path", "chat", "chat"),
    ("path", 7, 7),
    ("method", "POST /a HTTP/1.1", "POST"),
    ("method", "\\x16\\x03\\x01", ""),
    ("host", "https://user:pw@api.example.com:8443/v1?x=1", "api.example.com"),
    ("host", "https://[::1]:80/", "[::1]:80"),
    ("host", "10.0.0.1:80", "10.0.0.1:80"),
    ("host", "10.0.0.1:80, 10.0.0.2:80", "10.0.0.2:80"),
    ("first", "UF,URX", "UF"),
    ("first", "-", None),
    ("first", ["a", "b"], "a"),
    ("last", "502, 200", 200),
    ("last", "0.010, -", 0.01),
    ("total", "0.010, 0.020", 0.03),
    ("total", "0.010,0.020 : 0.030", 0.06),
    ("total", "-", None),
    ("total", "-, 0.5", 0.5),
    ("total", "0.010, x", "0.010, x"),
    ("total", 1.5, 1.5),
    ("retries", "0.010, -, 0.020", 2),
    ("retries", "10.0.0.1:80", 0),
    ("retries", "-", None),
    ("retries", [1, 2, 3], 2),
    ("retries", [], None),
    ("retries", 3, 2),
    ("retries", 0, 0),
    ("retries", list(range(999)), 255),
    ("trace_id", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ("trace_id", "5B8EFFF798038103D269B633813FC60C", "5B8EFFF798038103D269B633813FC60C"),
    ("error_type", "litellm.exceptions.RateLimitError", "rate_limit"),
    ("error_type", "APITimeoutError", "timeout"),
    ("error_type", "java.net.SocketTimeoutException", "timeout"),
    ("error_type", "DeadlineExceeded", "timeout"),
    ("error_type", "ContextWindowExceededError", "context_window_exceeded"),
    ("error_type", "_OTHER", "other"),
    ("error_type", "503", "upstream"),
    ("error_type", 504, "timeout"),
    ("error_type", "429", "rate_limit"),
    ("error_type", "404", ""),
    ("error_type", "", ""),
    ("error_type", {"a": 1}, {"a": 1}),
    ("http_status", "429", 429),
    ("http_status", "insufficient_quota", None),
    ("http_status", 7, None),
    ("text_ms", "29", "29"),
    ("text_ms", 4_638_632, 4.638632),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "becomes"), CASES)
def test_a_conversion(name: Any, value: Any, becomes: Any) -> None:
    found = apply(name, value)
    if name == "last" and isinstance(becomes, int | float):
        found = float(found)
    assert found == (pytest.approx(becomes) if isinstance(becomes, float) else becomes)


@pytest.mark.parametrize("name", sorted(_CONVERSIONS))
def test_null_stays_null(name: Any) -> None:
    assert apply(name, None) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(values, st.sampled_from(sorted(_CONVERSIONS)))
def test_no_value_makes_a_conversion_raise(value: Any, name: Any) -> None:
    apply(name, value)
