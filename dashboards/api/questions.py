"""The question that has no parameters."""

from pydantic import BaseModel, ConfigDict


class NoQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
