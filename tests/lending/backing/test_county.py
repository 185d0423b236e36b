"""A county whose lender hands in contracts, a guarantee pool and a list: from files to offers."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from fieldline.lending.decision.folder import open_folder
from fieldline.lending.decision.judge import read_judge
from fieldline.lending.decision.replay import replay
from fieldline.lending.decision.single import Features


def test_the_tables_reach_cases_offers_and_a_decision_of_one_farmer(
    county: Any, name_of: Any, loans: pd.DataFrame
) -> None:
    county.loans = loans
    for place, farmer in enumerate(("ann", "bob", "cat")):
        county.add(farmer, farmer, x=1000 * place)
        county.apply(farmer, prior_loans=4)
    county.guarantors = [{
        "guarantor_id": "pool", "name": "County pool", "share": 0.8, "currency": "CNY",
        "capacity_left": 6000, "stated_on": "2024-09-01", "fee": 0, "valid_from": "2024-01-01",
        "valid_to": "", "counties": "T", "crops": "maize",
    }]  # fmt: skip
    county.contracts = [{
        "contract_id": "k1", "farmer_id": "bob", "buyer": "Mill", "crop": "maize",
        "currency": "CNY", "amount": 9000, "quantity_t": 4, "price_per_t": "",
        "signed_on": "2024-06-01", "valid_from": "2024-09-01", "valid_to": "2026-12-31",
        "assigned": "yes",
    }]  # fmt: skip
    county.preapproved = [{
        "farmer_id": "cat", "id_number": "", "currency": "CNY", "amount": 5000,
        "valid_from": "2024-01-01", "valid_to": "2024-12-31", "source": "branch 7",
    }]  # fmt: skip
    found = county.decide()
    approved = found[found["access"] == "approve"]
    assert len(approved) == 3
    covered = approved["covered_minor"].dropna()
    assert 0 < covered.sum() <= 600_000
    assert set(approved.loc[covered.index, "guarantor"]) == {"pool"}
    cases = {name: json.loads(row["trace"])["case"] for name, row in found.iterrows()}
    (contract,) = cases[name_of("bob")]["contracts"]
    assert (contract["counted_minor"], contract["outcome"]) == (900_000, "ok")
    assert cases[name_of("cat")]["preapproved"]["amount_minor"] == 500_000
    for _, row in found.iterrows():
        assert replay(row["trace"]).limit_minor == row["limit_minor"]
    county.offers(county.path("store.sqlite"))
    offers = pd.read_csv(county.path("offers.csv"), dtype="str").set_index("farmer_id")
    assert offers["covered"].dropna().astype(float).mul(100).astype(int).sum() == covered.sum()
    alone = Features(
        open_folder(
            farmers=county.path("farmers.parquet"), profiles=county.path("profiles.parquet"),
            evidence=county.path("evidence.parquet"), harvests=county.path("harvests.parquet"),
            parts=[
                county.path(f"outcomes_{name}.parquet")
                for name in ("observe", "evidence", "profile")
            ],
            currency="CNY", as_of=county.as_of, relations=county.path("relations.parquet"),
            exclusions=county.path("exclusions.parquet"), crops=county.path("crops.parquet"),
            contracts=county.path("contracts.parquet"), county="T",
            preapproved=county.path("preapproved.parquet"),
            turns=county.path("cover_turns.parquet"),
        ),
        read_judge(county.path("manifest.json")), county.policy, "",
    )  # fmt: skip
    for farmer in ("ann", "bob", "cat"):
        one = alone.record(name_of(farmer))
        assert one["decision_id"] == found.loc[name_of(farmer), "decision_id"]
