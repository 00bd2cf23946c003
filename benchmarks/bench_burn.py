"""The SRE workbook's burn rates on synthetic errors (`make bench-burn`): when each pair of windows fires, and when it ends.

First the workbook's table of how long a budget lasts at a burn rate. Then, for each pair of the shipped rule alone, against an
objective of 99.9 %: errors of a constant share begin in a clean month. The first second at which the rule fires is the
detection time; by the workbook (1 - SLO) / share x long window x burn rate ("Alerting on SLOs", 3). They stop one long window
later; the time until it fires no more is the reset time: never more than the short window (6), of which the part counts that
does not burn enough by itself, short window x (1 - (1 - SLO) x burn rate / share). `-` is a share that does not burn so fast.
"""

from datetime import timedelta

from benchmarks.bench_incidents import result
from core.burning import PERIOD, exhausted_in
from core.config import ObjectiveRule
from core.rules import BurnWindow, workbook_windows
from render.units import format_span
from tests.support.error_rates import ERRORS, ErrorRate, first

SHARES = (1.0, 0.1, 0.05, 0.01, 0.002)
BUDGET = ERRORS.at_most or 0.0


LASTS = {1.0: timedelta(days=30), 2.0: timedelta(days=15), 10.0: timedelta(days=3), 1000.0: timedelta(minutes=43, seconds=12)}
"""The workbook's table 5-4: burn rate and time to exhaustion."""


def main() -> None:
    for burn, lasts in LASTS.items():
        print(f"burn rate {burn:>5g}, {burn * BUDGET:>6.1%} errors: the budget lasts {format_span(exhausted_in(burn))}")
        result(f"burn_{burn:g}_exhausts_in", exhausted_in(burn).total_seconds(), "s", lasts.total_seconds())
    head = "".join(f"{f'{share:.1%} errors':>30}" for share in SHARES)
    print(f"{'windows':<14}{'burn':>6}{'budget':>8}{'severity':>10}{head}")
    worst = 0.0
    for pair in workbook_windows():
        cells = []
        for share in SHARES:
            if share / BUDGET <= pair.burn:
                cells.append("-")
                continue
            found, expected = times(pair, share), formulas(pair, share)
            worst = max([worst, *(abs(one - other) for one, other in zip(found, expected, strict=True))])
            cells.append(" / ".join(format_span(timedelta(seconds=one)) for one in found))
        used = pair.burn * pair.long / PERIOD
        names = f"{format_span(pair.long)}, {format_span(pair.short)}"
        print(f"{names:<14}{pair.burn:>6g}{used:>8.0%}{pair.severity.value:>10}" + "".join(f"{one:>30}" for one in cells))
    result("burn_times_off_by_at_most", worst, "s", 1.0)


def times(pair: BurnWindow, share: float) -> tuple[int, int]:
    """Seconds to detection and to reset, as the rule judges."""
    rule = ObjectiveRule.model_validate({"kind": "objective", "name": "burn", "objective": ERRORS.name})
    only = rule.model_copy(update={"windows": (pair,)})
    long, short = (int(length.total_seconds()) for length in (pair.long, pair.short))
    found = first(only, ErrorRate((0.0, share)), True, 0, long)
    return found, first(only, ErrorRate((0.0, share), (long, 0.0)), False, long, long + short) - long


def formulas(pair: BurnWindow, share: float) -> tuple[float, float]:
    """The same by the workbook."""
    part = BUDGET * pair.burn / share
    return part * pair.long.total_seconds(), (1 - part) * pair.short.total_seconds()


if __name__ == "__main__":
    main()
