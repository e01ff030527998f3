"""What error codes and faults of the order processor mean: the models behind ``include/config/order_errors.yaml``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from include.release.strict import Strict, Text

Team = Literal["developers", "ops", "on_call"]
Scope = Literal["order", "everything", "either"]
"""Whose fault it usually is: that of one order (poison), of what all orders need (systemic), or not to be said."""

LONGEST = 20
Code = Annotated[str, Field(pattern=rf"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}$")]


class Meaning(Strict):
    """What an error is, and what is done about it."""

    name: Text = Field(max_length=80, title="What it is called")
    meaning: Text = Field(title="What has happened, for somebody who does not know the program")
    tell: Team = Field(default="developers", title="Who can put it right")
    restart_helps: bool = Field(title="Worth one restart when it hits everything")
    scope: Scope = Field(
        default="either", title="order: the order's own fault; everything: of what all orders need"
    )
    what_to_do: Text | None = Field(default=None, title="What they can do")


class ErrorCode(Meaning):
    """``Error Processing Order. Error #NN``."""

    code: Code = Field(title="The code, without #; with quotes")


class Fault(Meaning):
    """What the processor says when it cannot work at all."""

    says: Text = Field(
        max_length=500, title="Regular expression; case does not matter; the first that fits decides"
    )
    such_as: list[Text] = Field(
        min_length=1, title="Real lines that it must find; checked when this file is read"
    )

    @field_validator("says")
    @classmethod
    def _regular(cls, value: str) -> str:
        try:
            re.compile(value, re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"a regular expression ({error})") from None
        return value

    @model_validator(mode="after")
    def _finds(self) -> Fault:
        for line in self.such_as:
            if not self.matches(line):
                raise ValueError(f"words that are found in {line!r} (such_as)")
        return self

    def matches(self, line: str) -> bool:
        """Whether this is what a line says."""
        return re.search(self.says, line, re.IGNORECASE) is not None


class OrderErrors(Strict):
    """All that is known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Errors of order processing")

    unknown: Meaning = Field(title="A code or fault that is not listed")
    codes: list[ErrorCode] = Field(default=[], title="Codes of single orders")
    faults: list[Fault] = Field(
        default=[], title="What the processor says when it cannot work; the first that fits"
    )

    def of_code(self, code: str) -> Meaning:
        """What a code means; ``unknown`` when nobody wrote it down."""
        return next((each for each in self.codes if each.code == code), self.unknown)

    def knows(self, code: str) -> bool:
        """Whether a code is written down."""
        return any(each.code == code for each in self.codes)

    def of_fault(self, line: str) -> Meaning:
        """What a line of the processor's own says of why it cannot work; ``unknown`` when none fits."""
        return next((each for each in self.faults if each.matches(line)), self.unknown)
