"""Settings that every room shares: the base of a section, seasons and privacy.

Every field has a description: it becomes the comment in the default YAML and the text in the JSON
schema. Unknown keys are refused by `Section`, with the nearest valid key named by the loader.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, model_validator


@dataclass(frozen=True)
class _Kind:
    """A text in a configuration that stands for a place on disk (`Annotated[str, StoreUrl]`)."""

    name: str


TableName: Final = _Kind("table")
"""A table of `data/` by its bare name, or a lender's own file by a path with a folder in it."""
ModelFolder: Final = _Kind("model")
"""A sealed model folder: what its manifest and its approval say is part of what it makes."""
WeightsFile: Final = _Kind("weights")
"""A file of weights: its content is part of what it makes."""
StoreUrl: Final = _Kind("store")
"""An SQLAlchemy URL, or the path of an SQLite file."""


class Section(BaseModel):
    """Base of every configuration section: frozen, documented, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Season(Section):
    """A named interval of one county's crop calendar."""

    start: dt.date
    """First day of the season (inclusive)."""
    end: dt.date
    """Last day of the season (inclusive)."""
    as_of: dt.date
    """Knowledge date: nothing observed, priced or published after it enters a decision."""

    @model_validator(mode="after")
    def _ordered(self) -> Season:
        if not self.start < self.end:
            raise ValueError("start must lie before end")
        if self.as_of <= self.start:
            raise ValueError("as_of must lie after start")
        return self


class PrivacySettings(Section):
    """Pseudonyms and the personal vault."""

    key_env: str = "FIELDLINE_PSEUDONYM_KEY"
    """Environment variable that holds the HMAC key (32 or more characters)."""
    key_file: Path | None = None
    """File that holds the HMAC key and nothing else, instead of the variable (mode 600)."""
    demo_key: bool | None = None
    """Use the published demonstration keys. Empty: for simulated counties alone. A real county
    never does: they are in everybody's hands, so what is made with them hides nobody."""
    vault_key_env: str = "FIELDLINE_VAULT_KEY"
    """Environment variable that holds the vault's master key (32 or more characters)."""
    vault_key_file: Path | None = None
    """File that holds the vault's master key and nothing else, instead of the variable."""
