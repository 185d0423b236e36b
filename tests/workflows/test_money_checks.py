"""Whose money a configuration speaks: currencies that differ are refused, assumptions are named."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldline.crops.settings import ClassifySettings
from fieldline.lending.decision.tariffs import rate_ceilings
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.checks import check_config
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.absent import ABSENT_COSTS
from fieldline.workflows.money_checks import assumptions, policy_problems, tariff_problems
from fieldline.workflows.plan import Plan
from fieldline.workflows.preflight import preflight
from fieldline.workflows.provenance import own_tables

DINARS = {
    "currency": "KWD", "max_limit": "12900", "min_limit": "21.5", "limit_step": "4.3",
    "exposure_cap_household": "17200", "exposure_cap_farmer": "15050",
    "household_need_per_head": "258", "rent_per_mu": "12.9", "line_cost": "0.129",
}  # fmt: skip
CEILINGS = "currency,valid_from,rule,base_rate,multiple,add,source\n"
CALENDAR = (
    "crop,region,sow_start,sow_end,harvest_start,harvest_end\nmaize,north,04-20,05-15,08-05,09-05\n"
)
COSTS = "crop,region,cash_cost_per_ha,currency\nmaize,north,266.6,KWD\n"


def real(
    folder: Path, currency: str, policy: dict[str, Any] | None = None, **yields: Any
) -> Config:
    """Load a real county with prices, laid over the default as a lender's file is."""
    county = {
        "title": "X",
        "currency": currency,
        "inputs": {"parcels": "p.gpkg", "catalog": "c.json", "prices": "prices.csv"},
        "seasons": {"2024": {"start": "2023-10-01", "end": "2024-09-30", "as_of": "2024-09-30"}},
    }
    document: dict[str, Any] = {"counties": ["X"], "seasons": ["2024"], "county": {"X": county}}
    document |= {"lending": {"policy": policy}} if policy else {}
    document |= {"crops": {"yields": yields}} if yields else {}
    path = folder / "county.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_config([path])


def own(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def dinars(folder: Path, ceilings: str = "KWD,2020-01-01,own,0.3,1,0,s\n", **yields: Any) -> Config:
    table = own(folder, "ceilings.csv", CEILINGS + ceilings)
    return real(folder, "KWD", DINARS | {"rate_ceiling_file": table}, **yields)


def test_a_policy_of_another_currency_than_the_county_s_is_refused(tmp_path: Path) -> None:
    config = real(tmp_path, "KWD")
    (problem,) = policy_problems(config)
    said = str(problem)
    assert said.startswith(
        "county X lends in KWD and lending.policy states its amounts in CNY (no "
    )
    assert all(
        name in said for name in ("set lending.policy.currency to KWD", *PolicySettings.AMOUNTS)
    )
    assert said in [str(found) for found in preflight(config)]
    with pytest.raises(UserError, match="county X lends in KWD"):
        Plan(config)  # what plain Snakemake reads


def test_amounts_of_the_default_are_not_inherited_by_another_currency(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="currency is KWD and the default amounts are CNY") as why:
        real(tmp_path, "KWD", {"currency": "KWD", "max_limit": "12900", "limit_step": "100"})
    assert "state min_limit, exposure_cap_household, exposure_cap_farmer, household" in str(
        why.value
    )
    assert "(got" not in str(why.value)
    # A figure that happens to be the default's may be meant: it only has to be said.
    assert dinars(tmp_path).lending.policy.limit_step == Decimal("4.3")
    assert real(tmp_path, "KWD", DINARS | {"limit_step": "100"}).lending.policy.limit_step == 100


def test_a_policy_in_code_inherits_no_yuan_either() -> None:
    with pytest.raises(ValueError, match="state max_limit, min_limit"):
        PolicySettings(currency="JPY")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"currency": "XYZ"}, "'XYZ' is no currency of ISO 4217"),
        ({"currency": "kwd"}, "write KWD"),
        ({"limit_step": "0.0005"}, "limit_step 0.0005 has more decimals than KWD has (3)"),
    ],
)
def test_amounts_that_the_currency_cannot_hold_are_refused(
    tmp_path: Path, changed: dict[str, str], sentence: str
) -> None:
    with pytest.raises(UserError) as refused:
        real(tmp_path, "KWD", DINARS | changed)
    assert sentence in str(refused.value)


