"""Price units as people write them, and the brackets that find slips of a thousand."""

import pytest

from fieldline.crops.value.price_units import PriceUnit, price_bracket, price_unit
from fieldline.pipeline.inputs.values import BadCellError
from fieldline.pipeline.records.money import exponent
from fieldline.pipeline.records.reference import crops, table_rows


@pytest.mark.parametrize(
    ("unit", "crop", "currency", "named", "factor"),
    [
        ("CNY/kg", "maize", "CNY", "CNY", 1000), ("CNY/t", "maize", "CNY", "CNY", 1),
        ("CNY/jin", "maize", "CNY", "CNY", 2000), ("元/斤", "maize", "CNY", "CNY", 2000),
        ("元/公斤", "maize", "CNY", "CNY", 1000), ("元/吨", "maize", "CNY", "CNY", 1),
        ("万元/吨", "maize", "CNY", "CNY", 10_000), ("元每公斤", "maize", "CNY", "CNY", 1000),
        ("CNY/500g", "maize", "CNY", "CNY", 2000), ("RMB / 50 kg", "maize", "CNY", "CNY", 20),
        ("EUR/dt", "maize", "EUR", "EUR", 10), ("€/t", "maize", "EUR", "EUR", 1),
        ("Euro/100 kg", "maize", "EUR", "EUR", 10), ("eur per tonne", "maize", "EUR", "EUR", 1),
        ("¥/kg", "rice", "JPY", "JPY", 1000), ("¥/kg", "rice", "CNY", "CNY", 1000),
        ("円/60kg", "rice", "JPY", "JPY", 1000 / 60), ("đ/kg", "rice", "VND", "VND", 1000),
        ("KD/t", "maize", "KWD", "KWD", 1), ("Rs/qtl", "rice", "INR", "INR", 10),
        ("Rp/kuintal", "rice", "IDR", "IDR", 10), ("rupiah/kg", "rice", "IDR", "IDR", 1000),
        ("đồng/tạ", "rice", "VND", "VND", 10), ("$/quintal", "maize", "CLP", "CLP", 10),
        ("$/t", "soybean", "ARS", "ARS", 1), ("pesos/toneladas", "maize", "MXN", "MXN", 1),
        ("DT/qx", "spring_wheat", "TND", "TND", 10), ("US$/t", "soybean", "ARS", "USD", 1),
        ("kwacha/50 kg", "maize", "ZMW", "ZMW", 20),
        ("$/bu", "maize", "USD", "USD", 1000 / 25.40117272),
        ("USD/bu", "soybean", "USD", "USD", 1000 / 27.2155422),
        ("USD/t", "maize", "CNY", "USD", 1), ("KG", "maize", "CNY", "", 1000),
        ("９０公斤", "maize", "CNY", "", 1000 / 90), ("mt", "maize", "USD", "", 1),
    ],
)  # fmt: skip
def test_a_unit_names_its_currency_and_becomes_a_tonne(unit, crop, currency, named, factor):
    found = price_unit(unit, crop, currency)
    assert found == PriceUnit(named, pytest.approx(factor))


@pytest.mark.parametrize(
    "unit", ["CNY/sack", "CNY/bu", "2.4", "kg/mu", "元", "cents/lb", "CNY/kg/d", "0 kg", "/", "袋"]
)
def test_units_without_a_known_mass_or_currency_are_refused(unit):
    with pytest.raises(BadCellError, match="input_unknown_unit"):
        price_unit(unit, "cotton", "CNY")


#: What a tonne of maize cost at the farm about 2023, to two digits, in the county's own money.
MAIZE = {"CNY": 2600, "EUR": 220, "USD": 200, "JPY": 40_000, "VND": 7_500_000, "KWD": 65,
         "INR": 21_000, "KES": 45_000, "BRL": 1_000}  # fmt: skip


@pytest.mark.parametrize("currency", sorted(MAIZE))
def test_a_bracket_holds_the_right_price_and_no_slip_of_a_thousand(currency):
    low, high = price_bracket("maize", currency)
    right = MAIZE[currency]
    assert low < right / 2 < 2 * right < high
    assert right * 500 > high
    assert right / 500 < low


def test_every_bracket_is_of_a_crop_or_currency_in_force():
    assert {row["crop"] for row in table_rows("price_brackets.csv")} <= set(crops())
    for row in table_rows("currency_brackets.csv"):
        assert exponent(row["currency"]) in (0, 2, 3)
        assert 0 < float(row["min_per_usd"]) <= float(row["max_per_usd"])
    assert price_bracket("fallow", "CNY") is None
    assert price_bracket("maize", "ARS") is None
