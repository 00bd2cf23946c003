"""`tpscope token`: the secret is printed once, and opens what it says until it is revoked."""

import json
from pathlib import Path

import pytest

from core.access import Scope, hash_of, id_of
from core.clock import FakeClock, SystemClock
from core.config import Settings
from core.errors import ConfigError
from dashboards.access.directory import Directory
from storage.audit import read_audit
from tests.support.stores import chdb_store
from tpscope.tokens import run_create, run_list, run_revoke


def test_a_token_is_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings.model_validate({"store": {"url": f"chdb://{tmp_path / 'store'}"}})
    assert run_create(settings, "ada", Scope.OPERATE, ("shop",), None, as_json=False) == 0
    out, err = capsys.readouterr()
    secret = out.strip()
    assert out == f"{secret}\n"
    assert secret not in err
    assert run_list(settings, as_json=True) == 0
    listed = capsys.readouterr().out
    assert secret.rsplit("_", 1)[1] not in listed
    assert hash_of(secret) not in listed
    one = json.loads(listed)["tokens"][0]
    assert (one["id"], one["name"], one["scope"], one["tenants"], one["state"]) == (
        id_of(secret), "ada", "operate", ["shop"], "valid",
    )  # fmt: skip
    with chdb_store(tmp_path) as store:
        assert Directory(store, settings.web, SystemClock()).token_of(secret) is not None
    assert run_revoke(settings, id_of(secret)) == 0
    with chdb_store(tmp_path) as store:
        assert Directory(store, settings.web, SystemClock()).token_of(secret) is None
        assert not Directory(store, settings.web, FakeClock(SystemClock().now())).anybody()
        assert [one.action for one in read_audit(store)] == ["token.revoke", "token.create"]
    with pytest.raises(ConfigError, match="there is no token 'nosuch'"):
        run_revoke(settings, "nosuch")
    wrong: list[tuple[str, Scope, tuple[str, ...]]] = [
        (" ", Scope.READ, ()),
        ("x", Scope.ADMIN, ("shop",)),
        ("x", Scope.READ, ("",)),
    ]
    for name, scope, tenants in wrong:
        with pytest.raises(ConfigError):
            run_create(settings, name, scope, tenants, None, as_json=False)
