import datetime as dt
import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fieldline.crops.recognise.training import at_most
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from tests.crops.recognise.crop_stages import train_and_classify

SETTINGS = ClassifySettings(trees=60, rounds=15, augment=2, network="never")


def run(county, out, season, survey="survey.csv", settings=SETTINGS, past=None, **extra):
    train_and_classify(
        out, observations=county / "observations.parquet", parcels=county / "parcels.parquet",
        survey=None if survey is None else county / survey,
        seasons=[*(() if past is None else [past]), season], settings=settings,
        clear_dates=ClearSettings(), **extra,
    )  # fmt: skip
    crops = pd.read_parquet(out / "crops.parquet").set_index("parcel_id")
    codes = pd.read_parquet(out / "o.parquet").set_index("parcel_id")["outcome"]
    return crops, codes, json.loads((out / "card.json").read_text())


@pytest.fixture(scope="module")
def answered(county, season, tmp_path_factory):
    return run(county, tmp_path_factory.mktemp("answered"), season)


def test_unsurveyed_parcels_are_recognised(county, answered):
    crops, codes, card = answered
    truth = pd.read_csv(county / "truth.csv").set_index("parcel_id")["crop"]
    unseen = crops[~crops["surveyed"] & ~crops["cannot_tell"]]
    assert len(unseen) > 60
    assert (unseen["crop"] == truth[unseen.index]).mean() > 0.9
    assert len(codes) == 120
    assert set(codes) <= {"ok", "cannot_tell"}
    assert card["held_out"]["macro_f1"] > card["baselines"]["majority_macro_f1"] + 0.5


def test_probabilities_sum_to_one_and_the_set_holds_the_answer(answered):
    crops, _, _ = answered
    chances = crops[[name for name in crops.columns if name.startswith("p_")]]
    assert np.allclose(chances.sum(axis=1), 1.0)
    told = crops[crops["crop"].notna()]
    assert all(
        crop in kept for crop, kept in zip(told["crop"], told["prediction_set"], strict=True)
    )


def test_the_list_of_parcels_to_survey_next_holds_doubtful_ones_that_nobody_surveyed(
    county, season, tmp_path
):
    """Without labels of potato its parcels are unlike any label, or in doubt: they lead."""
    survey = pd.read_csv(county / "survey.csv")
    survey[survey["crop"] != "potato"].to_csv(county / "no_potato.csv", index=False)
    settings = SETTINGS.model_copy(update={"survey_next": 12})
    run(county, tmp_path / "n", season, survey="no_potato.csv", settings=settings)
    listed = pd.read_csv(tmp_path / "n/survey_next.csv")
    truth = pd.read_csv(county / "truth.csv").set_index("parcel_id")["crop"]
    assert len(listed) == 12
    assert not set(listed["parcel_id"]) & set(survey.loc[survey["crop"] != "potato", "parcel_id"])
    assert (truth[listed["parcel_id"]] == "potato").sum() >= 6  # a quarter would be 3
    bare = run(county, tmp_path / "b", season, survey=None, settings=settings)
    assert bare[1].eq("no_labels").all()
    listed = pd.read_csv(tmp_path / "b/survey_next.csv")
    assert set(listed["why"]) == {"no model yet"}
    assert set(truth[listed["parcel_id"]]) == {"maize", "potato", "soybean", "winter_wheat"}


def test_surveyed_parcels_carry_their_label(county, answered):
    crops, _, _ = answered
    survey = pd.read_csv(county / "survey.csv").set_index("parcel_id")["crop"]
    assert (crops.loc[survey.index, "crop"] == survey).all()
    assert (crops.loc[survey.index, "model"] == "survey").all()


def test_same_run_same_bytes_and_one_threads_answer_is_anothers(county, season, tmp_path):
    run(county, tmp_path / "a", season, threads=1)
    run(county, tmp_path / "b", season, threads=2)
    for name in ("crops.parquet", "card.json", "o.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_county_in_batches_is_answered_alike_and_its_outcomes_are_written_as_they_come(
    county, season, answered, tmp_path
):
    whole = pq.read_table(county / "observations.parquet")
    ids = np.asarray(whole["parcel_id"])
    cuts = [0, *(int(np.flatnonzero(ids == name)[0]) for name in np.unique(ids)[[37, 80]])]
    (tmp_path / "county").mkdir()
    with pq.ParquetWriter(tmp_path / "county/observations.parquet", whole.schema) as writer:
        for first, last in zip(cuts, [*cuts[1:], len(ids)], strict=True):
            writer.write_table(whole.slice(first, last - first))
    for name in ("parcels.parquet", "survey.csv"):
        shutil.copy(county / name, tmp_path / "county" / name)
    crops, codes, _ = run(tmp_path / "county", tmp_path / "out", season)
    pd.testing.assert_frame_equal(crops, answered[0], check_exact=True)
    pd.testing.assert_series_equal(codes, answered[1])
    assert pq.ParquetFile(tmp_path / "out/o.parquet").num_row_groups == 3


