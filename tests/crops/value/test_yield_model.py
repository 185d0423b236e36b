import numpy as np
import pandas as pd
import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.pooling import CURVE_FEATURES, Design
from fieldline.crops.value.prices import Z80
from fieldline.crops.value.yield_model import (
    common_share,
    conformal_reach,
    error_scale,
    fit_yield_model,
    skill_scores,
    variance_by_others,
)

SETTINGS = YieldSettings()


def cuts(count, effect, noise=0.1, seed=0, shock=0.0, season="2024", spread=0.0):
    """Cuts of four crops; `spread` is the log sd of each crop's own shift, the same for a seed."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"parcel_id": [f"{season}{i:04d}" for i in range(count)]})
    crop = np.arange(count) % 4
    frame["season"], frame["crop"] = season, np.asarray(["bean", "maize", "rice", "wheat"])[crop]
    frame["size"] = np.where(np.arange(count) // 4 % 2, "band 0", "band 1")
    for name in CURVE_FEATURES:
        frame[name] = generator.normal(0, 1, count)
    shift = spread * np.asarray([1.0, -1.0, 0.5, -0.5])[crop]
    error = generator.normal(0, noise, count)
    frame["log_ratio"] = shock + shift + effect * frame["anomaly"] + error
    return frame


def inside(model, new):
    shared, own = model.errors(new)
    error = np.abs(new["log_ratio"] - model.shift(new))
    return (error <= Z80 * np.hypot(shared, own)).mean()


def test_a_curve_that_tells_nothing_leaves_the_prior_alone():
    model = fit_yield_model(cuts(60, 0.0, 0.2), SETTINGS)
    assert not model.skilled
    assert model.scores["verdict"] == "no skill over the county prior"
    assert np.all(model.shift(cuts(40, 0.3, 0.2, seed=9)) == 0)


def test_a_telling_curve_and_a_shared_shock_are_learnt():
    model = fit_yield_model(cuts(80, 0.15, 0.05, shock=-0.3), SETTINGS)
    new = cuts(40, 0.15, 0.0, seed=4, shock=-0.3)
    assert model.skilled
    assert np.abs(model.shift(new) - new["log_ratio"]).mean() < 0.05


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_intervals_of_few_cuts_cover_unseen_parcels_on_average(spread):
    found = [
        inside(
            fit_yield_model(cuts(48, 0.1, 0.2, seed=s, spread=spread), SETTINGS),
            cuts(2000, 0.1, 0.2, seed=100 + s, spread=spread),
        )
        for s in range(12)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_a_bad_year_is_not_judged_by_the_errors_of_a_good_one():
    good, bad = cuts(60, 0.1, 0.1, season="2023"), cuts(60, 0.1, 0.25, seed=1, season="2024")
    model = fit_yield_model(pd.concat([good, bad]), SETTINGS)
    assert model.scale.factors["season"]["2024"] > 2.5 * model.scale.factors["season"]["2023"]
    for season, noise in (("2023", 0.1), ("2024", 0.25)):
        new = cuts(2000, 0.1, noise, seed=7, season=season)
        assert inside(model, new) == pytest.approx(0.8, abs=0.1)


def test_fewer_cuts_of_a_crop_make_a_wider_shared_error():
    learnt = cuts(80, 0.0, 0.1, spread=0.4)
    rare = learnt[(learnt["crop"] != "wheat") | (learnt.index < 8)]
    model = fit_yield_model(rare, SETTINGS)
    shared, _ = model.errors(cuts(4, 0.0))
    assert shared[3] > 1.5 * shared[1]


def test_conformal_reach_by_hand():
    scores = np.arange(1.0, 10.0)  # 9 scores, level .8: the 8th of 10 ranks
    assert conformal_reach(scores, 0.8) == 8.0
    assert conformal_reach(scores[:3], 0.8) == 3.0


def test_skill_needs_a_margin_by_hand():
    prior = np.asarray([2.0, 2.0, 2.0, 2.0])
    sure = skill_scores(prior, np.asarray([1.0, 1.0, 1.0, 1.5]), 1.0)
    assert sure["skill_over_prior"] == pytest.approx(1 - (3 + 2.25) / 16)
    assert sure["verdict"] == "skill"
    # gains 4, 4, 4 and -9: mean .75, standard error 3.25
    lucky = skill_scores(prior, np.asarray([0.0, 0.0, 0.0, np.sqrt(13.0)]), 1.0)
    assert lucky["skill_over_prior"] > 0
    assert lucky["verdict"] == "no skill over the county prior"


def test_common_share_by_hand():
    two = pd.DataFrame({"season": "1", "crop": ["a", "a", "b", "b"]})
    assert common_share(np.asarray([1.0, 1.0, -1.0, -1.0]), two) == pytest.approx(1.0)
    assert common_share(np.asarray([1.0, -1.0, 1.0, -1.0]), two) == 0.0
    assert common_share(np.asarray([1.0, 0.0, 0.0, 0.0]), two) == 0.0


def test_error_scale_pools_each_factor_by_hand():
    rows = pd.DataFrame({"season": ["1", "1", "2", "2"], "crop": ["a", "b", "a", "b"], "size": ""})
    scale = error_scale(np.asarray([1.0, 1.0, 3.0, 3.0]), rows, 2.0)
    assert scale.overall == pytest.approx(2.0)
    # season 1: two cuts at 1/2 of the overall and two cuts' worth of 1
    assert scale.factors["season"] == pytest.approx({"1": 0.75, "2": 1.25})
    # crop a: what the seasons leave, .5/.75 and 1.5/1.25, and two cuts' worth of 1
    assert scale.factors["crop"]["a"] == pytest.approx((0.5 / 0.75 + 1.5 / 1.25 + 2) / 4)
    new = pd.DataFrame({"season": ["3"], "crop": ["c"], "size": "band 2"})
    assert scale.variance(new)[0] == pytest.approx(2.0)


def test_each_cut_is_expected_as_the_scale_of_all_others_says():
    draw = np.random.default_rng(3)
    groups = {"season": ["1", "2"], "crop": ["a", "b", "c"], "size": ["s", "t"]}
    rows = pd.DataFrame({name: draw.choice(values, 40) for name, values in groups.items()})
    rows.loc[40] = ["3", "alone", "s"]
    squares = draw.gamma(1, 0.1, len(rows))
    without = [
        error_scale(np.delete(squares, i), rows.drop(i), 2.0).variance(rows.loc[[i]])[0]
        for i in range(len(rows))
    ]
    np.testing.assert_allclose(variance_by_others(squares, rows, 2.0), without, rtol=1e-12)


def test_small_parcels_that_are_harder_to_see_get_wider_intervals():
    learnt = cuts(160, 0.1, 0.1)
    noise = np.random.default_rng(2).normal(0, 0.25, len(learnt))
    learnt["log_ratio"] += np.where(learnt["size"] == "band 0", noise, 0.0)
    model = fit_yield_model(learnt, SETTINGS)
    _, own = model.errors(cuts(8, 0.0))
    assert own[4] > 1.5 * own[0]


def test_order_of_the_cuts_does_not_matter():
    frame = cuts(60, 0.1, 0.2)
    one, two = fit_yield_model(frame, SETTINGS), fit_yield_model(frame[::-1], SETTINGS)
    assert one.reach == two.reach
    assert np.array_equal(one.pooled.coefficients, two.pooled.coefficients)


def test_a_group_that_was_never_seen_is_zero_in_the_design():
    design = Design.of(cuts(8, 0.0))
    row = cuts(1, 0.0).assign(crop="rye")
    member = design.matrix(row)[0, : len(design.shifts)]
    assert dict(zip(design.shifts, member, strict=True)) == {
        name: float(name == "2024") for name in design.shifts
    }
