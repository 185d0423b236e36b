"""Whether the files of a county lie and can be read, asked before anything is reckoned of it.

Owns the order of the questions and how a run tells of counties that cannot go; files that are not
there are `workflows.preflight`'s, tables `workflows.inputs.county_tables`'.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.county_tables import unreadable_tables
from fieldline.workflows.preflight import missing_inputs

Found = tuple[str, str, str]
"""County, selected season, and what is wrong, in a sentence."""


def unready(config: Config, counties: Collection[str], readable: set[Path]) -> Iterator[Found]:
    """Yield each input that is missing, then each table that cannot be read.

    Args:
        config: The run.
        counties: Those asked about.
        readable: Tables that were read before, as of `unreadable_tables`.
    """
    yield from absent(config, counties)
    yield from unreadable_tables(config, counties, readable)


def absent(config: Config, counties: Collection[str]) -> Iterator[Found]:
    """Yield each input that is missing; no file is opened.

    Args:
        config: The run.
        counties: Those asked about.
    """
    for found in missing_inputs(config, set(counties)):
        yield found.county, found.season, str(found.problem)


def first_sentences(config: Config, found: Iterable[Found]) -> dict[str, UserError]:
    """Return the first of what is wrong with each county, and say it where others can go on.

    Args:
        config: The run.
        found: What is wrong, county by county.
    """
    refused: dict[str, UserError] = {}
    for county, season, sentence in found:
        if county not in refused:
            refused[county] = UserError.sentence(sentence)
            if len(config.counties) > 1:
                print(f"{county} {season} is left out: {sentence}", file=sys.stderr, flush=True)
    return refused
