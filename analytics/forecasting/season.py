"""How many points make a day and a week at a step."""

from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """Season lengths in points: `day`, and `week`, a whole number of days.

    A step longer than a day has neither: both are one point.
    """

    day: int
    week: int

    @classmethod
    def of_step(cls, step_s: int) -> "Season":
        """Raises ValueError for a step shorter than a day that does not divide it."""
        if step_s > DAY_S:
            return cls(day=1, week=1)
        if step_s < 1 or DAY_S % step_s:
            raise ValueError(f"a step of {step_s} s does not divide a day")
        return cls(day=DAY_S // step_s, week=7 * DAY_S // step_s)


HOURLY = Season.of_step(3600)
