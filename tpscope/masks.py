"""`tpscope masks add|list|end`: spans that are no example of normal traffic, and what they say of anomalies."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from core.config import Settings
from core.errors import ConfigError
from core.masks import Mask, MaskKind
from core.series import Selector
from storage.contract import Store
from storage.masks import add_mask, anomaly_by_id, end_mask, new_mask_id, read_masks
from tpscope.options import print_json
from tpscope.reading import reading
from tpscope.tenants import actor

_MINUTE = timedelta(minutes=1)


def run_add(
    settings: Settings,
    kind: MaskKind,
    why: str,
    start: datetime | None,
    end: datetime | None,
    selector: str,
    anomaly: str,
    *,
    as_json: bool,
) -> int:
    """Write a mask, and say which anomalies it speaks of."""
    with reading(settings) as store:
        now = datetime.now(UTC)
        first, last, wanted = _span(store, start, end, selector, anomaly, now)
        mask = Mask(
            id=new_mask_id(),
            kind=kind,
            start=first,
            end=last,
            selector=wanted,
            who=actor(),
            why=why,
            made_at=now,
            anomaly_id=anomaly,
        )
        try:
            concerned = add_mask(store, mask)
        except ValueError as error:
            raise ConfigError("--until", str(error)) from None
    if as_json:
        print_json({**_json(mask), "anomalies": [one.id for one in concerned]})
    else:
        _say(f"{mask.id}: {_words(mask)}; it speaks of {len(concerned)} anomalies so far")
    return 0


def run_list(settings: Settings, *, past: bool, as_json: bool) -> int:
    """Print masks, those that begin last first."""
    with reading(settings) as store:
        masks = read_masks(store, None if past else datetime.now(UTC))
    if as_json:
        print_json({"masks": [_json(one) for one in masks]})
        return 0
    console = Console(soft_wrap=True)
    for one in masks:
        console.print(f"{one.id}  {_words(one)}: {one.why} ({one.who})", highlight=False, markup=False)
    if not masks:
        console.print("no mask holds now or later; --all lists the others too", highlight=False, markup=False)
    return 0


def run_end(settings: Settings, mask_id: str, at: datetime | None, *, as_json: bool) -> int:
    """End a mask at an instant; None: at its start, as if it never was."""
    with reading(settings) as store:
        found = read_masks(store, mask_id=mask_id)
        ended = end_mask(store, mask_id, at or found[0].start) if found else None
    if ended is None:
        raise ConfigError("masks end", f"there is no mask {mask_id!r}; tpscope masks list --all names them")
    if as_json:
        print_json(_json(ended))
    else:
        _say(f"{ended.id}: {_words(ended)}")
    return 0


def _span(
    store: Store, start: datetime | None, end: datetime | None, selector: str, anomaly_id: str, now: datetime
) -> tuple[datetime, datetime | None, Selector]:
    if anomaly_id:
        anomaly = anomaly_by_id(store, anomaly_id)
        if anomaly is None:
            raise ConfigError("--anomaly", f"there is no anomaly {anomaly_id!r}; tpscope export anomalies lists them")
        over = None if anomaly.ended_at is None else anomaly.last_at + _MINUTE
        return start or anomaly.started_at, end or over, anomaly.selector
    try:
        return start or now, end, Selector.parse(selector)
    except ValueError as error:
        raise ConfigError("--selector", str(error)) from error


def _words(mask: Mask) -> str:
    until = f"until {mask.end:%Y-%m-%d %H:%M} UTC" if mask.end else "until it is ended"
    return f"{mask.kind} of {mask.selector.words} from {mask.start:%Y-%m-%d %H:%M} {until}"


def _json(mask: Mask) -> dict[str, Any]:
    times = {name: moment.isoformat() if (moment := getattr(mask, name)) else None for name in ("start", "end", "made_at")}
    return {**asdict(mask), "kind": str(mask.kind), "selector": mask.selector.labels, **times}


def _say(words: str) -> None:
    Console(stderr=True, soft_wrap=True).print(words, highlight=False, markup=False)
