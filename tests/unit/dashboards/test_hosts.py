import pytest

from core.config import WebSettings
from dashboards.hosts import AllowedHosts


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("::1", True),
        ("LOCALHOST", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8080", False),
        ("10.0.0.7:8080", False),
        ("", False),
        ("[", False),
    ],
)
def test_loopback_serves_loopback_names_only(header: str, allowed: bool) -> None:
    assert AllowedHosts(WebSettings()).allows(header) is allowed


def test_the_public_address_and_the_bound_one_are_ours() -> None:
    hosts = AllowedHosts(WebSettings(host="10.0.0.7", public_url="https://tpscope.example.com/x"))
    assert hosts.allows("tpscope.example.com")
    assert hosts.allows("10.0.0.7:8080")
    assert not hosts.allows("10.0.0.8:8080")


def test_on_all_addresses_plain_ones_are_let_in_but_no_foreign_name() -> None:
    hosts = AllowedHosts(WebSettings(host="0.0.0.0"))
    assert hosts.allows("10.0.0.8:8080")
    assert hosts.allows("[fe80::1]:8080")
    assert not hosts.allows("evil.example")
