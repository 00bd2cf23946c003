"""All rules over one window of calls, ranked by what they would bring."""

from collections.abc import Callable

from analytics.recommending.caching import cache_routes
from analytics.recommending.gateways import bottlenecks, uneven_load
from analytics.recommending.prompts import long_prompts
from analytics.recommending.providers import faster_providers
from analytics.recommending.retries import retry_storms
from analytics.recommending.targets import limits, objectives
from analytics.recommending.tenants import limited_tenants
from analytics.recommending.totals import Estate
from core.recommendations import Finding

LEAST_CONFIDENCE = 0.3
RULES: dict[str, Callable[[Estate], list[Finding]]] = {
    "cache_route": cache_routes,
    "limit_tenant": limited_tenants,
    "faster_provider": faster_providers,
    "cut_prompts": long_prompts,
    "retry_storm": retry_storms,
    "uneven_load": uneven_load,
    "gateway_bottleneck": bottlenecks,
    "limit_level": limits,
    "objective_level": objectives,
}


def recommend(estate: Estate) -> list[Finding]:
    """What every rule finds, the largest gain first; nothing of which not even the sign is sure."""
    found = [one for rule in RULES.values() for one in rule(estate)]
    return sorted(
        (one for one in found if one.confidence >= LEAST_CONFIDENCE), key=lambda one: (-one.gain, one.rule, one.about)
    )
