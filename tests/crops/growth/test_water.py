import numpy as np
import pytest
from scipy.special import gamma
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from fieldline.crops.growth.thresholds import CellWeather, Thresholds, loss_index, thresholds
from fieldline.crops.growth.water import (
    drought_index,
    flood_index,
    spei,
    stage_weights,
    water_year,
)
from fieldline.crops.settings import HazardSettings
from fieldline.workflows.simulate.settings import SimulateSettings
from fieldline.workflows.simulate.weather import generate_weather

LIMITS = Thresholds(8, 30, 35, 0, 400, 0.5, 1.0, 0, 0, 8)
IRRIGATED = Thresholds(8, 30, 35, 0, 400, 0.5, 1.0, 240, 0, 8)
SETTINGS = HazardSettings()


def weather(days=10, tmin=10.0, tmax=20.0, rain=0.0, et0=5.0, wind=1.0) -> CellWeather:
    return CellWeather(*(np.full(days, float(v)) for v in (tmin, tmax, rain, et0, wind)))


def drought(days: CellWeather, limits: Thresholds = LIMITS, ordinary: float = 0.0) -> float:
    return drought_index(water_year(days, limits, SETTINGS), ordinary, limits, SETTINGS)


def test_drought_is_zero_while_the_bucket_lasts_and_rises_after():
    # 120 mm full, half of it free of stress, 4.5 mm used a day: 14 days without stress
    assert water_year(weather(14), LIMITS, SETTINGS).deficit == pytest.approx(0.0, abs=1e-12)
    assert drought(weather(60)) > 30
    assert drought(weather(60, rain=5.0)) == 0.0


def test_irrigation_carries_a_crop_through_a_dry_spring_but_not_through_any():
    # 240 mm and the bucket's 120 mm serve 4.5 mm a day for more than 60 days
    assert drought(weather(60), IRRIGATED) == 0.0
    assert 0.0 < drought(weather(150), IRRIGATED) < drought(weather(150))
    dry = HazardSettings(irrigation_share=0)
    assert water_year(weather(60), IRRIGATED, dry) == water_year(weather(60), LIMITS, dry)


def test_what_is_ordinary_here_is_no_drought():
    found = water_year(weather(60), LIMITS, SETTINGS).deficit
    assert drought(weather(60), ordinary=found) == 0.0
    assert drought(weather(60), ordinary=found - 0.45) == pytest.approx(50.0)


def test_an_unmet_day_at_flowering_weighs_more_than_one_while_it_ripens():
    weights = stage_weights(100, 50, 99, SETTINGS)
    assert weights[[0, 34, 35, 50, 65, 66, 85, 87, 99]].tolist() == [
        0.4, 0.4, 1.5, 1.5, 1.5, 0.5, 0.5, 0.2, 0.2
    ]  # fmt: skip
    # the bucket runs dry from day 14 on: early rain leaves flowering dry, late rain ripening
    early, late = weather(100), weather(100)
    early.rain[:40], late.rain[60:] = 4.5, 4.5
    deficits = [water_year(w, LIMITS, SETTINGS, weights).deficit for w in (early, late)]
    assert stage_weights(100, None, None, SETTINGS).tolist() == [1.0] * 100
    by_hand = 0.0
    left = 120.0
    for day in range(100):
        use = 4.5 * min(left / 60.0, 1.0)
        by_hand += (4.5 - use) * weights[day]
        left = min(120.0, left + early.rain[day] - use)
    assert deficits[0] == pytest.approx(by_hand / (4.5 * weights.sum()))


def test_flood_counts_the_days_of_standing_water_after_the_first_three():
    rain = np.zeros(30)
    rain[5] = 240.0  # fills nothing (full bucket), stands 210 mm, falls 30 mm a day: 7 wet days
    wet = CellWeather(np.zeros(30), np.zeros(30), rain, np.zeros(30), np.zeros(30))
    water = water_year(wet, LIMITS, SETTINGS)
    assert water.wet_days == 7 - SETTINGS.aeration_lag_days
    # 4 of 8 days that cost the crop: half of the 80 % loss
    assert flood_index(water, LIMITS, SETTINGS) == pytest.approx(loss_index(0.4, SETTINGS))
    assert flood_index(water_year(weather(), LIMITS, SETTINGS), LIMITS, SETTINGS) == 0.0


