"""A crop model with radar, learnt from a table by the command and served by a county's stages."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fieldline.crops.recognise.model_folder import read_crop_model
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.schemas import (
    OBSERVATIONS,
    RADAR_OBSERVATIONS,
    band_columns,
    radar_columns,
)
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_table
from fieldline.workflows import exits
from fieldline.workflows.cli import app
from tests.crops.recognise.crop_stages import train_and_classify

FAST = ClassifySettings(trees=30, rounds=10, folds=3, augment=0, shares_from=500, network="never")
YAML = "crops:\n  classify: {trees: 30, rounds: 10, folds: 3, augment: 0, network: never}\n"
SEASON = Season(start=dt.date(2023, 4, 1), end=dt.date(2023, 10, 31), as_of=dt.date(2023, 10, 31))
CLEAR = np.asarray([day for day in range(2, 213, 8) if not 60 <= day < 120])
PASSES = np.arange(7, 210, 12)
CROPS = ("maize", "soybean")


def seen(count: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fields by number that are alike to optics; maize is 4 dB above soybean from day 60 to 120."""
    random = np.random.default_rng(seed)
    number, day = (part.ravel() for part in np.meshgrid(range(count), CLEAR, indexing="ij"))
    green = 0.2 + 0.5 * np.exp(-(((day - 100) / 40) ** 2)) + random.normal(0, 0.01, len(day))
    optical = pd.DataFrame({"number": number, "day": day, "B04": 0.05, "B08": 0.05 + 0.5 * green})
    number, day = (part.ravel() for part in np.meshgrid(range(count), PASSES, indexing="ij"))
    vv = -11.0 + random.normal(0, 0.5, len(day))
    vv += np.where((number % 2 == 0) & (day >= 60) & (day < 120), 4.0, 0.0)
    return optical, pd.DataFrame({"number": number, "day": day, "VV": vv, "VH": vv - 7.0})


def table_of(optical: pd.DataFrame, radar: pd.DataFrame, path) -> None:
    """Write labelled series of the year before."""
    frame = optical.merge(radar, how="outer", on=["number", "day"])
    frame["sample_id"] = "s" + frame["number"].astype(str)
    frame["crop"] = [CROPS[number % 2] for number in frame["number"]]
    frame["date"] = pd.Timestamp("2022-04-01") + pd.to_timedelta(frame["day"], unit="D")
    frame["lon"], frame["lat"] = 10.0 + 0.02 * frame["number"], 48.0
    frame.drop(columns=["number", "day"]).to_csv(path, index=False)


def county_of(optical: pd.DataFrame, radar: pd.DataFrame, folder) -> None:
    """Write a county's observations and radar, as its own stages would."""
    start = pd.Timestamp(SEASON.start, tz="UTC")
    columns = {"orbit": "descending", "scene_id": "s", "effective_pixels": 9.0, "valid_fraction": 1,
               "baseline": "05.09", "offset": 0.0, "snow_fraction": np.nan}  # fmt: skip
    values = {"B04_std": 0.01, "B08_std": 0.01, "vv_cv": 0.3, "vh_cv": 0.3}
    names = {"B04": "B04_mean", "B08": "B08_mean", "VV": "vv_mean", "VH": "vh_mean"}
    for frame, schema, of_bands, out in (
        (optical, OBSERVATIONS, band_columns(("B04", "B08")), "observations.parquet"),
        (radar, RADAR_OBSERVATIONS, radar_columns(("vv", "vh")), "radar.parquet"),
    ):
        schema = schema.with_columns(of_bands)
        table = frame.rename(columns=names).assign(**columns, **values)
        table["parcel_id"] = [f"P{number:02d}" for number in table["number"]]
        moments = start + pd.to_timedelta(table["day"], unit="D")
        table["datetime"] = moments.astype("datetime64[us, UTC]")
        write_table(table.sort_values(["parcel_id", "datetime"])[schema.names], schema,
                    folder / out)  # fmt: skip
    ids = [f"P{number:02d}" for number in sorted(set(optical["number"]))]
    pd.DataFrame({"parcel_id": ids, "farmer_id": ids, "village": "V"}).to_parquet(
        folder / "parcels.parquet"
    )


def train(folder, *words: str) -> str:
    (folder / "fast.yaml").write_text(YAML)
    result = CliRunner().invoke(
        app,
        ["crops", "train", str(folder / "t.csv"), "--season-start", "04-01", "--out",
         str(folder / "model"), "-c", str(folder / "fast.yaml"), *words],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return result.output


def test_radar_of_a_table_tells_a_countys_crops_apart_that_optics_cannot(tmp_path) -> None:
    optical, radar = seen(60, 1)
    radar = radar[radar["number"] != 59]
    table_of(optical, radar, tmp_path / "t.csv")
    county_of(*seen(40, 2), tmp_path)
    plain, with_radar = (
        float(train(tmp_path, *words).split("macro-F1 ")[1].split()[0])
        for words in ([], ["--orbit", "descending"])
    )
    assert plain < 0.7
    assert with_radar > 0.9
    gated = CliRunner().invoke(app, ["crops", "gate", str(tmp_path / "model")])
    assert gated.exit_code == exits.OK, gated.output
    train_and_classify(
        tmp_path / "run", observations=tmp_path / "observations.parquet", survey=None,
        parcels=tmp_path / "parcels.parquet", radar=tmp_path / "radar.parquet",
        seasons=[SEASON], clear_dates=ClearSettings(),
        settings=FAST.model_copy(update={"model": tmp_path / "model"}),
    )  # fmt: skip
    crops = pd.read_parquet(tmp_path / "run/crops.parquet")
    right = (crops["p_maize"] > 0.5) == [number % 2 == 0 for number in range(40)]
    assert right.mean() > 0.95
    stored = read_crop_model(tmp_path / "model", FAST)
    assert stored.model.bands == ("B04", "B08", "VV", "VH")
    told = stored.card["remarks"]
    assert "half of the series have no clear date for 63 days" in told[0]
    assert told[1] == "1 series without radar stand at the mean of the others"
    step = 67 // 10 - stored.grid["first_step"]
    power = 10 ** (radar.loc[radar["day"] == 67, ["VV", "VH"]] / 10)
    assert stored.grid["radar"]["orbit"] == "descending"
    assert stored.grid["radar"]["mean"][step] == pytest.approx(power.mean().tolist(), rel=1e-9)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--orbit", "north"], "orbit 'north' is unknown"),
        (["--orbit", "ascending", "--view", "shape"], "takes no radar"),
        (["--orbit", "ascending", "--format", "worldcereal"], "sigma nought"),
        (["--orbit", "ascending"], "has no radar backscatter"),
    ],
)
def test_radar_that_no_countys_would_compare_with_is_refused(tmp_path, words, said) -> None:
    optical, radar = seen(4, 1)
    table_of(optical, radar.rename(columns={"VV": "left", "VH": "out"}), tmp_path / "t.csv")
    with pytest.raises(UserError, match=said):
        train(tmp_path, *words)
    assert not (tmp_path / "model").exists()
