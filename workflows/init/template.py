"""The text of a county's configuration: values, and beside each the sentence of its guess.

Owns the order and the comments of the file; the descriptions come from the settings classes, so
that file and schema say the same. What is not guessed stands as a commented line to fill in.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fieldline.lending.settings import PolicySettings
from fieldline.workflows.config.county import CountyInputs
from fieldline.workflows.config.write import yaml_scalar
from fieldline.workflows.init.guess import Guess
from fieldline.workflows.inputs.absent import ABSENT_COSTS

_WIDTH = 98
DEFAULT_CURRENCY: str = PolicySettings.model_fields["currency"].default
"""Currency of the default policy: what a county lends in where nobody says another."""
ASSUMED = (
    "Costs per hectare are not known: without a table of your own no crop has a net income "
    "(no_cost) and no limit rests on a harvest. The amounts of the policy and the scales of "
    "finance are orders of magnitude: none of them is yours, so set them before lending."
)
"""What a person must hear before the first offer."""
_EXAMPLES: Mapping[str, str] = {
    "boundary": "boundary.geojson", "weather": "weather.csv", "weather_cells": "weather_cells.csv",
    "survey": "survey_{season}.csv", "registry": "registry_{season}.csv",
    "applications": "applications_{season}.csv", "loan_history": "loan_history.csv",
    "consents": "consents.csv", "prices": "prices.csv", "county_yields": "county_yields.csv",
    "protected": "protected.geojson", "documents": "documents_{season}.csv",
    "photos": "photos/photos.csv", "exclusions": "exclusions.csv",
    "contracts": "contracts_{season}.csv", "guarantors": "guarantors.csv",
    "preapproved": "preapproved.csv",
}  # fmt: skip
"""Optional inputs that are offered to fill in, with an example of what to write."""


@dataclass(frozen=True)
class Page:
    """Everything that the file states."""

    county: str
    title: str
    parcels: str
    """Path as written."""
    catalog: str
    """Path as written."""
    season: str
    guesses: Sequence[Guess]
    commands: Sequence[str]
    """What to type next, in order."""

    @property
    def currency(self) -> str:
        """Currency of the county."""
        return next(str(guess.value) for guess in self.guesses if guess.place == "currency")


def county_yaml(page: Page) -> str:
    """Return the commented configuration of one county."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    yield from _comment(
        f"County {page.title}, written by `fieldline init`. Lines above a value say how it was "
        "chosen: look at each once. Relative paths start at this file's folder. What is not "
        "written here is as in Fieldline's default, workflows/config/default.yaml.",
        0,
    )
    yield "#"
    yield from (f"#   {command}" for command in page.commands)
    yield f"counties: [{page.county}]"
    yield f"seasons: [{yaml_scalar(page.season)}]"
    yield from _comment("Folder of all results, the vault with personal data among them.", 0)
    yield "results: results"
    yield "privacy:"
    yield from _comment(
        "The keys come from the environment variables FIELDLINE_PSEUDONYM_KEY (pseudonyms) and "
        "FIELDLINE_VAULT_KEY (names), or from `key_file` and `vault_key_file`. Keep both: without "
        "them nobody knows who a farmer is.",
        2,
    )
    yield "  demo_key: false"
    yield from _policy(page)
    yield "county:"
    yield f"  {page.county}:"
    yield f"    title: {yaml_scalar(page.title)}"
    yield "    simulated: false"
    yield from _entry(page, "currency", 4)
    yield from _comment("The metric grid is the UTM zone of the parcels' centre, unless:", 4)
    yield "    # grid: {crs: EPSG:32650}"
    yield from _scenes(page)
    yield "    inputs:"
    yield from _inputs(page)
    yield "    seasons:"
    yield from _season(page)


def _policy(page: Page) -> Iterator[str]:
    yield from _comment(ASSUMED, 0)
    yield f"# crops: {{yields: {{cost_file: ./costs.csv, cost_region: {page.county}}}}}"
    if page.currency == DEFAULT_CURRENCY:
        yield "# lending: {policy: {max_limit: 300000, min_limit: 200}}"
        yield from _rules()
        return
    yield from _comment(
        f"The policy's default amounts are {DEFAULT_CURRENCY} and no exchange rate is assumed: the "
        f"county does not run before each is stated in {page.currency}.",
        0,
    )
    yield from ("# lending:", "#   policy:", f"#     currency: {page.currency}")
    yield from (f"#     {name}:" for name in PolicySettings.AMOUNTS)
    yield from _rules()


def _rules() -> Iterator[str]:
    yield from _comment(
        "Decision tables of your own, dated rows by product, county, crop, amount, risk and "
        "confidence that decline, ask a person or set a number, go into that policy:", 0,
    )  # fmt: skip
    yield "#   rule_tables: [./rules.csv]"


def _scenes(page: Page) -> Iterator[str]:
    if not any(guess.place.startswith("scenes.") for guess in page.guesses):
        yield from _comment(
            "Collection, bands and mask are the default's until you change them:", 4
        )
        yield "    # scenes: {collection: sentinel-2-l2a, bands: [B02, B03, B04, B08]}"
        return
    yield "    scenes:"
    for name in ("collection", "bands", "mask", "default_scale", "default_offset"):
        yield from _entry(page, f"scenes.{name}", 6)


def _inputs(page: Page) -> Iterator[str]:
    yield from _entry(page, "inputs.parcels", 6, page.parcels)
    columns = [g for g in page.guesses if g.place.startswith("inputs.parcel_columns")]
    empty = not any(guess.value is not None for guess in columns)
    yield f"      parcel_columns:{' {}' if empty else ''}"
    for guess in columns:
        yield from _told(guess, 8)
    yield from _entry(page, "inputs.parcel_crs", 6)
    yield from _entry(page, "inputs.catalog", 6, page.catalog)
    for name, example in _EXAMPLES.items():
        described = (CountyInputs.model_fields[name].description or "").rstrip(".")
        costs = f" Without it: {ABSENT_COSTS[name]}." if name in ABSENT_COSTS else ""
        yield from _comment(f"{described}.{costs}", 6)
        yield f"      # {name}: {yaml_scalar(example)}"


def _season(page: Page) -> Iterator[str]:
    named, as_of = (g for g in page.guesses if g.place.startswith(f"seasons.{page.season}"))
    yield from _comment(named.said, 6)
    yield f"      {yaml_scalar(page.season)}:"
    yield f"        start: {named.value['start']}"
    yield f"        end: {named.value['end']}"
    yield from _comment(as_of.said, 8)
    yield f"        as_of: {named.value['as_of']}"


def _entry(page: Page, place: str, indent: int, value: Any = None) -> Iterator[str]:
    """Yield the comment and the line of one setting, with `value` where the guess has none."""
    for guess in page.guesses:
        if guess.place == place:
            stated = guess.value if value is None else value
            yield from _told(Guess(place, stated, guess.said, example=guess.example), indent)


def _told(guess: Guess, indent: int) -> Iterator[str]:
    yield from _comment(guess.said, indent)
    pad, name = " " * indent, guess.place.rpartition(".")[2]
    if guess.value is not None:
        yield f"{pad}{name}: {yaml_scalar(guess.value)}"
    elif guess.example is not None:
        yield f"{pad}# {name}: {yaml_scalar(guess.example)}"


def _comment(text: str, indent: int) -> Iterator[str]:
    pad = " " * indent + "# "
    yield from (
        pad + line
        for line in textwrap.wrap(
            " ".join(text.split()),
            _WIDTH - len(pad),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
