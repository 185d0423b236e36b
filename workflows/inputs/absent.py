"""Input files that a county does not give, and what each absence costs.

The sentences stand where the inputs are declared (`workflows.config.county`); this module gathers
them for whoever tells a person: the end of a run, `config check`, `init` and the docs.
"""

from __future__ import annotations

from fieldline.workflows.config.county import Absence, County, CountyInputs

ABSENT_COSTS: dict[str, str] = {
    name: fact.costs
    for name, field in CountyInputs.model_fields.items()
    for fact in field.metadata
    if isinstance(fact, Absence)
}
"""What the absence of an input costs, by its name in `county.<id>.inputs`."""

_STANDS_IN = {"labelled_series": "survey"}
"""Inputs whose absence costs nothing where another one is given ..."""
_SERVES = {"weather_cells": "weather"}
"""... and inputs that serve another one alone, and cost nothing where that is absent too."""


def absent_inputs(county: County) -> dict[str, str]:
    """Return the inputs that a county lacks and would use, by name, with what that costs it."""
    given = {name for name in ABSENT_COSTS if getattr(county.inputs, name) is not None}
    needless = {name for name, other in _STANDS_IN.items() if other in given}
    needless |= {name for name, other in _SERVES.items() if other not in given}
    return {n: costs for n, costs in ABSENT_COSTS.items() if n not in given | needless}


def absent_table() -> str:
    """Return the table of absences as Markdown, for the docs."""
    lines = ["| absent | what it costs |", "|---|---|"]
    lines += [f"| `{name}` | {costs} |" for name, costs in ABSENT_COSTS.items()]
    return "\n".join(lines) + "\n"
