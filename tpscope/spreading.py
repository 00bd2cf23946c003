"""Where work on many files runs: in processes of this machine, or on the workers of a Dask cluster.

Both are backends of joblib, so what is run does not know which it is.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joblib import parallel_config

from core.errors import ConfigError

_OPTION = "--dask"
_CONNECT_S = 10
"""How long a scheduler may take to answer, and its first worker to be there."""


@contextmanager
def spread(jobs: int, scheduler: str | None = None) -> Iterator[int]:
    """How many tasks joblib runs at once within: `jobs` (0: one a processor), or one for each thread of the cluster's workers.

    Workers read and write the files themselves: folders must have the same path on every machine, and the same tpscope.
    Raises ConfigError for a scheduler that cannot be reached, and for one without workers.
    """
    if scheduler is None:
        yield jobs if jobs > 0 else os.cpu_count() or 1
        return
    client = _connected(scheduler)
    try:
        threads = sum(client.nthreads().values())
        if threads == 0:
            raise ConfigError(_OPTION, f"the scheduler at {scheduler} has no worker; start one: dask worker {scheduler}")
        with parallel_config(backend="dask", wait_for_workers_timeout=_CONNECT_S):
            yield min(jobs, threads) if jobs > 0 else threads
    finally:
        client.close()


def _connected(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(_OPTION, "needs Dask; install it with: pip install 'tpscope[cluster]'") from error
    connect: Any = Client
    try:
        return connect(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise ConfigError(_OPTION, f"no Dask scheduler answers at {scheduler!r}; give it as tcp://HOST:8786") from error
