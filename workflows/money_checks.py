"""What a run would stumble over in the lender's own tariffs, and what in them is nobody's yet.

Owns holding a county's currency and days against the tables that decisions reckon with: costs and
legal ceilings, looked at before the imagery work and not after it. Figures that are assumptions of
ours are named wherever a person looks, because an offer rests on them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.area_values import area_values
from fieldline.crops.value.calendars import calendar_regions, crop_days
from fieldline.crops.value.costs import ASSUMED, SIMULATED, cash_costs, of_county
from fieldline.crops.value.crop_values import split_by
from fieldline.lending.decision.rule_checks import rule_tables
from fieldline.lending.decision.rule_choice import in_force
from fieldline.lending.decision.tariffs import SCALES, ceiling_on, scale_bases
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.model import Config

_ASSUMPTION = "assumption"


def policy_problems(config: Config) -> Iterator[UserError]:
    """Yield each county that lends in another currency than its policy or its simulator states."""
    policy = config.lending.policy
    for name in config.counties:
        currency, simulated = config.county[name].currency, config.simulate.currency
        if config.county[name].simulated and currency != simulated:
            yield UserError(
                f"county {name} lends in {currency} and is simulated in {simulated}",
                f"set simulate.currency to {currency} and simulate.units_per_yuan to a factor",
            )
        if currency != policy.currency:
            yield UserError(
                f"county {name} lends in {currency} and lending.policy states its amounts in "
                f"{policy.currency} (no exchange rate is assumed)",
                f"set lending.policy.currency to {currency} and state {', '.join(policy.AMOUNTS)} "
                "in it; counties of several currencies run with a configuration each",
            )


def tariff_problems(config: Config) -> Iterator[UserError]:
    """Yield what would stop a run in the lender's tables, each problem of a county once."""
    told: set[tuple[str, str]] = set()
    for name, season in config.runs():
        try:
            _look(config, name, config.county[name].seasons[season].as_of)
        except UserError as error:
            if (name, error.problem) not in told:
                told.add((name, error.problem))
                yield UserError(f"county {name}: {error.problem}", error.remedy)


def _yields(config: Config, name: str) -> YieldSettings:
    """Return the yield settings with the region whose costs hold in a county."""
    county = config.county[name]
    return of_county(
        config.crops.yields, county.names(name), county.currency, simulated=county.simulated
    )


def _look(config: Config, name: str, day: dt.date) -> None:
    """Read every tariff that a county needs on a day.

    Raises:
        UserError: One of them is not there, or not in the county's currency.
    """
    county, policy = config.county[name], config.lending.policy
    ceiling_on(policy.rate_ceiling_file, county.currency, day)
    rule_tables(policy, frozenset(config.county))
    in_force(policy, day)
    scale_bases(policy.scale_file, county.currency)
    yields = _yields(config, name)
    area_values(yields, county.currency, day)
    if county.inputs.prices is not None:
        cash_costs(yields.cost_file, yields.cost_region, county.currency)
        crop_days(yields)


def assumptions(config: Config, name: str) -> list[str]:
    """Return what a real county's offers rest on that is an assumption of ours, a sentence each.

    Args:
        config: A configuration without `tariff_problems`.
        name: County id. A simulated county assumes everything and says so on every page.
    """
    county = config.county[name]
    if county.simulated:
        return []
    return [
        *_costs(config, name), *_calendar(config, name), *_seasons(config, name),
        *_scales(config, name), *_ceilings(config, name),
    ]  # fmt: skip


def _costs(config: Config, name: str) -> Iterator[str]:
    yields, county = _yields(config, name), config.county[name]
    if county.inputs.prices is None:
        return
    own = county.names(name)[0]
    if yields.cost_region is None:
        yield (
            "no costs per hectare are stated (crops.yields.cost_region is empty and "
            f"{yields.cost_file} has no region {own} in {county.currency}): crops have a gross "
            "value and no net income (no_cost), so no limit rests on a harvest: add the county's "
            f"costs to a table of your own, region {own}, and name it in crops.yields.cost_file"
        )
        return
    costs = cash_costs(yields.cost_file, yields.cost_region, county.currency)
    bases = {cost.basis for cost in costs.values()} & set(ASSUMED)
    if bases:
        kind = SIMULATED.upper() if SIMULATED in bases else "an order of magnitude"
        yield (
            f"costs per hectare are {kind} (region {yields.cost_region} of {yields.cost_file}), so "
            "income and limits are too: set crops.yields.cost_file and cost_region to your own"
        )


def _calendar(config: Config, name: str) -> Iterator[str]:
    yields = _yields(config, name)
    region = yields.calendar_region or yields.cost_region
    if config.county[name].inputs.prices is None or crop_days(yields):
        return
    known = ", ".join(calendar_regions(yields))
    own = config.county[name].names(name)[0]
    yield (
        f"the calendar of region {region or own} is not in {yields.calendar_file}, so when the "
        f"harvest that repays comes is not known: set crops.yields.calendar_region to one of "
        f"{known}, or calendar_file to your own"
    )


def _seasons(config: Config, name: str) -> Iterator[str]:
    yields, county = _yields(config, name), config.county[name]
    if county.inputs.prices is None:
        return
    for season in (season for own, season in config.runs() if own == name):
        cut = split_by(crop_days(yields), county.seasons[season])
        if cut:
            yield (
                f"season {season} begins on {county.seasons[season].start}, shortly before the "
                f"harvest of {', '.join(cut)}: that harvest is taken for the season's, and what is "
                "sown within it is missed on the images before it is up: begin the season between "
                "harvest and sowing"
            )


def _scales(config: Config, name: str) -> Iterator[str]:
    policy = config.lending.policy
    if _ASSUMPTION in scale_bases(policy.scale_file, config.county[name].currency):
        yield (
            f"scales of finance are an order of magnitude ({policy.scale_file or SCALES}): set "
            "lending.policy.scale_file to your own"
        )


def _ceilings(config: Config, name: str) -> Iterator[str]:
    policy, county = config.lending.policy, config.county[name]
    days = [county.seasons[season].as_of for own, season in config.runs() if own == name]
    rules = {ceiling_on(policy.rate_ceiling_file, county.currency, day).rule for day in days}
    if _ASSUMPTION in rules:
        yield (
            f"the ceiling of rates in {county.currency} is an assumption "
            f"({policy.rate_ceiling_file}), not the law: set lending.policy.rate_ceiling_file"
        )
