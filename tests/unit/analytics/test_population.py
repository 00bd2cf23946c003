"""One is compared with its like, and with nobody where there is none."""

import re

import pytest

from analytics.diagnosis import diagnose
from analytics.population import against_peers
from core.series import ALL_CALLS, Selector
from tests.unit.analytics.calls import leaves_of
from tests.unit.analytics.test_causes import HIGH, failing, times


def test_of_a_gateway_that_fails_the_evidence_says_that_the_others_do_not() -> None:
    found = diagnose(leaves_of(failing(0.4, gateway="gw-1")), "error_rate", HIGH, ())
    told = re.search(r", its 2 peers ([\d.]+) % to ([\d.]+) %$", found.evidence)
    assert told, found.evidence
    assert 0.0 <= float(told[1]) <= float(told[2]) < 4.0


def test_of_a_level_the_change_of_the_others_is_told() -> None:
    said = against_peers(
        leaves_of(times("latency", 3.0, provider="provider-2")), "latency_p95", Selector.of(provider="provider-2")
    )
    told = re.fullmatch(r"its 2 peers ([\d.]+) to ([\d.]+) times as much", said)
    assert told, said
    assert 0.8 < float(told[1]) <= float(told[2]) < 1.25


@pytest.mark.parametrize(
    ("metric", "selector"),
    [
        ("error_rate", ALL_CALLS),
        ("error_rate", Selector.of(provider="provider-1", route="/route-1")),
        ("tps", Selector.of(gateway="gw-1")),
    ],
)
def test_what_has_no_peers_is_compared_with_none(metric: str, selector: Selector) -> None:
    assert against_peers(leaves_of(failing(0.4, gateway="gw-1")), metric, selector) == ""
