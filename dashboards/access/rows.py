"""Whose rows somebody sees: what is asked narrowed to their tenants, and what does not carry a tenant refused."""

from collections.abc import Iterable, Mapping

from core.access import Principal
from core.series import Selector
from dashboards.problems import Problem

TENANT = "tenant"


def narrowed(who: Principal, selector: Selector) -> Selector:
    """The selection within their tenants; raises Problem (403) for another's, and where several would have to be added up."""
    if not who.tenants:
        return selector
    labels = selector.labels
    if TENANT not in labels:
        if len(who.tenants) > 1:
            raise Problem(403, f"tenant: is needed with this token; it is one of {', '.join(who.tenants)}.", parameter=TENANT)
        return Selector.of({**labels, TENANT: who.tenants[0]})
    if labels[TENANT] not in who.tenants:
        raise Problem(403, "tenant: this token does not see that tenant.", parameter=TENANT)
    return selector


def sees(who: Principal, labels: Mapping[str, str]) -> bool:
    """Whether what has these labels is of one of their tenants alone."""
    return not who.tenants or labels.get(TENANT) in who.tenants


def sees_all(who: Principal, selectors: Iterable[Selector]) -> bool:
    """Whether all of them are."""
    return all(sees(who, one.labels) for one in selectors)


def whole_only(who: Principal, what: str) -> None:
    """Raises Problem (403) for somebody of single tenants: `what` cannot be divided by tenant."""
    if who.tenants:
        raise Problem(403, f"{what} cannot be divided by tenant; this token sees {', '.join(who.tenants)} only.")
