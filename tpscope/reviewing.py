"""What `tpscope review` does: makes reviews, and brings out those that were archived."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from analytics.review_shell import review
from core.config import Settings
from core.errors import ConfigError
from core.review_periods import latest_period
from core.reviews import ArchivedReview
from render.export import write_whole
from render.review_json import review_workbook
from storage.reviews import archive, list_reviews, read_review
from storage.series import latest_minute
from tpscope.making_reviews import archived, zone_of
from tpscope.options import print_json
from tpscope.reading import reading
from tpscope.tenants import actor

_ENDINGS = (".html", ".json", ".xlsx")


def run_review(settings: Settings, kind: str, until: datetime | None, to: Path | None, *, keep: bool, as_json: bool) -> int:
    """Print the review in few words, or all of it as JSON; with `to` write the file, with `keep` archive it."""
    _check(to)
    with reading(settings) as store:
        newest = latest_minute(store)
        if newest is None:
            raise ConfigError("review", "the store holds no calls; import some, or run `tpscope serve` first")
        period = latest_period(kind, until or newest, zone_of(settings))
        made = archived(review(store, settings, period, datetime.now(UTC)), settings, actor())
        if keep:
            made = archive(store, made)
    _bring_out(made, to, as_json=as_json)
    if keep:
        _say(f"archived as {made.id}, version {made.version}", quiet=as_json)
    return 0


def run_list(settings: Settings, *, as_json: bool) -> int:
    with reading(settings) as store:
        found = list_reviews(store)
    if as_json:
        print_json({"reviews": [_listed(one) for one in found]})
        return 0
    for one in found:
        made = one.made_at.astimezone(ZoneInfo(zone_of(settings)))
        _say(f"{one.id}  version {one.version}  made {made:%Y-%m-%d %H:%M} by {one.made_by}  {one.words.splitlines()[0]}")
    if not found:
        _say("no review is archived; `tpscope review --archive` keeps one, the running service makes them by itself")
    return 0


def run_show(settings: Settings, review_id: str, version: int, to: Path | None, *, as_json: bool) -> int:
    _check(to)
    with reading(settings) as store:
        found = read_review(store, review_id, version)
    if found is None:
        which = f"version {version} of {review_id!r}" if version else f"review {review_id!r}"
        raise ConfigError("review show", f"there is no {which}; see `tpscope review list`")
    _bring_out(found, to, as_json=as_json)
    return 0


def _check(to: Path | None) -> None:
    if to is not None and to.suffix not in _ENDINGS:
        raise ConfigError("--to", f"{to} must end in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}")


def _bring_out(made: ArchivedReview, to: Path | None, *, as_json: bool) -> None:
    if to is not None:
        write_whole(_content(made, to.suffix), to)
    if as_json:
        print_json(json.loads(made.body))
    else:
        _say(made.words)


def _content(made: ArchivedReview, suffix: str) -> bytes:
    if suffix == ".xlsx":
        return review_workbook(json.loads(made.body))
    return (made.page if suffix == ".html" else json.dumps(json.loads(made.body), indent=2) + "\n").encode()


def _listed(one: ArchivedReview) -> dict[str, Any]:
    times = {"from": one.start.isoformat(), "to": one.end.isoformat(), "made_at": one.made_at.isoformat()}
    return {"id": one.id, "kind": one.kind, "version": one.version, **times, "made_by": one.made_by, "words": one.words}


def _say(text: str, *, quiet: bool = False) -> None:
    if not quiet:
        Console(soft_wrap=True).print(text, highlight=False, markup=False)
