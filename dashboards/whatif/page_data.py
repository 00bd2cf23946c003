"""What the what-if page shows: the scenario of its address, and the latest run of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.whatif import WhatIf
from core.whatif_text import scenario_yaml
from dashboards.context import Web
from dashboards.whatif.asked import BadScenario, read_scenario
from dashboards.whatif.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfData:
    """The page.

    Attributes
    ----------
    problem : str
        Why the address asks for no scenario; then there is none.
    able : bool
        Whether this process replays anything.
    """

    scenario: WhatIf | None
    problem: str
    yaml: str
    run: Run | None
    able: bool

    @property
    def version(self) -> str:
        """Changes whenever the page would look different."""
        run = self.run
        told = "" if run is None else f"{run.id} {run.state} {run.progress:.2f} {run.waits_for}"
        return f"{self.problem}|{self.yaml}|{told}"


def load_what_if(web: Web, query: Mapping[str, str]) -> WhatIfData:
    """Raises BadWindow."""
    able = web.whatif is not None
    try:
        scenario = read_scenario(query)
    except BadScenario as error:
        return WhatIfData(scenario=None, problem=str(error), yaml="", run=None, able=able)
    run = None if web.whatif is None else web.whatif.latest(scenario)
    return WhatIfData(scenario=scenario, problem="", yaml=scenario_yaml(scenario), run=run, able=able)
