"""A county's own radar beside its optical series: where the model takes it, and where not."""

import datetime as dt
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fieldline.crops.radar_series import iter_beside, radar_table
from fieldline.crops.recognise.clock import model_clock, usual_gap
from fieldline.crops.recognise.model_folder import approve_crop_model, read_crop_model
from fieldline.crops.recognise.train_stage import run_crops_train
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.schemas import RADAR_OBSERVATIONS, radar_columns
from fieldline.pipeline.imagery.settings import ClearSettings, RadarSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table
from tests.crops.conftest import double_logistic, observation_frame
from tests.crops.recognise.crop_stages import train_and_classify

FAST = ClassifySettings(trees=30, rounds=10, folds=3, augment=0, shares_from=500, network="never")
SEASON = Season(start=dt.date(2023, 4, 1), end=dt.date(2023, 10, 31), as_of=dt.date(2023, 10, 31))
BLIND = 60
"""Days from 3 June on without a clear date."""
CROPS = ("maize", "soybean")


def radar_rows(parcels, orbit, seed) -> list[dict[str, object]]:
    """A pass every twelve days: maize 4 dB above soybean while optics see nothing."""
    random = np.random.default_rng(seed)
    rows = []
    for number, parcel in enumerate(parcels):
        for day in range(4 if orbit == "ascending" else 7, 210, 12):
            more = 4.0 if number % 2 == 0 and 63 < day < 63 + BLIND else 0.0
            vv = -11.0 + more + random.normal(0, 0.5)
            rows.append({
                "parcel_id": parcel, "orbit": orbit, "scene_id": "s", "effective_pixels": 9.0,
                "datetime": pd.Timestamp(SEASON.start, tz="UTC") + pd.Timedelta(days=day, hours=5),
                "valid_fraction": 1.0, "vv_mean": vv, "vh_mean": vv - 7.0, "vv_cv": 0.3,
                "vh_cv": 0.3,
            })  # fmt: skip
    return rows


def write_radar(path, rows) -> None:
    schema = RADAR_OBSERVATIONS.with_columns(radar_columns(("vv", "vh")))
    names = [column.name for column in schema.columns]
    frame = pd.DataFrame(rows, columns=names)
    frame["datetime"] = frame["datetime"].astype("datetime64[us, UTC]")
    write_table(frame.sort_values(["parcel_id", "datetime"]), schema, path)


@pytest.fixture(scope="module")
def blind(tmp_path_factory, write_observations):
    """Ninety fields of two crops that every clear date shows alike; 45 of them surveyed."""
    folder = tmp_path_factory.mktemp("blind")
    random = np.random.default_rng(3)
    days = np.asarray([d for d in range(2, 213, 8) if not 63 <= d < 63 + BLIND])
    parcels = [f"P{number:02d}" for number in range(90)]
    curves = {
        name: (days, double_logistic(days, 60, 150) + random.normal(0, 0.01, len(days)))
        for name in parcels
    }
    write_observations(observation_frame(curves, SEASON.start), folder / "observations.parquet")
    table = pd.DataFrame({"parcel_id": parcels, "farmer_id": parcels})
    table["village"] = [f"V{number % 9}" for number in range(90)]
    table.to_parquet(folder / "parcels.parquet")
    survey = pd.DataFrame({"parcel_id": parcels[:45]})
    survey["crop"] = [CROPS[number % 2] for number in range(45)]
    survey["surveyed_on"] = "2023-08-01"
    survey.to_csv(folder / "survey.csv", index=False)
    # The last field of all is one that no radar scene shows.
    write_radar(folder / "radar.parquet", radar_rows(parcels[:-1], "descending", 1))
    write_radar(folder / "none.parquet", [])
    return folder


def given(blind, radar: str | None, **changed):
    return {
        "observations": blind / "observations.parquet", "parcels": blind / "parcels.parquet",
        "survey": blind / "survey.csv", "seasons": [SEASON], "clear_dates": ClearSettings(),
        "radar": None if radar is None else blind / radar, "settings": FAST,
    } | changed  # fmt: skip


@pytest.fixture(scope="module")
def with_radar(blind, tmp_path_factory):
    folder = tmp_path_factory.mktemp("with")
    train_and_classify(folder, **given(blind, "radar.parquet"))
    return folder


def accuracy(folder) -> float:
    """Of the fields that nobody surveyed and that radar saw, by the likelier class."""
    crops = pd.read_parquet(folder / "crops.parquet").set_index("parcel_id").iloc[45:-1]
    truth = [number % 2 == 0 for number in range(45, 89)]
    return float(((crops["p_maize"] > 0.5) == truth).mean())


def trained(folder) -> str:
    return str(pd.read_parquet(folder / "train.parquet")["detail"].item())


def test_crops_that_differ_in_the_gap_alone_are_told_by_radar(blind, with_radar, tmp_path):
    train_and_classify(tmp_path, **given(blind, None))
    assert accuracy(tmp_path) < 0.75
    assert accuracy(with_radar) > 0.95
    assert "radar=descending usual_gap_days=" in trained(with_radar)
    assert "radar" not in trained(tmp_path)
    assert read_crop_model(with_radar / "models/crops", FAST).model.bands[-2:] == ("VV", "VH")


