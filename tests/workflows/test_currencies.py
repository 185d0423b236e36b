"""The tiny county from its values on in yen, dong and dinars: the same answers, at the factor.

What is seen from above has no currency, so crops and growth are those of the finished run; prices,
papers, loans, costs and the policy are made anew in each currency, as a lender's are, and with them
all that reads them: values, evidence (its rents), profiles, decisions and offers.
"""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.yields import run_yields
from fieldline.desk.report.render import run_report
from fieldline.lending.decision.decide import run_decide
from fieldline.lending.evidence.crosscheck import run_evidence
from fieldline.lending.fairness import run_fairness
from fieldline.lending.profile.profiles import run_profile
from fieldline.lending.risk.training import run_risk_train
from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.offers import run_offers
from fieldline.pipeline.records.money import minor_units, shown
from fieldline.pipeline.records.reference import table_rows
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.simulate.loans import loan_history
from fieldline.workflows.simulate.markets import in_currency, prices
from fieldline.workflows.simulate.settings import SimulateSettings
from fieldline.workflows.stages import stages_before
from tests.workflows.conftest import ChainRun

STATED = ("requested_amount", "annual_debt_service", "off_farm_income")


def papers(run: ChainRun, config: Config, currency: str, factor: str, folder: Path) -> None:
    """Write what a lender hands over, in another currency."""
    settings = SimulateSettings.model_validate(
        {**config.simulate.model_dump(), "currency": currency, "units_per_yuan": factor}
    )
    prices(settings).to_csv(folder / "prices.csv", index=False)
    loan_history(settings).to_csv(folder / "loans.csv", index=False)
    filed = pd.read_csv(run.simulated / "SIM001" / "applications_2024.csv")
    money = {name: in_currency(filed[name], settings) for name in STATED}
    filed.assign(**money, currency=currency).to_csv(folder / "applications.csv", index=False)
    held = pd.read_csv(run.simulated / "SIM001" / "documents_2024.csv")
    for name in ("amount", "premium"):
        stated = held[name].notna()
        held[name] = held[name].astype("Float64")
        held.loc[stated, name] = in_currency(held.loc[stated, name].astype(float), settings)
    held.assign(currency=currency).to_csv(folder / "documents.csv", index=False)


