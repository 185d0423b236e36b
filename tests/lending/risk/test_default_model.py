from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.risk.card import train_pd
from fieldline.lending.risk.default_model import (
    Loans,
    PdModel,
    content_version,
    population_shift,
    too_little,
)
from fieldline.lending.risk.expert import expert_card
from fieldline.lending.risk.features import FEATURES, NAMES, of_loans, of_profiles
from fieldline.lending.settings import PolicySettings, RiskSettings

SETTINGS = RiskSettings(trees=60, search=0)
POLICY = PolicySettings()


def learn_from(history: pd.DataFrame) -> Loans:
    return Loans(
        of_loans(history, POLICY),
        history["defaulted"].to_numpy("float64"),
        history["household_id"].to_numpy("str"),
        history["season"].to_numpy("str"),
    )


@pytest.fixture(scope="module")
def model(loans: pd.DataFrame) -> PdModel:
    return train_pd(learn_from(loans), SETTINGS)


def test_features_by_hand() -> None:
    row = {
        "income_q10": 600.0, "income_q50": 1000.0, "debt_service": 100.0, "household_need": 900.0,
        "stability": None, "hazard_index": 30.0, "conflicts": 1, "prior_loans": 3, "prior_late": 1,
        "thin_file": True, "off_farm_income": None,
    }  # fmt: skip
    found = of_loans(pd.DataFrame([row]).astype({"off_farm_income": "float64"}), POLICY).iloc[0]
    # need counts for at most half of 600: (600 - 300 - 100) / 1000 = .2
    assert found["debt_share"] == pytest.approx(0.1)
    assert found["free_share"] == pytest.approx(0.2)
    assert found["income_spread"] == pytest.approx(0.4)
    assert found["late_share"] == pytest.approx(0.25)
    assert np.isnan(found["stability"])
    assert found["thin_file"] == 1


def test_wages_pay_debts_first_and_for_the_household_next() -> None:
    row = {
        "income_q10": 600.0, "income_q50": 1000.0, "debt_service": 500.0, "household_need": 900.0,
        "stability": 0.9, "hazard_index": 30.0, "conflicts": 1, "prior_loans": 3, "prior_late": 1,
        "thin_file": False,
    }  # fmt: skip
    stated = pd.DataFrame([{**row, "off_farm_income": wage} for wage in (0.0, 1000.0, 1500.0, 1e6)])
    found = of_loans(stated, POLICY)
    # 70 % counts: 0; 700 (debts paid, 700 of the need left, land bears 300 at most); 1050 (350 of
    # the need left, land bears 300); more than both
    assert found["free_share"].tolist() == pytest.approx([-0.2, 0.3, 0.3, 0.6])
    assert found["debt_share"].tolist() == pytest.approx(
        [0.5, 500 / 1700, 500 / 2050, 500 / 701_000]
    )


def test_a_profile_and_a_loan_of_the_same_farmer_have_the_same_features(
    county: Any, name_of: Any
) -> None:
    county.add("a", "ann", width=300, own_log_sd=0.3)
    county.apply("ann", household_size=2)
    county.hand_in("income_proof", farmer_id="ann", amount="20000")
    county.hand_in("credit_record", farmer_id="ann", prior_loans=3, prior_late=1, amount="9000")
    profile = county.profile().loc[[("farmer", name_of("ann"))]]
    loan = pd.DataFrame({
        "income_q10": profile["income_q10_minor"], "income_q50": profile["income_q50_minor"],
        "debt_service": 900_000, "household_need": 2 * 600_000, "off_farm_income": 2_000_000.0,
        "stability": 0.9, "hazard_index": 20.0, "conflicts": 0, "prior_loans": 3, "prior_late": 1,
        "thin_file": False,
    })  # fmt: skip
    pd.testing.assert_frame_equal(
        of_profiles(profile), of_loans(loan, POLICY), check_dtype=False, rtol=1e-6
    )


