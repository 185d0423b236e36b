import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldline.crops.growth.hazards import Stages, indices, joint_index, run_hazards
from fieldline.crops.growth.thresholds import CellWeather, loss_index, thresholds
from fieldline.crops.settings import HazardSettings
from fieldline.pipeline.records.reference import crops
from fieldline.pipeline.records.settings import Season
from tests.crops.growth.test_water import LIMITS, weather

SETTINGS = HazardSettings()
INDICES = ("drought", "flood", "frost", "heat", "hazard_index", "dry_wind")


def stages(length: int, filling: bool = False) -> Stages:
    return Stages(np.ones(length), np.ones(length), np.full(length, filling))


def test_the_scale_runs_from_an_ordinary_loss_to_a_lost_crop():
    found = [loss_index(loss, SETTINGS) for loss in (0.0, 0.1, 0.8, 1.0)]
    assert found == pytest.approx([0.0, 0.0, 100.0, 100.0])
    assert loss_index(0.45, SETTINGS) == pytest.approx(50.0)


def test_an_ordinary_season_has_no_hazard():
    season = weather(120, tmin=14, tmax=29, rain=4.0, et0=4.0)
    for crop, limits in thresholds().items():
        found = indices(season, limits, SETTINGS, stages(120, filling=True))
        assert [found[name] for name in INDICES] == [0.0] * len(INDICES), crop


def test_joint_index_combines_independent_losses_and_knows_what_it_does_not_know():
    assert joint_index([50.0, 50.0, 0.0]) == pytest.approx(75.0)
    assert joint_index([0.0, 0.0]) == 0.0
    assert joint_index([0.0, None]) is None


def test_every_threshold_names_a_known_crop():
    assert set(thresholds()) - {"default"} <= set(crops())


def stormy(seed: int) -> CellWeather:
    """A season with frost, heat, dry spells, floods and dry wind."""
    generator = np.random.default_rng(seed)
    tmin = generator.uniform(-6, 25, 80)
    rain = np.where(generator.random(80) < 0.1, generator.uniform(0, 250, 80), 0.0)
    return CellWeather(tmin, tmin + generator.uniform(5, 20, 80), rain,
                       generator.uniform(2, 8, 80), generator.uniform(0, 6, 80))  # fmt: skip


@given(st.integers(0, 10_000), st.integers(0, 79),
       st.sampled_from(["tmin", "tmax", "rain", "et0", "wind"]), st.booleans())  # fmt: skip
@settings(max_examples=60)
def test_leaving_out_a_day_or_a_whole_column_lowers_no_index(seed, day, column, whole):
    full = indices(stormy(seed), LIMITS, SETTINGS, stages(80, filling=True))
    holed = stormy(seed)
    getattr(holed, column)[slice(None) if whole else day] = np.nan
    less = indices(holed, LIMITS, SETTINGS, stages(80, filling=True))
    for name in INDICES:
        assert less[name] is None or less[name] >= full[name], name
    if column == "rain":
        assert less["drought"] is less["flood"] is less["dry_spell_days"] is None
        assert less["heat"] == full["heat"]
    assert less["unknown_days"] == (column != "wind") * (80 if whole else 1)


def test_drought_counts_beyond_the_usual_season_once_that_is_known():
    dry = weather(90)
    years = [weather(90, et0=4.0 + 0.1 * n) for n in range(SETTINGS.climate_years)]
    alone = indices(dry, LIMITS, SETTINGS, stages(90), years[1:])
    placed = indices(dry, LIMITS, SETTINGS, stages(90), years)
    assert alone["spei"] is alone["usual_deficit"] is None
    assert 0.0 < placed["usual_deficit"] < placed["water_deficit"]
    assert placed["drought"] == pytest.approx(
        loss_index(placed["water_deficit"] - placed["usual_deficit"], SETTINGS)
    )
    # drier than any of ten years
    assert placed["spei"] < -1.3


def write_days(folder, days, frame) -> None:
    frame = pd.DataFrame(
        {
            "cell_id": "c",
            "date": days,
            "tmin_c": 10.0,
            "tmax_c": 20.0,
            "precip_mm": 3.0,
            "et0_mm": 2.0,
            "wind_m_s": 1.0,
        }
    ).assign(**frame)
    frame.to_parquet(folder / "w.parquet")


