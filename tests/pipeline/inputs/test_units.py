"""Units of yields against conversions worked by hand."""

import pytest

from fieldline.pipeline.inputs.units import yield_factor, yield_unit_known

POUND, ACRE_HA = 0.45359237, 0.40468564224


@pytest.mark.parametrize(
    ("crop", "pounds"),
    [("maize", 56), ("sorghum", 56), ("soybean", 60), ("winter_wheat", 60), ("spring_wheat", 60),
     ("winter_barley", 48), ("spring_barley", 48), ("oats", 32), ("winter_rye", 56)],
)  # fmt: skip
@pytest.mark.parametrize("unit", ["bu/ac", "BU / ACRE", "bushels per acre", "蒲式耳/英亩"])
def test_a_bushel_weighs_what_the_usda_says_of_its_crop(unit: str, crop: str, pounds: int) -> None:
    kilograms_a_hectare = pounds * POUND / ACRE_HA
    assert yield_factor(unit, crop) == pytest.approx(kilograms_a_hectare / 1000, rel=1e-9)


@pytest.mark.parametrize(
    ("unit", "t_ha"),
    [("t/ha", 1), ("kg/ha", 0.001), ("kg/mu", 0.015), ("斤/亩", 0.0075), ("公斤/亩", 0.015),
     ("dt/ha", 0.1), ("q/ha", 0.1), ("qtl/acre", 0.1 / ACRE_HA), ("lb/ac", POUND / ACRE_HA / 1000),
     ("g/m2", 0.01), ("吨每公顷", 1), ("tonnes per hectare", 1)],
)  # fmt: skip
def test_a_mass_on_an_area_needs_no_crop(unit: str, t_ha: float) -> None:
    assert yield_factor(unit, "") == pytest.approx(t_ha, rel=1e-9)


@pytest.mark.parametrize("unit", ["boxes/ha", "t", "ha", "t/ha/year", "kg/row", "", "CNY/kg"])
def test_what_is_no_mass_on_an_area_is_no_unit_of_yields(unit: str) -> None:
    assert yield_factor(unit, "maize") is None
    assert not yield_unit_known(unit)


def test_bushels_mean_nothing_without_a_crop_that_has_them() -> None:
    assert yield_factor("bu/ac", "") is None
    assert yield_factor("bu/ac", "cotton") is None
    assert yield_unit_known("bu/ac")
