"""`fieldline plan`: what a county's season takes, before a byte of its imagery is fetched.

Owns the page, as a table and as JSON; imagery is counted by `pipeline.imagery.county_plan`, machine
time and memory by `workflows.work_plan`. It reads the parcel files as intake would and needs no
earlier stage and no pseudonym key.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldline.pipeline.imagery.county_plan import CountyPlan
from fieldline.pipeline.imagery.limits import BudgetError
from fieldline.pipeline.imagery.settings import BudgetSettings, RadarScenes, SceneSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows import exits
from fieldline.workflows.checks import choices_of
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.plan import FOLDER
from fieldline.workflows.preflight import missing_inputs, season_problems
from fieldline.workflows.readiness import unready
from fieldline.workflows.work_plan import county_work, work_document

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

_COLUMNS = (
    "scene", "date", "cloud %", "files", "there", "tiles", "windows", "requests", "MB there",
    "MB to come",
)  # fmt: skip
_OF_ARCHIVES = ("scene", "date", "cloud %", "files", "MB there")
_MB = 1e6
_READ = ("parcels", "boundary", "catalog")
"""Inputs that the plan itself needs; without any other a run would stop, and the plan says so."""


def plan_imagery(config_files: Sequence[Path], county: str, season: str, *, as_json: bool) -> int:
    """Print the plan of a county and season; return the exit code: 3 where a run would stop.

    Raises:
        UserError: Unknown county or season, or its parcels or catalog cannot be read.
    """
    config = load_config(config_files, {"counties": [county], "seasons": [season]})
    for problem in season_problems(config):
        raise problem
    for found in missing_inputs(config):
        if found.name in _READ:
            raise found.problem
    outlines = accepted(config, county, season)
    plan, radar = county_plans(config, county, season, outlines)
    work = county_work(
        len(outlines), len(plan.scenes), config.county[county].blocks, config.results
    )
    refused = _refused(plan, config.pull.budget)
    refused = refused or (_refused(radar, config.pull.budget) if radar else "")
    refused = next((said for *_, said in unready(config, [county], set())), refused)
    if as_json:
        told = {"county": county, "season": season, **document(plan), "refused": refused}
        if radar is not None:
            told["radar"] = document(radar)
        told["work"] = work_document(work)
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _print(plan)
        if radar is not None:
            print("\nradar, a pull of its own:")
            _print(radar)
        print(work.sentence())
        if refused:
            print(f"a run would stop: {refused}")
    return exits.FOUND if refused else exits.OK


def accepted(config: Config, county: str, season: str) -> GeoDataFrame:
    """Return the outlines of a county and season that intake would accept.

    Raises:
        UserError: Its parcels cannot be read, or none is accepted.
    """
    # numpy and GDAL are imported here, so that `fieldline --help` answers at once
    from fieldline.pipeline.parcels.intake import accepted_outlines

    files = config.input_paths(county, season, "parcels")
    choices, boundary = choices_of(config, county, files)
    outlines = accepted_outlines(files, choices, boundary=boundary, settings=config.intake)
    if outlines.empty:
        raise UserError(
            f"county {county} has no accepted parcel",
            "see `fieldline parcels check` for what is wrong with each",
        )
    return outlines


def county_plans(
    config: Config, county: str, season: str, outlines: GeoDataFrame
) -> tuple[CountyPlan, CountyPlan | None]:
    """Return the plan of a county and season, and that of its radar where it has any.

    Args:
        config: The run.
        county: County id.
        season: Season.
        outlines: Accepted parcels.

    Raises:
        UserError: Its catalog cannot be read.
    """
    from fieldline.pipeline.imagery.scenes import plan_scenes

    # The look itself, some kilobytes a file, is what tells whether the budget would do.
    unlimited = config.pull.model_copy(update={"budget": BudgetSettings()})
    own, catalog = config.county[county], config.input_paths(county, season, "catalog")
    remote = None if catalog else str(own.inputs.catalog)
    folder = config.results / FOLDER.format(county=county, season=season)

    def planned(scenes: SceneSettings, remote: str | None) -> CountyPlan:
        return plan_scenes(
            catalog=catalog[0] if catalog else None, outlines=outlines, scenes=scenes,
            season=own.seasons[season], grid=own.grid, pull=unlimited, remote=remote, folder=folder,
        )  # fmt: skip

    optical = planned(own.scenes, remote)
    if own.radar.collection is None:
        return optical, None
    return optical, planned(RadarScenes.of(own.radar), own.radar.provider or remote)


def document(plan: CountyPlan) -> dict[str, Any]:
    """Return a plan as JSON holds it: numbers as numbers, money as text."""
    tariff = {name: _plain(value) for name, value in asdict(plan.tariff).items()}
    return {
        "scenes": [asdict(scene) for scene in plan.scenes],
        "left_out": plan.left_out,
        "total": {
            "scenes": len(plan.scenes),
            "bytes_there": sum(scene.bytes_there for scene in plan.scenes),
            "bytes_to_come": plan.to_come.bytes,
            "requests": plan.to_come.requests,
            "processing_units": plan.units,
            "money": _plain(plan.money),
            "currency": plan.tariff.currency,
            "files_of_unknown_size": sum(scene.unknown_files for scene in plan.scenes),
            "files_without_tile_table": sum(scene.bound_files for scene in plan.scenes),
            "files_to_render": sum(scene.rendered_files for scene in plan.scenes),
            "files_not_read": Counter(fault for scene in plan.scenes for fault in scene.faults),
        },
        "looked": asdict(plan.looked),
        "tariff": tariff,
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _refused(plan: CountyPlan, budget: BudgetSettings) -> str:
    """Return the sentence with which a run would stop; empty where it would not."""
    from fieldline.pipeline.imagery.county_plan import check_plan

    try:
        check_plan(plan, budget)
    except BudgetError as error:
        return str(error)
    return ""


def _print(plan: CountyPlan) -> None:
    total = document(plan)["total"]
    rows = [_row(scene) for scene in map(asdict, plan.scenes)]
    fetched = any(row["requests"] != "0" for row in rows) or plan.looked.requests
    print_aligned(rows, _COLUMNS if fetched else _OF_ARCHIVES)
    print(
        f"{total['scenes']} scenes: {total['bytes_there'] / _MB:,.1f} MB there, "
        f"{total['bytes_to_come'] / _MB:,.1f} MB to come in {total['requests']:,} requests, "
        f"{plan.units:,.1f} processing units, {_price(plan)}"
    )
    for code, count in sorted(plan.left_out.items()):
        print(f"left out: {count} items, {code}")
    for line in _remarks(total):
        print(line)
    if plan.looked.requests:
        print(
            f"this look: {plan.looked.requests:,} requests, {plan.looked.bytes / _MB:,.1f} MB of "
            "file headers, which a run does not fetch again where the service tells versions"
        )


def _remarks(total: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the bytes told do not hold exactly, each cause in its own words."""
    if total["files_without_tile_table"]:
        yield (
            f"{total['files_without_tile_table']} files have no tile table (JPEG 2000): the size "
            "of the whole file is counted"
        )
    if total["files_to_render"]:
        yield (
            f"{total['files_to_render']} files are still to be rendered: their windows are counted "
            "as large as before they are compressed"
        )
    for reason, count in sorted(total["files_not_read"].items()):
        yield (
            f"{count} files cannot be read now ({reason}): the size of the whole file is counted "
            "where it is stated, and a run loses their scenes unless this changes"
        )
    if total["files_of_unknown_size"]:
        yield f"{total['files_of_unknown_size']} files of unknown size are not counted"


