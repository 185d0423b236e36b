from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.settings import PolicySettings
from tests.benchmarks.offers import (
    answers,
    as_owned,
    below,
    by_size,
    expected_result,
    ratio,
    shifted,
    spread,
)


def farmers(*rows: tuple[float, float, str]) -> pd.DataFrame:
    """Honest farmers: mu, chance of default and answer."""
    table = pd.DataFrame(rows, columns=["mu", "pd", "access"])
    return table.assign(honest=True, first="no_capacity", limit_minor=100_000, annual_rate=0.12)


def test_small_are_held_against_large_ones_of_the_same_risk() -> None:
    safe = [(2.0, 0.01, "approve"), (2.0, 0.01, "decline"), *[(30.0, 0.01, "approve")] * 4]
    risky = [*[(2.0, 0.15, "decline")] * 6, (30.0, 0.15, "decline")]
    # 1 of 2 where all large ones are approved, 0 of 6 where none is: 1 of the 2 expected
    assert by_size(farmers(*safe, *risky))["ratio"] == 0.5


def test_bins_without_a_large_farmer_expect_nothing() -> None:
    one = {"small": {"farmers": 4, "approved": 3}, "large": {"farmers": 2, "approved": 1}}
    two = {"small": {"farmers": 9, "approved": 9}, "large": {"farmers": 0, "approved": 0}}
    assert ratio([one, two]) == 1.5
    assert ratio([two]) is None


def test_a_line_is_reckoned_by_its_flows() -> None:
    policy = PolicySettings(tenor_days=360)
    found = expected_result(farmers((5.0, 0.1, "approve"), (5.0, 0.1, "decline")), policy)
    # 1,000 lent: .9 x 1,120 + .1 x 450 back, 50 of costs; 55 of it is lost on average
    assert found["expected_result_minor"] == pytest.approx(100_000 * (1.008 + 0.045 - 1 - 0.05))
    assert found["expected_loss_of_lent"] == pytest.approx(0.055)
    assert (found["lines"], found["lines_at_a_loss"]) == (1, 0)
    dear = expected_result(farmers((5.0, 0.12, "approve")), policy)
    assert dear["lines_at_a_loss"] == 1


def test_answers_count_the_honest_alone() -> None:
    table = farmers((5.0, 0.1, "approve"), (5.0, 0.1, "decline"), (5.0, 0.1, "approve"))
    table.loc[2, "honest"] = False
    found = answers(table)
    assert (found["honest"], found["approve"], found["all_approved"]) == (2, 1, 2)
    assert found["first_reasons"] == {"decline: no_capacity": 1}


def test_incomes_are_counted_below_each_quantile() -> None:
    told = pd.DataFrame(
        {"income_q10_minor": 10, "income_q50_minor": 50, "income_q90_minor": 90}, index=list("abcd")
    )
    found = below(pd.Series([5, 40, 60, 80], index=list("abcd")), told)
    assert (found["below_q10"], found["below_q50"], found["below_q90"]) == (0.25, 0.5, 1.0)
    assert found["below_q10_error"] == pytest.approx(np.sqrt(0.25 * 0.75 / 4))


def test_the_least_approvals_are_held_against_the_most() -> None:
    assert spread([100, 80, 90]) == pytest.approx(0.2)
    assert spread([0, 0]) is None


def test_papers_are_dated_earlier_and_blanks_stay_blank() -> None:
    table = pd.DataFrame({"a": ["2024-03-01", None], "b": ["2024-03-01", "x"]})
    moved = shifted(table, ["a"], 1)
    assert moved["a"].fillna("").tolist() == ["2024-02-29", ""]
    assert moved["b"].tolist() == ["2024-03-01", "x"]


def test_owned_land_names_its_farmer_but_where_a_lie_was_planted() -> None:
    registry = pd.DataFrame({"parcel_id": ["a", "b", "c"], "holder_id": ["Li", "Wu", None]})
    documents = pd.DataFrame({"kind": ["lease_contract", "field_photo"]})
    owned, papers = as_owned(registry, documents, dict.fromkeys("abc", "Ann"), {"b"})
    assert owned["holder_id"].fillna("").tolist() == ["Ann", "Wu", ""]
    assert papers["kind"].tolist() == ["field_photo"]