def test_the_gap_of_the_county_is_that_between_its_clear_dates(blind):
    """Clear on day 58 and again on day 130, the next one of the eight-day walk: 71 days between."""
    found = usual_gap(blind / "observations.parquet", SEASON, ClearSettings(), frozenset())
    assert found == 130 - 58 - 1


def test_a_gap_that_is_short_enough_leaves_the_model_as_it_was(blind, tmp_path):
    train_and_classify(tmp_path / "plain", **given(blind, None))
    train_and_classify(tmp_path / "empty", **given(blind, "none.parquet"))
    manifest = tmp_path / "short" / "models/crops/manifest.json"
    manifest.parent.mkdir(parents=True)
    run_crops_train(
        county="TEST", out=manifest, outcomes=tmp_path / "short/train.parquet",
        radar_settings=RadarSettings(gap_days=71), **given(blind, "radar.parquet"),
    )  # fmt: skip
    told = "radar=not_taken because=gaps_short usual_gap_days=71 needed=71"
    assert trained(tmp_path / "short").endswith(told)
    for name in ("model.json", "arrays.npz", "boosting.ubj", "card.json"):
        plain = (tmp_path / "plain/models/crops" / name).read_bytes()
        for other in ("empty", "short"):
            assert (tmp_path / other / "models/crops" / name).read_bytes() == plain, (other, name)
    for name in ("crops.parquet", "o.parquet", "train.parquet", "survey_next.csv"):
        empty = (tmp_path / "empty" / name).read_bytes()
        assert empty == (tmp_path / "plain" / name).read_bytes(), name


def test_the_other_orbit_direction_changes_nothing(blind, with_radar, tmp_path):
    """Fewer ascending passes, of fields that all look 20 dB brighter from there."""
    rows = radar_rows([f"P{n:02d}" for n in range(60)], "ascending", 9)
    rows = [row | {"vv_mean": row["vv_mean"] + 20.0} for row in rows]
    both = rows + pq.read_table(blind / "radar.parquet").to_pylist()
    write_radar(tmp_path / "both.parquet", both)
    parts = given(blind, None) | {"radar": tmp_path / "both.parquet"}
    train_and_classify(tmp_path / "out", **parts)
    for name in ("crops.parquet", "train.parquet", "models/crops/arrays.npz"):
        assert (tmp_path / "out" / name).read_bytes() == (with_radar / name).read_bytes(), name


def test_a_field_that_radar_never_saw_stands_at_the_countys_mean(blind, with_radar):
    """Day 67 is the only pass of step 6: the mean of all fields' powers, not of their decibels."""
    stored = read_crop_model(with_radar / "models/crops", FAST)
    clock = model_clock(stored.grid, stored.model.bands, SEASON, ClearSettings())
    table = radar_table(blind / "radar.parquet", SEASON)
    (batch,) = iter_beside(blind / "observations.parquet", SEASON, 0.5, frozenset(), table)
    cube = clock.cube(batch)
    step = 67 // 10 - clock.first_step
    vv = cube.values[:, step, cube.bands.index("VV")]
    assert vv[-1] == pytest.approx(vv[:-1].mean(), rel=1e-6)
    rows = pd.read_parquet(blind / "radar.parquet")
    rows = rows[rows["datetime"].dt.date == SEASON.start + dt.timedelta(days=67)]
    assert len(rows) == 89
    assert vv[-1] == pytest.approx((10 ** (rows["vv_mean"].astype(float) / 10)).mean(), rel=1e-6)
    told = pd.read_parquet(with_radar / "o.parquet").set_index("parcel_id")["detail"]
    blind_ones = [name for name, text in told.items() if "radar=none_of_this_parcel" in text]
    answered = told["P89"].startswith("crop=")
    assert blind_ones == (["P89"] if answered else [])


@pytest.mark.parametrize(
    ("radar", "said"),
    [
        (None, "takes radar .VV, VH, descending. and the county has no radar of this season"),
        ("none.parquet", "the county has no radar of this season"),
        ("ascending", "the county has radar of ascending orbits"),
    ],
)
def test_a_model_that_takes_radar_refuses_a_county_without(
    blind, with_radar, tmp_path, radar, said
):
    model = tmp_path / "model"
    shutil.copytree(with_radar / "models/crops", model)
    version = read_crop_model(model, FAST).version
    approve_crop_model(model, version, by="committee", figures={})
    parts = given(blind, radar, settings=FAST.model_copy(update={"model": model}))
    if radar == "ascending":
        write_radar(tmp_path / "r.parquet", radar_rows(["P00"], "ascending", 2))
        parts["radar"] = tmp_path / "r.parquet"
    with pytest.raises(UserError, match=said):
        train_and_classify(tmp_path / "out", **parts)
    assert not list((tmp_path / "out").rglob("*.*"))
