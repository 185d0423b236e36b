import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.prices import (
    CropPrice,
    crop_prices,
    log_change_sd,
    read_prices,
    tonne_factor,
)
from fieldline.pipeline.records.errors import UserError

AS_OF = dt.date(2024, 9, 30)
SETTINGS = YieldSettings()


def table(path, rows):
    columns = ["crop", "date", "price", "currency", "unit", "source"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("unit", "crop", "factor"),
    [("CNY/kg", "maize", 1000.0), ("CNY/t", "maize", 1.0), ("CNY/jin", "maize", 2000.0),
     ("CNY/bu", "maize", 1000 / 25.40117272), ("CNY/bu", "soybean", 1000 / 27.2155422)],
)  # fmt: skip
def test_units_become_tonnes(unit, crop, factor):
    assert tonne_factor(unit, crop, "CNY") == pytest.approx(factor)


@pytest.mark.parametrize("unit", ["CNY/sack", "CNY/bu", "USD/kg", "2.4"])
def test_unknown_units_are_refused(unit):
    with pytest.raises(UserError):
        tonne_factor(unit, "cotton", "CNY")


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


@pytest.mark.parametrize(
    ("row", "message"),
    [(("maize", "2024-01-01", 2.4, "USD", "USD/kg", "s"), "currency|convert"),
     (("maize", "2024-01-01", 0.0, "CNY", "CNY/kg", "s"), "above zero"),
     (("maize", "01/02/2024", 2.0, "CNY", "CNY/kg", "s"), "2024-05-31")],
)  # fmt: skip
def test_bad_rows_are_refused_with_the_remedy(tmp_path, row, message):
    with pytest.raises(UserError, match=message):
        read_prices(table(tmp_path / "p.csv", [row]), "long", "CNY", AS_OF)


def test_a_table_whose_header_names_too_few_columns_is_refused(tmp_path):
    path = tmp_path / "imf.csv"
    path.write_text("Date,Wheat,Barley\n2024-01-01,1.0,2.0,3.0\n")
    with pytest.raises(UserError, match="names 3 columns but its rows hold \\[4\\]"):
        read_prices(path, "imf_pcps", "USD", AS_OF)


def test_log_change_is_the_root_mean_square_over_the_horizon():
    monthly = 100 * np.exp(np.tile([0.0, 0.1], 20))
    odd = SETTINGS.model_copy(update={"price_horizon_days": 31})
    assert log_change_sd(monthly, odd) == pytest.approx(0.1)
    assert log_change_sd(monthly[:5], odd) == SETTINGS.price_log_sd_default


def test_quantiles_are_symmetric_in_logs():
    price = CropPrice(2000.0, 0.1, AS_OF, "s", False)
    assert price.minor("CNY", 1) * price.minor("CNY", -1) == pytest.approx(200_000**2, rel=1e-4)
    assert price.minor("JPY") == 2000
