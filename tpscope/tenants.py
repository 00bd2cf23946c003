"""`tpscope tenants delete`: one tenant's data, after a question, noted in the audit."""

import getpass
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import typer
from rich.console import Console

from core.config import Settings
from core.errors import ConfigError
from storage.tenants import TenantDeletion, TenantTraces, delete_tenant, traces_of
from tpscope.options import print_json
from tpscope.reading import reading


def run_tenant_deletion(settings: Settings, tenant: str, *, sure: bool, as_json: bool) -> int:
    """Delete a tenant's data; exit code 1 when its calls still come in, or others write to the same minutes."""
    console = Console(stderr=True, soft_wrap=True)
    with reading(settings) as store:
        try:
            traces = traces_of(store, tenant)
        except ValueError as error:
            raise ConfigError("tenants delete", str(error)) from None
        if not traces.any:
            raise ConfigError("tenants delete", f"nothing is kept of a tenant {tenant!r}; check how its name is written")
        if not sure:
            _ask(console, tenant, traces)
        with console.status("deleting") as status:
            deletion = delete_tenant(
                store, tenant, actor=actor(), now=datetime.now(UTC), progress=lambda step: status.update(step)
            )
    if as_json:
        print_json({"tenant": tenant, "complete": deletion.complete, **asdict(deletion)})
    else:
        for line in _lines(tenant, deletion):
            console.print(line, highlight=False, markup=False)
    return 0 if deletion.complete else 1


def _ask(console: Console, tenant: str, traces: TenantTraces) -> None:
    if not sys.stdin.isatty():
        raise ConfigError("tenants delete", "asks before it deletes; on no terminal give --yes")
    console.print(f"tenant {tenant!r}: {_counts(traces)}", highlight=False, markup=False)
    if not typer.confirm("Delete all of this? It cannot be undone.", err=True):
        raise ConfigError("tenants delete", "nothing was deleted")


def _lines(tenant: str, deletion: TenantDeletion) -> list[str]:
    if deletion.unsettled:
        return [
            f"nothing of tenant {tenant!r} was deleted: {deletion.unsettled:,} minutes or seconds that it shares with others "
            "are still written to; run this again when their calls have arrived"
        ]
    lines = [f"deleted of tenant {tenant!r}: {_counts(deletion.removed)}; {deletion.hours:,} hours were made anew"]
    if deletion.left:
        lines.append(f"{deletion.left:,} calls have come in since; run this again when it sends no more")
    return lines


def _counts(traces: TenantTraces) -> str:
    found = {name.replace("_", " "): count for name, count in asdict(traces).items() if count}
    return ", ".join(f"{count:,} {name}" for name, count in found.items()) or "nothing"


def actor() -> str:
    """The machine's user; a process may have none that has a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
