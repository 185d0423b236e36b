"""Tables of county-years in the units in which statistical offices write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fieldline.crops.forecast.county_years import Columns, CountyYears, joined, read_county_years
from fieldline.crops.forecast.yield_units import checked_unit
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app
from tests.crops.forecast.made import made

SOYBEAN = 60 * 0.45359237 / 0.40468564224 / 1000  # t/ha of a bushel an acre
MAIZE = 56 * 0.45359237 / 0.40468564224 / 1000


def write(path: Path, rows: CountyYears) -> Path:
    frame = pd.DataFrame({"county": rows.county, "year": rows.year})
    frame = pd.concat([frame, rows.covariates.reset_index(drop=True)], axis=1)
    frame.assign(**{"yield": rows.target}).to_csv(path, index=False)
    return path


def read(folder: Path, text: str, columns: Columns | None = None) -> CountyYears:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return read_county_years(path, columns or Columns())


def test_the_columns_name_says_the_unit_of_the_yield_and_of_earlier_yields(tmp_path: Path) -> None:
    text = (
        "county,year,crop,rain,yield-1,yield_bu_ac\nA,2001,soybean,3,40,50\nA,2002,maize,4,,100\n"
    )
    soy, maize = (read(tmp_path, text, Columns(crop=crop)) for crop in ("soybean", "maize"))
    assert soy.unit == maize.unit == "t/ha"
    assert soy.target.tolist() == pytest.approx([50 * SOYBEAN])
    assert maize.target.tolist() == pytest.approx([100 * MAIZE])
    assert soy.lags[0].tolist() == pytest.approx([40 * SOYBEAN])
    assert np.isnan(maize.lags[0]).all()
    assert read(tmp_path, text.replace("maize", "soybean")).covariates.columns.tolist() == ["rain"]


@pytest.mark.parametrize(
    ("name", "unit", "cell", "t_ha"),
    [("yield_kg_mu", "", "400", 6.0), ("yield_kg_ha", "", "6000", 6.0),
     ("yield", "kg/mu", "400", 6.0),
     ("yield_t_ha", "", "6", 6.0), ("yield", "", "6", 6.0), ("yield", "", "400 kg/mu", 6.0),
     ("yield_kg_ha", "dt/ha", "60", 6.0)],
)  # fmt: skip
def test_a_unit_is_taken_from_the_cell_the_option_or_the_name(
    tmp_path: Path, name: str, unit: str, cell: str, t_ha: float
) -> None:
    table = read(tmp_path, f"county,year,{name}\nA,2001,{cell}\nA,2002,{cell}\n",
                 Columns(target=name, unit=unit))  # fmt: skip
    assert table.target.tolist() == pytest.approx([t_ha, t_ha])
    assert table.unit == ("" if (name, unit, cell) == ("yield", "", "6") else "t/ha")


def test_rows_say_their_unit_and_those_of_none_that_is_known_are_left_out(tmp_path: Path) -> None:
    rows = ["A,2001,6000,kg/ha", "A,2002,95,bu/ac", "B,2001,5,t/ha", "B,2002,70,boxes/ha",
            "C,2001,5,", "C,2002,0,t/ha", "D,2001,-2,t/ha"]  # fmt: skip
    table = read(tmp_path, "county,year,yield,unit\n" + "\n".join(rows), Columns(crop="maize"))
    assert list(zip(table.county.tolist(), table.year.tolist(), strict=True)) == [
        ("A", 2001), ("A", 2002), ("B", 2001),
    ]  # fmt: skip
    assert table.target.tolist() == pytest.approx([6, 95 * MAIZE, 5])
    said = " | ".join(table.remarks)
    assert "1 values of yield in bu/ac of maize are converted to t/ha (times 0.0627677)" in said
    assert "1 values of yield in kg/ha are converted to t/ha (times 0.001)" in said
    assert "2 rows of no known unit (such as 'boxes/ha') are left out: say t/ha, kg/ha" in said
    assert "2 rows with a yield of zero or less are left out" in said


def test_bushels_of_no_crop_stay_bushels_or_are_refused_and_never_meet_tonnes(
    tmp_path: Path,
) -> None:
    bushels = read(tmp_path, "county,year,yield_bu_ac\nA,2001,50\nA,2002,60\n")
    assert (bushels.unit, bushels.target.tolist()) == ("bu/ac", [50, 60])
    assert bushels.remarks == (
        "figures stay in bu/ac: name the crop with --crop to have them in t/ha",
    )
    tonnes = read(tmp_path, "county,year,yield_t_ha\nA,2003,3\nA,2004,4\n")
    with pytest.raises(UserError, match=r"in bu/ac and the other's in t/ha: .*--crop"):
        joined(bushels, tonnes)
    with pytest.raises(UserError, match=r"in bu/ac, which weighs by crop, and says no crop"):
        read(tmp_path, "county,year,yield,unit\nA,2001,50,bu/ac\nA,2002,60,bu/ac\n")


def test_the_options_are_checked_before_any_table_is_read() -> None:
    assert checked_unit("bu/ac", "wheat") == ("bu/ac", "winter_wheat")
    with pytest.raises(UserError, match="'boxes' is no known unit of yields: say t/ha, kg/ha"):
        checked_unit("boxes", "")
    assert checked_unit("", "Unobtainium") == ("", "Unobtainium")  # a table may call one so
    with pytest.raises(UserError, match="nothing says what 'bu/ac' is of unobtainium"):
        checked_unit("bu/ac", "unobtainium")
    with pytest.raises(UserError, match="nothing says what 'bu/ac' is of cotton"):
        checked_unit("bu/ac", "cotton")


@pytest.mark.parametrize(
    ("crops", "asked", "targets"),
    [
        (("soybean", "Soja"), "maize", "holds no maize .it has soybean."),
        (("soybean", ""), "soybean", [5, 6]),
        (("Zorb", "zorb "), "zorb", [5, 6]),
        (("Zorb", "maize"), "zorb", [5]),
        (("Zorb", "maize"), "maize", [6]),
        (("Zorb", "Zorb"), "quux", "holds no quux .it has Zorb."),
        (("Zorb", "Zorb"), "maize", [5, 6]),  # the option says what that name means
        (("", ""), "quux", "--crop 'quux' is no known crop"),
        (("", ""), "maize", [5, 6]),
    ],
)
def test_the_crop_that_is_asked_for_is_in_the_table_by_code_or_word(
    tmp_path: Path, crops: tuple[str, str], asked: str, targets: list[float] | str
) -> None:
    text = f"county,year,crop,yield\nA,2001,{crops[0]},5\nA,2002,{crops[1]},6\n"
    columns = Columns(crop=checked_unit("", asked)[1])
    if isinstance(targets, str):
        with pytest.raises(UserError, match=targets):
            read(tmp_path, text, columns)
    else:
        assert read(tmp_path, text, columns).target.tolist() == targets


def test_bushels_of_a_crop_without_a_code_are_left_out_and_never_those_of_another(
    tmp_path: Path,
) -> None:
    text = "county,year,crop,yield_bu_ac\nA,2001,Zorb,50\nA,2002,maize,60\n"
    with pytest.raises(UserError, match=r"no row that counts .*no known unit"):
        read(tmp_path, text, Columns(crop="Zorb"))
    assert read(tmp_path, text, Columns(crop="maize")).target.tolist() == pytest.approx(
        [60 * MAIZE]
    )


def test_a_forecast_is_evaluated_sealed_and_scored_in_tonnes_whatever_the_tables_unit(
    tmp_path: Path,
) -> None:
    whole = made(12, 11, 4)
    past, rows = whole.part(whole.year < 2010), whole.part(whole.year == 2010)
    train = pd.read_csv(write(tmp_path / "t.csv", past))
    truth = write(tmp_path / "truth.csv", rows)
    in_bushels = tmp_path / "bushels.csv"
    train.assign(yield_bu_ac=train["yield"] / MAIZE).drop(columns="yield").to_csv(
        in_bushels, index=False
    )
    asked = tmp_path / "for.csv"
    pd.read_csv(truth).drop(columns="yield").to_csv(asked, index=False)
    told = {}
    for name, table, options in (
        ("tonnes", tmp_path / "t.csv", ["--unit", "t/ha"]),
        ("bushels", in_bushels, ["--crop", "corn"]),
    ):
        out = tmp_path / f"{name}.forecast.csv"
        sealing = ["yields", "seal", "--train", str(table), "--for", str(asked), "--out", str(out)]
        assert CliRunner().invoke(app, [*sealing, *options]).exit_code == 0
        told[name] = pd.read_csv(out)
    pd.testing.assert_frame_equal(told["tonnes"], told["bushels"], rtol=1e-3)
    scoring = ["yields", "score", str(tmp_path / "bushels.forecast.csv"), "--truth", str(truth)]
    assert CliRunner().invoke(app, [*scoring, "--unit", "t/ha"]).exit_code == 0
    wrong = tmp_path / "wrong.csv"
    pd.read_csv(truth).rename(columns={"yield": "yield_bu_ac"}).to_csv(wrong, index=False)
    refused = CliRunner().invoke(app, [*scoring[:-1], str(wrong)])
    assert "in t/ha and the other's in bu/ac" in str(refused.exception)


def test_a_unit_that_changes_between_two_years_is_refused(tmp_path: Path) -> None:
    """Dezitonnen until 2011: each year alone is a year, and no slip."""
    rows = [(c, year, 6 + c / 5 + year % 3) for c in range(4) for year in range(2005, 2019)]
    head = "county,year,yield\n"

    def read(yields: list[float]) -> int:
        lines = [f"C{c},{year},{v:.3f}" for (c, year, _), v in zip(rows, yields, strict=True)]
        path = tmp_path / "t.csv"
        path.write_text(head + "\n".join(lines))
        return len(read_county_years(path, Columns()))

    changed = [v * (10 if year < 2012 else 1) for _, year, v in rows]
    with pytest.raises(UserError, match=r"usual yield is 73 until 2011, 7\.3 from 2012.*units"):
        read(changed)
    last = [v * (10 if year == 2018 else 1) for _, year, v in rows]
    assert read(last) == len(rows) - 4  # one year alone: four slips
    risen = [v * 1.14 ** (year - 2005) for _, year, v in rows]
    assert read(risen) == len(rows)  # fivefold, little by little
    lost = [v / (8 if year == 2010 else 1) for _, year, v in rows]
    assert read(lost) >= len(rows) - 4


def table_of(times: dict[str, float]) -> str:
    """Return ten years of counties whose yields are a multiple of 5 t/ha, in the named factor."""
    rows = [f"{county},{year},{(5 + (year % 4) / 2) * factor:g},{year % 7}"
            for county, factor in times.items() for year in range(2000, 2010)]  # fmt: skip
    return "\n".join(["county,year,yield_t_ha,rain", *rows]) + "\n"


@pytest.mark.parametrize("factor", [15.9, 10, 1000, 1 / 14.9, 1 / 66.7])
def test_a_county_in_another_unit_is_left_out_and_named(tmp_path: Path, factor: float) -> None:
    """Bushels of maize, quintals, kilograms a hectare; t/ha in bushels of wheat, in kg a mu."""
    times = dict.fromkeys("ABCD", 1.0) | {"odd": factor, "E": 1.2}
    found = read(tmp_path, table_of(times))
    assert set(found.county) == set("ABCDE")
    (told,) = [said for said in found.remarks if "another unit" in said]
    assert "10 rows of 1 counties" in told
    assert f"odd {factor:.3g} times" in told


def test_the_unit_of_each_row_puts_it_right(tmp_path: Path) -> None:
    lines = table_of({"A": 1, "B": 1.1, "odd": 10}).splitlines()
    units = ["unit", *(("dt/ha" if line.startswith("odd") else "t/ha") for line in lines[1:])]
    text = "\n".join(f"{line},{unit}" for line, unit in zip(lines, units, strict=True))
    found = read(tmp_path, text.replace("yield_t_ha", "yield"))
    assert set(found.county) == {"A", "B", "odd"}
    assert found.target[found.county == "odd"] == pytest.approx(found.target[found.county == "A"])


def test_dry_land_among_irrigated_maize_is_believed(tmp_path: Path) -> None:
    """The driest province of Spain has .23 of the usual, the richest county of the US 1.5 times."""
    found = read(tmp_path, table_of({"A": 1, "B": 1, "C": 0.9, "dry": 0.2, "rich": 2.5}))
    assert set(found.county) == {"A", "B", "C", "dry", "rich"}


def test_of_two_counties_nobody_can_say_which_is_right(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no row that counts.*another unit than most"):
        read(tmp_path, table_of({"A": 1, "B": 15}))
