"""The loan history of a loan book: features as the profile has them, and no knowledge of later."""

from __future__ import annotations

import datetime as dt
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.risk.backfill import (
    UNSTATED,
    Backfilled,
    Chain,
    Knowledge,
    People,
    SeasonSpan,
    backfill,
    days_for,
    season_of,
)
from fieldline.lending.risk.features import of_loans, of_profiles
from fieldline.lending.risk.loan_book import read_loan_book
from fieldline.lending.sources import read_loans
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table

AS_OF = dt.date(2024, 9, 30)
CHAIN = Chain("2024", AS_OF)
PRIVACY = PrivacySettings(demo_key=True)
HEAD = "loan_id,farmer_id,household_id,disbursed_on,due_on,closed_on,principal\n"


def learnt(folder: Path, county: Any, text: str, people: People | None = None) -> Backfilled:
    """Backfill a book by what the county's profile knew on its as-of date."""
    (folder / "book.csv").write_text(HEAD + text, encoding="utf-8")
    book = read_loan_book(
        folder / "book.csv", Reading("CNY"), today=dt.date(2026, 6, 1), until=dt.date(2026, 5, 1)
    )
    county.profile()
    told = read_table(county.path("outcomes_profile.parquet"))
    told = told[told["outcome"].isin(UNSTATED)]
    known = Knowledge(
        read_table(county.path("profiles.parquet")),
        dict(zip(told["farmer_id"], told["outcome"], strict=True)),
    )
    hide = people or People(pseudonymiser(PRIVACY), pseudonymiser(PRIVACY, "household"))
    chains = dict.fromkeys(book.loans.index.tolist(), CHAIN)
    return backfill(book, chains, {CHAIN: known}, hide, "CNY")


def read_back(folder: Path, found: Backfilled) -> pd.DataFrame:
    path = folder / "loan_history.csv"
    found.history.to_csv(path, index=False)
    return read_loans(path, as_of=dt.date(2026, 9, 30), reading=Reading("CNY"))


def ann_bob_and_cat(county: Any) -> None:
    """Ann and Bob are one household with wages, proven and stated; Cat has a record and debts."""
    for place, (farmer, wide) in enumerate((("ann", 120), ("bob", 40), ("cat", 90))):
        county.add(farmer, farmer, x=500 * place, width=wide)
    county.apply("ann", household_id="AB", household_size=4, annual_debt_service="3000",
                 off_farm_income="26000")  # fmt: skip
    county.apply("bob", household_id="AB", household_size=4, annual_debt_service="700")
    county.hand_in("income_proof", farmer_id="ann", amount="9000")
    county.apply("cat", annual_debt_service="1234.56", prior_loans=2, prior_late=1)
    county.hand_in("credit_record", farmer_id="cat", prior_loans=3, prior_late=1, amount="800")


BOOK = (
    "a,ann,,2024-10-01,2025-09-01,2025-08-20,5000\n"
    "b,bob,,2024-10-02,2025-09-01,2025-12-20,2500\n"
    "c,cat,,2024-10-02,2025-09-01,,900\n"
    "h,,AB,2024-10-02,2025-09-01,2025-09-01,7000\n"
)


def test_features_are_those_that_the_profile_would_be_judged_by(
    county: Any, tmp_path: Path
) -> None:
    ann_bob_and_cat(county)
    loans = read_back(tmp_path, learnt(tmp_path, county, BOOK)).set_index("loan_id")
    assert loans["defaulted"].to_dict() == {"a": False, "b": True, "c": True, "h": False}
    profiles = read_table(county.path("profiles.parquet")).set_index(["level", "party_id"])
    hide, home = pseudonymiser(PRIVACY), pseudonymiser(PRIVACY, "household")
    parties = {
        "a": ("farmer", hide("ann")), "b": ("farmer", hide("bob")), "c": ("farmer", hide("cat")),
        "h": ("household", home("AB")),
    }  # fmt: skip
    judged = of_profiles(profiles.loc[[parties[name] for name in loans.index]].reset_index())
    features = of_loans(loans.reset_index(), county.policy)
    np.testing.assert_allclose(features.to_numpy(float), judged.to_numpy(float), atol=1e-8)
    assert features["debt_share"].gt(0.01).all()


def test_people_are_in_it_by_their_pseudonyms_alone(county: Any, tmp_path: Path) -> None:
    ann_bob_and_cat(county)
    text = learnt(tmp_path, county, BOOK).history.to_csv(index=False)
    assert pseudonymiser(PRIVACY)("ann") in text
    assert not any(name in text for name in ("ann", "bob", "cat", "AB"))


