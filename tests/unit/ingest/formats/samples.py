"""The gateways' log records in tests/data/gateways."""

from pathlib import Path
from typing import Any

from ingest.formats import Decoded

FOLDER = Path(__file__).resolve().parents[3] / "data" / "gateways"
GATEWAYS = ("otel", "litellm", "kong", "apipark", "envoy", "nginx")


def lines_of(name: str) -> list[bytes]:
    """The records of one gateway, as they would stand in Kafka."""
    return (FOLDER / f"{name}.ndjson").read_bytes().splitlines()


def known(decoded: Decoded) -> list[dict[str, Any]]:
    """Each row without what is unknown; attributes as a dict, the time as text."""
    rows = decoded.rows.to_pylist(maps_as_pydicts="strict")
    return [
        {
            name: value
            for name, value in row.items()
            if value not in (None, "", {}) and not (name == "prompt_hash" and value == 0)
        }
        | {"ts": row["ts"].isoformat()}
        for row in rows
    ]