def hazards_of(folder, season: Season) -> tuple[pd.DataFrame, pd.DataFrame]:
    run_hazards(
        weather=folder / "w.parquet", weather_cells=folder / "cells.parquet",
        growth=folder / "g.parquet", crops=folder / "c.parquet", seasons=[season],
        settings=SETTINGS, out=folder / "h.parquet", outcomes=folder / "o.parquet",
    )  # fmt: skip
    rows = pd.read_parquet(folder / "h.parquet").set_index("parcel_id")
    return rows, pd.read_parquet(folder / "o.parquet").set_index("parcel_id")


def test_weather_without_extremes_is_unknown_and_not_harmless(tmp_path, season):
    """Switzerland's stations: mean temperature and rain alone."""
    days = [season.start + dt.timedelta(i) for i in range(365)]
    write_days(tmp_path, days, {"tmin_c": np.nan, "tmax_c": np.nan, "et0_mm": np.nan})
    pd.DataFrame({"parcel_id": ["p"], "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    growth = pd.DataFrame({"parcel_id": ["p"], "sos": [days[100]], "pos": [days[150]],
                           "eos": [days[200]], "curve_start": [days[90]], "cycles": 1})  # fmt: skip
    growth.to_parquet(tmp_path / "g.parquet")
    pd.DataFrame({"parcel_id": ["p"], "crop": "winter_wheat"}).to_parquet(tmp_path / "c.parquet")
    rows, told = hazards_of(tmp_path, season)
    assert rows.loc["p", list(INDICES)].isna().all()
    assert rows.loc["p", "wet_spell_days"] == 101
    assert told.loc["p", "outcome"] == "hazard_unknown"
    assert "et0_mm:101" in told.loc["p", "detail"]
    assert "drought,flood,frost,heat" in told.loc["p", "detail"]


def test_a_lost_day_within_the_season_is_told_and_one_outside_does_not_matter(tmp_path, season):
    days = [season.start + dt.timedelta(i) for i in range(365)]
    pd.DataFrame({"parcel_id": ["p"], "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    growth = pd.DataFrame({"parcel_id": ["p"], "sos": [days[100]], "pos": [days[150]],
                           "eos": [days[200]], "curve_start": [days[90]], "cycles": 1})  # fmt: skip
    growth.to_parquet(tmp_path / "g.parquet")
    pd.DataFrame({"parcel_id": ["p"], "crop": "maize"}).to_parquet(tmp_path / "c.parquet")
    for lost, unknown in ((201, 0), (200, 1), (150, 1), (100, 1), (99, 0)):
        write_days(tmp_path, days, {})
        kept = pd.read_parquet(tmp_path / "w.parquet").drop(index=lost)
        kept.to_parquet(tmp_path / "w.parquet")
        rows, told = hazards_of(tmp_path, season)
        assert rows.loc["p", "unknown_days"] == unknown
        assert pd.isna(rows.loc["p", "drought"]) == bool(unknown)
        assert told.loc["p", "outcome"] == ("hazard_unknown" if unknown else "ok")


def test_while_the_season_runs_weather_may_be_some_days_behind(tmp_path, season):
    running = season.model_copy(update={"as_of": season.start + dt.timedelta(160)})
    days = [season.start + dt.timedelta(i) for i in range(156)]
    pd.DataFrame({"parcel_id": ["p"], "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    growth = pd.DataFrame({"parcel_id": ["p"], "sos": [days[100]], "pos": [None],
                           "eos": [None], "curve_start": [days[90]], "cycles": 1})  # fmt: skip
    growth.to_parquet(tmp_path / "g.parquet")
    pd.DataFrame({"parcel_id": ["p"], "crop": "maize"}).to_parquet(tmp_path / "c.parquet")
    write_days(tmp_path, days, {})
    rows, told = hazards_of(tmp_path, running)
    assert rows.loc["p", "hazard_index"] == 0.0
    assert told.loc["p", "detail"] == "days=56 earlier_seasons=0"


