import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fieldline.crops.growth.evaluate import (
    harvest_days_seen,
    heading_days_seen,
    judge_harvest,
    judge_heading,
    watch,
)
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app
from tests.crops.conftest import double_logistic, observation_frame

MIDDLES = {"a": 190.0, "b": 195.0, "c": 203.0, "d": 210.0}
SETTINGS = GrowSettings()


@pytest.fixture(scope="module")
def observations(tmp_path_factory, season, write_observations):
    """Four fields whose plateau is symmetric about the day of `MIDDLES`, cut 60 days later."""
    days = np.arange(2, 364, 4)
    curves = {
        name: (days, double_logistic(days, middle - 50, middle + 50))
        for name, middle in MIDDLES.items()
    }
    path = tmp_path_factory.mktemp("watched") / "observations.parquet"
    return write_observations(observation_frame(curves, season.start), path)


@pytest.fixture(scope="module")
def watched(observations, season):
    return watch(observations, season, ClearSettings(min_dates=5), SETTINGS)


def write_ratings(folder, season, rows):
    table = pd.DataFrame(rows, columns=["parcel_id", "day", "bbch"])
    table["date"] = [season.start + dt.timedelta(days=d) for d in table["day"]]
    table.drop(columns="day").to_csv(folder / "bbch.csv", index=False)
    return folder / "bbch.csv"


def test_heading_lies_between_two_ratings_and_needs_both_sides(tmp_path, season):
    path = write_ratings(tmp_path, season, [
        ("a", 100, 31), ("a", 110, 49), ("a", 110, 53), ("a", 120, 59), ("a", 125, 57),
        ("late", 100, 31), ("late", 110, 51), ("early", 100, 61), ("early", 110, 71),
    ])  # fmt: skip
    seen, left_out = heading_days_seen(path, season)
    # 51 on day 110 by two raters, 59 on day 120
    assert seen.to_dict() == {"a": pytest.approx(115.0)}
    assert set(left_out) == {"late", "early"}
    assert "55 not passed" in left_out["late"]


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%d"]
)
def test_ratings_of_other_years_and_other_ways_of_writing_a_day_change_nothing(
    tmp_path, season, form
):
    first = pd.Timestamp(season.start)
    rated = [("a", 110, 51), ("a", 120, 59), ("a", 110 - 365, 71), ("a", 100 - 365, 31),
             ("b", 110 - 365, 51), ("b", 120 - 365, 59)]  # fmt: skip
    lines = [f"{p},{(first + pd.Timedelta(days=d)).strftime(form)},{s}" for p, d, s in rated]
    path = tmp_path / "bbch.csv"
    path.write_text("parcel_id,date,bbch\n" + "\n".join(lines), "utf-8")
    seen, left_out = heading_days_seen(path, season)
    assert seen.to_dict() == {"a": pytest.approx(115.0)}
    assert left_out == {"b": "rated in other seasons alone"}


def test_of_several_harvests_the_seasons_own_counts(tmp_path, season, caplog):
    first = pd.Timestamp(season.start)
    days = [("a", 200), ("a", 200 - 365), ("b", 210)]
    lines = [f"{p},{(first + pd.Timedelta(days=d)).date()}" for p, d in days]
    path = tmp_path / "h.csv"
    path.write_text("parcel_id,harvest_date\n" + "\n".join([*lines, "c,soon"]), "utf-8")
    assert harvest_days_seen(path, season).to_dict() == {"a": 200.0, "b": 210.0}
    assert "rows left out: input_" in caplog.text


