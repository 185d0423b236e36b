from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.forecast.county_years import (
    Columns,
    CountyYears,
    joined,
    read_county_years,
)
from fieldline.pipeline.records.errors import UserError

HEAD = "adm_id,harvest_year,yield-1,yield-2,rain,soil,crop,production,harvest_area,yield\n"


def write(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_find_their_meaning_and_what_is_known_with_the_yield_is_no_covariate(
    tmp_path: Path,
) -> None:
    rows = "A,2001,5,4,300,7,maize,60,10,6\nA,2002,6,5,200,7,maize,50,10,5\n"
    rows += "B,2001,,,250,7,maize,9,1,9\n"
    table = read_county_years(write(tmp_path, HEAD + rows), Columns())
    assert table.county.tolist() == ["A", "A", "B"]
    assert table.year.tolist() == [2001, 2002, 2001]
    assert table.target.tolist() == [6, 5, 9]
    assert table.lags[:2].tolist() == [[5, 4], [6, 5]]
    assert np.isnan(table.lags[2]).all()
    assert list(table.covariates) == ["rain"]
    assert table.left_out == {
        "soil": "says the same of every row",
        "crop": "holds no numbers",
        "production": "is known with the yield and not before it",
        "harvest_area": "is known with the yield and not before it",
    }


def test_a_column_that_says_the_yield_in_other_words_is_no_covariate(tmp_path: Path) -> None:
    text = "county,year,bushels,rain,yield\nA,2001,95.5,3,6\nA,2002,79.6,4,5\nA,2003,111.5,9,7\n"
    table = read_county_years(write(tmp_path, text), Columns())
    assert list(table.covariates) == ["bushels", "rain"]  # rounded: not the same to a millionth
    text = "county,year,kg,rain,yield\nA,2001,6000,3,6\nA,2002,5000,4,5\nA,2003,7000,9,7\n"
    table = read_county_years(write(tmp_path, text), Columns())
    assert list(table.covariates) == ["rain"]
    assert table.left_out == {"kg": "says the yield in other words"}


@pytest.mark.parametrize(
    ("county", "year", "target", "late", "kept"),
    [
        ("省份", "年份", "单产(吨/公顷)", ["总产量(万吨)", "播种面积(千公顷)"], "降水量"),
        ("Município", "Ano", "Rendimento", ["Quantidade produzida (t)", "Área colhida"], "Chuva"),
        ("provincia", "campaña", "rendimiento", ["Producción (t)", "sup_cosechada"], "lluvia"),
        ("Kreis", "Jahr", "Ertrag", ["Erntemenge", "Anbaufläche (ha)"], "Niederschlagsmenge"),
        ("county", "year", "yield", ["TotalProduction", "HarvestedAcres"], "PrecipTotal"),
        ("il", "yıl", "verim", ["Üretim (ton)", "Ekilen Alan (dekar)"], "Yağış"),
        ("county", "year", "yield", ["area", "prod. production"], "leaf_area_index"),
        ("县", "年份", "产量", ["面积"], "叶面积指数"),
        ("area", "year", "yield", ["yield gap"], "surface_temperature"),
        ("область", "год", "урожайность", ["Валовой сбор", "Площадь"], "Осадки"),
    ],
)
def test_what_is_known_with_the_yield_is_known_by_its_name_in_other_languages(
    tmp_path: Path, county: str, year: str, target: str, late: list[str], kept: str
) -> None:
    head = ",".join([county, year, target, *late, kept])
    more = ("60,11", "70,9") if len(late) == 2 else ("60", "70")
    text = f"{head}\nA,2001,6,{more[0]},300\nB,2002,5,{more[1]},1\n"
    read = read_county_years(write(tmp_path, text), Columns(county, year, target))
    assert list(read.covariates) == [kept]
    assert set(read.left_out.values()) == {"is known with the yield and not before it"}


def test_two_columns_whose_ratio_is_the_yield_are_no_covariates(tmp_path: Path) -> None:
    """Production by area under names that nobody knows, rounded as statistics are."""
    rng = np.random.default_rng(3)
    rain, area = rng.uniform(200, 600, 60).round(), rng.uniform(500, 9000, 60).round()
    tonnes = (area * (2 + rain / 200 + rng.normal(0, 0.5, 60))).round()
    rows = [f"C{n % 6},{2000 + n // 6},{tonnes[n] / area[n]:.2f},{tonnes[n]},{area[n]},{rain[n]}"
            for n in range(60)]  # fmt: skip
    text = "county,year,yield,zxa,zxb,rain\n" + "\n".join(rows)
    read = read_county_years(write(tmp_path, text), Columns())
    assert list(read.covariates) == ["rain"]
    assert read.left_out == {
        "zxa": "says the yield together with zxb", "zxb": "says the yield together with zxa",
    }  # fmt: skip


def test_rows_that_do_not_count_are_counted(tmp_path: Path) -> None:
    rows = ["A,2001,6", "A,2001,6", "B,2001,5", "B,2001,7", "C,2001,0", "C,2002,", ",2002,5",
            "D,20021,5", "D,2002,5"]  # fmt: skip
    table = read_county_years(write(tmp_path, "county,year,yield\n" + "\n".join(rows)), Columns())
    assert list(zip(table.county.tolist(), table.year.tolist(), strict=True)) == [
        ("A", 2001), ("D", 2002),
    ]  # fmt: skip
    assert table.remarks == (
        "2 rows without a county or a year are left out",
        "1 rows without a yield are left out",
        "1 rows with a yield of zero or less are left out",
        "2 rows of a county and year that are told differently are left out",
        "1 rows told twice are left out",
    )


def test_a_table_as_saved_in_german_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        "Kreis;Jahr;Regen;Ertrag\nMünster;2001;300,5;6,25\nMünster;2002;250;5,5\n".encode("cp1252")
    )
    table = read_county_years(path, Columns("Kreis", "Jahr", "Ertrag"))
    assert table.county.tolist() == ["Münster"] * 2
    assert table.target.tolist() == [6.25, 5.5]
    assert table.covariates["Regen"].tolist() == [300.5, 250]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("county,when,yield\nA,2001,6\n", r"has no column 'year' .*--year-column"),
        ("county,year,yield\nA,2001,0\n", r"has no row that counts \(1 rows with a yield of zero"),
    ],
)
def test_a_table_that_cannot_serve_says_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_county_years(write(tmp_path, text), Columns())


