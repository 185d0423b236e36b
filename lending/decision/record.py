"""Record: what every part of a case is: frozen, and nothing that it does not declare."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A part of a case."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