def test_paddy_rice_stands_in_water():
    assert water_year(weather(60, rain=34.0), thresholds()["rice"], SETTINGS).wet_days == 0


@pytest.mark.parametrize("name", ["rain", "et0"])
def test_one_unknown_day_leaves_the_whole_season_unknown(name):
    days = weather(60)
    getattr(days, name)[30] = np.nan
    assert water_year(days, LIMITS, SETTINGS) is None


def by_probability_weights(balance: float, years: np.ndarray) -> float:
    """Log-logistic distribution as Vicente-Serrano et al. (2010) fit it, equations 9 to 15."""
    x = np.sort(years)
    n = len(x)
    w = [
        np.mean([x[i] * np.prod([(n - 1 - i - k) / (n - 1 - k) for k in range(s)])
                 for i in range(n)])
        for s in range(3)
    ]  # fmt: skip
    beta = (2 * w[1] - w[0]) / (6 * w[1] - w[0] - 6 * w[2])
    both = gamma(1 + 1 / beta) * gamma(1 - 1 / beta)
    alpha = (w[0] - 2 * w[1]) * beta / both
    origin = w[0] - alpha * both
    return float(norm.ppf(1 / (1 + (alpha / (balance - origin)) ** beta)))


@pytest.mark.parametrize("sign", [1, -1], ids=["long dry tail", "long wet tail"])
def test_spei_is_the_log_logistic_of_its_authors(sign):
    years = sign * np.array([-210.0, -40, -55, -120, -15, -80, -95, -60, -30, -70, -140])
    for balance in (-90.0 * sign, -60.0 * sign, -20.0 * sign):
        assert spei(balance, years) == pytest.approx(
            by_probability_weights(balance, years), abs=1e-6
        )


def test_spei_of_evenly_spread_years_is_symmetric():
    years = np.arange(-100.0, 101.0, 20)
    assert spei(0.0, years) == pytest.approx(0.0, abs=1e-9)
    assert spei(70.0, years) == pytest.approx(-spei(-70.0, years))


def test_spei_stays_within_three_standard_deviations():
    years = np.array([-210.0, -40, -55, -120, -15, -80, -95, -60, -30, -70, -140])
    assert spei(-5000.0, years) == pytest.approx(-3.0, abs=0.3)
    assert spei(5000.0, years) == 3.0
    assert spei(-5000.0, -years) == -3.0


def test_the_drought_index_tells_a_planted_drought_from_an_ordinary_dry_spell():
    """Eight simulated counties of ten years: rainfed beans, in the years whose rain was taken away
    for at least thirty days of their season against all others of the same weather cell."""
    start, length = np.timedelta64(139, "D"), 97
    limits, planted, found = thresholds()["dry_bean"], [], []
    dry = HazardSettings(irrigation_share=0)
    stage = stage_weights(length, 56, length - 1, dry)
    for seed in range(8):
        days = generate_weather(SimulateSettings(seed=500 + seed))
        for cell in range(len(days.tmin)):
            for year in range(2014, 2024):
                first = np.datetime64(f"{year}-01-01") + start
                at = slice(int((first - days.days[0]).astype(int)), None)
                part = [v[cell, at][:length] for v in (days.tmin, days.tmax, days.precip)]
                season = CellWeather(
                    *part, days.et0[cell, at][:length], days.wind[cell, at][:length]
                )
                overlap = [
                    min(first + length, np.datetime64(h.end)) - max(first, np.datetime64(h.start))
                    for h in days.hazards if h.kind == "drought" and h.cell == cell
                ]  # fmt: skip
                planted.append(any(span >= np.timedelta64(30, "D") for span in overlap))
                water = water_year(season, limits, dry, stage)
                found.append(drought_index(water, 0.0, limits, dry))
    wrong = [
        roc_auc_score(np.array(planted)[at], np.array(found)[at])
        for at in np.random.default_rng(0).integers(0, len(found), (200, len(found)))
    ]
    assert np.quantile(wrong, 0.025) > 0.65
