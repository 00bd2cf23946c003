"""The pipeline page: layout, and the HTML of what `dashboards.pipeline` has read."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import html

from core.types import Watermark
from dashboards.overview import since
from dashboards.pages.cards import drawn
from dashboards.pages.controls import span_words, windows
from dashboards.pages.words import legend, notice, percent, table, tile, tile_value, when
from dashboards.pipeline import DEFAULT_LAST, RECENT, Job, PipelineData, Sample
from render.units import format_bytes, format_number, format_span

PATH = "/pipeline"


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            html.Div([html.H1("Pipeline"), html.Div(id="pipeline-span", className="muted")], className="heading"),
            html.Div(windows(PATH, DEFAULT_LAST), className="controls"),
            html.Div(notice("Loading …"), id="pipeline-body"),
        ]
    )


def body(data: PipelineData, zone: ZoneInfo) -> list[Any]:
    """Tiles, arrivals, partitions, dead letters, jobs, tables."""
    return [
        html.Div(_tiles(data, zone), className="tiles"),
        _arrivals(data),
        _partitions(data, zone),
        _letters(data, zone),
        _jobs(data, zone),
        _tables(data, zone),
    ]


def summary(data: PipelineData, zone: ZoneInfo, now: datetime) -> list[Any]:
    return span_words(data.window, zone, now)


def _tiles(data: PipelineData, zone: ZoneInfo) -> list[Any]:
    status = data.status
    age = "no calls yet" if status.age is None else format_span(status.age)
    newest = status.freshness.newest
    behind = sum(one.lag for one in data.partitions)
    letters = sum(status.dead_letters.values())
    leader = (
        "none has claimed it" if data.leader_since is None else f"since {data.leader_since.astimezone(zone):%a %d %b %H:%M}"
    )
    rate = "none" if data.rate != data.rate else f"{format_number(data.rate)} calls/s"
    return [
        tile(
            "Freshness", tile_value(age), f"newest minute {newest.astimezone(zone):%H:%M}" if newest else "nothing has arrived"
        ),
        tile(f"Written, last {format_span(RECENT)}", tile_value(*rate.split(" ", 1)), "of whole minutes"),
        tile("Lag", tile_value(f"{behind:,}", "records"), f"over {len(data.partitions)} partitions"),
        tile("Dead letters", tile_value(f"{letters:,}"), "not replayed"),
        tile("Store", tile_value(*format_bytes(data.store.bytes_on_disk).split(" ", 1)), f"{data.store.calls:,} calls"),
        tile("Active jobs process", tile_value(f"epoch {data.epoch}"), leader),
    ]


def _arrivals(data: PipelineData) -> Any:
    title = "Calls written (calls/s, by the time they were made)"
    if data.figure is None:
        return html.Section([html.H2(title), notice("No calls in this window.")], className="card")
    return drawn(
        "pipeline", "arrivals", title, data.figure, legend(data.legend), remark=f"every {format_span(data.window.step)}"
    )


def _partitions(data: PipelineData, zone: ZoneInfo) -> Any:
    title = html.H2("Partitions")
    if not data.partitions:
        return html.Section(
            [title, notice("Nothing has been read from Kafka: calls were imported, or posted.")], className="panel"
        )
    head = ("Partition", "Lag (records)", "Next offset", "Arrives after", "Last batch", "Records", "Attempts")
    caption = "Partitions: what was not read yet, and how long calls take to arrive (95th percentile of the last batch)"
    rows = [_partition(one, data.status.now, zone) for one in data.partitions]
    return html.Section(
        [title, table(head, rows, caption=caption, numeric=(1, 2, 3, 5, 6)), html.P(f"{caption}.", className="muted")],
        className="panel",
    )


def _partition(one: Watermark, now: datetime, zone: ZoneInfo) -> list[Any]:
    return [
        f"{one.topic}/{one.partition}",
        f"{one.lag:,}",
        f"{one.next_offset:,}",
        f"{format_number(one.delay_s)} s",
        [when(one.arrived_at, zone), html.Div(since(one.arrived_at, now), className="muted")],
        f"{one.records:,}",
        str(one.attempts),
    ]


def _letters(data: PipelineData, zone: ZoneInfo) -> Any:
    title = html.H2("Dead letters")
    counts = data.status.dead_letters
    if not counts:
        return html.Section([title, notice("Every record could be read.", tone="good")], className="panel")
    reasons = [[reason, f"{count:,}"] for reason, count in sorted(counts.items(), key=lambda item: -item[1])]
    rows = [_sample(one, zone) for one in data.samples]
    return html.Section(
        [
            title,
            table(("Reason", "Letters"), reasons, caption="Dead letters by reason", numeric=(1,)),
            html.H3("The newest"),
            table(("Received", "Where", "Why", "Size", "Fields"), rows, caption="The newest dead letters", numeric=(3,)),
            html.P(
                ["Records are shown without what is in them. ", html.Code("tpscope dead-letters show"), " prints one; ",
                 html.Code("tpscope dead-letters replay"), " reads them again."],
                className="muted",
            ),
        ],
        className="panel",
    )  # fmt: skip


def _sample(one: Sample, zone: ZoneInfo) -> list[Any]:
    why = [html.Div(one.reason), html.Div(one.detail[:160], className="muted")]
    return [when(one.received_at, zone), one.where, why, format_bytes(one.size_bytes), html.Span(one.fields, className="muted")]


def _jobs(data: PipelineData, zone: ZoneInfo) -> Any:
    head = ("Job", "Last success", "Took", "Every", "Due", "Done up to", "Failures, 1 d", "State")
    rows = [_job(one, data.status.now, zone) for one in data.jobs]
    return html.Section([html.H2("Jobs"), table(head, rows, caption="Jobs of the service", numeric=(2, 6))], className="panel")


def _job(one: Job, now: datetime, zone: ZoneInfo) -> list[Any]:
    state = one.state
    ran = state.last_success_at is not None
    if one.failing:
        verdict = [html.Span("✕ failing", className="verdict verdict-bad"), html.Div(state.last_error[:200], className="muted")]
    else:
        verdict = [
            html.Span("✓ well", className="verdict verdict-good") if ran else html.Span("– has not run", className="muted")
        ]
    due = one.due_at
    return [
        state.name,
        since(state.last_success_at, now) if state.last_success_at else "never",
        f"{state.duration_s:.2f} s" if ran else "–",
        format_span(one.every) if one.every else "as needed",
        "–" if due is None else "now" if due <= now else f"in {format_span(due - now)}",
        when(state.cursor, zone) if state.cursor else "–",
        str(one.failures),
        verdict,
    ]


def _share(part: float) -> str:
    return "< 1 %" if 0 < part < 0.005 else percent(part)


def _tables(data: PipelineData, zone: ZoneInfo) -> Any:
    whole = max(sum(one.bytes for one in data.tables), 1)
    rows = [
        [
            one.name,
            f"{one.rows:,}",
            format_bytes(one.bytes),
            _share(one.bytes / whole),
            f"{one.parts:,}",
            format_span(data.kept[one.name]) if one.name in data.kept else "for good",
        ]
        for one in data.tables
    ]
    first = data.store.first_ts
    told = ["ClickHouse ", data.store.version, *(["; the oldest call is of ", when(first, zone)] if first else []), "."]
    head = ("Table", "Rows", "Size", "Share", "Parts", "Kept")
    return html.Section(
        [
            html.H2("Store"),
            html.P(told, className="muted"),
            table(head, rows, caption="Tables by their size on disk, and how long they keep rows", numeric=(1, 2, 3, 4)),
        ],
        className="panel",
    )
