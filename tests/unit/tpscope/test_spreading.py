"""Work on many files runs on the workers of a Dask cluster as it does in processes of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import LocalCluster

from core.errors import ConfigError
from tpscope import spreading
from tpscope.detecting import run_detect
from tpscope.forecasting import run_forecast
from tpscope.guarded import free_port


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """The address of a scheduler with workers of one thread, which speak over the network."""
    start: Any = LocalCluster
    with start(n_workers=workers, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None) as running:
        yield running.scheduler_address


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        values = 10 + np.sin(np.arange(200) / 4) + rng.normal(0, 0.1, 200)
        lines = [f"2026-03-{1 + hour // 24:02} {hour % 24:02}:00:00,{value:.3f}" for hour, value in enumerate(values)]
        (folder / f"{name}.csv").write_text("\n".join(["timestamp,value", *lines]) + "\n")
    return folder


def test_a_cluster_writes_what_this_machine_would(series: Path, tmp_path: Path) -> None:
    here, there, day = tmp_path / "here", tmp_path / "there", timedelta(days=1)
    with cluster(1) as address:
        for out, scheduler in ((here, None), (there, address)):
            assert run_detect(series, out, 1, as_json=False, scheduler=scheduler) == 0
            run_forecast(series, day, out / "ahead", jobs=1, as_json=False, scheduler=scheduler)
    written = {path.relative_to(here): path.read_bytes() for path in here.rglob("*.csv")}
    assert len(written) == 4
    assert {path.relative_to(there): path.read_bytes() for path in there.rglob("*.csv")} == written


def test_a_scheduler_without_workers_is_refused() -> None:
    with (
        cluster(0) as address,
        pytest.raises(ConfigError, match=f"has no worker; start one: dask worker {address}"),
        spreading.spread(0, address),
    ):
        pass


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "_CONNECT_S", 0.3)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ConfigError, match=f"no Dask scheduler answers at '{address}'"), spreading.spread(0, address):
        pass
    with pytest.raises(ConfigError, match="no Dask scheduler answers at 'nonsense://x'"), spreading.spread(0, "nonsense://x"):
        pass
