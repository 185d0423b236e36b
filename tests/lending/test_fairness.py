"""Figures by group held against counts made one farmer at a time, without a data frame."""

from __future__ import annotations

import csv
import json
import random
import statistics
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from fieldline.lending.fairness import figures, joined, run_fairness
from fieldline.lending.settings import FairnessSettings
from fieldline.pipeline.records.errors import UserError
from tests.lending.conftest import AS_OF, PRIVACY, pseudonym

MU = 10_000 / 15


@dataclass
class Farmer:
    """One farmer as anybody would note him down."""

    name: str
    mu: float
    access: str
    limit: int
    rate: float
    crop: str
    tenure: str
    gender: str

    @property
    def size(self) -> str:
        if self.mu < 3:
            return "under 3 mu"
        if self.mu < 10:
            return "3 to 10 mu"
        return "10 to 30 mu" if self.mu < 30 else "over 30 mu"


def crowd(count: int, seed: int) -> list[Farmer]:
    draw = random.Random(seed)
    return [
        Farmer(
            f"F{n}", mu := draw.choice([0.5, 2.99, 3.0, 7.0, 10.0, 12.5, 29.9, 30.0, 55.0]),
            access := draw.choice(["approve", "approve", "review", "decline"]),
            round(mu * draw.randint(300, 900) * 100) if access == "approve" else 0,
            draw.randint(600, 1200) / 10_000, draw.choice(["maize", "rice", "rice", "tea"]),
            draw.choice(["own", "own", "leased", "unknown"]), draw.choice("wwm"),
        )
        for n in range(count)
    ]  # fmt: skip


def table(farmers: list[Farmer]) -> pd.DataFrame:
    return pd.DataFrame([
        {
            "farmer_id": f.name, "mu": f.mu, "size": f.size, "access": f.access,
            "limit_minor": f.limit, "crop": f.crop, "tenure": f.tenure, "gender": f.gender,
            "annual_rate": Decimal(str(f.rate)) if f.access == "approve" else None,
        }
        for f in farmers
    ])  # fmt: skip


