"""What every part of the settings is: closed, frozen, validated once."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A node of the settings: unknown keys are errors, values never change after start."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
