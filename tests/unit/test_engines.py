"""A missing engine skips its tests, or fails them where the environment says that all engines must be there."""

import pytest

from core.errors import NotInstalledError
from tests.support.engines import EngineMissing, started


def missing() -> None:
    raise EngineMissing("no broker here")


def missing_extra() -> None:
    raise NotInstalledError("the broker", extra="demo")


def test_what_is_there_is_given() -> None:
    assert started(lambda: 7) == 7


@pytest.mark.parametrize("value", [None, "", "0"])
def test_a_missing_engine_skips(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("TPSCOPE_REQUIRE_ENGINES", raising=False)
    else:
        monkeypatch.setenv("TPSCOPE_REQUIRE_ENGINES", value)
    with pytest.raises(pytest.skip.Exception, match="no broker here"):
        started(missing)
    with pytest.raises(pytest.skip.Exception, match="pip install"):
        started(missing_extra)


def test_a_missing_engine_fails_where_all_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPSCOPE_REQUIRE_ENGINES", "1")
    with pytest.raises(pytest.fail.Exception, match="no broker here"):
        started(missing)


def test_an_engine_that_is_there_but_breaks_is_never_skipped() -> None:
    def broken() -> None:
        raise RuntimeError("kafka did not start")

    with pytest.raises(RuntimeError, match="did not start"):
        started(broken)
