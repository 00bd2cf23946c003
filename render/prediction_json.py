"""A what-if prediction as JSON: what the command and the API answer."""

import math
from typing import Any

from core.predictions import Prediction


def prediction_json(found: Prediction) -> dict[str, Any]:
    """Unknown is null."""
    return {
        "name": found.name,
        "from": found.start.isoformat(),
        "to": found.end.isoformat(),
        "calls": found.calls,
        "sampled": found.sampled,
        "confidence": found.level,
        "refusals": list(found.refusals),
        "metrics": [
            {
                "name": one.name,
                "unit": one.unit,
                **{name: _known(getattr(one, name)) for name in ("before", "after", "lower", "upper")},
            }
            for one in found.metrics
        ],
        "effects": list(found.effects),
        "assumptions": list(found.assumptions),
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
