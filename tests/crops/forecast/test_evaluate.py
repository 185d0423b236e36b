from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fieldline.crops.forecast.county_years import CountyYears
from fieldline.crops.forecast.evaluate import evaluate_later, evaluate_left_out
from fieldline.crops.forecast.levels import NAIVE
from fieldline.crops.forecast.model import fit_forecast
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app
from tests.crops.forecast.made import made


def write(path: Path, rows: CountyYears) -> Path:
    frame = pd.DataFrame({"county": rows.county, "year": rows.year})
    frame = pd.concat([frame, rows.covariates.reset_index(drop=True)], axis=1)
    frame.assign(**{"yield": rows.target}).to_csv(path, index=False)
    return path


def test_figures_of_later_years_are_those_reckoned_by_hand() -> None:
    found = made(20, 13, 2, rain=1.0)
    past, rows = found.part(found.year < 2010), found.part(found.year >= 2010)
    said = evaluate_later(past, rows, NAIVE)
    means = pd.Series(past.target).groupby(past.county).mean()
    error = rows.target - means[rows.county].to_numpy()
    assert said["figures"]["mean"]["rmse"]["value"] == pytest.approx(np.sqrt(np.mean(error**2)))
    forecast = fit_forecast(past).predict(rows, found)
    ours = rows.target - forecast.q50
    assert said["figures"]["forecast"]["rmse"]["value"] == pytest.approx(np.sqrt(np.mean(ours**2)))
    assert said["skill_over"]["mean"]["value"] == pytest.approx(
        1 - np.mean(ours**2) / np.mean(error**2)
    )
    inside = (rows.target >= forecast.q10) & (rows.target <= forecast.q90)
    assert said["interval_80"]["inside"] == pytest.approx(inside.mean())
    assert list(said["by_year"]) == ["2010", "2011", "2012"]
    assert sum(year["rows"] for year in said["by_year"].values()) == len(rows)


def test_a_row_that_was_learnt_from_is_refused_as_a_test() -> None:
    found = made(5, 8, 2)
    with pytest.raises(UserError, match="5 rows of the test table are rows of the training table"):
        evaluate_later(found, found.part(found.year == 2003), NAIVE)


@pytest.mark.parametrize("unseen", ["year", "county"])
def test_what_is_left_out_was_not_learnt_from(unseen: str) -> None:
    """A year (county) whose yields are all wrong is missed by as much."""
    found = made(20, 8, 2, shock=0.1)
    odd = found.year == 2004 if unseen == "year" else found.county == "c3"
    found.target[odd] += 50
    said = evaluate_left_out(found, unseen, ["mean"])  # type: ignore[arg-type]
    if unseen == "year":
        assert said["by_year"]["2004"]["forecast"] > 40
    else:
        # 8 of 160 rows are missed by 50 (and the others by what their mean is drawn).
        assert said["figures"]["forecast"]["rmse"]["value"] > 45 * np.sqrt(8 / 160)


def test_the_command_says_skill_where_rain_was_planted_and_none_where_it_was_not(
    tmp_path: Path,
) -> None:
    nothing = "no skill: the forecast is the naive last5 itself (the best is mean)"
    for rain, verdict in ((1.2, "skill over every baseline"), (0.0, nothing)):
        found = made(30, 12, 9, rain=rain, shock=0.2)
        train = write(tmp_path / "t.csv", found.part(found.year < 2008))
        test = write(tmp_path / "u.csv", found.part(found.year >= 2008))
        out = tmp_path / "o.json"
        told = CliRunner().invoke(
            app,
            ["yields", "evaluate", "--train", str(train), "--test", str(test), "--json", str(out)],
        )
        assert told.exit_code == 0, told.output
        assert f"verdict: {verdict}" in told.output
        assert verdict.startswith(json.loads(out.read_text())["verdict"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "give either --test or --leave-out"),
        (["--leave-out", "village"], "--leave-out 'village' is unknown"),
        (["--leave-out", "year", "--baseline", "guess"], "there is no baseline 'guess'"),
    ],
)
def test_what_is_asked_wrongly_is_said(tmp_path: Path, asked: list[str], said: str) -> None:
    train = write(tmp_path / "t.csv", made(5, 6, 1))
    told = CliRunner().invoke(app, ["yields", "evaluate", "--train", str(train), *asked])
    assert isinstance(told.exception, UserError)
    assert said in str(told.exception)