def test_features_know_no_currency_unit(loans: pd.DataFrame) -> None:
    money = ["income_q10", "income_q50", "debt_service", "household_need"]
    minor = loans.assign(**{name: loans[name] * 100 for name in money})
    pd.testing.assert_frame_equal(of_loans(loans, POLICY), of_loans(minor, POLICY))


def test_held_out_skill_beats_the_constant_rate(model: PdModel) -> None:
    card = model.card
    assert card["has_skill"]
    assert card["boosting"]["auc"] > 0.72
    assert card["boosting"]["brier"] < card["baseline_constant_rate"]["brier"] - 0.02
    assert card["boosting"]["ece"] < 0.02 + card["boosting"]["ece_by_chance"]
    assert set(card["by_season"]) == {"2021", "2022", "2023"}
    assert card["last_season_held_out"]["season"] == "2023"


def test_no_skill_is_called_no_skill(loans: pd.DataFrame) -> None:
    shuffled = loans.assign(
        defaulted=np.random.default_rng(0).permutation(loans["defaulted"].to_numpy())
    )
    assert not train_pd(learn_from(shuffled), SETTINGS).card["has_skill"]


def test_contributions_sum_to_the_margin(model: PdModel, loans: pd.DataFrame) -> None:
    table = of_loans(loans, POLICY).head(50)
    raw = model.booster.inplace_predict(table.to_numpy(), predict_type="margin")
    for said, margin in zip(model.predict(table), raw, strict=True):
        total = said.bias + sum(said.contributions.values())
        assert total == pytest.approx(said.margin, abs=1e-9)
        assert total == pytest.approx(float(margin), abs=1e-4)


def test_no_known_sign_is_ever_broken(model: PdModel, loans: pd.DataFrame) -> None:
    table = of_loans(loans, POLICY).head(60)
    for feature in FEATURES:
        if feature.sign == 0:
            continue
        known = of_loans(loans, POLICY)[feature.name].dropna()
        grid = np.linspace(known.min() - 1, known.max() + 1, 25)
        sweep = [
            [said.pd for said in model.predict(table.assign(**{feature.name: value}))]
            for value in grid
        ]
        assert (feature.sign * np.diff(np.array(sweep), axis=0) >= 0).all(), feature.name


def test_a_stored_model_serves_the_same(model: PdModel, loans: pd.DataFrame) -> None:
    table = of_loans(loans, POLICY).head(20)
    again = PdModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again.predict(table) == model.predict(table)
    assert again.version == model.version


def test_training_twice_gives_one_version(model: PdModel, loans: pd.DataFrame) -> None:
    assert train_pd(learn_from(loans), SETTINGS).to_dict() == model.to_dict()


def test_a_batch_says_what_one_row_says(model: PdModel, loans: pd.DataFrame) -> None:
    table = of_loans(loans, POLICY).head(10)
    assert [model.predict(table.iloc[[i]])[0] for i in range(10)] == model.predict(table)


def test_a_model_of_the_first_format_is_served_as_then(model: PdModel, loans: pd.DataFrame) -> None:
    table = of_loans(loans, POLICY).head(20)
    old = json.loads(json.dumps(model.to_dict()))
    del old["growth"], old["calibration"]
    old |= {"slope": 0.9, "shift": -0.1}
    for said in PdModel.from_dict(old).predict(table):
        assert said.pd == pytest.approx(1 / (1 + np.exp(0.1 - 0.9 * said.margin)), abs=1e-6)


def test_the_version_is_the_hash_of_what_is_served(model: PdModel) -> None:
    stored = json.loads(json.dumps(model.to_dict()))
    assert content_version(stored) == model.version
    assert content_version({**stored, "card": {}}) == model.version
    bent = json.loads(json.dumps(stored))
    bent["challenger"]["intercept"] += 1e-9
    assert content_version(bent) != model.version