def test_only_the_parcels_own_season_counts(tmp_path, season):
    days = [season.start + dt.timedelta(i) for i in range(365)]
    write_days(tmp_path, days, {})
    frame = pd.read_parquet(tmp_path / "w.parquet")
    frame.loc[110:115, "tmin_c"] = -8.0
    frame.loc[20:25, "tmin_c"] = -8.0
    frame.to_parquet(tmp_path / "w.parquet")
    ids = ["frosted", "safe", "early", "unseen", "far"]
    pd.DataFrame({"parcel_id": ids[:4], "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    after = [season.start + dt.timedelta(i) for i in range(366)]
    growth = pd.DataFrame({"parcel_id": ids, "sos": [after[5], after[120], after[5], None, None]})
    growth["pos"] = [after[150], after[180], after[190], None, None]
    growth["eos"] = [after[200], after[220], after[220], None, None]
    growth["curve_start"], growth["cycles"] = days[0], growth["sos"].notna().astype(int)
    growth.to_parquet(tmp_path / "g.parquet")
    pd.DataFrame({"parcel_id": ids, "crop": "winter_wheat"}).to_parquet(tmp_path / "c.parquet")
    rows, told = hazards_of(tmp_path, season)
    # 6 days x 6 degrees under -2 within 60 days of the peak, at 4 % a degree-day: the crop is lost;
    # sown later, or 75 days from its peak, it is untouched
    assert rows["frost"].dropna().to_dict() == {
        "frosted": 100.0, "safe": 0.0, "early": 0.0, "unseen": 100.0,
    }  # fmt: skip
    assert rows.loc["safe", "gdd"] == pytest.approx(101 * 15)
    codes = told["outcome"].to_dict()
    assert codes == {"frosted": "ok", "safe": "ok", "early": "ok", "unseen": "no_growing_season",
                     "far": "no_weather_index"}  # fmt: skip


def test_frost_harms_an_orchard_in_bloom_and_neither_before_nor_under_cover(tmp_path, season):
    days = [season.start + dt.timedelta(i) for i in range(365)]
    write_days(tmp_path, days, {})
    frame = pd.read_parquet(tmp_path / "w.parquet")
    frame.loc[110:115, "tmin_c"] = -8.0
    frame.to_parquet(tmp_path / "w.parquet")
    ids = ["bloom", "bud", "covered"]
    pd.DataFrame({"parcel_id": ids, "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    growth = pd.DataFrame({"parcel_id": ids, "sos": days[5], "curve_start": days[0], "cycles": 1})
    growth["pos"] = [days[190], days[210], days[190]]  # 80, 100 and 80 days after the frost
    growth["eos"] = days[300]
    growth.to_parquet(tmp_path / "g.parquet")
    crop = ["apple", "apple", "greenhouse"]
    pd.DataFrame({"parcel_id": ids, "crop": crop}).to_parquet(tmp_path / "c.parquet")
    rows, _ = hazards_of(tmp_path, season)
    assert rows["frost"].to_dict() == {"bloom": 100.0, "bud": 0.0, "covered": 0.0}


def test_bare_land_is_not_harmed_before_its_crop_is_up_nor_wheat_before_its_peak(tmp_path, season):
    days = [season.start + dt.timedelta(i) for i in range(365)]
    write_days(tmp_path, days, {})
    frame = pd.read_parquet(tmp_path / "w.parquet")
    frame.loc[110:115, "tmin_c"] = -8.0
    frame.to_parquet(tmp_path / "w.parquet")
    ids = ["bare", "told", "rising", "ended"]
    pd.DataFrame({"parcel_id": ids, "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    growth = pd.DataFrame({"parcel_id": ids, "sos": [None, None, days[40], days[40]]})
    growth["pos"] = [None, None, None, days[150]]
    growth["eos"] = [None, None, None, days[160]]
    growth["curve_start"], growth["cycles"] = days[0], growth["sos"].notna().astype(int)
    growth.to_parquet(tmp_path / "g.parquet")
    crop = [None, "maize", "winter_wheat", "winter_wheat"]
    pd.DataFrame({"parcel_id": ids, "crop": crop}).to_parquet(tmp_path / "c.parquet")

    def frost(as_of: dt.date) -> tuple[dict[str, float], dict[str, str]]:
        rows, told = hazards_of(tmp_path, season.model_copy(update={"as_of": as_of}))
        return rows["frost"].to_dict(), told["outcome"].to_dict()

    early, codes = frost(days[164])
    assert early == {"bare": 0.0, "told": 100.0, "rising": 0.0, "ended": 100.0}
    assert (codes["bare"], codes["told"]) == ("not_yet_grown", "no_growing_season")
    late, codes = frost(season.end)
    assert late == {"bare": 100.0, "told": 100.0, "rising": 100.0, "ended": 100.0}
    assert codes["bare"] == "no_growing_season"


def test_a_long_weather_file_tells_the_usual_season_as_that_many_runs_would(tmp_path, season):
    """Twelve earlier seasons as artifacts of runs, and the same days as one file's past."""
    rng = np.random.default_rng(8)
    pd.DataFrame({"parcel_id": ["p"], "cell_id": "c"}).to_parquet(tmp_path / "cells.parquet")
    days = [season.start + dt.timedelta(i) for i in range(365)]
    growth = pd.DataFrame({"parcel_id": ["p"], "sos": [days[100]], "pos": [days[150]],
                           "eos": [days[200]], "curve_start": [days[90]], "cycles": 1})  # fmt: skip
    growth.to_parquet(tmp_path / "g.parquet")
    pd.DataFrame({"parcel_id": ["p"], "crop": "maize"}).to_parquet(tmp_path / "c.parquet")
    seasons, files, before = [season], [], []
    for back in range(1, 13):
        start = season.start.replace(year=season.start.year - back)
        end = season.end.replace(year=season.end.year - back)
        then = [start + dt.timedelta(i) for i in range((end - start).days + 1)]
        write_days(tmp_path, then, {"precip_mm": rng.gamma(0.3, 8.0, len(then))})
        frame = pd.read_parquet(tmp_path / "w.parquet")
        frame.to_parquet(tmp_path / f"w{back}.parquet")
        seasons.insert(0, Season(start=start, end=end, as_of=end))
        files.insert(0, tmp_path / f"w{back}.parquet")
        before.append(frame)
    pd.concat(before).to_parquet(tmp_path / "climate.parquet")
    write_days(tmp_path, days, {"precip_mm": 0.5})
    common = {
        "weather": tmp_path / "w.parquet", "weather_cells": tmp_path / "cells.parquet",
        "growth": tmp_path / "g.parquet", "crops": tmp_path / "c.parquet", "settings": SETTINGS,
        "out": tmp_path / "h.parquet", "outcomes": tmp_path / "o.parquet",
    }  # fmt: skip
    found, details = [], []
    for more in (
        {"seasons": seasons, "earlier_weather": files},
        {"seasons": [season], "climate": tmp_path / "climate.parquet"},
        # What a run knows is not counted again.
        {"seasons": seasons[-3:], "earlier_weather": files[-2:],
         "climate": tmp_path / "climate.parquet"},
        {"seasons": [season]},
    ):  # fmt: skip
        run_hazards(**common, **more)
        found.append(pd.read_parquet(tmp_path / "h.parquet").iloc[0])
        details.append(pd.read_parquet(tmp_path / "o.parquet")["detail"][0])
    for other in found[1:3]:
        pd.testing.assert_series_equal(other, found[0])
    assert found[0]["spei"] < -1
    assert found[3]["spei"] is None or np.isnan(found[3]["spei"])
    assert "earlier_seasons=0" in details[3]
    assert "earlier_seasons" not in details[0]


def test_parcels_of_one_crop_cell_and_season_are_alike_and_no_others(tmp_path, season):
    """What is judged once for like parcels is what each of them alone would be told."""
    days = [season.start + dt.timedelta(i) for i in range(365)]
    frost = [day for day in days if days[150] <= day < days[160]]
    write_days(tmp_path, days, {"tmin_c": [-3.0 if day in frost else 10.0 for day in days]})
    weather = pd.read_parquet(tmp_path / "w.parquet")
    mild = weather.assign(cell_id="d", tmin_c=10.0)
    pd.concat([weather, mild]).to_parquet(tmp_path / "w.parquet")
    facts = pd.DataFrame({
        "parcel_id": ["one", "like", "cell", "crop", "later"],
        "cell_id": ["c", "c", "d", "c", "c"],
        "crop": ["maize", "maize", "maize", "winter_wheat", "maize"],
        "sos": [days[100]] * 4 + [days[170]], "pos": [days[180]] * 4 + [days[200]],
        "eos": [days[220]] * 5, "curve_start": [days[90]] * 5, "cycles": 1,
    })  # fmt: skip

    def told(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        rows[["parcel_id", "cell_id"]].to_parquet(tmp_path / "cells.parquet")
        rows[["parcel_id", "crop"]].to_parquet(tmp_path / "c.parquet")
        rows.drop(columns=["cell_id", "crop"]).to_parquet(tmp_path / "g.parquet")
        return hazards_of(tmp_path, season)

    together, outcomes = told(facts)
    for name in facts["parcel_id"]:
        alone, outcome = told(facts[facts["parcel_id"] == name])
        pd.testing.assert_frame_equal(together.loc[[name]], alone)
        pd.testing.assert_frame_equal(outcomes.loc[[name]], outcome)
    assert together.loc["one"].equals(together.loc["like"])
    assert together["frost"]["one"] > 0.0
    others = ["cell", "later"]
    assert (together.loc[others, "frost"] == 0.0).all()
    assert together["gdd"]["crop"] != together["gdd"]["one"]
