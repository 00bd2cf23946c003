"""The command line. Exit 0: done; 1: found what it was asked to look for; 2: bad input, with one line on stderr.

Each command parses its options and hands over; what it does lives in a module of its own.
"""

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from core.errors import TpscopeError
from core.load import load_settings
from tpscope.alert_commands import alert_app, silence_app
from tpscope.backtest_commands import backtest_app
from tpscope.baseline_commands import baseline_app
from tpscope.change_commands import change_app
from tpscope.dead_letter_commands import dead_letter_app
from tpscope.gate_commands import gate
from tpscope.mask_commands import mask_app
from tpscope.objective_commands import objective_app
from tpscope.options import (
    ConfigOption,
    DaskOption,
    JsonOption,
    StoreOption,
    duration_option,
    print_json,
    settings_of,
    time_option,
)
from tpscope.recommend_commands import recommend_app
from tpscope.review_commands import review_app
from tpscope.run_commands import run_app
from tpscope.tenant_commands import tenant_app
from tpscope.token_commands import token_app
from tpscope.workload_commands import workload_app

app = typer.Typer(
    name="tpscope",
    help="Sees what the traffic of API, AI and LLM gateways does, says what went wrong and when capacity runs out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(no_args_is_help=True, help="Check, show or describe the configuration.")
app.add_typer(config_app, name="config")
app.add_typer(backtest_app, name="backtest")
app.add_typer(alert_app, name="alerts")
app.add_typer(silence_app, name="silences")
app.add_typer(dead_letter_app, name="dead-letters")
app.add_typer(tenant_app, name="tenants")
app.add_typer(baseline_app, name="baseline")
app.add_typer(mask_app, name="masks")
app.add_typer(token_app, name="token")
app.add_typer(objective_app, name="objectives")
app.add_typer(run_app, name="runs")
app.add_typer(recommend_app, name="recommend")
app.add_typer(change_app, name="changes")
app.add_typer(review_app, name="review")
app.command("gate")(gate)
app.add_typer(workload_app, name="workload")


class ExportKind(StrEnum):
    FORECASTS = "forecasts"
    ANOMALIES = "anomalies"
    INCIDENTS = "incidents"
    CALLS = "calls"
    SERIES = "series"


class ServeRole(StrEnum):
    ALL = "all"
    INGEST = "ingest"
    JOBS = "jobs"
    WEB = "web"


def main() -> NoReturn:
    """Entry point: every expected error is one line on stderr and exit code 2."""
    try:
        result = app(standalone_mode=False)
    except TpscopeError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error of the command line
            _fail(f"{error.format_message()}; see tpscope --help")
        raise
    sys.exit(result if isinstance(result, int) else 0)


@app.command()
def demo(
    scenario: Annotated[str, typer.Option(help="marketflow, securewealth or edgestream.")] = "marketflow",
    rate: Annotated[float, typer.Option(min=0.5, max=500, help="Mean calls a second, of history and live traffic.")] = 5.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages; 0 picks a free one.")] = 8080,
    directory: Annotated[Path, typer.Option("--dir", help="Where it keeps its data; cleared at each start.")] = Path(
        "tpscope-demo"
    ),
    calls: Annotated[str, typer.Option(help="How much history is made as single calls.")] = "2w",
    hours: Annotated[str, typer.Option(help="How much history is made as hourly rollups.")] = "8w",
    run_for: Annotated[str | None, typer.Option("--for", help="End by itself after this time, for example 5m.")] = None,
    speed: Annotated[float, typer.Option(min=1, max=20, help="Run the demo's clock faster, to rehearse.", hidden=True)] = 1.0,
) -> int:
    """Run everything embedded on simulated traffic: pages, an incident, its alert, a forecast."""
    from tpscope.demo import DemoOptions, run_demo
    from tpscope.process import prepare_process

    stop = prepare_process(level="WARNING")
    options = DemoOptions(
        scenario=scenario,
        rate=rate,
        directory=directory,
        port=port,
        calls_span=duration_option("--calls", calls),
        hours_span=duration_option("--hours", hours),
        run_for=duration_option("--for", run_for) if run_for else None,
        speed=speed,
    )
    return run_demo(options, Console(), stop)


@app.command()
def serve(
    config: ConfigOption = None,
    role: Annotated[ServeRole, typer.Option(help="Which part this process plays.")] = ServeRole.ALL,
    store: StoreOption = None,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> int:
    """Run the service: consume, judge, alert and show, until SIGTERM."""
    from tpscope.process import run_serve

    return run_serve(config, store, role.value, log_level)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Past logs: .ndjson, .jsonl, .csv, .parquet, each also .gz.")],
    format_: Annotated[
        str, typer.Option("--format", help="`tpscope`, `auto`, another built-in one or a name under `formats`.")
    ] = "tpscope",
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Read past logs; a file that was read before is not read twice, an interrupted import goes on."""
    from tpscope.importing import run_import

    return run_import(settings_of(config, store), files, format_, as_json=as_json)


@app.command()
def inspect(
    target: Annotated[str, typer.Argument(metavar="TOPIC|FILE", help="A topic of kafka.brokers, or a file of past logs.")],
    format_: Annotated[
        str | None, typer.Option("--format", help="Read all records with this format, instead of recognising each.")
    ] = None,
    records: Annotated[int, typer.Option(min=3, max=10_000, help="How many records to look at.")] = 300,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Look at some records: name the format that reads them, or propose a mapping; exit 1 when none can be read."""
    from tpscope.inspecting import run_inspect

    return run_inspect(settings_of(config, None), target, format_, records, as_json=as_json)


@app.command()
def simulate(
    to: Annotated[str, typer.Option(help="`kafka`, a file, or `-` for standard output.")],
    scenario: Annotated[str, typer.Option(help="marketflow, securewealth or edgestream.")] = "marketflow",
    rate: Annotated[float, typer.Option(min=0.01, help="Mean calls a second.")] = 5.0,
    last: Annotated[str, typer.Option(help="How much traffic, ending now; for kafka: how long to go on live.")] = "1h",
    start: Annotated[str | None, typer.Option("--from", help="Start time (RFC 3339), instead of ending now.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed and start give the same calls.")] = 1,
    config: ConfigOption = None,
) -> int:
    """Write simulated gateway logs, with the truth of their incidents beside them."""
    from tpscope.simulate.command import run_simulate

    return run_simulate(
        settings_of(config, None), scenario, rate, to, duration_option("--last", last), time_option("--from", start), seed
    )


@app.command()
def export(
    kind: Annotated[ExportKind, typer.Argument(help="What to export.")],
    to: Annotated[Path, typer.Option("--to", help="File: .csv, .json, .parquet or .xlsx; forecasts also .html, .png.")],
    metric: Annotated[str | None, typer.Option(help="Only this metric (forecasts, anomalies); which series.")] = None,
    selector: Annotated[str, typer.Option(help='Which calls, for example provider="openai".')] = "",
    start: Annotated[str | None, typer.Option("--from", help="Start time (RFC 3339).")] = None,
    end: Annotated[str | None, typer.Option("--until", help="End time (RFC 3339); default: now.")] = None,
    last: Annotated[str, typer.Option(help="Span that ends at --until when --from is not given.")] = "7d",
    step: Annotated[str, typer.Option(help="Width of a point of a series.")] = "1h",
    config: ConfigOption = None,
    store: StoreOption = None,
) -> int:
    """Write results to a file, with units and where they come from."""
    from tpscope.exports import ExportRequest, run_export

    until = time_option("--until", end) or datetime.now(UTC)
    request = ExportRequest(
        kind=kind.value,
        metric=metric,
        selector=selector,
        start=time_option("--from", start) or until - duration_option("--last", last),
        end=until,
        step=duration_option("--step", step),
    )
    rows = run_export(settings_of(config, store), request, to)
    Console(stderr=True).print(f"{rows:,} rows written to {to}")
    return 0


@app.command()
def forecast(
    target: Annotated[Path, typer.Argument(metavar="FILE_OR_FOLDER", help="`timestamp,value` as .csv or .csv.gz.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; relative paths are kept.")],
    horizon: Annotated[str, typer.Option(help="How far ahead, for example 1h, 28d or 13w.")] = "28d",
    country: Annotated[str, typer.Option(help="Public holidays of this country, for example DE or DE-BY, are days off.")] = "",
    jobs: Annotated[int, typer.Option(min=0, help="Processes at most; 0: one a processor.")] = 0,
    dask: DaskOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Forecast any series with quantiles, by the engine that the service uses."""
    from tpscope.forecasting import known_beforehand, run_forecast

    known = known_beforehand(settings_of(config, None), country)
    ahead = duration_option("--horizon", horizon)
    return run_forecast(target, ahead, out, jobs=jobs, as_json=as_json, known=known, scheduler=dask)


@app.command()
def analyze(
    start: Annotated[
        str | None, typer.Option("--from", help="Start time (RFC 3339); default: the first stored minute.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--until", "--to", help="End time (RFC 3339); default: the last stored minute.")
    ] = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Judge stored history as if it were live; exit 1 when it holds anomalies."""
    from tpscope.analyzing import run_analyze

    first, last = time_option("--from", start), time_option("--until", end)
    return run_analyze(settings_of(config, store), first, last, as_json=as_json)


@app.command()
def detect(
    source: Annotated[Path, typer.Argument(metavar="FILE_OR_FOLDER", help="CSV of timestamp,value (also .csv.gz), or many.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the verdicts; relative paths are kept.")],
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each processor.")] = 0,
    dask: DaskOption = None,
    as_json: JsonOption = False,
) -> int:
    """Judge any series, point by point, each from its own past alone."""
    from tpscope.detecting import run_detect

    return run_detect(source, out, jobs, as_json=as_json, scheduler=dask)


@app.command()
def whatif(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO.yaml", help="What would have been different, and when.")],
    picture: Annotated[Path | None, typer.Option("--picture", help="Draw the prediction into this .png file.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same.")] = 1,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Replay logged calls through a change; exit 1 when the calls cannot support an answer."""
    from tpscope.whatif import run_whatif

    return run_whatif(settings_of(config, store), scenario, picture, seed, as_json=as_json)


@app.command()
def status(config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Say how the store, the pipeline and the jobs are; exit 1 when something needs attention."""
    from tpscope.status import run_status

    return run_status(settings_of(config, store), as_json=as_json)


@config_app.command("check")
def config_check(config: ConfigOption = None) -> int:
    """Check the configuration; one line says what is wrong and where."""
    from core.calendars import load_calendars  # brings pandas, for which the other commands need not wait

    settings = load_settings(config)
    load_calendars(settings)
    used = [f"{len(settings.rules)} rules", f"{len(settings.receivers)} receivers", f"{len(settings.formats)} formats"]
    Console().print(f"{config or 'defaults'}: valid ({', '.join(used)})", highlight=False, soft_wrap=True)
    return 0


@config_app.command("show")
def config_show(config: ConfigOption = None) -> int:
    """Print the whole configuration in force, defaults and variables included, secrets redacted."""
    print_json(load_settings(config).model_dump(mode="json"))
    return 0


@config_app.command("schema")
def config_schema() -> int:
    """Print the JSON schema of the configuration file, for editors."""
    from core.config import Settings

    print_json(Settings.model_json_schema())
    return 0


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"tpscope: {message}\n")
    sys.exit(2)
