"""County yields and crop cuts in the units in which offices write them."""

import datetime as dt
from pathlib import Path

import pytest

from fieldline.crops.inputs import COUNTY_YIELDS, SURVEY
from fieldline.crops.value.priors import Knowing, read_yields, yield_problems
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input

BUSHEL_MAIZE = 56 * 0.45359237 / 0.40468564224 / 1000


def table(folder: Path, text: str, **columns: str) -> InputTable:
    path = folder / "yields.csv"
    path.write_text(text, encoding="utf-8")
    return read_yields(path, columns)


def yields(read: InputTable) -> list[float]:
    return [float(v) for v in read.frame["yield_t_ha"]]


def test_a_unit_column_holds_for_each_row_and_is_told(tmp_path: Path) -> None:
    text = "crop,year,yield,unit\n"
    text += "maize,2020,180,bu/ac\nsoybean,2020,50,BU / ACRE\nmaize,2021,6.5,t/ha\n"
    text += "maize,2022,430,kg/mu\noats,2020,70,bu/ac\nmaize,2023,170,bu/ac\n"
    read = table(tmp_path, text)
    assert read.problems == []
    # 180 bu of 56 lb on an acre: 4572.2 kg on .40469 ha; 430 kg on a fifteenth of a hectare.
    assert yields(read) == pytest.approx([11.298, 3.3626, 6.5, 6.45, 2.5108, 10.671], abs=6e-4)
    assert set(read.remarks) == {
        "2 values of yield_t_ha in bu/ac of maize are converted to t/ha (times 0.0627677)",
        "1 values of yield_t_ha in BU / ACRE of soybean are converted to t/ha (times 0.0672511)",
        "1 values of yield_t_ha in bu/ac of oats are converted to t/ha (times 0.0358672)",
        "1 values of yield_t_ha in kg/mu are converted to t/ha (times 0.015)",
    }


@pytest.mark.parametrize(
    ("header", "cell", "t_ha"),
    [("yield_bu_ac", "100", 100 * BUSHEL_MAIZE), ("yield (bu/ac)", "100", 100 * BUSHEL_MAIZE),
     ("Yield bushels/acre", "100", 100 * BUSHEL_MAIZE), ("yield", "100 bu/ac", 100 * BUSHEL_MAIZE),
     ("yield_t_ha", "100 bu/ac", 100 * BUSHEL_MAIZE), ("单产(公斤/亩)", "400", 6.0),
     ("亩产（斤/亩）", "800", 6.0), ("Ertrag in dt/ha", "60", 6.0),
     ("yield (lb/ac)", "5000", 5.604251),
     ("yield_kg_ha", "6000", 6.0), ("yield", "6 t/ha", 6.0)],
)  # fmt: skip
def test_a_unit_in_the_header_or_beside_the_number_is_understood(
    tmp_path: Path, header: str, cell: str, t_ha: float
) -> None:
    read = table(tmp_path, f"crop,year,{header}\nmaize,2020,{cell}\n")
    assert read.problems == []
    assert yields(read) == pytest.approx([t_ha], rel=1e-5)


def test_a_yield_of_zero_or_less_or_of_no_known_unit_is_a_refused_row(tmp_path: Path) -> None:
    text = "crop,year,yield,unit\nmaize,2019,0,bu/ac\nmaize,2020,-3,t/ha\nmaize,2021,6,boxes/ha\n"
    text += "cotton,2021,60,bu/ac\nmaize,2022,100,\nmaize,2023,100,bu/ac\nmaize,2024,6,bu/ac\n"
    read = table(tmp_path, text)
    assert [(p.row, p.code, p.value) for p in read.problems] == [
        (1, "input_implausible", "0 t/ha"),
        (2, "input_out_of_range", "-3"),
        (3, "input_unknown_unit", "boxes/ha"),
        (4, "input_unknown_unit", "bu/ac"),  # cotton has no bushel
        (5, "input_unknown_unit", "100"),
    ]
    # Six tonnes that were called bushels, .377 t/ha: no other year shows that it is a disaster.
    more = yield_problems(read.frame, read.problems, Knowing(dt.date(2025, 9, 30), 2025))
    assert [(p.row, p.code) for p in more] == [(7, "input_implausible")]
    read.problems.extend(more)
    assert read.good["yield_t_ha"].tolist() == pytest.approx([6.27677], abs=1e-5)


def test_an_own_name_is_mapped_with_its_unit(tmp_path: Path) -> None:
    read = table(tmp_path, "crop,year,Y\nwinter wheat,2020,60\n", yield_bu_ac="Y")
    assert yields(read) == pytest.approx([60 * 60 * 0.45359237 / 0.40468564224 / 1000])


def test_a_crop_cut_says_its_unit_too(tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_text(
        "parcel_id,crop,surveyed_on,yield,unit,measured_on\n"
        "p1,maize,2024-09-01,150,bu/ac,2024-09-20\np2,maize,2024-09-01,,,\n"
    )
    read = read_input(path, SURVEY, Reading())
    assert read.problems == []
    assert read.frame["yield_t_ha"].iloc[0] == pytest.approx(150 * BUSHEL_MAIZE)
    assert read.frame["yield_t_ha"].isna().iloc[1]


def test_the_unit_column_is_declared_before_the_yield() -> None:
    for schema in (COUNTY_YIELDS, SURVEY):
        names = [column.name for column in schema.columns]
        assert names.index("crop") < names.index("unit") < names.index("yield_t_ha")


def test_a_county_in_another_unit_that_its_crop_could_have_is_refused(tmp_path: Path) -> None:
    """Maize of 0.6 is in its range: only the other counties say that it is tenths of a tonne."""
    path = tmp_path / "y.csv"
    counties = {"A": 6.0, "B": 6.5, "C": 5.5, "odd": 0.6}
    rows = [f"maize,{c},{year},{v + (year % 3) * v / 20:.3f},s,"
            for c, v in counties.items() for year in range(2010, 2020)]  # fmt: skip
    path.write_text("\n".join(["crop,county,year,yield_t_ha,source,confirmed", *rows]) + "\n")
    read = read_yields(path)
    told = yield_problems(read.frame, read.problems, Knowing(dt.date(2025, 9, 30), 2025))
    assert {p.row for p in told if p.code == "input_other_unit"} == set(range(31, 41))
    path.write_text(path.read_text().replace(",s,\n", ",s,yes\n"))
    read = read_yields(path)
    told = yield_problems(read.frame, read.problems, Knowing(dt.date(2025, 9, 30), 2025))
    assert told == []
