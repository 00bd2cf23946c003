"""The calls of a file as a side of the gate, without any store."""

from collections.abc import Iterable
from pathlib import Path

from analytics.gating.counting import CallCounter
from core.config import Settings
from core.errors import ConfigError
from core.mixes import CallMix
from core.series import Selector
from ingest.chunks import Chunk, chunks
from ingest.formats import Format, build_format
from ingest.importer import CHUNK_ROWS
from ingest.paths import PathTemplates
from ingest.readers import READERS, Damaged, blocks_of, reader_of


def is_file(text: str) -> bool:
    """Whether a side's text means a file, be it there or not."""
    return Path(text).is_file() or (reader_of(Path(text)) is not None and ".." not in text)


def read_file(settings: Settings, path: Path, format_name: str, selector: Selector) -> CallMix:
    """The calls of a file; raises ConfigError for one that cannot be read, holds no call, or more rejects than calls."""
    reader = reader_of(path)
    if reader is None:
        raise ConfigError(str(path), f"has a suffix that is not known; tpscope reads {', '.join(READERS)}, each also with .gz")
    counter = CallCounter(selector, settings.prices.read_table())
    format_ = build_format(format_name, settings.formats)
    try:
        with path.open("rb") as raw:
            calls, rejected = _counted(counter, format_, chunks(blocks_of(reader, raw), CHUNK_ROWS), _templates(settings))
    except Damaged as error:
        raise ConfigError(str(path), str(error)) from error
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror or error})") from error
    if rejected > calls:
        raise ConfigError(str(path), f"{rejected:,} records cannot be read as {format_name}; see `tpscope inspect {path}`")
    if not counter.calls:
        words = "holds no call" if not selector.pairs else f"holds no call of {selector.words}"
        raise ConfigError(str(path), words)
    return counter.mix(path.name)


def _counted(counter: CallCounter, format_: Format, parts: Iterable[Chunk], templates: PathTemplates | None) -> tuple[int, int]:
    """Calls that were read, of any selection, and records that could not be."""
    calls = rejected = 0
    for chunk in parts:
        decoded = chunk.decoded(format_)
        rows = decoded.rows
        if templates is not None:
            place = rows.schema.get_field_index("route")
            rows = rows.set_column(place, rows.schema.field("route"), templates.of(rows.column("route").combine_chunks()))
        counter.add(rows)
        calls, rejected = calls + rows.num_rows, rejected + len(decoded.rejects)
    return calls, rejected


def _templates(settings: Settings) -> PathTemplates | None:
    return PathTemplates() if settings.cardinality.template_paths else None