def test_tables_are_joined_by_what_both_have(tmp_path: Path) -> None:
    def read(name: str, text: str) -> CountyYears:
        return read_county_years(write(tmp_path, text, name), Columns())

    one = read("t.csv", "county,year,rain,heat,yield\nA,2001,3,1,6\nA,2002,4,2,5\n")
    two = read("u.csv", "county,year,cold,rain,yield\nA,2003,3,1,6\nA,2004,4,2,5\n")
    assert list(joined(one, two).covariates) == ["rain"]
    assert joined(one, two).year.tolist() == [2001, 2002, 2003, 2004]
    three = read("v.csv", "county,year,wind,yield\nA,2003,3,6\nA,2004,4,5\n")
    with pytest.raises(UserError, match="share no covariate"):
        joined(one, three)


def test_names_in_other_languages_are_known(tmp_path: Path) -> None:
    text = "Landkreis,Erntejahr,Ertrag,Regen\nA,2001,6,300\nA,2002,5,200\n"
    table = read_county_years(write(tmp_path, text), Columns())
    assert table.county.tolist() == ["A", "A"]
    assert table.year.tolist() == [2001, 2002]
    assert table.target.tolist() == [6, 5]


@pytest.mark.parametrize(
    ("header", "cell", "tonnes"),
    [("Ertrag (dt/ha)", "60", 6.0), ("单产（公斤/亩）", "400", 6.0), ("Verim (kg/da)", "600", 6.0),
     ("Yield [t/ha]", "6", 6.0)],
)  # fmt: skip
def test_a_yield_with_its_unit_behind_is_found(
    tmp_path: Path, header: str, cell: str, tonnes: float
) -> None:
    text = f"county,year,{header},rain\nA,2001,{cell},300\nA,2002,{cell},200\n"
    table = read_county_years(write(tmp_path, text), Columns())
    assert table.target.tolist() == pytest.approx([tonnes, tonnes])
    assert list(table.covariates) == ["rain"]


def test_harvested_area_and_the_season_of_the_year_are_no_county_and_no_year(
    tmp_path: Path,
) -> None:
    text = "Kreis,Jahr,season,area,Ertrag\nA,2001,spring,1200,6\nB,2002,spring,900,5\n"
    table = read_county_years(write(tmp_path, text), Columns())
    assert table.county.tolist() == ["A", "B"]
    assert table.year.tolist() == [2001, 2002]
    assert table.left_out["area"] == "is known with the yield and not before it"
    named = read_county_years(write(tmp_path, "area,season,yield\nA,2001,6\nB,2002,5\n"), Columns())
    assert named.county.tolist() == ["A", "B"]
    assert named.year.tolist() == [2001, 2002]
    text = "area,season,yield\n1200,2001,6\n900,2002,5\n"
    with pytest.raises(UserError, match=r"no column 'county' .*--county-column"):
        read_county_years(write(tmp_path, text), Columns())
    numbered = read_county_years(write(tmp_path, text), Columns(county="area"))
    assert numbered.county.tolist() == ["1200", "900"]
    with pytest.raises(UserError, match=r"no column 'year' .*--year-column"):
        read_county_years(write(tmp_path, "area,season,yield\nA,1,6\nB,2,5\n"), Columns())


def test_of_several_crops_one_is_named(tmp_path: Path) -> None:
    rows = "A,corn,2001,9\nA,wheat,2001,4\nB,maize,2001,8\nB,,2002,7\n"
    path = write(tmp_path, "county,crop,year,yield\n" + rows)
    table = read_county_years(path, Columns(crop="maize"))
    assert table.target.tolist() == [9, 8, 7]  # a row that says no crop is of any
    assert table.remarks == ()  # another crop's rows are not told as left out
    with pytest.raises(UserError, match=r"holds several crops \(maize, winter_wheat\).*--crop"):
        read_county_years(path, Columns())
    with pytest.raises(UserError, match="holds no rice"):
        read_county_years(path, Columns(crop="rice"))
