"""From a batch of records to rows that can be written: which decoder, which rules, in which order."""

from dataclasses import dataclass

import numpy as np

from core.config import Settings
from ingest.batch import Batch
from ingest.cardinality import CardinalityGuard, build_guard
from ingest.formats import Decoded, Format
from ingest.record_batches import joined
from ingest.samples import decode_samples
from ingest.time_rule import TimeRule, judged
from ingest.writer import Prepared, cautiously, located, prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What becomes of the records of a topic. Safe to use from several threads.

    Attributes
    ----------
    format : Format
        Of the topics of calls.
    rule : TimeRule, optional
        Which calls are too new or too old; without it all are taken.
    guard : CardinalityGuard, optional
        Bounds the values of columns; without it they are taken as they are.
    samples_topic : str
        The topic whose records are samples; empty: there is none.
    """

    format: Format
    rule: TimeRule | None = None
    guard: CardinalityGuard | None = None
    samples_topic: str = ""

    def prepare(self, batch: Batch) -> Prepared:
        """Decode, judge and bound the records of a batch of one topic. Does not raise, whatever they are."""
        if self.samples_topic and any(one.partition.topic == self.samples_topic for one in batch.slices):
            return self._samples(batch)
        prepared = prepare(batch, self.format, judge=self._judge)
        return prepared if self.guard is None else prepared.with_rows(self.guard.apply(prepared.rows))

    def _judge(self, batch: Batch, decoded: Decoded) -> Decoded:
        if self.rule is None:
            return decoded
        unknown = np.full(0, -1, np.int64)
        times = [one.times_ms if one.times_ms is not None else np.full(one.records, -1, np.int64) for one in batch.slices]
        return judged(decoded, np.concatenate([unknown, *times]), self.rule)

    @staticmethod
    def _samples(batch: Batch) -> Prepared:
        def decode(values: object) -> Decoded:
            found = decode_samples(values)  # type: ignore[arg-type]  # Kafka's records are bytes
            return Decoded(rows=found.rows, valid=found.valid, rejects=found.rejects)

        return located(batch, cautiously(joined(batch.slices), decode), samples=True)


def build_intake(settings: Settings, format_: Format) -> Intake:
    """The intake that the configuration asks for; its guard knows no values yet."""
    return Intake(
        format=format_,
        rule=TimeRule.of(settings.kafka, settings.retention),
        guard=build_guard(settings.cardinality),
        samples_topic=settings.kafka.samples_topic,
    )
