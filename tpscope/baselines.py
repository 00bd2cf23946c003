"""`tpscope baseline freeze|list|compare`: windows of calls under a name, and what changed between two of them."""

import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from analytics.compare import Comparison, MetricChange, compare
from analytics.frozen import count_window, freeze
from core.config import Settings
from core.errors import ConfigError
from core.series import Selector
from core.transactions import Transaction
from core.windows import CallWindow
from storage.contract import Store
from storage.frozen import list_frozen, read_frozen
from storage.mixes import read_mix, write_frozen_mix
from storage.transaction_series import refuse_other_version
from storage.transactions import read_definitions, write_definitions
from tpscope.baseline_commands import window_option
from tpscope.options import print_json
from tpscope.reading import reading
from tpscope.tenants import actor

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_EPOCH = 0

Span = tuple[datetime, datetime]


def run_freeze(
    settings: Settings, name: str, span: Span, selector: str, transaction: str, *, again: bool, as_json: bool
) -> int:
    """Keep a window under a name; one that has it already is only replaced on request."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ConfigError("baseline freeze", f"{name!r} is no name; use letters, digits, dots, dashes and underscores")
    now = datetime.now(UTC)
    wanted, counted = selection(settings, selector, transaction)
    with reading(settings) as store:
        if not again and read_frozen(store, name) is not None:
            raise ConfigError("baseline freeze", f"there is a baseline {name!r} already; choose another name or give --replace")
        if counted is not None:
            _know(store, counted, now)
        window = count_window(store, *span, wanted, counted)
        frozen = freeze(store, window, name, actor(), now, settings)
        mix = read_mix(store, window.start, window.end, wanted, counted)
        if mix is not None:
            write_frozen_mix(store, mix, name)
    if as_json:
        print_json(_window_json(frozen))
    else:
        words = f"{name}: {frozen.calls.sum():,.0f} calls of {_counting(frozen)}, {_span_words(frozen)}"
        Console(stderr=True, soft_wrap=True).print(words, highlight=False, markup=False)
    return 0


def run_list(settings: Settings, *, as_json: bool) -> int:
    """Print the frozen baselines by name."""
    with reading(settings) as store:
        rows = [
            {
                "name": row["name"],
                "from": row["first"].isoformat(),
                "to": row["last"].isoformat(),
                "counts": f"transaction {row['counting']}" if row["counting"] else Selector.parse(row["of"]).words,
                "version": row["counted_by"] or None,
                "made_at": row["at"].isoformat(),
                "who": row["whose"],
            }
            for row in list_frozen(store).to_dict("records")
        ]
    if as_json:
        print_json({"baselines": rows})
    else:
        _print_table(rows, "no baseline is frozen; see tpscope baseline freeze --help")
    return 0


def run_compare(
    settings: Settings, before: str, after: str, selector: str, transaction: str, seed: int, *, as_json: bool
) -> int:
    """Print what changed; exit code 1 when a metric changed for the worse."""
    now = datetime.now(UTC)
    with reading(settings) as store:
        first = _window(store, settings, before, selector, transaction, now, None)
        second = _window(store, settings, after, selector, transaction, now, first)
        if first.name == "" and second.name:  # the frozen one says what is counted
            first = _window(store, settings, before, selector, transaction, now, second)
        if first.transaction and first.transaction == second.transaction:
            refuse_other_version(store, first.transaction, first.version, second.version)
    found = compare(first, second, seed=seed)
    if as_json:
        print_json(_comparison_json(found))
    else:
        _print_comparison(found)
    return 1 if any(one.worse for one in found.changes) else 0


def _span_words(window: CallWindow) -> str:
    """The window's span for people, whatever it is called."""
    return replace(window, name="").words


