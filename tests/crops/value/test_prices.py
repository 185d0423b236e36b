import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.prices import (
    CropPrice,
    crop_prices,
    log_change_sd,
    price_problems,
    price_rows,
    read_prices,
)
from fieldline.pipeline.records.errors import UserError

AS_OF = dt.date(2024, 9, 30)
SETTINGS = YieldSettings()


def table(path, rows):
    columns = ["crop", "date", "price", "currency", "unit", "source"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def test_nothing_after_the_as_of_date_is_known(tmp_path):
    path = table(tmp_path / "p.csv", [
        ("maize", "2024-09-01", 2.4, "CNY", "CNY/kg", "s"),
        ("maize", "2024-10-01", 99.0, "CNY", "CNY/kg", "planted future"),
    ])  # fmt: skip
    found = crop_prices(read_prices(path, "long", "CNY", AS_OF), AS_OF, SETTINGS)["maize"]
    assert found.minor("CNY") == 240_000
    assert found.date == dt.date(2024, 9, 1)
    assert not found.stale


def test_old_prices_are_flagged(tmp_path):
    path = table(tmp_path / "p.csv", [("maize", "2024-01-01", 2.4, "CNY", "CNY/kg", "s")])
    assert crop_prices(read_prices(path, "long", "CNY", AS_OF), AS_OF, SETTINGS)["maize"].stale


def told(path, currency="CNY", as_of=AS_OF, columns=None):
    """Rows left out, as (row, column, code)."""
    frame, problems = price_rows(path, "long", currency, columns)
    more = price_problems(frame, problems, currency, as_of)
    return sorted((p.row, p.column, p.code) for p in (*problems, *more))


def test_rows_that_cannot_be_used_are_told_and_the_others_stand(tmp_path):
    path = table(tmp_path / "p.csv", [
        ("maize", "2024-05-01", 2.40, "CNY", "CNY/kg", "s"),
        ("maize", "2024-06-01", 99, "USD", "USD/kg", "s"),
        ("maize", "2024-06-01", 0, "CNY", "CNY/kg", "s"),
        ("maize", "2024-06-01", -2, "CNY", "CNY/kg", "s"),
        ("maize", "03/04/2024", 2, "CNY", "CNY/kg", "s"),
        ("wheat", "2024-06-01", 2, "CNY", "CNY/kg", "s"),
        ("maize", "2024-06-01", "-", "CNY", "CNY/kg", "s"),
        ("maize", "2024-06-01", 2, "CNY", "CNY/sack", "s"),
        ("maize", "2024-06-01", 2310, "CNY", "CNY/kg", "s"),
        ("maize", "2024-06-01", 2.31, "CNY", "CNY/t", "s"),
        ("maize", "2024-06-01", 2, "CNY", "USD/kg", "s"),
        ("maize", "2024-12-01", 2, "CNY", "CNY/kg", "s"),
    ])  # fmt: skip
    assert told(path) == [
        (2, "currency", "input_other_currency"), (3, "price", "input_out_of_range"),
        (4, "price", "input_out_of_range"), (5, "date", "input_ambiguous_date"),
        (6, "crop", "input_unknown_crop"), (7, "price", "input_missing"),
        (8, "unit", "input_unknown_unit"), (9, "price", "input_implausible"),
        (10, "price", "input_implausible"), (11, "unit", "input_other_currency"),
        (12, "date", "input_after_as_of"),
    ]  # fmt: skip
    found = read_prices(path, "long", "CNY", AS_OF)
    assert found[["crop", "per_tonne"]].to_numpy().tolist() == [["maize", 2400.0]]


def test_a_table_in_another_currency_throughout_is_refused(tmp_path):
    path = table(tmp_path / "p.csv", [("maize", "2024-01-01", 2.4, "USD", "USD/kg", "s")] * 2)
    with pytest.raises(UserError, match=r"prices in USD and the county reckons in CNY: convert"):
        read_prices(path, "long", "CNY", AS_OF)


@pytest.mark.parametrize(
    ("label", "day"),
    [("2024-04", "2024-04-30"), ("2024M04", "2024-04-30"), ("Apr 2024", "2024-04-30"),
     ("2024年4月", "2024-04-30"), ("2024/4/21", "2024-04-21"), ("2024-04-01", "2024-04-01"),
     ("2024-02", "2024-02-29")],
)  # fmt: skip
def test_a_month_is_dated_to_its_last_day_and_a_day_to_itself(tmp_path, label, day):
    path = table(tmp_path / "p.csv", [("maize", label, 2.4, "CNY", "CNY/kg", "s")])
    assert str(read_prices(path, "long", "CNY", AS_OF)["date"][0].date()) == day


def test_a_month_is_not_known_before_it_is_over(tmp_path):
    path = table(tmp_path / "p.csv", [("maize", "2024M04", 2.4, "CNY", "CNY/kg", "s")])
    assert read_prices(path, "long", "CNY", dt.date(2024, 4, 29)).empty
    assert len(read_prices(path, "long", "CNY", dt.date(2024, 4, 30))) == 1


def test_two_prices_of_one_crop_and_day_are_their_median(tmp_path):
    rows = [(c, "2024-05-01", p, "CNY", "元/公斤", "s") for c, p in (("玉米", 2.4), ("Corn", 2.6))]
    found = read_prices(table(tmp_path / "p.csv", rows), "long", "CNY", AS_OF)
    assert found["per_tonne"].tolist() == [2500.0]


CHINESE = (
    "品种,日期,价格（元/公斤）,来源\n玉米,2024/1/15,2.31,县粮食局\n"
    " 水稻,2024年2月15日,２．９０,县粮食局\n"
)
GERMAN = (
    "Fruchtart;Datum;Preis;Einheit;Quelle\nKörnermais;15.01.2024;18,50;€/dt;Börse\n"
    "Winterweizen;16.02.2024;210,00;EUR/t;Börse\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_price_list_as_a_chinese_office_saves_it(tmp_path, encoding):
    path = tmp_path / "p.csv"
    path.write_bytes(CHINESE.encode(encoding))
    found = read_prices(path, "long", "CNY", AS_OF).set_index("crop")
    assert found["per_tonne"].to_dict() == {"maize": 2310.0, "rice": 2900.0}
    assert str(found.loc["rice", "date"].date()) == "2024-02-15"
    assert set(found["source"]) == {"县粮食局"}


def test_a_price_list_as_a_german_office_saves_it(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(GERMAN.encode("cp1252"))
    found = read_prices(path, "long", "EUR", AS_OF).set_index("crop")
    assert found["per_tonne"].to_dict() == {"maize": 185.0, "winter_wheat": 210.0}


def test_the_unit_in_the_cell_counts_before_the_column_and_the_header(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(
        "crop,date,price (CNY/t),unit\nmaize,2024-01-01,2400,\nmaize,2024-01-02,2.4,CNY/kg\n"
        "maize,2024-01-03,1.2元/斤,CNY/kg\nmaize,2024-01-04,¥2.4,kg\n"
    )
    found = read_prices(path, "long", "CNY", AS_OF)
    assert found["per_tonne"].tolist() == [2400.0] * 4
    assert set(found["source"]) == {"p.csv"}


def test_a_unit_without_a_currency_needs_the_column(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("crop,date,price,unit\nmaize,2024-01-01,2.4,kg\nmaize,2024-01-02,2.4,元/kg\n")
    assert told(path) == [(1, "currency", "input_missing")]


def test_own_column_names_are_mapped(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("ware,wann,betrag,curr,per\nmaize,2024-01-01,2.4,CNY,kg\n")
    own = {"crop": "ware", "date": "wann", "price": "betrag", "currency": "curr", "unit": "per"}
    assert read_prices(path, "long", "CNY", AS_OF, own)["per_tonne"].tolist() == [2400.0]


@pytest.mark.parametrize(
    ("currency", "price", "unit"),
    [("JPY", 40.0, "JPY/kg"), ("KWD", 65.0, "KWD/t"), ("VND", 7500.0, "đ/kg"),
     ("EUR", 21.0, "EUR/dt"), ("USD", 5.1, "USD/bu")],
)  # fmt: skip
def test_the_right_price_stands_in_every_currency_and_its_thousandfold_does_not(
    tmp_path, currency, price, unit
):
    path = table(tmp_path / "p.csv", [
        ("maize", "2024-01-01", price, currency, unit, "s"),
        ("maize", "2024-01-02", price * 1000, currency, unit, "s"),
        ("maize", "2024-01-03", price / 1000, currency, unit, "s"),
    ])  # fmt: skip
    assert told(path, currency) == [
        (2, "price", "input_implausible"), (3, "price", "input_implausible"),
    ]  # fmt: skip


def test_a_table_whose_header_names_too_few_columns_is_refused(tmp_path):
    path = tmp_path / "imf.csv"
    path.write_text("Date,Wheat,Barley\n2024-01-01,1.0,2.0,3.0\n")
    with pytest.raises(UserError, match="names 3 columns but its rows hold \\[4\\]"):
        read_prices(path, "imf_pcps", "USD", AS_OF)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Date,Wheat,Barley,Maize corn,Rice,Soybeans\n2024-01-01,250.5,180,190,600,450\n", "utf-8"),
        ("Date;Wheat;Barley;Maize corn;Rice;Soybeans;单位\n2024/1/1;250,5;180;190;600;450;美元\n",
         "gb18030"),
    ],
)  # fmt: skip
def test_the_monthly_table_is_read_in_both_forms_and_dated_to_the_month_s_end(
    tmp_path, text, encoding
):
    path = tmp_path / "imf.csv"
    path.write_bytes(text.encode(encoding))
    found = read_prices(path, "imf_pcps", "USD", AS_OF).set_index("crop")
    assert found["per_tonne"].to_dict() == {
        "maize": 190, "rice": 600, "soybean": 450, "winter_barley": 180, "winter_wheat": 250.5,
    }  # fmt: skip
    assert {str(day.date()) for day in found["date"]} == {"2024-01-31"}


def test_a_month_that_is_none_and_an_absent_table_are_sentences(tmp_path):
    path = tmp_path / "imf.csv"
    path.write_text("Date,Wheat\nsoon,250.5\n")
    with pytest.raises(UserError, match=r"row 1, column 'Date': 'soon' is no month"):
        read_prices(path, "imf_pcps", "USD", AS_OF)
    for layout in ("long", "imf_pcps", "worldbank_cmo"):
        with pytest.raises(UserError, match="does not exist"):
            read_prices(tmp_path / "none.csv", layout, "USD", AS_OF)


def test_log_change_is_the_root_mean_square_over_the_horizon():
    monthly = 100 * np.exp(np.tile([0.0, 0.1], 20))
    odd = SETTINGS.model_copy(update={"price_horizon_days": 31})
    assert log_change_sd(monthly, odd) == pytest.approx(0.1)
    assert log_change_sd(monthly[:5], odd) == SETTINGS.price_log_sd_default


def test_quantiles_are_symmetric_in_logs():
    price = CropPrice(2000.0, 0.1, AS_OF, "s", False)
    assert price.minor("CNY", 1) * price.minor("CNY", -1) == pytest.approx(200_000**2, rel=1e-4)
    assert price.minor("JPY") == 2000


def monthly(path, day, months, extra=""):
    rows = [f"maize,2018-{m:02d}-{day:02d},{2 + 0.1 * m:.1f},CNY,CNY/kg,s" for m in months]
    path.write_text("\n".join(["crop,date,price,currency,unit,source", *rows, extra]) + "\n")
    return path


@pytest.mark.parametrize("day", [1, 15])
def test_a_monthly_mean_dated_within_its_month_is_not_known_before_the_month_is_over(tmp_path, day):
    """August's mean, dated 1 August, is not known on 1 August: July's is."""
    path = monthly(tmp_path / "p.csv", day, range(1, 13))
    seen = {as_of: read_prices(path, "long", "CNY", as_of).iloc[-1] for as_of in (
        dt.date(2018, 8, 1), dt.date(2018, 8, 30), dt.date(2018, 8, 31))}  # fmt: skip
    assert [row["per_tonne"] for row in seen.values()] == pytest.approx([2700, 2700, 2800])
    assert seen[dt.date(2018, 8, 1)]["date"] == pd.Timestamp("2018-07-31")


def test_days_of_a_market_stay_days(tmp_path):
    """Five months are too few to tell, and two prices of one month are no month's mean."""
    few = read_prices(monthly(tmp_path / "a.csv", 1, range(1, 6)), "long", "CNY", AS_OF)
    assert few["date"].dt.day.tolist() == [1] * 5
    extra = "maize,2018-03-20,2.4,CNY,CNY/kg,s"
    more = read_prices(monthly(tmp_path / "b.csv", 1, range(1, 9), extra), "long", "CNY", AS_OF)
    assert more["date"].dt.day.tolist() == [1, 1, 1, 20, 1, 1, 1, 1, 1]


def test_a_price_is_known_from_its_publication_and_a_later_one_changes_nothing(tmp_path):
    for last in ("9.9", "0.9"):
        path = tmp_path / "p.csv"
        path.write_text(
            "crop,date,price,currency,unit,published_on\nmaize,2018-05-31,2.0,CNY,CNY/kg,\n"
            "maize,2018-06-30,2.1,CNY,CNY/kg,2018-07-05\n"
            f"maize,2018-07-31,{last},CNY,CNY/kg,2018-08-03\n"
        )
        rows = read_prices(path, "long", "CNY", dt.date(2018, 8, 2))
        assert rows["per_tonne"].tolist() == [2000, 2100]