def test_without_labels_every_parcel_says_so(county, season, tmp_path):
    crops, codes, card = run(county, tmp_path / "n", season, survey=None)
    assert set(codes) == {"no_labels"}
    assert crops["cannot_tell"].all()
    assert crops["crop"].isna().all()
    assert not card["trained"]


def test_labels_surveyed_after_the_as_of_date_do_not_exist(county, season, tmp_path):
    early = Season(start=season.start, end=season.end, as_of=dt.date(2023, 7, 31))
    _, codes, card = run(county, tmp_path / "e", early)
    assert set(codes) == {"no_labels"}
    assert card["survey_rows_refused"] == {"input_after_as_of": 40}


def test_an_earlier_seasons_labels_serve_this_one(county, season, tmp_path, write_observations):
    frame = pd.read_parquet(county / "observations.parquet")
    frame["datetime"] -= pd.Timedelta(days=365)
    former = Season(
        start=dt.date(2021, 10, 1), end=dt.date(2022, 9, 30), as_of=dt.date(2022, 9, 30)
    )
    frame["datetime"] = frame["datetime"].astype("datetime64[us, UTC]")
    write_observations(frame, tmp_path / "former.parquet")
    survey = pd.read_csv(county / "survey.csv").assign(surveyed_on="2022-08-01")
    survey.to_csv(tmp_path / "former.csv", index=False)
    crops, _, card = run(
        county, tmp_path / "x", season, survey=None, past=former,
        earlier_observations=[tmp_path / "former.parquet"],
        earlier_surveys=[tmp_path / "former.csv"],
    )  # fmt: skip
    truth = pd.read_csv(county / "truth.csv").set_index("parcel_id")["crop"]
    told = crops[~crops["cannot_tell"]]
    assert (told["crop"] == truth[told.index]).mean() > 0.9
    assert card["data"]["by_origin"] == {"2021-10-01": 40}


def test_rare_classes_are_named_and_not_learnt(county, season, tmp_path):
    survey = pd.read_csv(county / "survey.csv")
    few = survey[survey["crop"] == "potato"].iloc[2:].index
    survey.drop(few).to_csv(county / "few.csv", index=False)
    crops, _, card = run(county, tmp_path / "f", season, survey="few.csv")
    assert card["data"]["too_few_labels"] == {"potato": 2}
    assert "p_potato" not in crops.columns


def test_long_labelled_series_from_elsewhere_serve(county, season, tmp_path):
    frame = pd.read_parquet(county / "observations.parquet")
    truth = pd.read_csv(county / "truth.csv").set_index("parcel_id")["crop"]
    long = pd.DataFrame(
        {"sample_id": "s" + frame["parcel_id"], "crop": truth[frame["parcel_id"]].values}
    )
    long["date"] = frame["datetime"].dt.tz_localize(None) - pd.Timedelta(days=730)
    for band in ("B04", "B08", "B11"):
        long[band] = frame[f"{band}_mean"] * 0.8 + 0.02  # another processing chain
    long.to_parquet(tmp_path / "labels.parquet")
    crops, _, card = run(county, tmp_path / "l", season, survey=None,
                         labelled_series=tmp_path / "labels.parquet")  # fmt: skip
    told = crops[~crops["cannot_tell"]]
    assert (told["crop"] == truth[told.index]).mean() > 0.9
    assert card["data"]["view"] == "shape"
    assert card["data"]["bands"] == ["B04", "B08", "B11"]


def test_the_shares_of_the_county_are_those_of_its_unlabelled_parcels(
    county, season, tmp_path, write_observations
):
    """Labels are balanced; of the 260 other parcels seven in eight are maize."""
    frame = pd.read_parquet(county / "observations.parquet")
    truth = pd.read_csv(county / "truth.csv").set_index("parcel_id")["crop"]
    survey = set(pd.read_csv(county / "survey.csv")["parcel_id"])
    maize = frame[frame["parcel_id"].map(truth).eq("maize") & ~frame["parcel_id"].isin(survey)]
    more = [maize.assign(parcel_id="X" + maize["parcel_id"] + str(n)) for n in range(9)]
    bands = [name for name in frame.columns if name.endswith("_mean")]
    generator = np.random.default_rng(1)
    for copy in more:
        noise = generator.normal(1.0, 0.01, (len(copy), len(bands)))
        copy[bands] = (copy[bands] * noise).astype("float32")
    frame = pd.concat([frame, *more], ignore_index=True)
    write_observations(frame, tmp_path / "observations.parquet")
    ids = frame["parcel_id"].unique()
    pd.DataFrame({"parcel_id": ids, "farmer_id": ids, "village": [f"V{i % 10}" for i in
                  range(len(ids))]}).to_parquet(tmp_path / "parcels.parquet")  # fmt: skip
    pd.read_csv(county / "survey.csv").to_csv(tmp_path / "survey.csv", index=False)
    _, _, card = run(tmp_path, tmp_path / "out", season)
    unlabelled = [p for p in ids if p not in survey]
    kinds = [truth[p] if p in truth.index else "maize" for p in unlabelled]
    share = kinds.count("maize") / len(kinds)
    assert share > 0.75
    assert card["class_shares"]["labels"]["maize"] == pytest.approx(0.25)
    assert card["class_shares"]["county"]["maize"] == pytest.approx(share, abs=0.05)


