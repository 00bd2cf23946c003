"""Scenarios that rules replay, written so that people can replay them too."""

from typing import Any

import orjson

from analytics.recommending.totals import Estate
from core.whatif import WhatIf
from core.whatif_text import scenario_json


def scenario_of(estate: Estate, name: str, selector: dict[str, str], **changes: Any) -> WhatIf:
    """A scenario over the time and the part of the calls that a rule looks at."""
    window = {"from": estate.calls.start, "until": estate.calls.end}
    return WhatIf.model_validate({"name": name, "window": window, "selector": selector, **changes})


def kept(scenario: WhatIf) -> str:
    """As a finding keeps it."""
    return orjson.dumps(scenario_json(scenario)).decode()
