"""A model apart from its answers: stored, approved, served again, and refused where it cannot."""

import datetime as dt
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.recognise.evaluate import training_of
from fieldline.crops.recognise.label_tables import LabelledSeries
from fieldline.crops.recognise.model_folder import (
    approve_crop_model,
    read_crop_model,
    write_crop_model,
)
from fieldline.crops.recognise.points import read_polygons
from fieldline.crops.recognise.recogniser import fit_recogniser
from fieldline.crops.recognise.train_stage import run_crops_train
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from tests.crops.recognise.crop_stages import train_and_classify

FAST = ClassifySettings(trees=30, rounds=10, folds=3, augment=0, shares_from=50, network="never")


def given(county, season, settings=FAST, survey="survey.csv"):
    return {
        "observations": county / "observations.parquet", "parcels": county / "parcels.parquet",
        "survey": None if survey is None else county / survey, "seasons": [season],
        "settings": settings, "clear_dates": ClearSettings(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def first(county, season, tmp_path_factory):
    """The folder of a run that trained, and its model, approved."""
    folder = tmp_path_factory.mktemp("first")
    train_and_classify(folder, **given(county, season))
    model = folder / "models" / "crops"
    version = read_crop_model(model, FAST).version
    approve_crop_model(model, version, by="committee", figures={})
    return folder, model, version


def serving(model, **changed) -> ClassifySettings:
    return FAST.model_copy(update={"model": model, **changed})


def test_a_stored_model_serves_its_county_bit_equal_on_a_second_run(
    county, season, first, tmp_path
):
    folder, model, version = first
    # Settings that only training reads may be anything: nothing is trained.
    settings = serving(model, trees=20, rounds=1, seed=3)
    train_and_classify(tmp_path, **given(county, season, settings))
    assert (tmp_path / "crops.parquet").read_bytes() == (folder / "crops.parquet").read_bytes()
    assert (tmp_path / "o.parquet").read_bytes() == (folder / "o.parquet").read_bytes()
    for name in ("manifest.json", "model.json", "arrays.npz", "boosting.ubj", "card.json"):
        copied = (tmp_path / "models/crops" / name).read_bytes()
        assert copied == (model / name).read_bytes(), name
    crops = pd.read_parquet(tmp_path / "crops.parquet")
    assert set(crops["model"]) == {"survey", f"crop-ensemble:{version}"}
    said = pd.read_parquet(tmp_path / "train.parquet")["detail"].item()
    assert said == f"model={version} learnt_at=TEST 2022-10-01 approved=yes"


def test_another_county_gets_its_own_shares_and_no_judge_of_the_first_ones_land(
    county, season, first, tmp_path, write_observations
):
    """The second county grows maize on all but 12 of 102 parcels and brings no labels."""
    folder, model, _ = first
    frame = pd.read_parquet(county / "observations.parquet")
    truth = pd.read_csv(county / "truth.csv").set_index("parcel_id")["crop"]
    wheat = list(truth.index[truth == "winter_wheat"][:12])
    maize = frame[frame["parcel_id"].map(truth) == "maize"]
    random = np.random.default_rng(2)
    parts = [frame[frame["parcel_id"].isin(wheat)]]
    bands = [name for name in frame.columns if name.endswith("_mean")]
    for copy in range(3):
        more = maize.assign(parcel_id="X" + maize["parcel_id"] + str(copy))
        more[bands] = (more[bands] * random.normal(1, 0.01, (len(more), len(bands)))).astype("f4")
        parts.append(more)
    second = pd.concat(parts, ignore_index=True)
    write_observations(second, tmp_path / "observations.parquet")
    ids = second["parcel_id"].unique()
    pd.DataFrame({"parcel_id": ids, "farmer_id": ids, "village": "V"}).to_parquet(
        tmp_path / "parcels.parquet"
    )
    out = tmp_path / "out"
    train_and_classify(out, county="OTHER", **given(tmp_path, season, serving(model), survey=None))
    card = json.loads((out / "card.json").read_text())
    assert card["class_shares"]["labels"]["maize"] == pytest.approx(0.25)
    # 90 of 102 are maize; 20 parcels' worth of the labels' quarter is added.
    expected = (90 + 20 * 0.25) / (102 + 20)
    assert card["class_shares"]["county"]["maize"] == pytest.approx(expected, abs=0.01)
    assert card["served"]["learnt_here"] is False
    crops = pd.read_parquet(out / "crops.parquet")
    told = crops[~crops["cannot_tell"]]
    right = np.where(told["parcel_id"].isin(wheat), "winter_wheat", "maize") == told["crop"]
    assert len(told) > 80
    assert right.mean() > 0.95
    # Of the first county's own run, unlike here, labelled and unlabelled land are held apart.
    first_card = json.loads((folder / "card.json").read_text())
    assert "domain" in first_card["refusal"]["scores"]
    assert "domain" not in read_crop_model(model, FAST).model.novelty.away().known


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("unapproved", "is not approved"),
        ("damaged", "arrays.npz is damaged"),
        ("bands", "have no B11"),
        ("early", "looks at the season until"),
        ("autumn", "seasons that begin on 10-01 and this one begins on 09-01"),
        ("crops", "tells crops that data/crops.csv lacks: dragonfruit"),
    ],
)
def test_a_model_that_cannot_answer_here_is_refused_before_anything_is_written(
    county, season, first, tmp_path, write_observations, change, said
):
    _, model, _ = first
    own = tmp_path / "model"
    shutil.copytree(model, own)
    observations = county / "observations.parquet"
    if change == "unapproved":
        (own / "approval.json").unlink()
    if change == "damaged":
        content = bytearray((own / "arrays.npz").read_bytes())
        content[len(content) // 2] ^= 1
        (own / "arrays.npz").write_bytes(content)
    if change == "bands":
        frame = pd.read_parquet(observations)
        frame = frame.rename(columns={"B11_mean": "B10_mean", "B11_std": "B10_std"})
        observations = tmp_path / "o.parquet"
        frame.to_parquet(observations)
    if change == "crops":
        rename_crop(own, "potato", "dragonfruit")
    if change == "early":
        season = Season(start=season.start, end=season.end, as_of=dt.date(2023, 5, 1))
    if change == "autumn":
        season = Season(start=dt.date(2022, 9, 1), end=season.end, as_of=season.as_of)
    parts = given(county, season, serving(own)) | {"observations": observations}
    with pytest.raises(UserError, match=said):
        run_crops_train(
            county="TEST", out=tmp_path / "models/manifest.json", outcomes=tmp_path / "t", **parts
        )
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "t").exists()