def test_short_or_clean_histories_train_nothing(loans: pd.DataFrame) -> None:
    assert too_little(learn_from(loans.head(100)), SETTINGS) == "loans=100 needed=200"
    clean = loans.assign(defaulted=False)
    assert too_little(learn_from(clean), SETTINGS) == "defaults=0 loans=900 needed=30"
    assert too_little(learn_from(loans), SETTINGS) == ""


def test_loans_of_too_few_households_to_hold_one_out_train_nothing(loans: pd.DataFrame) -> None:
    one = loans.assign(household_id="H")
    assert too_little(learn_from(one), SETTINGS) == "households=1 needed=5"
    # 300 households, of which four hold every default
    bad = loans["defaulted"]
    few = loans.assign(household_id=[f"B{i % 4}" if d else f"R{i}" for i, d in enumerate(bad)])
    assert too_little(learn_from(few), SETTINGS) == "households=4 needed=5"
    enough = loans.assign(household_id=[f"B{i % 5}" if d else f"R{i}" for i, d in enumerate(bad)])
    assert too_little(learn_from(enough), SETTINGS) == ""
    assert (
        train_pd(learn_from(enough), RiskSettings(trees=10, search=0)).card["boosting"]["auc"] > 0
    )


def test_a_season_is_held_out_only_where_the_others_have_households_enough(
    loans: pd.DataFrame,
) -> None:
    last = loans["season"].max()
    few = loans.assign(household_id=loans["household_id"].where(loans["season"] == last, "H"))
    found = train_pd(learn_from(few), RiskSettings(trees=10, search=0))
    assert found.card["last_season_held_out"] is None


@pytest.mark.parametrize(
    "stated", ["prior_late", "prior_loans", "finished_loans", "debt_service_minor"]
)
def test_a_blank_never_lowers_the_risk_below_an_honest_answer(model: PdModel, stated: str) -> None:
    answers: dict[str, list[float]] = {
        "prior_late": [0, 1, 2, 3], "prior_loans": [0, 3, 4, 8, 40],
        "finished_loans": [1, 3, 4, 8, 40],
        "debt_service_minor": [0, 1e5, 1e6, 1e9, 1e15],
    }  # fmt: skip
    row = {
        "income_q10_minor": 6e5, "income_q50_minor": 1e6, "debt_service_minor": 1e5,
        "household_need_minor": 2e5, "off_farm_minor": None, "debt_elsewhere_minor": 0.0,
        "stability": 0.9, "hazard_index": 30.0, "conflicts": 1, "prior_loans": 3, "prior_late": 1,
        "finished_loans": 3, "thin_file": False,
    }  # fmt: skip
    honest = pd.DataFrame([{**row, stated: answer} for answer in answers[stated]])
    silent = pd.DataFrame([{**row, stated: np.nan}])
    for judge in (model, expert_card()):
        least = judge.predict(of_profiles(silent))[0]
        said = judge.predict(of_profiles(honest))
        assert least.pd >= max(one.pd for one in said)


def test_size_is_no_feature() -> None:
    assert not {"evidence_area_ha", "evidence_area_m2", "principal"} & set(NAMES)


def test_scorecard_margin_can_be_added_up_by_hand(model: PdModel, loans: pd.DataFrame) -> None:
    row = of_loans(loans, POLICY).head(1).to_numpy()
    table: list[dict[str, Any]] = model.challenger.to_dict()["features"]
    total = model.challenger.intercept
    for entry, value in zip(table, row[0], strict=True):
        place = sum(value >= edge for edge in entry["edges"])
        total += entry["coefficient"] * entry["woe"][place]
    assert model.challenger.margin(row)[0] == pytest.approx(total)


def test_a_feature_on_another_scale_is_seen(model: PdModel, loans: pd.DataFrame) -> None:
    table = of_loans(loans, POLICY)
    assert max(row["outside"] for row in population_shift(model.cohort, table).values()) < 0.05
    moved = table.assign(hazard_index=table["hazard_index"] + 200)
    found = population_shift(model.cohort, moved)
    assert found["hazard_index"]["outside"] == 1.0
    assert found["stability"]["outside"] < 0.05