def test_every_amount_of_the_policy_says_its_unit_and_no_other_setting_does() -> None:
    told = {
        name
        for name, field in PolicySettings.model_fields.items()
        if "units of `currency`" in " ".join((field.description or "").split())
    }
    assert told == set(PolicySettings.AMOUNTS)


def test_a_ceiling_past_the_day_until_which_it_was_checked_stops_the_run(tmp_path: Path) -> None:
    head = "currency,valid_from,checked_until,rule,base_rate,multiple,add,source\n"
    problems = {}
    for until in ("2024-09-29", "2024-09-30"):
        table = own(tmp_path, "ceilings.csv", f"{head}KWD,2020-01-01,{until},own,0.3,1,0,s\n")
        rate_ceilings.cache_clear()
        config = real(tmp_path, "KWD", DINARS | {"rate_ceiling_file": table}, cost_region=None)
        problems[until] = [str(found) for found in tariff_problems(config)]
        assert set(problems[until]) <= {str(found) for found in preflight(config)}
    (said,) = problems["2024-09-29"]
    assert "row 1: the rate ceiling for KWD was checked until 2024-09-29, and this is dec" in said
    assert "look up the ceiling of that day: add its row" in said
    assert problems["2024-09-30"] == []


def test_a_missing_ceiling_is_said_before_the_run(tmp_path: Path) -> None:
    config = dinars(tmp_path, "KWD,2025-01-01,own,0.3,1,0,s\n", cost_region=None)
    (problem,) = tariff_problems(config)
    assert str(problem).startswith("county X: ")
    assert "no rate ceiling for KWD on 2024-09-30: add the row" in str(problem)


def test_a_fault_of_a_decision_table_is_said_before_the_run(tmp_path: Path) -> None:
    said = {
        "county,margin\nY,0.01\n,\n": "t.csv, row 1: county is 'Y': 'Y' is not known: write",
        "valid_to,margin\n2024-09-29,0.01\n": "t.csv holds until 2024-09-29, and this is",
        "pd_to,margin\n0.1,0.01\n": "t.csv has a gap: no row for 2024-01-01 on, pd 0.1 on",
    }
    for number, (text, sentence) in enumerate(said.items()):
        head, *rows = text.splitlines()
        until = "" if "valid_to" in head else "valid_to,"
        blank = "," if until else ""
        lines = [f"valid_from,{until}{head}", *(f"2024-01-01,{blank}{row}" for row in rows)]
        folder = tmp_path / str(number)
        folder.mkdir()
        table = own(folder, "t.csv", "\n".join(lines) + "\n")
        config = real(folder, "CNY", {"rule_tables": [table]}, cost_region="sim")
        (problem,) = tariff_problems(config)
        assert str(problem).startswith(f"county X: {sentence}")
        assert str(problem) in [str(found) for found in preflight(config)]


def test_a_changed_decision_table_is_another_setting_of_the_stage(tmp_path: Path) -> None:
    table = own(tmp_path, "t.csv", "valid_from,valid_to,margin\n2024-01-01,,0.01\n")
    policy = real(tmp_path, "CNY", {"rule_tables": [table]}).lending.policy
    before = own_tables(policy)
    own(tmp_path, "t.csv", "valid_from,valid_to,margin\n2024-01-01,,0.02\n")
    assert before.keys() == {table}
    assert own_tables(policy)[table] != before[table]


def test_changed_weights_are_another_setting_of_the_stage(tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"one")
    settings = ClassifySettings(presto=weights)
    before = own_tables(settings)
    weights.write_bytes(b"two")
    assert before.keys() == {str(weights)}
    assert own_tables(settings) != before