def test_what_was_written_down_after_the_as_of_date_changes_no_row(
    county: Any, tmp_path: Path
) -> None:
    ann_bob_and_cat(county)
    before = learnt(tmp_path, county, BOOK).history
    county.apply("ann", household_id="AB", household_size=9, annual_debt_service="99999",
                 prior_loans=50, prior_late=50, applied_on="2024-10-01")  # fmt: skip
    county.hand_in("credit_record", farmer_id="cat", prior_loans=90, prior_late=9, amount="88888",
                   issued_on="2024-10-01", verified_on="2024-10-01")  # fmt: skip
    later = BOOK + (
        "d,cat,,2024-10-20,2025-09-01,2025-12-31,900\ne,cat,,2023-10-20,2024-08-01,2025-01-31,900\n"
    )
    after = learnt(tmp_path, county, later).history
    kept = after[after["loan_id"].isin(before["loan_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before)


def test_loans_of_the_book_that_had_ended_count_as_earlier_ones(
    county: Any, tmp_path: Path
) -> None:
    county.add("p", "ann")
    county.apply("ann")
    rows = (
        "old,ann,,2022-10-01,2023-09-01,2023-08-20,500\n"
        "late,ann,,2023-10-01,2024-08-01,2024-09-30,500\n"
        "new,ann,,2024-10-02,2025-09-01,2025-09-01,500\n"
    )
    history = learnt(tmp_path, county, rows).history.set_index("loan_id")
    assert history.loc["new", ["prior_loans", "prior_late", "thin_file"]].tolist() == [2, 1, 0]


def test_debts_that_nobody_knew_are_blank_and_not_none(county: Any, tmp_path: Path) -> None:
    county.add("p", "ann")
    county.apply("ann", annual_debt_service="900", applied_on="2024-10-01")
    found = learnt(tmp_path, county, "a,ann,,2024-10-01,2025-09-01,2025-08-20,500\n")
    assert found.outcomes[1].code == "no_application"
    row = read_back(tmp_path, found).iloc[0]
    assert np.isnan(row[["debt_service", "need_on_land"]].astype(float)).all()
    features = of_loans(read_back(tmp_path, found), county.policy).iloc[0]
    assert np.isnan(features[["debt_share", "free_share"]].to_numpy(float)).all()
    assert features["income_spread"] == pytest.approx(0)


def test_loans_that_teach_nothing_are_named_and_left_out(county: Any, tmp_path: Path) -> None:
    county.add("p", "ann")
    county.add("q", "bob", x=500, yield_t_ha=None)
    county.apply("ann")
    county.apply("bob")
    found = learnt(
        tmp_path, county,
        "good,ann,,2024-10-01,2025-09-01,2025-08-20,500\n"
        "young,ann,,2025-10-01,2026-04-01,2026-02-20,500\n"
        "stranger,eve,,2024-10-01,2025-09-01,2025-08-20,500\n"
        "unvalued,bob,,2024-10-01,2025-09-01,2025-08-20,500\n",
    )  # fmt: skip
    assert {row: problem.code for row, problem in found.outcomes.items()} == {
        2: "loan_immature", 3: "input_unmatched", 4: "no_valued_parcel",
    }  # fmt: skip
    assert found.history["loan_id"].tolist() == ["good"]


SPANS = (
    SeasonSpan("2023", dt.date(2022, 10, 1), dt.date(2024, 9, 30)),
    SeasonSpan("2024", dt.date(2023, 10, 1), dt.date(2025, 9, 30)),
)


@pytest.mark.parametrize(
    ("day", "season"),
    [
        ("2022-10-01", None), ("2022-10-02", "2023"), ("2023-10-01", "2023"),
        ("2023-10-02", "2024"), ("2025-09-30", "2024"), ("2025-10-01", None),
    ],
)  # fmt: skip
def test_the_latest_season_that_had_begun_stands_for_a_payout(day: str, season: str | None) -> None:
    assert season_of(dt.date.fromisoformat(day), SPANS) == season


def test_every_payout_has_the_newest_day_that_is_neither_late_nor_stale() -> None:
    rng = np.random.default_rng(1)
    first = dt.date(2024, 3, 1)
    for _ in range(300):
        payouts = [first + dt.timedelta(days=int(n)) for n in rng.integers(0, 200, 12)]
        ready = [first + dt.timedelta(days=int(n)) for n in rng.integers(-40, 200, 3)]
        within = int(rng.integers(0, 60))
        chosen = days_for(payouts, ready, within)
        assert set(chosen) == set(payouts)
        every = {*ready, *chosen.values()}
        for day, as_of in chosen.items():
            fit = [d for d in every if d <= day and (day - d).days <= within]
            assert as_of == max(fit)


def test_no_fewer_chains_could_stand_for_the_payouts() -> None:
    rng = np.random.default_rng(2)
    first = dt.date(2024, 3, 1)
    for _ in range(60):
        payouts = sorted({first + dt.timedelta(days=int(n)) for n in rng.integers(0, 60, 7)})
        within = int(rng.integers(0, 25))
        found = len(set(days_for(payouts, [], within).values()))

        def enough(days: tuple[dt.date, ...], payouts: Any = payouts, most: int = within) -> bool:
            return all(any(0 <= (p - d).days <= most for d in days) for p in payouts)

        smallest = next(
            n for n in range(1, len(payouts) + 1) if any(map(enough, combinations(payouts, n)))
        )
        assert found == smallest
