"""What every model of a file that people write is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$")]


class Strict(BaseModel):
    """No unknown keys, no conversions: ``"3"`` is not 3."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
