from __future__ import annotations

import math
from typing import Any

import pytest

from fieldline.pipeline.imagery.fields import FieldError, Fields
from fieldline.pipeline.imagery.radiometry import (
    baseline_of,
    baseline_order,
    offset_applied,
    radiometry_of,
)

SHIFTED = {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}
PLAIN = {"raster:bands": [{"scale": 1e-4, "offset": 0}]}
SILENT = {"raster:bands": [{"scale": 1e-4}]}


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        ({"raster:bands": [{"scale": 1e-4, "offset": -0.1, "nodata": 0}]}, (1e-4, -0.1, 0.0)),
        ({"bands": [{"raster:scale": 1e-4, "raster:offset": 0, "nodata": 0}]}, (1e-4, 0.0, 0.0)),
        ({"raster:scale": 2e-5, "raster:offset": -0.2}, (2e-5, -0.2, None)),
        ({"raster:bands": [], "bands": [{"nodata": 7}], "raster:scale": 1}, (1.0, None, 7.0)),
        ({"raster:bands": [{"scale": 1e-4}], "bands": [{"raster:offset": 0}]}, (1e-4, 0.0, None)),
        ({"raster:bands": None, "scale": None}, (None, None, None)),
        ({"raster:bands": [{"nodata": 0}]}, (None, None, 0.0)),
        ({"raster:bands": [{"nodata": "nan"}]}, (None, None, None)),
        ({"raster:bands": [{"nodata": "-inf"}]}, (None, None, None)),
        ({"raster:bands": [{"nodata": math.nan}]}, (None, None, None)),
        ({"raster:bands": [{"nodata": -9999}]}, (None, None, -9999.0)),
        ({}, (None, None, None)),
    ],
)
def test_radiometry_in_every_spelling(asset: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = radiometry_of(Fields(asset))
    assert (found.scale, found.offset, found.nodata) == expected


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("scale", "0.0001", "not_a_number"),
        ("scale", 0, "not_in_1e-09..1"),
        ("scale", -1e-4, "not_in_1e-09..1"),
        ("scale", 10_000, "not_in_1e-09..1"),
        ("scale", math.nan, "not_a_number"),
        ("offset", "-0.1", "not_a_number"),
        ("offset", [-0.1], "not_a_number"),
        ("offset", -1000, "not_in_-1..1"),
        ("nodata", "none", "not_a_number"),
        ("nodata", "0", "not_a_number"),
        ("nodata", [0], "not_a_number"),
        ("nodata", False, "not_a_number"),
    ],
)
def test_a_wrong_number_is_named(field: str, value: Any, reason: str) -> None:
    band = {"scale": 1e-4, "offset": 0, field: value}
    with pytest.raises(FieldError) as caught:
        radiometry_of(Fields({"raster:bands": [band]}, "assets.B04"))
    assert caught.value.field == f"assets.B04.raster:bands.0.{field}"
    assert caught.value.reason == reason


def test_a_number_stated_twice_must_be_the_same() -> None:
    same = {**SHIFTED, "bands": [{"raster:offset": -0.1}]}
    assert radiometry_of(Fields(same)).offset == -0.1
    with pytest.raises(FieldError, match=r"bands\.0\.raster:offset is 0: contradicts_-0\.1"):
        radiometry_of(Fields({**SHIFTED, "bands": [{"raster:offset": 0}]}))


@pytest.mark.parametrize(
    ("asset", "applied", "baseline", "offset", "doubtful"),
    [
        (SHIFTED, True, "05.00", 0.0, True),
        (SHIFTED, True, None, 0.0, True),
        (PLAIN, True, "05.00", 0.0, False),
        (SILENT, True, "05.00", 0.0, False),
        (SHIFTED, False, "05.00", -0.1, False),
        (SHIFTED, False, "03.01", -0.1, False),
        (PLAIN, False, "04.00", 0.0, True),
        (PLAIN, False, "03.01", 0.0, False),
        (PLAIN, False, None, 0.0, False),
        (SILENT, False, "05.00", None, False),
        (SHIFTED, None, "05.00", -0.1, False),
        (PLAIN, None, "05.00", 0.0, False),
        (SILENT, None, "05.00", None, False),
    ],
)
def test_flag_offset_and_baseline_settle_the_offset_together(
    asset: dict[str, Any], applied: bool | None, baseline: str | None, offset: float | None,
    doubtful: bool,
) -> None:  # fmt: skip
    found = radiometry_of(Fields(asset), applied, baseline)
    assert (found.offset, found.doubtful) == (offset, doubtful)
    assert found.stated_offset == (-0.1 if applied and asset is SHIFTED else None)


def test_the_flag_is_read_in_both_spellings_of_earth_search() -> None:
    assert offset_applied(Fields({"earthsearch:boa_offset_applied": True})) is True
    assert offset_applied(Fields({"sentinel:boa_offset_applied": False})) is False
    assert offset_applied(Fields({})) is None
    with pytest.raises(FieldError, match="not_true_or_false"):
        offset_applied(Fields({"earthsearch:boa_offset_applied": 1}))


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("05.10", "05.10"),
        ("N0510", "05.10"),
        ("0400", "04.00"),
        (5.1, "05.10"),
        (4, "04.00"),
        ("", None),
        (None, None),
        ("2.11.0", "2.11.0"),
    ],
)
def test_a_baseline_is_read_as_products_numbers_and_catalogs_write_it(
    stated: Any, expected: str | None
) -> None:
    assert baseline_of(Fields({"s2:processing_baseline": stated})) == expected


def test_baselines_sort_by_number_with_unknown_first() -> None:
    names = ["05.10", None, "02.14", "05.09", "99.99", "04.00", "²", "9" * 5000]
    found = sorted(names, key=baseline_order)
    assert found == [None, "99.99", "²", "9" * 5000, "02.14", "04.00", "05.09", "05.10"]