def test_costs_in_another_currency_are_refused_and_own_ones_taken(tmp_path: Path) -> None:
    (problem,) = tariff_problems(dinars(tmp_path, cost_region="sim"))
    assert "the county reckons in KWD and region 'sim' of crop_calendars.csv" in str(problem)
    assert "states its costs in CNY: add rows in KWD to a table of your own" in str(problem)
    costs = own(tmp_path, "costs.csv", COSTS)
    assert list(tariff_problems(dinars(tmp_path, cost_file=costs, cost_region="north"))) == []
    (unknown,) = tariff_problems(dinars(tmp_path, cost_file=costs, cost_region="south"))
    assert "has no costs of region 'south': set crops.yields.cost_region to one of north" in str(
        unknown
    )


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("KWD,soon,own,0.3,1,0,s", "ceilings.csv, row 1: valid_from is 'soon': write a date like"),
        ("KWD,2020-01-01,own,a,1,0,s", "ceilings.csv, row 1: base_rate is 'a': write a plain"),
        ("DEM,2020-01-01,own,0.3,1,0,s", "row 1: 'DEM' is a currency that is no longer in force"),
    ],
)
def test_a_bad_value_of_an_own_table_names_its_row(tmp_path: Path, row: str, sentence: str) -> None:
    (problem,) = tariff_problems(dinars(tmp_path, row + "\n", cost_region=None))
    assert sentence in str(problem)


def test_an_own_table_without_a_column_is_refused(tmp_path: Path) -> None:
    table = own(tmp_path, "ceilings.csv", "currency,valid_from\nKWD,2020-01-01\n")
    config = real(tmp_path, "KWD", DINARS | {"rate_ceiling_file": table}, cost_region=None)
    (problem,) = tariff_problems(config)
    assert "ceilings.csv lacks the columns ['rule', 'base_rate', 'multiple'" in str(problem)


def test_what_is_assumed_of_a_real_county_is_named_and_own_tables_are_not(tmp_path: Path) -> None:
    yuan = assumptions(real(tmp_path, "CNY", cost_region="sim"), "X")
    assert yuan[0].startswith("costs per hectare are SIMULATED (region sim of crop_calendars.csv)")
    assert yuan[1].startswith("scales of finance are an order of magnitude (scale_of_finance.csv)")
    assert len(yuan) == 2  # the ceiling in CNY is law
    costs, calendar = own(tmp_path, "costs.csv", COSTS), own(tmp_path, "calendar.csv", CALENDAR)
    north = {"cost_file": costs, "cost_region": "north"}
    assert assumptions(dinars(tmp_path, **north, calendar_file=calendar), "X") == []
    assert assumptions(load_config(), "SIM001") == []


def test_a_real_county_is_told_that_it_has_no_costs_until_its_own_are_there(
    tmp_path: Path,
) -> None:
    costs, calendar, _ = assumptions(real(tmp_path, "CNY"), "X")
    assert "crops have a gross value and no net income (no_cost)" in costs
    assert "add the county's costs to a table of your own, region X, and name it in" in costs
    assert "set crops.yields.calendar_region to one of bavaria, huanghuai, sim," in calendar
    table = own(tmp_path, "costs.csv", COSTS.replace("north", "x"))
    config = dinars(tmp_path, cost_file=table, calendar_region="sim")  # no cost_region: by name
    assert assumptions(config, "X") == []


def test_a_lender_s_own_costs_need_a_calendar_to_know_when_the_harvest_comes(
    tmp_path: Path,
) -> None:
    north = {"cost_file": own(tmp_path, "costs.csv", COSTS), "cost_region": "north"}
    (said,) = assumptions(dinars(tmp_path, **north), "X")
    assert "the calendar of region north is not in crop_calendars.csv" in said
    assert "set crops.yields.calendar_region to one of bavaria, huanghuai, sim," in said
    assert assumptions(dinars(tmp_path, **north, calendar_region="sim"), "X") == []


SOUTH = (
    "crop,region,sow_start,sow_end,harvest_start,harvest_end\n"
    "soybean,north,11-10,12-31,04-05,05-10\n"  # 95 days from the last sowing to the harvest
    "winter_wheat,north,05-08,05-25,12-01,01-16\n"  # 190 days
    "orchard,north,08-01,08-31,02-01,04-20\n"
)


