"""Which addresses messages may go to, and that they go nowhere else."""

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.addresses import DENIED, DeniedAddress, checked, denied_by
from core.config import ReceiverSettings


@pytest.mark.parametrize(
    "number",
    [
        "169.254.169.254",
        "169.254.0.1",
        "0.0.0.0",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "fe80::1%eth0",
        "ff02::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_link_local_and_metadata_addresses_are_denied(number: str) -> None:
    assert denied_by(number) is not None


@pytest.mark.parametrize("number", ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "1.1.1.1", "2606:4700::1111", "fd12::1"])
def test_this_machine_private_networks_and_the_internet_are_not(number: str) -> None:
    assert denied_by(number) is None


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_alike(address: ipaddress.IPv4Address) -> None:
    denied = any(address in network for network in DENIED)
    assert (denied_by(str(address)) is not None) is denied
    assert (denied_by(f"::ffff:{address}") is not None) is denied


def answering(monkeypatch: pytest.MonkeyPatch, *numbers: str) -> None:
    def resolve(host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port)) for number in numbers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_a_name_that_leads_to_a_denied_address_is_refused_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "93.184.216.34", "169.254.169.254")
    with pytest.raises(DeniedAddress, match=r"^its address lies in 169\.254\.0\.0/16") as caught:
        checked("metadata.evil.example", 443)
    assert "evil" not in str(caught.value)
    assert checked("metadata.evil.example", 443, ["169.254.169.254/32"]) == ["93.184.216.34", "169.254.169.254"]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"url": "http://hooks.example.com/x"}, "the url must be https; or set allow_http: true"),
        ({"type": "slack"}, "needs a url (an incoming webhook's), or token and channel"),
        ({"type": "telegram"}, "needs token and channel"),
        ({"type": "pagerduty"}, "needs a token"),
        ({"type": "email"}, "needs smtp"),
        ({"type": "teams"}, "needs a url"),
        (
            {"type": "email", "smtp": {"host": "mail.example.com", "security": "none", "sender": "a@b", "to": ["c@d"]}},
            "smtp.security none needs allow_http: true",
        ),
        ({"url": "https://x", "allow_networks": ["10.0.0.300/8"]}, "10.0.0.300"),
    ],
)
def test_a_receiver_that_is_not_complete_or_not_safe_is_refused(entry: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        ReceiverSettings.model_validate({"name": "r", **entry})
    assert problem in str(caught.value)


def test_this_machine_and_what_is_allowed_may_do_without_tls() -> None:
    for url, allow in (("http://127.0.0.1:1/x", False), ("http://localhost/x", False), ("http://chat.internal/x", True)):
        assert ReceiverSettings.model_validate({"name": "r", "url": url, "allow_http": allow}).url is not None
