"""When reviews are made, and who is told."""

from typing import Literal

from pydantic import Field, field_validator

from core.alert_settings import known_zone
from core.part import Part

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class ReviewSettings(Part):
    enabled: bool = Field(True, description="Make reviews by themselves; `tpscope review` makes one at any time.")
    weekly: Weekday | None = Field(
        "monday", description="The weekday on which the seven days before it are reviewed; null: no weekly review."
    )
    monthly: int | None = Field(
        1, ge=1, le=28, description="The day of the month on which the month before it is reviewed; null: no monthly review."
    )
    hour: int = Field(
        6, ge=0, le=23, description="The hour from which on it is made, as soon as all calls of the period have arrived."
    )
    time_zone: str = Field("", description="Zone of its days and of `hour`, an IANA name; empty: the service's `time_zone`.")
    receivers: tuple[str, ...] = Field((), description="Names of the receivers that get it in few words, with a link.")

    @field_validator("time_zone")
    @classmethod
    def _iana(cls, name: str) -> str:
        return known_zone(name) if name else name
