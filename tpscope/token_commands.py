"""`tpscope token create|list|revoke`: who may come in, and how far."""

from typing import Annotated

import typer

from core.access import Scope
from tpscope.options import ConfigOption, JsonOption, StoreOption, duration_option, settings_of

token_app = typer.Typer(no_args_is_help=True, help="Tokens for people and programs: make, list, revoke.")


@token_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is or what for; the audit names it.")],
    scope: Annotated[Scope, typer.Option(help="read; operate: also act and send calls; admin: also the audit.")] = Scope.READ,
    tenant: Annotated[
        list[str] | None, typer.Option(help="Only this tenant's rows, by the API alone; may be given several times.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="How long it holds, for example 90d; default: for good.")] = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make a token and print it, this once: only its hash is kept."""
    from tpscope.tokens import run_create

    span = duration_option("--expires", expires) if expires else None
    return run_create(settings_of(config, store), name, scope, tuple(tenant or ()), span, as_json=as_json)


@token_app.command("list")
def list_(config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """List tokens, those that no longer hold too; their secrets are not kept."""
    from tpscope.tokens import run_list

    return run_list(settings_of(config, store), as_json=as_json)


@token_app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `token list` shows it.")],
    config: ConfigOption = None,
    store: StoreOption = None,
) -> int:
    """Let a token end now, and every login that was begun with it."""
    from tpscope.tokens import run_revoke

    return run_revoke(settings_of(config, store), token)
