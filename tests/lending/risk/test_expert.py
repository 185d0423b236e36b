from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.risk.expert import ExpertCard, expert_card
from fieldline.lending.risk.features import FEATURES
from fieldline.pipeline.records.errors import UserError

BEST = {
    "debt_share": 0.0, "free_share": 0.5, "income_spread": 0.2, "stability": 0.9,
    "hazard_index": 5.0, "conflicts": 0.0, "late_share": 0.0, "prior_loans": 4.0, "thin_file": 0.0,
}  # fmt: skip


def probability(**changed: float) -> float:
    return expert_card().predict(pd.DataFrame([{**BEST, **changed}]))[0].pd


def test_points_by_hand() -> None:
    # (base) -100 and (prudence) 10; 20 points double the odds: 2^-4.5 to 1
    assert probability() == pytest.approx(2**-4.5 / (1 + 2**-4.5), abs=1e-6)
    # one of two loans late is a share of a third, 36 points
    odds = 2 ** ((-90 + 36) / 20)
    assert probability(late_share=1 / 3) == pytest.approx(odds / (1 + odds), abs=1e-6)


def test_a_worse_value_never_lowers_the_risk() -> None:
    for feature in FEATURES:
        grid = np.linspace(-1, 120, 400)
        said = np.array([probability(**{feature.name: value}) for value in grid])
        if feature.sign:
            assert (feature.sign * np.diff(said) >= 0).all(), feature.name


def test_a_blank_counts_as_the_worst_answer() -> None:
    for feature in FEATURES:
        worst = max(probability(**{feature.name: value}) for value in np.linspace(-1, 120, 400))
        assert probability(**{feature.name: np.nan}) == worst


def test_a_stored_card_serves_the_same() -> None:
    card = expert_card()
    again = ExpertCard.from_dict(json.loads(json.dumps(card.to_dict())))
    assert again == card


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("stability,0.5,0.75,6,policy", "stability,0.6,0.75,6,policy", "does not say the points"),
        ("debt_share,0.5,,32,policy", "debt_share,0.5,,3,policy", "go against its sign"),
        ("thin_file,1,,6,policy", "age,1,,6,policy", "'age', which is no feature"),
    ],
)
def test_points_with_a_gap_or_against_a_sign_are_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = Path("data/expert_scorecard.csv").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "points.csv"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=says):
        expert_card(str(path))
