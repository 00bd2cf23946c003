"""The application behind its login, in this process, with a token for every role."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from core.access import ApiToken, Scope, hash_of, new_token
from core.clock import FakeClock
from core.config import Settings
from dashboards.server import create_app
from ingest.formats import build_format
from ingest.intake import build_intake
from ingest.posted import PostedCalls
from storage.contract import Store
from storage.tokens import write_token
from tests.support.fill import Filled, fill
from tests.support.in_process import InProcess, in_process
from tests.support.shared import shared
from tests.support.stores import chdb_store
from tpscope.predicting import predictor_of

OWNER_TOKEN = "the-owner's-token"
ADDRESS = ("203.0.113.9", 50_000)
"""Where the clients of tests come from: no address of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running application; `tokens` has the secret of each role: read, operate, admin, tenant, tenants, expired, revoked."""

    app: FastAPI
    client: InProcess
    store: Store
    settings: Settings
    clock: FakeClock
    filled: Filled
    tokens: dict[str, str]

    def as_(self, role: str, **more: str) -> dict[str, str]:
        """Headers of a request by that role; none for nobody."""
        return {"Authorization": f"Bearer {self.tokens[role]}", **more} if role in self.tokens else dict(more)


@contextmanager
def site(factory: pytest.TempPathFactory, name: str, *, empty: bool = False, **web: Any) -> Iterator[Site]:
    """The application over a day of traffic, or with nothing in it; its clock stands at `filled.now` until a test moves it."""
    folder = factory.mktemp(name)
    source, filled = shared(factory, "filled-day", lambda: _filled_day(factory))
    if not empty:
        shutil.copytree(Path(source) / "store", folder / "store", symlinks=True)
    given: dict[str, Any] = {"host": "0.0.0.0", "rate_limit": 1_000_000, **web}
    errors = {"metric": "error_rate", "at_most": 0.05}
    tenants = [{"name": f"errors of {name}", "selector": {"tenant": name}, **errors} for name in ("team-1", "team-2")]
    objectives = [{"name": "few errors", **errors}, *tenants]
    settings = Settings.model_validate({"web": given, "objectives": objectives})
    with chdb_store(folder) as store:
        clock = FakeClock(filled.now)
        tokens = _tokens(store, clock)
        intake = build_intake(settings, build_format(settings.kafka.format, {}))
        sink = PostedCalls(lambda: intake, store, settings, clock)
        app = create_app(store, settings, clock, token=OWNER_TOKEN, sink=sink, predictor=predictor_of(store))
        with in_process(app, ADDRESS) as client:
            yield Site(app=app, client=client, store=store, settings=settings, clock=clock, filled=filled, tokens=tokens)


def _filled_day(factory: pytest.TempPathFactory) -> tuple[str, Filled]:
    """A store that is filled once in a run of the tests, to be copied; where it is, and what is in it."""
    folder = factory.mktemp("filled-day")
    with chdb_store(folder) as store:
        filled = fill(store, days=1, per_minute=12)
    return str(folder), filled


def _tokens(store: Store, clock: FakeClock) -> dict[str, str]:
    now = clock.now()
    roles: dict[str, dict[str, Any]] = {
        "read": {"scope": Scope.READ},
        "operate": {"scope": Scope.OPERATE},
        "admin": {"scope": Scope.ADMIN},
        "tenant": {"scope": Scope.OPERATE, "tenants": ("team-1",)},
        "tenants": {"scope": Scope.READ, "tenants": ("team-1", "team-2")},
        "expired": {"scope": Scope.ADMIN, "expires_at": now - timedelta(seconds=1)},
        "revoked": {"scope": Scope.ADMIN, "revoked_at": now - timedelta(seconds=1)},
    }
    secrets: dict[str, str] = {}
    for role, what in roles.items():
        id_, secrets[role] = new_token()
        token = {"tenants": (), "created_at": now, "created_by": "tests", **what}
        write_token(store, ApiToken(id=id_, name=f"the {role}", hash=hash_of(secrets[role]), **token))
    return secrets