def test_an_offset_is_judged_on_fields_that_did_not_set_it(watched):
    offsets = {"a": 10.0, "b": 10.0, "c": 10.0, "d": 18.0}
    seen = pd.Series({name: MIDDLES[name] + off for name, off in offsets.items()})
    found = judge_heading(watched, seen, {})
    assert found["fields"] == 4
    # told with the shipped offset of 7: off by 3, 3, 3 and 11
    assert found["as_shipped"]["mae_days"]["value"] == pytest.approx(5.0, abs=0.6)
    # the others' mean offset is 38 / 3 for three fields and 10 for the last
    assert found["offset_of_the_others"]["mae_days"]["value"] == pytest.approx(4.0, abs=0.3)
    # mean of the others: dates 200, 205, 213 and 228
    dates = np.array([200.0, 205, 213, 228])
    naive = np.abs((dates.sum() - dates) / 3 - dates).mean()
    assert found["mean_date_of_the_others"]["mae_days"]["value"] == pytest.approx(naive, abs=0.01)
    low, high = (found["as_shipped"]["mae_days"][name] for name in ("low", "high"))
    assert low < 5.0 < high


def test_the_harvest_is_judged_by_its_interval_and_its_date(watched):
    seen = (watched.by_parcel("standing") + watched.by_parcel("bare")) / 2
    seen["other"] = 100.0
    found = judge_harvest(watched, seen)
    assert found["confirmed"]["fields"] == 4
    # images lie four days apart
    assert found["confirmed"]["mae_days"]["value"] <= 2
    assert found["confirmed_inside_interval"] == 4
    far = judge_harvest(watched, seen + 20)
    assert far["confirmed_inside_interval"] == 0
    assert far["confirmed"]["bias_days"]["value"] < -15


def test_too_few_fields_and_a_parcel_named_twice_are_refused(watched, tmp_path, season):
    with pytest.raises(UserError, match="2 fields have both a curve with a heading"):
        judge_heading(watched, pd.Series({"a": 200.0, "b": 200.0, "x": 200.0}), {})
    file = tmp_path / "h.csv"
    file.write_text("parcel_id,harvest_date\na,2023-06-01\na,2023-06-02\n")
    with pytest.raises(UserError, match="names parcel a twice"):
        harvest_days_seen(file, season)


def test_the_command_writes_its_figures_and_refuses_in_a_sentence(observations, tmp_path, season):
    ratings = [(name, int(m) + step, stage) for name, m in MIDDLES.items()
               for step, stage in ((-3, 45), (17, 65))]  # fmt: skip
    bbch = write_ratings(tmp_path, season, ratings)
    words = ["growth", "evaluate", str(observations), "--start", str(season.start),
             "--end", str(season.end)]  # fmt: skip
    out = tmp_path / "found.json"
    said = CliRunner().invoke(app, [*words, "--heading", str(bbch), "--json", str(out)])
    assert said.exit_code == 0, said.output
    found = json.loads(out.read_text())
    # half-way between the two ratings, seven days after the middle
    assert found["heading"]["as_shipped"]["mae_days"]["value"] < 1.5
    assert "heading: 4 fields" in said.output
    for wrong in ([*words], [*words[:3], "--start", "June", "--end", "2023-09-30",
                             "--heading", str(bbch)]):  # fmt: skip
        refused = CliRunner().invoke(app, wrong)
        assert isinstance(refused.exception, UserError)


def test_what_is_no_table_of_observations_is_refused_in_a_sentence(tmp_path, season):
    (tmp_path / "text.parquet").write_text("parcel_id,datetime\n")
    pd.DataFrame({"parcel_id": ["a"], "B04_mean": [0.1]}).to_parquet(tmp_path / "odd.parquet")
    told = {
        "none.parquet": "does not exist",
        "text.parquet": "cannot be read as Parquet",
        "odd.parquet": "lacks the columns datetime, valid_fraction of observations",
    }
    for name, why in told.items():
        words = ["growth", "evaluate", str(tmp_path / name), "--start", "2022-10-01",
                 "--end", "2023-09-30", "--harvest", "h.csv"]  # fmt: skip
        refused = CliRunner().invoke(app, words)
        assert isinstance(refused.exception, UserError)
        assert why in str(refused.exception)
