"""`tpscope tenants`: what is kept of single tenants."""

from typing import Annotated

import typer

from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of

tenant_app = typer.Typer(no_args_is_help=True, help="What is kept of single tenants.")


@tenant_app.callback()
def tenants() -> None:
    """What is kept of single tenants."""


@tenant_app.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="The tenant, as the calls name it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Delete one tenant's data for good and leave all else equal; the audit notes it."""
    from tpscope.tenants import run_tenant_deletion

    return run_tenant_deletion(settings_of(config, store), name, sure=yes, as_json=as_json)
