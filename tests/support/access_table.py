"""Who may use which route, as people decided it: written out once more beside the code, so that a change of either is seen.

A route that the application has and this table has not fails a test: whoever adds one decides here who may use it.
"""

from collections.abc import Mapping

EVERYBODY = frozenset({"nobody", "wrong", "expired", "revoked", "read", "operate", "admin", "tenant", "session", "proxy"})
ACTING = frozenset({"operate", "admin", "session", "proxy"})
"""`session` and `proxy` are those of people who may operate."""
READING = ACTING | {"read"}

_PUBLIC = """
GET /healthz /readyz /login /act /_favicon.ico /assets /_dash-component-suites/{package_name}/{fingerprinted_path:path}
POST /login /logout /act
"""
_OWNERS = """
GET /internal/v1/tenants/deletions
POST /internal/v1/tenants/delete /internal/v1/{action}
"""
_READ = """
GET /metrics /account / /explore /explore/files/{part} /llm /llm/files/{part} /calls /call /forecast /incidents /objectives
GET /pipeline /what-if /recommendations /_dash-layout /_dash-dependencies /_reload-hash /{path:path}
POST /_dash-update-component
GET /reviews /reviews/{review_id} /api/v1/reviews /api/v1/reviews/{review_id} /api/v1/reviews/{review_id}/page
GET /api/v1/reviews/{review_id}/tables
GET /api/v1/silences /api/v1/capacity /api/v1/status /api/v1/recommendations /api/v1/recommendations/{recommendation_id}
"""
_READ_BY_TENANTS = """
GET /api/v1/openapi.json /api/docs /api/docs/{name} /api/v1/session /api/v1/series /api/v1/calls
GET /api/v1/anomalies /api/v1/anomalies/{anomaly_id} /api/v1/incidents /api/v1/incidents/{incident_id}
GET /api/v1/forecasts /api/v1/forecasts/points /api/v1/objectives /api/v1/baselines /api/v1/baselines/points
GET /api/v1/masks /api/v1/changes /api/v1/changes/{change_id} /api/v1/what-if/{run_id}
GET /api/v1/exports/series /api/v1/exports/calls /api/v1/exports/anomalies /api/v1/exports/incidents /api/v1/exports/forecasts
GET /prometheus/query /prometheus/query_range /prometheus/query_exemplars /prometheus/labels /prometheus/series
POST /prometheus/query /prometheus/query_range /prometheus/query_exemplars /prometheus/labels /prometheus/series
GET /prometheus/label/{name}/values /prometheus/metadata /prometheus/rules /prometheus/alerts /prometheus/status/buildinfo
"""
_ACT = """
POST /api/v1/silences /api/v1/silences/{silence_id}/end /api/v1/masks /api/v1/masks/{mask_id}/end /api/v1/changes
POST /api/v1/recommendations/{recommendation_id}/decision
"""
_ACT_BY_TENANTS = """
POST /api/v1/incidents/{incident_id}/actions /api/v1/calls /api/v1/what-if /api/v1/what-if/{run_id}/cancel
"""
_ADMIN = """
GET /api/v1/audit
"""


def _table() -> dict[tuple[str, str], frozenset[str]]:
    by_roles = (
        (_PUBLIC, EVERYBODY),
        (_OWNERS, EVERYBODY),  # past the door; the route itself asks for the token of the store's owner
        (_READ, READING),
        (_READ_BY_TENANTS, READING | {"tenant"}),
        (_ACT, ACTING),
        (_ACT_BY_TENANTS, ACTING | {"tenant"}),
        (_ADMIN, frozenset({"admin"})),
    )
    table = {}
    for text, roles in by_roles:
        for line in text.strip().splitlines():
            method, *paths = line.split()
            for path in paths:
                table[method, path.replace("/prometheus/", "/api/v1/prometheus/api/v1/")] = roles
    return table


ALLOWED: Mapping[tuple[str, str], frozenset[str]] = _table()
"""Method and path of each route → the roles that get past its door."""