def _window(
    store: Store, settings: Settings, text: str, selector: str, transaction: str, now: datetime, like: CallWindow | None
) -> CallWindow:
    """The frozen baseline of that name, else the window that the text describes, counted as `like` is."""
    frozen = read_frozen(store, text)
    if frozen is not None:
        return frozen
    if ".." not in text and not text[:1].isdigit():
        names = ", ".join(list_frozen(store)["name"]) or "none"
        raise ConfigError("baseline compare", f"there is no baseline {text!r} (known: {names}); give a name or FROM..TO")
    span = window_option("baseline compare", text, now)
    if like is not None and not selector and not transaction:
        if like.transaction:
            transaction = like.transaction
        else:
            return count_window(store, *span, like.selector, None)
    wanted, counted = selection(settings, selector, transaction)
    if counted is not None:
        _know(store, counted, now)
    return count_window(store, *span, wanted, counted)


def selection(settings: Settings, selector: str, transaction: str) -> tuple[Selector, Transaction | None]:
    """The selection, and the transaction, that options name. Raises ConfigError that quotes what is not known."""
    if selector and transaction:
        raise ConfigError("--transaction", "is a selection itself; give it or --selector")
    try:
        wanted = Selector.parse(selector)
    except ValueError as error:
        raise ConfigError("--selector", str(error)) from error
    if not transaction:
        return wanted, None
    known = {one.name: one for one in settings.definitions}
    if transaction not in known:
        names = ", ".join(known) or "none, see transactions in the configuration"
        raise ConfigError("--transaction", f"{transaction!r} is no transaction; known are: {names}")
    return wanted, known[transaction]


def _know(store: Store, transaction: Transaction, now: datetime) -> None:
    """Keep the definition, so that a later comparison can say what differs; of those in force it changes nothing."""
    if all(one.version != transaction.version for one in read_definitions(store, transaction.name)):
        write_definitions(store, [transaction], now, _EPOCH)


def _counting(window: CallWindow) -> str:
    return f"transaction {window.transaction}" if window.transaction else window.selector.words


def _window_json(window: CallWindow) -> dict[str, Any]:
    return {
        "name": window.name or None,
        "from": window.start.isoformat(),
        "to": window.end.isoformat(),
        "selector": window.selector.labels,
        "transaction": window.transaction or None,
        "version": window.version or None,
        "calls": int(window.calls.sum()),
        "blocks": window.blocks,
    }


def _comparison_json(found: Comparison) -> dict[str, Any]:
    return {
        "before": _window_json(found.before),
        "after": _window_json(found.after),
        "confidence": found.level,
        "changes": [
            {
                name: None if isinstance(value, float) and math.isnan(value) else value
                for name, value in ((field, getattr(one, field)) for field in MetricChange.__slots__)
            }
            for one in found.changes
        ],
    }


def _print_comparison(found: Comparison) -> None:
    console = Console(soft_wrap=True)
    title = f"{found.before.words}  →  {found.after.words}: {_counting(found.after)}"
    console.print(title, highlight=False, markup=False)
    table = Table(box=None, pad_edge=False)
    for name in ("metric", "before", "after", f"difference ({found.level:.0%} interval)", "effect", "p", ""):
        table.add_column(name, justify="left" if name in ("metric", "") else "right")
    for one in found.changes:
        if one.verdict == "unknown":
            continue
        style = "bold red" if one.worse else None
        table.add_row(
            one.metric,
            f"{one.before:.4g}",
            f"{one.after:.4g} {one.unit}",
            f"{one.difference:+.4g} ({one.lower:+.4g} … {one.upper:+.4g})",
            f"{one.effect:+.2f} {one.effect_name}",
            "" if math.isnan(one.p_value) else f"{one.p_value:.2g}",
            one.verdict,
            style=style,
        )
    console.print(table, highlight=False)
    unknown = [one.metric for one in found.changes if one.verdict == "unknown"]
    if unknown:
        console.print(f"not known in both, or of too few calls: {', '.join(unknown)}", highlight=False, markup=False)


def _print_table(rows: list[dict[str, Any]], nothing: str) -> None:
    console = Console(soft_wrap=True)
    if not rows:
        console.print(nothing, highlight=False, markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table, highlight=False)
