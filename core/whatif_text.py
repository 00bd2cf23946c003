"""A what-if scenario as what people take along: a mapping for JSON, and the YAML that `tpscope whatif` reads."""

from typing import Any

import yaml

from core.whatif import WhatIf


def scenario_json(scenario: WhatIf) -> dict[str, Any]:
    """What was said of it, under the keys of the file; what was left open is left out."""
    return scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)


def scenario_yaml(scenario: WhatIf) -> str:
    """The same as the text of a file."""
    text: str = yaml.safe_dump(scenario_json(scenario), sort_keys=False, allow_unicode=True, width=110)
    return text
