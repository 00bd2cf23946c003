"""Who may use which address: one line for each, and a refusal for what has none.

A test compares this table with the application's own routes, so that a new route without a decision fails there.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from starlette.routing import compile_path

from core.access import Scope
from dashboards.access.origins import UNSAFE


class Need(Enum):
    """What an address asks for.

    `PUBLIC`: nothing; what is there holds no data, or proves itself (signed links). `OWNER`: the token in the embedded store's
    folder, which the route checks itself. `REFUSED`: nobody may.
    """

    PUBLIC = "public"
    OWNER = "owner"
    READ = Scope.READ
    OPERATE = Scope.OPERATE
    ADMIN = Scope.ADMIN
    REFUSED = "refused"

    @property
    def scope(self) -> Scope | None:
        return self.value if isinstance(self.value, Scope) else None


@dataclass(frozen=True, slots=True)
class Decision:
    """What one address asks for.

    Attributes
    ----------
    methods : str
        With blanks between them; HEAD goes with GET.
    path : str
        As the route has it.
    tenants : bool
        Whether tokens of single tenants may come in: what is told there is divided by tenant.
    audited : bool
        Whether each use is noted.
    """

    methods: str
    path: str
    need: Need
    tenants: bool = False
    audited: bool = False


def _read(path: str, *, tenants: bool = False) -> Decision:
    return Decision("GET", path, Need.READ, tenants)


def _act(path: str, *, tenants: bool = False) -> Decision:
    return Decision("POST", path, Need.OPERATE, tenants, audited=True)


_NOWHERE = "/{path:path}"
_PROMETHEUS = "/api/v1/prometheus/api/v1"

DECISIONS: tuple[Decision, ...] = (
    # probes, and what a browser loads before anybody has logged in
    Decision("GET", "/healthz", Need.PUBLIC),
    Decision("GET", "/readyz", Need.PUBLIC),
    _read("/metrics"),
    Decision("GET", "/assets", Need.PUBLIC),
    Decision("GET", "/_dash-component-suites/{package_name}/{fingerprinted_path:path}", Need.PUBLIC),
    Decision("GET", "/_favicon.ico", Need.PUBLIC),
    Decision("GET POST", "/login", Need.PUBLIC),
    Decision("POST", "/logout", Need.PUBLIC),
    Decision("GET", "/act", Need.PUBLIC),
    Decision("POST", "/act", Need.PUBLIC, audited=True),
    # pages
    _read("/account"),
    _read("/"),
    _read("/explore"),
    _read("/explore/files/{part}"),
    _read("/llm"),
    _read("/llm/files/{part}"),
    _read("/calls"),
    _read("/call"),
    _read("/forecast"),
    _read("/what-if"),
    _read("/recommendations"),
    _read("/incidents"),
    _read("/objectives"),
    _read("/reviews"),
    _read("/reviews/{review_id}"),
    _read("/pipeline"),
    _read("/_dash-layout"),
    _read("/_dash-dependencies"),
    _read("/_reload-hash"),
    Decision("POST", "/_dash-update-component", Need.READ),  # callbacks only read
    # the API's own description
    _read("/api/v1/openapi.json", tenants=True),
    _read("/api/docs", tenants=True),
    _read("/api/docs/{name}", tenants=True),
    # reading
    _read("/api/v1/session", tenants=True),
    _read("/api/v1/series", tenants=True),
    _read("/api/v1/calls", tenants=True),
    _read("/api/v1/anomalies", tenants=True),
    _read("/api/v1/anomalies/{anomaly_id}", tenants=True),
    _read("/api/v1/incidents", tenants=True),
    _read("/api/v1/incidents/{incident_id}", tenants=True),
    _read("/api/v1/forecasts", tenants=True),
    _read("/api/v1/forecasts/points", tenants=True),
    _read("/api/v1/objectives", tenants=True),
    _read("/api/v1/baselines", tenants=True),
    _read("/api/v1/baselines/points", tenants=True),
    _read("/api/v1/silences"),
    _read("/api/v1/masks", tenants=True),
    _read("/api/v1/changes", tenants=True),
    _read("/api/v1/changes/{change_id}", tenants=True),
    _read("/api/v1/capacity"),
    _read("/api/v1/recommendations"),
    _read("/api/v1/recommendations/{recommendation_id}"),
    _read("/api/v1/what-if/{run_id}", tenants=True),
    _read("/api/v1/reviews"),
    _read("/api/v1/reviews/{review_id}"),
    _read("/api/v1/reviews/{review_id}/page"),
    _read("/api/v1/reviews/{review_id}/tables"),
    _read("/api/v1/status"),
    _read("/api/v1/exports/series", tenants=True),
    _read("/api/v1/exports/calls", tenants=True),
    _read("/api/v1/exports/anomalies", tenants=True),
    _read("/api/v1/exports/incidents", tenants=True),
    _read("/api/v1/exports/forecasts", tenants=True),
    *(
        Decision("GET POST", f"{_PROMETHEUS}/{name}", Need.READ, tenants=True)
        for name in ("query", "query_range", "labels", "series", "query_exemplars")
    ),
    *(
        _read(f"{_PROMETHEUS}/{name}", tenants=True)
        for name in ("label/{name}/values", "metadata", "rules", "alerts", "status/buildinfo")
    ),
    # acting
    _act("/api/v1/incidents/{incident_id}/actions", tenants=True),
    _act("/api/v1/silences"),
    _act("/api/v1/silences/{silence_id}/end"),
    _act("/api/v1/masks"),
    _act("/api/v1/masks/{mask_id}/end"),
    _act("/api/v1/recommendations/{recommendation_id}/decision"),
    _act("/api/v1/changes"),
    _act("/api/v1/what-if", tenants=True),
    _act("/api/v1/what-if/{run_id}/cancel", tenants=True),
    Decision("POST", "/api/v1/calls", Need.OPERATE, tenants=True),  # data, not deeds: each row carries its batch's name
    Decision("GET", "/api/v1/audit", Need.ADMIN),
    # other commands on this machine, to the embedded store
    Decision("POST", "/internal/v1/tenants/delete", Need.OWNER),
    Decision("GET", "/internal/v1/tenants/deletions", Need.OWNER),
    Decision("POST", "/internal/v1/{action}", Need.OWNER),
    # what leads nowhere says so, to those who may know what does
    _read(_NOWHERE),
)

_MOUNTS = frozenset({"/assets"})
_NOTHING = Decision("GET", "/internal/", Need.OWNER)
"""Below the owner's addresses there is nothing to read by GET, and its token is none of ours."""

_UNDECIDED = Decision("", "", Need.REFUSED)


def decide(method: str, path: str) -> Decision:
    """The decision about a request: the first whose path fits; a method that no line names is refused where it could act."""
    method = "GET" if method == "HEAD" else method
    for pattern, methods, decision in _compiled():
        if method in methods and pattern.match(path):
            return _NOTHING if decision.path == _NOWHERE and path.startswith("/internal/") else decision
    return _UNDECIDED if method in UNSAFE else Decision(method, path, Need.READ)


@lru_cache(maxsize=1)
def _compiled() -> list[tuple[re.Pattern[str], frozenset[str], Decision]]:
    """As routes are matched; a mount (`/assets`) has all that is below it."""
    found = []
    for one in DECISIONS:
        path = one.path + "/{path:path}" if one.path in _MOUNTS else one.path
        found.append((compile_path(path)[0], frozenset(one.methods.split()), one))
    return found