def test_land_unlike_every_label_is_refused_with_its_numbers(
    county, season, tmp_path, write_observations
):
    """Orchards that stay green and never fall bare are no annual crop that was labelled."""
    frame = pd.read_parquet(county / "observations.parquet")
    strange = frame[frame["parcel_id"] == "P001"].assign(parcel_id="ORCHARD")
    strange["B04_mean"], strange["B08_mean"] = np.float32(0.04), np.float32(0.42)
    write_observations(pd.concat([frame, strange]), tmp_path / "observations.parquet")
    parcels = pd.read_parquet(county / "parcels.parquet")
    more = pd.DataFrame({"parcel_id": ["ORCHARD"], "farmer_id": ["F"], "village": ["V1"]})
    pd.concat([parcels, more]).to_parquet(tmp_path / "parcels.parquet")
    pd.read_csv(county / "survey.csv").to_csv(tmp_path / "survey.csv", index=False)
    crops, codes, _ = run(tmp_path, tmp_path / "out", season)
    assert codes["ORCHARD"] == "cannot_tell"
    assert pd.isna(crops.loc["ORCHARD", "crop"])
    assert "ndvi_low" in crops.loc["ORCHARD", "reason"]
    others = crops[~crops["surveyed"]].drop("ORCHARD")
    assert others["reason"].str.contains("unlike_any_label").mean() < 0.25


def test_a_survey_of_one_village_is_held_out_by_farm(county, season, tmp_path):
    parcels = pd.read_parquet(county / "parcels.parquet").assign(village="V0")
    parcels.to_parquet(tmp_path / "parcels.parquet")
    for name in ("observations.parquet", "survey.csv"):
        (tmp_path / name).symlink_to(county / name)
    _, _, card = run(tmp_path, tmp_path / "out", season)
    assert card["split"] == "5 folds; grouped by farm"
    assert card["trained"]


def test_a_survey_of_one_crop_says_that_nothing_tells_apart(county, season, tmp_path):
    survey = pd.read_csv(county / "survey.csv").assign(crop="maize")
    survey.to_csv(county / "one.csv", index=False)
    _, codes, card = run(county, tmp_path / "o", season, survey="one.csv")
    assert card["reason"] == "all labels are of one crop (maize): nothing tells apart"
    assert set(codes) == {"no_labels", "ok"}


def test_a_surveyed_crop_that_no_table_knows_is_counted_and_teaches_other_land(
    county, season, tmp_path
):
    survey = pd.read_csv(county / "survey.csv")
    potato = survey.loc[survey["crop"] == "potato", "parcel_id"]
    survey.loc[survey["crop"] == "potato", "crop"] = "dragon fruit"
    survey.to_csv(county / "unknown.csv", index=False)
    crops, _, card = run(county, tmp_path / "u", season, survey="unknown.csv")
    assert card["data"]["classes"] == ["maize", "other", "soybean", "winter_wheat"]
    assert card["labels_of_unknown_crops"] == {"survey 2022-10-01": len(potato)}
    assert card["survey_rows_refused"] == {"input_unknown_crop": len(potato)}
    assert (crops.loc[potato, "reason"] == "surveyed_crop=not in the crop table").all()
    assert crops.loc[potato, "crop"].isna().all()


def test_more_labels_than_needed_are_drawn_down_evenly_and_repeatably() -> None:
    codes = np.array(["maize"] * 40 + ["rice"] * 12)
    settings = ClassifySettings(max_labels_per_class=15)
    rows = at_most(np.arange(52), codes, settings)
    assert (codes[rows] == "maize").sum() == 15
    assert (codes[rows] == "rice").sum() == 12
    assert np.array_equal(rows, at_most(np.arange(52), codes, settings))
    assert np.array_equal(rows, np.unique(rows))
