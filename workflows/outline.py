"""Outline: one drawn application through every stage of the chain, as a row more of its county.

Owns the order: what sees one parcel alone (intake, observation, planted area) runs on the
applicant's outlines, everything that compares a parcel with others runs on the county's tables
with those rows laid over (`overlay`). All of it are the stage functions of `stages`, with the
settings of the configuration, so a run of the county with that row would decide the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from fieldline.lending.inputs import APPLICATIONS
from fieldline.lending.sources import keep_application, read_applications
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.parcels.fiboa import read_parcels
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.applicants import APPLICATION
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.tables import PLACE
from fieldline.workflows.job import arguments
from fieldline.workflows.overlay import (
    lay_contacts,
    lay_farmers,
    lay_outcomes,
    lay_parcels,
    lay_table,
)
from fieldline.workflows.plan import Plan
from fieldline.workflows.stage import Stage
from fieldline.workflows.stages import stage

ALONE = ("intake", "observe", "radar", "fields")
"""Stages that see a parcel alone; each has a table that is laid over the county's."""
TOGETHER = ("weather", "classify", "grow", "hazards", "yield", "history", "evidence", "profile",
            "relations", "decide")  # fmt: skip
SEEN_FIELDS = "segment"
"""Draws the fields around new land; what it said of a ring that the county knows stands."""
_OBSERVED = ("observations.parquet", "observations_sentinel1.parquet", "fields.parquet",
             "ring_fields.parquet")  # fmt: skip
KEPT = ("parcels.parquet", "farmers.parquet", "contacts.parquet", *_OBSERVED,
        *(stage(name).outcomes for name in ALONE))  # fmt: skip
"""Tables of an applicant's own land that stand for later applications and runs."""
_AS_IS = ("scenes.parquet", "models/default/", "models/crops/", "models/fields/")
"""What is the county's alone: scenes that are archived, models that have learnt."""


@dataclass(frozen=True)
class Drawn:
    """What an applicant brings."""

    farmer_id: str
    """Pseudonym."""
    reference: str
    """The lender's own number of the farmer; it goes into no table."""
    outlines: Sequence[Mapping[str, Any]] = ()
    """GeoJSON features with `parcel_id` and what is declared of each."""
    application: Mapping[str, Any] | None = None
    """Row of the applications' table; None where the county's own counts."""
    before: Sequence[Path] = field(default_factory=tuple)
    """Folders that earlier applicants left: their ground is claimed too."""
    told_before: Sequence[Path] = field(default_factory=tuple)
    """Applications that single farmers made before."""


@dataclass(frozen=True)
class County:
    """One county and season of the configuration, as the stages are handed it."""

    config: Config
    county: str
    season: str

    @property
    def folder(self) -> Path:
        """Its artifacts."""
        return self.config.results.resolve() / self.season / self.county

    def run(self, name: str, scratch: Path, **other: Any) -> None:
        """Run one stage on the artifacts of a folder instead of the county's own.

        Args:
            name: Stage.
            scratch: Folder of artifacts.
            other: Arguments to hand over instead of the configured ones.
        """
        item, plan = stage(name), Plan(self.config)
        at = SimpleNamespace(county=self.county, season=self.season)
        reads = {n: self._path(plan, value, at, scratch) for n, value in plan.reads(item).items()}
        makes = {n: str(scratch / path) for n, path in self._made(item).items()}
        drawn = {n: value(at) if callable(value) else value
                 for n, value in plan.settings(item).items()}  # fmt: skip
        given = {**reads, **makes, **drawn, "threads": plan.threads(item), **other}
        function, values = arguments(item.run, given)
        for path in makes.values():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        function(**values)

    def _made(self, item: Stage) -> dict[str, str]:
        return {**item.makes, "outcomes": item.outcomes}

    def _path(self, plan: Plan, value: Any, at: SimpleNamespace, scratch: Path) -> Any:
        found = value(at) if callable(value) else value
        if isinstance(found, str):
            return self._placed(plan, found, scratch)
        return [self._placed(plan, one, scratch) for one in found]

    def _placed(self, plan: Plan, text: str, scratch: Path) -> str:
        """Return where a path of the plan lies; artifacts of this season lie in the folder."""
        own = "{season}/{county}/"
        if text.startswith(own):
            name = text.removeprefix(own)
            # Scenes are named relative to their table.
            return str((self.folder if name.startswith(_AS_IS) else scratch) / name)
        return str(plan.results / text)