def test_a_sealed_forecast_is_scored_and_a_changed_one_refused(tmp_path: Path) -> None:
    found = made(12, 11, 4)
    past, rows = found.part(found.year < 2010), found.part(found.year == 2010)
    train, truth = write(tmp_path / "t.csv", past), write(tmp_path / "truth.csv", rows)
    asked = tmp_path / "for.csv"
    pd.read_csv(truth).drop(columns="yield").to_csv(asked, index=False)
    out = tmp_path / "f.csv"
    sealing = ["yields", "seal", "--train", str(train), "--for", str(asked), "--out", str(out),
               "--as-of", "2010-08-01"]  # fmt: skip
    told = CliRunner().invoke(app, sealing)
    assert told.exit_code == 0, told.output
    checksum = told.output.split("sha256 ")[1].strip()
    again = CliRunner().invoke(app, sealing)
    assert "is there already" in str(again.exception)
    scoring = ["yields", "score", str(out), "--truth", str(truth), "--checksum", checksum]
    scored = CliRunner().invoke(app, [*scoring, "--json", str(tmp_path / "s.json")])
    assert scored.exit_code == 0, scored.output
    figures = json.loads((tmp_path / "s.json").read_text())
    said = pd.read_csv(out).set_index("county")["q50"][rows.county].to_numpy()
    assert figures["rmse"] == pytest.approx(np.sqrt(np.mean((said - rows.target) ** 2)))
    assert (figures["rows"], figures["as_of"]) == (12, "2010-08-01")
    seal = tmp_path / "f.seal.json"
    kept = seal.read_text()
    seal.write_text(kept.replace("2010-08-01", "2010-02-01"))
    earlier = CliRunner().invoke(app, scoring)
    assert "is not the seal whose checksum was handed out" in str(earlier.exception)
    seal.write_text('{"sha256": "0"}')
    assert "f.seal.json cannot be read" in str(CliRunner().invoke(app, scoring).exception)
    seal.write_text(kept)
    text = out.read_text()
    out.write_text(text.replace(text[-8:-2], "9.9999"))
    changed = CliRunner().invoke(app, scoring)
    assert "is not what was sealed on 2010-08-01" in str(changed.exception)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2009-12-31", "tells yields of 2010, which nobody knew on 2009-12-31"),
        ("2999-01-01", "--as-of 2999-01-01 is yet to come"),
        ("August", "--as-of 'August' is no day"),
    ],
)
def test_a_forecast_is_of_a_day_on_which_its_yields_were_known(
    tmp_path: Path, day: str, said: str
) -> None:
    train = write(tmp_path / "t.csv", made(5, 11, 1))
    asked = tmp_path / "for.csv"
    asked.write_text("county,year\nc1,2011\n", encoding="utf-8")
    told = CliRunner().invoke(
        app,
        ["yields", "seal", "--train", str(train), "--for", str(asked),
         "--out", str(tmp_path / "f.csv"), "--as-of", day],
    )  # fmt: skip
    assert isinstance(told.exception, UserError)
    assert said in str(told.exception)
    assert not (tmp_path / "f.csv").exists()


@pytest.mark.realdata
def test_us_maize_of_unseen_years_is_forecast_better_than_by_its_last_years(
    tmp_path: Path, real_data: Path
) -> None:
    whole = pd.read_csv(real_data / "cybench" / "grain_maize_US_train.csv")
    train, test = tmp_path / "t.csv", tmp_path / "u.csv"
    whole[whole["year"] <= 2008].to_csv(train, index=False)
    whole[whole["year"] > 2008].to_csv(test, index=False)
    out = tmp_path / "o.json"
    asked = ["yields", "evaluate", "--train", str(train), "--test", str(test), "--json", str(out)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    found = json.loads(out.read_text())
    # Measured 1.353 against 1.427, 1.616 and 1.679 t/ha of the naive ones.
    assert found["figures"]["forecast"]["rmse"]["value"] < 1.38
    assert found["best_baseline"] == "last5"
    assert found["skill_over"]["last5"]["value"] > 0.05
    assert 0.77 <= found["interval_80"]["inside"] <= 0.87