def print_aligned(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> None:
    """Print rows under their names, each column as wide as its widest cell and none cut."""
    lines = [dict(zip(names, names, strict=True)), *rows]
    widths = {name: max(len(line[name]) for line in lines) for name in names}
    for line in lines:
        first, *others = names
        cells = [line[first].ljust(widths[first])]
        print("  ".join([*cells, *(line[name].rjust(widths[name]) for name in others)]).rstrip())


def _row(scene: Mapping[str, Any]) -> dict[str, str]:
    cloud = scene["cloud_percent"]
    bound = "<" if scene["bound_files"] or scene["rendered_files"] or scene["faults"] else ""
    values = (
        scene["id"], scene["date"], "" if cloud is None else f"{cloud:.0f}", scene["files"],
        scene["files_there"], scene["tiles"], scene["windows"], scene["requests"],
        f"{scene['bytes_there'] / _MB:,.1f}", f"{bound}{scene['bytes_to_come'] / _MB:,.1f}",
    )  # fmt: skip
    return dict(zip(_COLUMNS, map(str, values), strict=True))


def _price(plan: CountyPlan) -> str:
    if plan.money is None:
        return "price not known (set pull.tariff)"
    if not plan.money:
        return "free of charge"
    return f"{plan.money} {plan.tariff.currency}".rstrip()
