"""Stage: what a row of the table of stages says, and the kinds of files that a stage reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

OF_PEOPLE = ("parcel", "farmer")
"""What outcomes are about that hold for people, not for scenes or files."""


@dataclass(frozen=True)
class Artifact:
    """A file of the results folder of the same county."""

    name: str
    earlier: bool = False
    """Whether it is read from every earlier season (oldest first) instead of this one."""


@dataclass(frozen=True)
class Source:
    """A file that the county brings (`county.*.inputs`); none where the county lacks it."""

    name: str
    earlier: bool = False
    """Whether it is read for every earlier season (oldest first) instead of this one."""


@dataclass(frozen=True)
class Outcomes:
    """The outcome files of all stages before this one."""

    of_scenes: bool = True
    """Whether stages whose rows are scenes or files are among them."""


@dataclass(frozen=True)
class Artifacts:
    """Several artifacts handed over as one list."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Applied:
    """Tables that farmers left who applied one by one (`workflows.applicants`), one a farmer."""

    name: str


Read = Artifact | Source | Outcomes | Artifacts | Applied


@dataclass(frozen=True)
class Stage:
    """One stage of the chain."""

    name: str
    """Name in outcomes, logs, rules and `--from`."""
    run: str
    """`module:function`; imported only where the stage runs."""
    title: str
    """What a person reads while it runs."""
    makes: Mapping[str, str]
    """File by parameter, relative to the folder of county and season; its outcomes besides."""
    reads: Mapping[str, Read] = field(default_factory=dict)
    """What is read, by parameter."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Where a parameter's value stands: a section of the configuration, `county.` and a part of the
    county's definition, or a name that `workflows.plan` knows (`season`, `as_of`, ...)."""
    stops: tuple[str, ...] = ()
    """Earlier stages whose stopped parcels are left out (parameter `previous`)."""
    about: str = "parcel"
    """What one row of its outcomes is about: `parcel`, `scene`, `farmer` or `file`."""
    keeps: tuple[str, ...] = ()
    """Made files that people work with: the last good one stays where a run fails. Its outcomes do
    not, so that the next run makes all of it again."""
    mem_mb: int = 2000
    """Memory that it claims from the scheduler for a county without parcels, MB ..."""
    mem_mb_per_1000: float = 0.0
    """... and besides for each 1,000 parcels that a job works on."""
    minutes: int = 120
    """Run time that it claims: a cluster ends a job that takes longer."""
    early: bool = False
    """Whether it runs before all others of every county: it tells of files that people gave."""
    together: str = ""
    """On a cluster the stages of one such name are one job of a county, a queue's wait for all."""
    threads: str = ""
    """Section whose `threads` setting it uses; one thread where empty."""
    in_blocks: bool = False
    """Whether a county of several blocks (`county.*.blocks`) has a job for each of them, whose
    tables (`out`) and outcomes (parameters `parts` and `part_outcomes`) this stage then only joins.
    """
    gpu: str = ""
    """Section whose `device` says whether a job claims a GPU of the scheduler: `cuda` does."""

    @property
    def outcomes(self) -> str:
        """File of its outcomes, relative to the folder of county and season."""
        return f"outcomes/{self.name}.parquet"

    def memory_mb(self, parcels: float) -> int:
        """Return the memory that a job claims from the scheduler, MB.

        Args:
            parcels: Parcels that it works on.
        """
        return self.mem_mb + ceil(self.mem_mb_per_1000 * parcels / 1000)