def by_hand(farmers: list[Farmer], least: int) -> dict[str, Any]:
    approved = [f for f in farmers if f.access == "approve"]
    enough = len(approved) >= least
    reviewed = sum(f.access == "review" for f in farmers)
    declined = sum(f.access == "decline" for f in farmers)
    return {
        "farmers": len(farmers),
        "approve": pytest.approx(len(approved) / len(farmers), abs=1e-6),
        "review": pytest.approx(reviewed / len(farmers), abs=1e-6),
        "decline": pytest.approx(declined / len(farmers), abs=1e-6),
        "limit_per_mu": (
            f"{round(statistics.median(f.limit / f.mu for f in approved)) / 100:.2f}"
            if enough else None
        ),
        "annual_rate": (
            pytest.approx(statistics.median(f.rate for f in approved), abs=1e-6)
            if enough else None
        ),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_every_figure_is_that_of_counting_farmer_by_farmer(seed: int) -> None:
    farmers = crowd(random.Random(seed).choice([25, 60, 200]), seed)
    dimensions = ("size", "crop", "tenure", "gender")
    found = figures(table(farmers), dimensions, 10, "CNY")
    assert found["all"] == by_hand(farmers, 10)
    for name in dimensions:
        groups: dict[str, list[Farmer]] = defaultdict(list)
        for farmer in farmers:
            groups[getattr(farmer, name)].append(farmer)
        told = found["by"][name]
        shown = {cell.pop("group"): cell for cell in told["groups"]}
        for group, cell in shown.items():
            assert cell == by_hand(groups[group], 10), (name, group)
        kept = [len(own) for group, own in groups.items() if group not in shown]
        assert told["hidden"] == {"groups": len(kept), "farmers": sum(kept)}
        assert all(len(groups[group]) >= 10 for group in shown)
        assert len(kept) != 1 or not shown
        assert not kept or sum(kept) >= 10 or not shown
    small = [f for f in farmers if f.mu < 10]
    if (told := found["under_10_mu"]) is not None:
        assert told.pop("share_of_farmers") == pytest.approx(len(small) / len(farmers), abs=1e-6)
        assert told == by_hand(small, 10)


def test_ratio_and_difference_are_fairlearns_by_hand() -> None:
    """Selection rates of 6/10, 8/20 and 3/10: `demographic_parity_ratio` is the least over the
    greatest, .3 / .6, `demographic_parity_difference` is .6 - .3 (fairlearn 0.10, metrics)."""
    told = [("a", 6, 10), ("b", 8, 20), ("c", 3, 10)]
    rows = [
        Farmer(f"{crop}{n}", 5, "approve" if n < given else "decline", 100, 0.1, crop, "own", "w")
        for crop, given, count in told
        for n in range(count)
    ]
    found = figures(table(rows), ("crop",), 10, "CNY")["by"]["crop"]
    assert (found["approval_ratio"], found["approval_difference"]) == (0.5, 0.3)


def test_nothing_is_told_of_fewer_farmers_than_the_least() -> None:
    found = figures(table(crowd(9, 1)), ("size", "crop"), 10, "CNY")
    assert (found["all"], found["under_10_mu"], found["by"]) == (None, None, {})


def test_holding_crop_and_tenure_come_from_the_evidence() -> None:
    decisions = pd.DataFrame([
        {"farmer_id": name, "access": "decline", "limit_minor": 0, "annual_rate": None}
        for name in ("ann", "bob", "cat", "dan")
    ])  # fmt: skip
    land = [  # farmer, mu, declared, seen, proven, registered, leased
        ("ann", 2.0, "maize", "maize", None, 5.0, False),
        ("ann", 4.0, "rice", "rice", "tea", 5.0, False),
        ("bob", 9.0, "maize", None, None, 5.0, False),
        ("bob", 1.0, "rice", "rice", None, None, True),
        ("cat", 1.0, None, None, None, None, False),
    ]
    evidence = pd.DataFrame([
        {"farmer_id": f, "evidence_area_m2": mu * MU, "declared_crop": d, "seen_crop": s,
         "proven_crop": p, "registry_area_m2": r, "leased": leased}
        for f, mu, d, s, p, r, leased in land
    ])  # fmt: skip
    profiles = pd.DataFrame([
        {"level": "farmer", "party_id": "ann", "evidence_area_m2": 6 * MU},
        {"level": "farmer", "party_id": "bob", "evidence_area_m2": 10 * MU},
        {"level": "farmer", "party_id": "cat", "evidence_area_m2": 1 * MU},
        {"level": "household", "party_id": "ann", "evidence_area_m2": 99 * MU},
    ])  # fmt: skip
    people = joined(decisions, evidence, profiles).set_index("farmer_id")
    found = people[["size", "crop", "tenure"]].to_dict("index")
    assert {name: tuple(row.values()) for name, row in found.items()} == {
        "ann": ("3 to 10 mu", "tea", "own"),
        "bob": ("10 to 30 mu", "maize", "leased"),
        "cat": ("under 3 mu", "unknown", "unknown"),
        "dan": ("under 3 mu", "unknown", "unknown"),
    }


def stage(county: Any, *protected: str, applications: bool = True) -> dict[str, Any]:
    path = county.path("applications.csv")
    run_fairness(
        decisions=county.path("decisions.parquet"), evidence=county.path("evidence.parquet"),
        profiles=county.path("profiles.parquet"), applications=path if applications else None,
        county="T", as_of=AS_OF, currency="CNY", table_columns={}, privacy=PRIVACY,
        settings=FairnessSettings(suppress_below=2, protected=protected),
        out=county.path("fairness.json"), outcomes=county.path("outcomes_fairness.parquet"),
    )  # fmt: skip
    return dict(json.loads(county.path("fairness.json").read_text(encoding="utf-8")))


@pytest.fixture
def decided(county: Any) -> Any:
    """Five farmers, four of whom applied; two of these stated a gender."""
    for number, name in enumerate(("ann", "bob", "cat", "dan", "eve")):
        county.add(f"P{number}", name, x=1000.0 * number)
        if name != "eve":
            county.apply(name)
    county.decide()
    path: Path = county.path("applications.csv")
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    genders = {"ann": "女", "bob": "女", "cat": "男", "dan": "男"}
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, [*rows[0], "gender"])
        writer.writeheader()
        writer.writerows({**row, "gender": genders[row["farmer_id"]]} for row in rows)
    return county


def test_a_protected_column_is_told_by_group_and_its_rare_values_are_not(decided: Any) -> None:
    told = stage(decided, "gender")["by"]["gender"]
    # eve stated none: one farmer, so the smaller of the two groups of two joins her
    assert [(cell["group"], cell["farmers"]) for cell in told["groups"]] == [("男", 2)]
    assert told["hidden"] == {"groups": 2, "farmers": 3}
    assert "gender" not in stage(decided)["by"]
    assert pseudonym("ann") not in decided.path("fairness.json").read_text(encoding="utf-8")


def test_a_protected_column_that_is_not_there_is_one_sentence(decided: Any) -> None:
    with pytest.raises(UserError, match=r"applications\.csv.*'?age'?"):
        stage(decided, "age")
    with pytest.raises(UserError, match="names 'gender', and the county has no applications"):
        stage(decided, "gender", applications=False)


@pytest.mark.parametrize("names", [("size",), ("gender", "gender"), (" ",)])
def test_a_protected_column_has_a_name_of_its_own(names: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="is blank, stands twice or is one of"):
        FairnessSettings(protected=names)