def rename_crop(folder, old, new):
    """Give a class another name and seal the folder anew, as its maker could."""
    from fieldline.crops.recognise import model_folder as m
    from fieldline.pipeline.records.sealed_folder import seal

    files = {name: (folder / name).read_bytes() for name in m.FILES}
    files[m.CONFIG] = files[m.CONFIG].replace(f'"{old}"'.encode(), f'"{new}"'.encode())
    version = m._version(files[m.CONFIG], files[m.ARRAYS], files[m.BOOSTING])
    card = json.loads(files[m.CARD]) | {"version": version}
    files[m.CARD] = json.dumps(card).encode()
    seal(folder, files, version)
    approve_crop_model(folder, version, by="x", figures={})


def test_without_labels_the_folder_says_why_there_is_no_model(county, season, tmp_path):
    train_and_classify(tmp_path, **given(county, season, survey=None))
    card = json.loads((tmp_path / "models/crops/card.json").read_text())
    assert (card["trained"], card["reason"]) == (False, "no usable label")
    assert json.loads((tmp_path / "models/crops/manifest.json").read_text())["version"] is None


def test_a_model_of_labelled_series_from_elsewhere_serves_a_county(county, season, tmp_path):
    """Series of two years before, darker and of another sensor, teach shapes; here they answer."""
    frame = pd.read_parquet(county / "observations.parquet")
    truth = pd.read_csv(county / "truth.csv").set_index("parcel_id")["crop"]
    long = pd.DataFrame({"sample_id": "s" + frame["parcel_id"]})
    long["crop"] = truth[frame["parcel_id"]].to_numpy()
    long["date"] = frame["datetime"].dt.tz_localize(None) - pd.Timedelta(days=730)
    for band in ("B04", "B08", "B11"):
        long[band] = frame[f"{band}_mean"] * 0.8 + 0.02
    long.to_parquet(tmp_path / "labels.parquet")
    points = read_polygons(LabelledSeries(tmp_path / "labels.parquet"), 10, starts="10-01")
    assert points.grid == {"starts": "10-01", "step_days": 10, "first_step": 0, "last_step": 36}
    training = training_of(points, np.arange(120), FAST, "shape")
    model = tmp_path / "model"
    version = write_crop_model(model, fit_recogniser(training, None, FAST).model, points.grid, {})
    approve_crop_model(model, version, by="committee", figures={})
    out = tmp_path / "out"
    train_and_classify(out, **given(county, season, serving(model), survey=None))
    crops = pd.read_parquet(out / "crops.parquet").set_index("parcel_id")
    told = crops[~crops["cannot_tell"]]
    assert len(told) > 100
    assert (told["crop"] == truth[told.index]).mean() > 0.95
    assert set(crops["model"]) == {f"crop-ensemble:{version}"}


def test_a_season_that_begins_on_no_day_is_refused(tmp_path):
    table = pd.DataFrame({"sample_id": ["a"], "crop": "maize", "date": "2021-05-01", "B04": 0.1})
    table.assign(B08=0.4).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(UserError, match="'13-01' is no first day of a season"):
        read_polygons(LabelledSeries(tmp_path / "t.csv"), 10, starts="13-01")