def tariffs(currency: str, factor: str, folder: Path) -> tuple[YieldSettings, PolicySettings]:
    """Write costs, scales and ceilings of the currency and return the settings that name them."""
    per_yuan = Decimal(factor)
    costs = [f"{row['crop']},here,{Decimal(row['cash_cost_per_ha']) * per_yuan},{currency}"
             for row in table_rows("crop_calendars.csv") if row["region"] == "sim"]  # fmt: skip
    scales = [f"{row['crop']},{currency},{Decimal(row['amount_per_mu']) * per_yuan},2015-01-01"
              for row in table_rows("scale_of_finance.csv")
              if row["currency"] == "CNY"]  # fmt: skip
    ceilings = [f"{currency},2024-07-22,own,0.0335,4,0,test"]
    heads = {
        "costs": "crop,region,cash_cost_per_ha,currency",
        "scales": "crop,currency,amount_per_mu,valid_from",
        "ceilings": "currency,valid_from,rule,base_rate,multiple,add,source",
    }
    for (name, head), rows in zip(heads.items(), (costs, scales, ceilings), strict=True):
        (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    yuan = PolicySettings()
    amounts = {name: getattr(yuan, name) * per_yuan for name in PolicySettings.AMOUNTS}
    policy = PolicySettings(
        currency=currency, **amounts, rate_ceiling_file=str(folder / "ceilings.csv"),
        scale_file=str(folder / "scales.csv"),
    )  # fmt: skip
    yields = YieldSettings(
        cost_file=str(folder / "costs.csv"), cost_region="here", calendar_region="sim"
    )
    return yields, policy


def value(
    run: ChainRun, config: Config, folder: Path, currency: str, settings: YieldSettings
) -> None:
    """Value the parcels anew, with what earlier seasons taught."""
    before, source = run.results / "2023" / "SIM001", run.simulated / "SIM001"
    seasons = config.county["SIM001"].seasons
    run_yields(
        crops=run.folder / "crops.parquet", growth=run.folder / "growth.parquet",
        hazards=run.folder / "hazards.parquet", fields=run.folder / "fields.parquet",
        county_yields=source / "county_yields.csv", prices=folder / "prices.csv",
        survey=source / "survey_2024.csv", earlier_surveys=[source / "survey_2023.csv"],
        earlier_crops=[before / "crops.parquet"], earlier_growth=[before / "growth.parquet"],
        earlier_hazards=[before / "hazards.parquet"], seasons=[seasons["2023"], seasons["2024"]],
        currency=currency, settings=settings, out=folder / "yields.parquet",
        out_crops=folder / "crop_values.parquet",
        card=folder / "models" / "yield.json", outcomes=folder / "outcomes" / "yield.parquet",
        previous=[run.folder / "outcomes" / f"{name}.parquet" for name in ("intake", "observe")],
    )  # fmt: skip


def decide(run: ChainRun, config: Config, folder: Path, policy: PolicySettings) -> None:
    """Cross-check, profile, decide and post in the policy's currency."""
    as_of, currency = config.county["SIM001"].seasons["2024"].as_of, policy.currency
    run_evidence(
        parcels=run.folder / "parcels.parquet", fields=run.folder / "fields.parquet",
        ring_fields=run.folder / "ring_fields.parquet",
        crops=run.folder / "crops.parquet", crop_values=folder / "crop_values.parquet",
        registry=run.simulated / "SIM001" / "registry_2024.csv",
        protected=run.simulated / "SIM001" / "protected.geojson",
        documents=folder / "documents.csv", as_of=as_of, currency=currency,
        settings=config.lending.evidence, privacy=config.privacy_of("SIM001"), table_columns={},
        out=folder / "evidence.parquet", outcomes=folder / "outcomes" / "evidence.parquet",
    )  # fmt: skip
    made: dict[str, Any] = {
        "evidence": folder / "evidence.parquet", "farmers": run.folder / "farmers.parquet",
        "as_of": as_of, "currency": currency, "policy": policy,
    }  # fmt: skip
    run_profile(
        **made, yields=folder / "yields.parquet", crop_values=folder / "crop_values.parquet",
        growth=run.folder / "growth.parquet", documents=folder / "documents.csv",
        out_harvests=folder / "harvests.parquet", hazards=run.folder / "hazards.parquet",
        history=run.folder / "history.parquet",
        applications=folder / "applications.csv", privacy=config.privacy_of("SIM001"),
        table_columns={},
        out=folder / "profiles.parquet", outcomes=folder / "outcomes" / "profile.parquet",
    )  # fmt: skip
    run_risk_train(
        loan_history=folder / "loans.csv", as_of=as_of, currency=currency, policy=policy,
        risk=config.lending.risk, table_columns={}, out=folder / "models/default/manifest.json",
        outcomes=folder / "outcomes" / "risk_train.parquet",
    )  # fmt: skip
    run_decide(
        **made, harvests=folder / "harvests.parquet", profiles=folder / "profiles.parquet",
        relations=run.folder / "relations.parquet",
        model=folder / "models/default/manifest.json", out=folder / "decisions.parquet",
        parts=[_outcomes(run, folder, name) for name in _before("decide")],
        card=folder / "models" / "pd.json", outcomes=folder / "outcomes" / "decide.parquet",
    )  # fmt: skip
    run_offers(
        decisions=folder / "decisions.parquet", parcels=run.folder / "parcels.parquet",
        evidence=folder / "evidence.parquet", absent={}, county="SIM001", season="2024",
        policy=policy,
        database=folder / "store.sqlite", offers=folder / "offers.csv",
        queue=folder / "review_queue.csv", outcomes=folder / "outcomes" / "offers.parquet",
    )  # fmt: skip


def _before(name: str) -> list[str]:
    return [stage.name for stage in stages_before(name) if stage.about in ("parcel", "farmer")]


def _outcomes(run: ChainRun, folder: Path, name: str) -> Path:
    own = folder / "outcomes" / f"{name}.parquet"
    return own if own.exists() else run.folder / "outcomes" / f"{name}.parquet"


def report(run: ChainRun, config: Config, folder: Path, *, simulated: bool = True) -> str:
    """Write the report from the new artifacts and those that have no currency; return its text."""
    own = folder if (folder / "decisions.parquet").exists() else run.folder
    run_fairness(
        decisions=own / "decisions.parquet", evidence=run.folder / "evidence.parquet",
        profiles=own / "profiles.parquet", applications=None, county="SIM001",
        as_of=config.county["SIM001"].seasons["2024"].as_of,
        currency=str(read_table(own / "decisions.parquet")["currency"].iloc[0]),
        settings=config.lending.fairness, privacy=config.privacy_of("SIM001"), table_columns={},
        out=folder / "fairness.json", outcomes=folder / "outcomes" / "fairness.parquet",
    )  # fmt: skip
    for artifact in run.folder.rglob("*"):
        here = folder / artifact.relative_to(run.folder)
        if artifact.is_file() and not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(artifact)
    county = config.county["SIM001"]
    run_report(
        parts=[folder / stage.outcomes for stage in stages_before("report")],
        county="SIM001", title=county.title, season_name="2024", season=county.seasons["2024"],
        simulated=simulated, suppress_below=config.suppress_below, grid=county.grid,
        scenes=county.scenes.model_copy(update={"bands": ("B04", "B08")}),  # no picture is needed
        joined=folder / "joined.parquet", report=folder / "own.html",
        outcomes=folder / "outcomes_of_report.parquet",
    )  # fmt: skip
    return (folder / "own.html").read_text(encoding="utf-8")


@pytest.fixture
def finished(tiny_run: ChainRun, tmp_path: Path) -> Callable[[str, str], tuple[pd.DataFrame, str]]:
    """Return how to decide the county in a currency: decisions by farmer, and the report."""

    def make(currency: str, factor: str) -> tuple[pd.DataFrame, str]:
        config = load_config([tiny_run.config])
        papers(tiny_run, config, currency, factor, tmp_path)
        settings, policy = tariffs(currency, factor, tmp_path)
        value(tiny_run, config, tmp_path, currency, settings)
        decide(tiny_run, config, tmp_path, policy)
        page = report(tiny_run, config, tmp_path)
        return read_table(tmp_path / "decisions.parquet").set_index("farmer_id"), page

    return make


@pytest.mark.parametrize(("currency", "factor"), [("VND", "3500"), ("JPY", "20"), ("KWD", "0.043")])
def test_the_county_is_decided_alike_in_another_currency(
    finished: Any, tiny_run: ChainRun, tmp_path: Path, currency: str, factor: str
) -> None:
    found, page = finished(currency, factor)
    base = read_table(tiny_run.folder / "decisions.parquet").set_index("farmer_id")
    found = found.loc[base.index]
    per_fen = Fraction(factor) * minor_units(currency) / minor_units("CNY")
    other = found["access"].ne(base["access"])
    told = ["access", "pd", "limit_capacity_minor", "reason_codes"]
    assert not other.any(), f"{base.loc[other, told].to_dict()} {found.loc[other, told].to_dict()}"
    assert [list(c) for c in found["reason_codes"]] == [list(c) for c in base["reason_codes"]]
    assert list(found["limit_minor"]) == [minor * per_fen for minor in base["limit_minor"]]
    assert (base["limit_minor"] > 0).sum() >= 5
    offered = base["access"] == "approve"
    # Papers are rounded to the currency's coin, which moves a few splits of the default model.
    exact = currency == "VND"
    assert (found["pd"] - base["pd"]).abs().max() < (1e-6 if exact else 1e-3)
    apart = (found["annual_rate"] - base["annual_rate"])[offered].abs()
    assert apart.max() <= (0 if exact else PolicySettings().rate_step)

    total = int(found["limit_minor"].sum())
    assert shown(total, currency) in page
    # As a word: curves are written in base64, which may spell anything.
    assert not re.search(r"(?<![\w+/])CNY(?![\w+/=])", page.split("<main>")[0])
    lent = {farmer: int(minor) for farmer, minor in found["limit_minor"].items() if minor}
    with (tmp_path / "offers.csv").open(encoding="utf-8-sig") as handle:
        rows = {row["farmer_id"]: row for row in csv.DictReader(handle)}
    assert {row["currency"] for row in rows.values()} == {currency}
    for farmer, minor in lent.items():
        assert Decimal(rows[farmer]["limit"]) * minor_units(currency) == minor
        _, _, decimals = rows[farmer]["limit"].partition(".")
        assert 10 ** len(decimals) == minor_units(currency)
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as store:
        stored = store.execute(
            "SELECT farmer_id, limit_minor FROM offers WHERE currency = ? AND limit_minor > 0",
            (currency,),
        )
        assert dict(stored.fetchall()) == lent


def test_a_real_county_s_page_says_that_its_costs_are_simulated(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    page = report(tiny_run, load_config([tiny_run.config]), tmp_path, simulated=False)
    assert "The costs per hectare behind every income and limit on this page are simulated" in page
    assert "no farmer, field, price, image or loan on this page is real" not in page
