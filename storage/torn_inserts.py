"""What an insert leaves behind in the embedded engine's directory when the process is killed within it, put right.

A MergeTree table notes an insert's token in its deduplication log, and then renames the insert's part into place
(`MergeTreeSink::commitPart`). A kill between the two leaves a token without rows: the repeat of the batch would be taken for
written, and its rows were lost in that one table. So before the engine opens a directory, the last note of each table is taken
back when its part is not there. The notes are made under the table's lock, one at a time, so that it can only be the last.

A log is lines of `1 TAB part TAB hash` (2: the part was dropped); a part's folder is called
`partition_first_last_level[_mutation]` by the numbers of its blocks, also when it was merged with its neighbours.
"""

import logging
import os
import re
from pathlib import Path

logger = logging.getLogger(__name__)

_LOG = re.compile(r"deduplication_log_(\d+)\.txt")
_PART = re.compile(r"([^_]+)_(\d+)_(\d+)_\d+(_\d+)?")
_ADDED = b"1"


def forget_torn_inserts(directory: Path) -> int:
    """Take back the tokens of inserts that did not come to their end; returns how many. The engine must not be running.

    Raises OSError where the directory cannot be read or written.
    """
    return sum(_forget_last(table) for table in sorted(directory.glob("store/*/*")) if (table / "deduplication_logs").is_dir())


def _forget_last(table: Path) -> bool:
    logs = [(int(found[1]), path) for path in (table / "deduplication_logs").iterdir() if (found := _LOG.fullmatch(path.name))]
    for _, log in sorted(logs, reverse=True):
        text = log.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]  # the last line may have been cut short by the kill, or by a full disk
        if not text:
            continue
        start = whole.rfind(b"\n", 0, -1) + 1
        torn = bool(whole) and not _is_there(table, whole[start:])
        kept = start if torn else len(whole)
        if kept < len(text):
            os.truncate(log, kept)
            logger.info(
                "%s: the last insert before a crash had not come to its end there; its batch may be written again", table
            )
        return kept < len(text)
    return False


def _is_there(table: Path, line: bytes) -> bool:
    """Whether the part of a note is among the table's, by itself or merged into another; true of what is no note of a part."""
    kind, _, rest = line.partition(b"\t")
    noted = _PART.fullmatch(rest.partition(b"\t")[0].decode("utf-8", "replace"))
    if kind != _ADDED or noted is None:
        return True
    parts = (_PART.fullmatch(one.name) for one in table.iterdir())
    return any(one and one[1] == noted[1] and int(one[2]) <= int(noted[2]) <= int(one[3]) for one in parts)