def decide_drawn(
    county: County, drawn: Drawn, scratch: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return the decision of one applicant.

    Args:
        county: Where the land lies; its chain must have run.
        drawn: What the applicant brings.
        scratch: Empty folder; `scratch/own` keeps the applicant's tables.
        say: Told the name of each stage before it runs.

    Returns:
        The applicant's DECISIONS row.

    Raises:
        UserError: The county's chain has not run; an outline stands under another farmer's number.
    """
    if not (county.folder / "decisions.parquet").is_file():
        raise UserError(
            f"county {county.county} has not been decided in season {county.season}",
            "run its chain first (`fieldline run`)",
        )
    _refuse_taken(county.folder / "parcels.parquet", drawn)
    own, together = scratch / "own", scratch / "all"
    for folder in (own, together):
        (folder / "outcomes").mkdir(parents=True)
    told = _applications(county, drawn, own, scratch)
    if drawn.outlines:
        _alone(county, drawn, own, scratch, say)
    _lay(county, drawn, own, together)
    for name in TOGETHER:
        say(name)
        given = {"applied": told} if name == "profile" else {}
        county.run(name, together, **given)
    found = read_table(together / "decisions.parquet")
    row = found[found["farmer_id"] == drawn.farmer_id]
    if row.empty:
        raise UserError(_why_none(own), "correct the outline and apply again")
    return {str(name): value for name, value in row.iloc[0].to_dict().items()}


def _refuse_taken(parcels: Path, drawn: Drawn) -> None:
    known = read_table(parcels, ["parcel_id", "farmer_id"])
    owner = dict(zip(known["parcel_id"], known["farmer_id"], strict=True))
    for feature in drawn.outlines:
        name = feature["properties"]["parcel_id"]
        if owner.get(name, drawn.farmer_id) != drawn.farmer_id:
            raise UserError(
                f"parcel {name} is another farmer's", "leave `parcel_id` out for new land"
            )


def _alone(
    county: County, drawn: Drawn, own: Path, scratch: Path, say: Callable[[str], None]
) -> None:
    """Run the stages that see a parcel alone on what was drawn."""
    file = scratch / "drawn.geojson"
    file.write_text(
        json.dumps({"type": "FeatureCollection", "features": list(drawn.outlines)}), "utf-8"
    )
    say("intake")
    county.run(
        "intake", own, sources=[str(file)], columns={}, crs=None, layers=(), prefixes={},
        applied=[], vault=str(scratch / "vault.sqlite"),
    )  # fmt: skip
    _name(county, own, drawn)
    archived = {"chosen": str(county.folder / "scenes_sentinel1.parquet")}
    for name in ALONE[1:]:
        say(name)
        if name == "fields" and _all_stopped(own):
            return
        county.run(name, own, **(archived if name == "radar" else {}))
    if not _known_rings(county.folder, own):
        say(SEEN_FIELDS)
        county.run(SEEN_FIELDS, own)


def _name(county: County, own: Path, drawn: Drawn) -> None:
    """Give the rows the applicant's pseudonym where they were drawn under another number."""
    hidden = pseudonymiser(county.config.privacy_of(county.county))(drawn.reference)
    if hidden != drawn.farmer_id:
        raise UserError("the farmer's number and pseudonym differ", "apply again with the number")
    told = read_table(own / "outcomes/intake.parquet")
    bad = told[told["outcome"].map(lambda code: code != OK and _stops(code))]
    if len(bad) and len(bad) == len(told):
        row = bad.iloc[0]
        code = outcome_codes()[row["outcome"]]
        numbers = f" ({row['detail']})" if row["detail"] else ""
        raise UserError(f"{code.english.rstrip('.')}{numbers}", code.remedy)


def _known_rings(base: Path, own: Path) -> bool:
    """Whether all rings are rings of the county: its tiles saw them better than a cut-out does."""
    rings = [read_parcels(path / "parcels.parquet").set_index("parcel_id") for path in (base, own)]
    known, drawn = (dict(zip(r.index, r.geometry.to_wkb(), strict=True)) for r in rings)
    return all(known.get(name) == ring for name, ring in drawn.items())


def _all_stopped(own: Path) -> bool:
    """Whether no outline was seen: then there is nothing to measure, and the decision says why."""
    told = pd.concat([read_table(own / stage(n).outcomes) for n in ("intake", "observe")])
    stopped = set(told[told["outcome"].map(lambda code: code != OK and _stops(code))]["parcel_id"])
    return stopped.issuperset(read_table(own / "parcels.parquet", ["parcel_id"])["parcel_id"])


def _stops(code: str) -> bool:
    return outcome_codes()[code].effect == "stop"


def _why_none(own: Path) -> str:
    path = own / "outcomes/intake.parquet"
    codes = sorted(set(read_table(path)["outcome"])) if path.is_file() else []
    return f"no outline of the application could be used ({', '.join(codes) or 'none was drawn'})"


def _lay(county: County, drawn: Drawn, own: Path, together: Path) -> None:
    base = county.folder
    over = [*drawn.before, *([own] if drawn.outlines else [])]
    collection = f"{county.county}_{county.season}"
    known = set(read_table(base / "parcels.parquet", ["parcel_id"])["parcel_id"])

    def parts(name: str) -> list[Path]:
        return [folder / name for folder in over if (folder / name).is_file()]

    fresh = [
        folder / "farmers.parquet" for folder in over
        if not known.issuperset(read_table(folder / "parcels.parquet", ["parcel_id"])["parcel_id"])
    ]  # fmt: skip
    lay_parcels(base / "parcels.parquet", parts("parcels.parquet"), collection,
                together / "parcels.parquet")  # fmt: skip
    lay_farmers(base / "farmers.parquet", fresh, together / "farmers.parquet")
    lay_contacts(base / "contacts.parquet", parts("contacts.parquet"),
                 together / "contacts.parquet")  # fmt: skip
    for name in _OBSERVED:
        lay_table(base / name, parts(name), together / name)
    for name in ALONE:
        item = stage(name).outcomes
        lay_outcomes(base / item, parts(item), together / item)


def _applications(county: County, drawn: Drawn, own: Path, scratch: Path) -> list[str]:
    """Return the applications of single farmers that the profile stage is handed, own one last."""
    found = [str(path) for path in drawn.told_before]
    if drawn.application is None:
        return found
    here = county.config.county[county.county]
    row = {**drawn.application, "farmer_id": drawn.reference, "currency": here.currency}
    file = scratch / "application.csv"
    names = [column.name for column in APPLICATIONS.columns]
    pd.DataFrame([row]).reindex(columns=names).to_csv(file, index=False)
    filed = read_applications(
        file, as_of=here.seasons[county.season].as_of,
        privacy=county.config.privacy_of(county.county), reading=Reading(here.currency, {}, PLACE),
    )  # fmt: skip
    keep_application(filed, drawn.farmer_id, own / APPLICATION)
    return [*found, str(own / APPLICATION)]
