"""What becomes of calls whose time is far from when their record was written: kept, or a dead letter. Pure.

A gateway whose clock is wrong by a day moves every chart; one that sends last year's calls fills days that are already judged,
or that retention removes again at once. The reference is Kafka's own time of the record and not the present, so that a record
that is read again, whenever that is, is judged alike. A record without such a time is kept.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.config import KafkaSettings, RetentionSettings
from core.durations import format_duration
from ingest.formats import Decoded, Reject

TOO_NEW = "too_new"
TOO_OLD = "too_old"
TIME_REASONS = (TOO_NEW, TOO_OLD)
"""Reasons of dead letters that could be read, but were judged."""

Mask = npt.NDArray[np.bool_]
Milliseconds = npt.NDArray[np.int64]

_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRule:
    """How far a call's time may lie from its record's, in milliseconds; None: as far as it likes."""

    max_ahead_ms: int | None
    max_age_ms: int | None

    @classmethod
    def of(cls, kafka: KafkaSettings, retention: RetentionSettings) -> "TimeRule":
        """The rule of the configuration."""
        age = kafka.max_age if kafka.max_age is not None else retention.calls
        return cls(
            max_ahead_ms=kafka.max_ahead // _MILLISECOND if kafka.too_new == "dead_letter" else None,
            max_age_ms=age // _MILLISECOND if kafka.too_old == "dead_letter" else None,
        )


def judge(rows: pa.Table, reference_ms: Milliseconds | int, rule: TimeRule) -> tuple[Mask, list[Reject]]:
    """Which rows are kept, and why the others are not.

    Parameters
    ----------
    rows : pa.Table
        With the column `ts` (TS_TYPE, no NULLs).
    reference_ms : int or ndarray of int64, shape (rows,)
        When each row's record was written, milliseconds since 1970; negative (Kafka's -1): not known, kept.

    Returns
    -------
    A mask of shape (rows,), and a Reject for every row that it leaves out, in order; their indices count the rows.
    """
    times = rows.column("ts").cast(pa.int64()).to_numpy()
    ahead = times - reference_ms
    known = np.asarray(reference_ms) >= 0
    nothing = np.zeros(len(times), bool)
    too_new = nothing if rule.max_ahead_ms is None else (ahead > rule.max_ahead_ms) & known
    too_old = nothing if rule.max_age_ms is None else (-ahead > rule.max_age_ms) & known
    kept = ~(too_new | too_old)
    rejects = [
        Reject(index=place, reason=TOO_NEW if too_new[place] else TOO_OLD, detail=_detail(int(times[place]), int(ahead[place])))
        for place in np.flatnonzero(~kept).tolist()
    ]
    return kept, rejects


def judged(decoded: Decoded, reference_ms: Milliseconds, rule: TimeRule) -> Decoded:
    """A decoded batch with the records that the rule refuses among its rejects.

    A record of several calls is kept or refused as a whole, for its first call that is refused: its calls share its place in
    the topic, and a replay of the dead letter stores each of them again. `reference_ms` has a time for every record of the
    batch, readable or not: shape (records,).
    """
    _, refused = judge(decoded.rows, reference_ms[decoded.valid], rule)
    if not refused:
        return decoded
    owners = [int(decoded.valid[one.index]) for one in refused]
    rejects = dict(zip(reversed(owners), reversed(refused), strict=True))
    kept = ~np.isin(decoded.valid, owners)
    added = [Reject(index=owner, reason=one.reason, detail=one.detail) for owner, one in rejects.items()]
    return Decoded(
        rows=decoded.rows.filter(pa.array(kept)),
        valid=decoded.valid[kept],
        rejects=tuple(sorted((*decoded.rejects, *added), key=lambda reject: reject.index)),
    )


def _detail(time_ms: int, ahead_ms: int) -> str:
    moment = (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    distance = format_duration(timedelta(seconds=abs(ahead_ms) // 1000))
    return f"ts: {moment} lies {distance} {'after' if ahead_ms > 0 else 'before'} the time of its record in Kafka"