@pytest.mark.parametrize(
    ("start", "end", "cut"),
    [
        ("2025-05-01", "2026-04-30", None),  # soybean is cut after it, and counts from April on
        ("2025-04-01", "2026-03-31", "soybean"),  # 4 days of 95 lie within it
        ("2025-03-01", "2026-02-28", None),  # 35 days: more than a third
        ("2025-04-06", "2026-04-05", None),  # the harvest begins before it: the next is its own
        ("2025-10-15", "2026-10-14", "winter_wheat"),  # 47 of 190
        ("2025-10-15", "2026-03-31", None),  # no wheat is sown again within it
        ("2025-01-01", "2025-12-31", None),
    ],
)
def test_a_season_that_begins_shortly_before_a_harvest_is_told(
    tmp_path: Path, start: str, end: str, cut: str | None
) -> None:
    costs = own(tmp_path, "costs.csv", COSTS)
    calendar = own(tmp_path, "calendar.csv", SOUTH)
    config = dinars(tmp_path, cost_file=costs, cost_region="north", calendar_file=calendar)
    season = Season(start=start, end=end, as_of=end)  # type: ignore[arg-type]
    county = config.county["X"].model_copy(update={"seasons": {"2024": season}})
    said = assumptions(config.model_copy(update={"county": {"X": county}}), "X")
    told = [line for line in said if "shortly before the harvest" in line]
    assert [line.split("harvest of ")[1].split(":")[0] for line in told] == ([cut] if cut else [])
    assert all(line.startswith(f"season 2024 begins on {start}") for line in told)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("rice,north,02-29,05-15,08-05,09-05", "row 2: sow_start is '02-29': write month and day"),
        ("rice,north,5/4,05-15,08-05,09-05", "row 2: sow_start is '5/4': write month and day like"),
        ("maize,north,04-20,05-15,08-05,09-05", "row 2: crop is 'maize': keep one row of it"),
    ],
)
def test_a_bad_day_of_an_own_calendar_names_its_row(
    tmp_path: Path, row: str, sentence: str
) -> None:
    calendar = own(tmp_path, "calendar.csv", f"{CALENDAR}{row}\n")
    costs = own(tmp_path, "costs.csv", COSTS)
    config = dinars(tmp_path, cost_file=costs, cost_region="north", calendar_file=calendar)
    (problem,) = tariff_problems(config)
    assert sentence in str(problem)


def test_the_day_of_the_ceiling_is_each_season_s_own(tmp_path: Path) -> None:
    config = dinars(tmp_path, "KWD,2024-09-30,assumption,0.3,1,0,s\n", cost_region=None)
    assert list(tariff_problems(config)) == []
    costs, calendar, said = assumptions(config, "X")
    assert costs.startswith("no costs per hectare are stated (crops.yields.cost_region is empty")
    assert calendar.startswith("the calendar of region X is not in crop_calendars.csv")
    assert said.startswith("the ceiling of rates in KWD is an assumption")
    assert config.county["X"].seasons["2024"].as_of == dt.date(2024, 9, 30)


def test_config_check_names_assumptions_and_absences(
    tmp_path: Path, real_keys: None, capsys: pytest.CaptureFixture[str]
) -> None:
    real(tmp_path, "CNY")
    for name in ("p.gpkg", "c.json", "prices.csv"):
        (tmp_path / name).touch()
    assert check_config(tmp_path / "county.yaml", as_json=False) == 0
    said = capsys.readouterr().out
    assert (
        "X: loan_history is not given: an expert scorecard judges instead of a model, with a "
        "lower cap.\n" in said
    )
    assert "X: no costs per hectare are stated (crops.yields.cost_region is empty and" in said
    assert check_config(tmp_path / "county.yaml", as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["absent"]["X"]["loan_history"] == ABSENT_COSTS["loan_history"]
    assert "prices" not in document["absent"]["X"]
    assert len(document["assumed"]["X"]) == 3


def test_the_remedy_for_costs_names_the_region_that_would_be_found(tmp_path: Path) -> None:
    config = real(tmp_path, "CNY")
    inputs = config.county["X"].inputs.model_copy(update={"yields_county": "Bavaria"})
    county = config.county["X"].model_copy(update={"inputs": inputs})
    known = config.model_copy(update={"county": {"X": county}})
    costs, *_ = assumptions(known, "X")
    assert "crop_calendars.csv has no region Bavaria in CNY" in costs  # its rows are in EUR
    table = own(
        tmp_path, "costs.csv", "crop,region,cash_cost_per_ha,currency\nmaize,bavaria,9,CNY\n"
    )
    yields = known.crops.yields.model_copy(update={"cost_file": table, "calendar_region": "sim"})
    crops = known.crops.model_copy(update={"yields": yields})
    told = assumptions(known.model_copy(update={"crops": crops}), "X")
    assert not any("costs per hectare" in sentence for sentence in told)
