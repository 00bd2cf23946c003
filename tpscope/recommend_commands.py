"""`tpscope recommend`: what could be better, and what became of it."""

from typing import Annotated

import typer

from core.recommendations import RecommendationState
from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of

recommend_app = typer.Typer(no_args_is_help=True, help="What could be better: found daily, with evidence and predicted effect.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `list` writes it.")]


@recommend_app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Also what was dismissed or is found no more.")] = False,
    fresh: Annotated[bool, typer.Option("--now", help="Look at the latest calls first, instead of once a day.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Recommendations that are open or accepted, the largest gain first."""
    from tpscope.recommending import run_list

    return run_list(settings_of(config, store), everything=everything, fresh=fresh, as_json=as_json)


@recommend_app.command("show")
def show(
    recommendation: IdArgument, config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False
) -> int:
    """One recommendation with its evidence, its predicted effect, how to verify it, and what came of it."""
    from tpscope.recommending import run_show

    return run_show(settings_of(config, store), recommendation, as_json=as_json)


@recommend_app.command("accept")
def accept(
    recommendation: IdArgument,
    why: Annotated[str, typer.Option("--why", help="For whoever asks later.")] = "",
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say that it is done from now on; what comes after is measured against what was predicted."""
    from tpscope.recommending import run_decide

    return run_decide(settings_of(config, store), recommendation, RecommendationState.ACCEPTED, why, as_json=as_json)


@recommend_app.command("dismiss")
def dismiss(
    recommendation: IdArgument,
    why: Annotated[str, typer.Option("--why", help="The reason; it is not made again.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say that it is not wanted, and why."""
    from tpscope.recommending import run_decide

    return run_decide(settings_of(config, store), recommendation, RecommendationState.DISMISSED, why, as_json=as_json)
