"""Ids and properties as four catalogs write them, for one image."""

from __future__ import annotations

from typing import Any

import pytest

from fieldline.pipeline.imagery.acquisitions import acquisition_of

IMAGE = "S2A_20220510T101611_32UPU"
URI = "S2A_MSIL2A_20220510T101611_N0400_R065_T32UPU_20220510T140123.SAFE"


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        (URI.removesuffix(".SAFE"), {}),
        ("S2A_MSIL2A_20220510T101611_R065_T32UPU_20220511T091500", {}),
        ("S2A_32UPU_20220510_0_L2A", {"s2:product_uri": URI}),
        ("S2A_32UPU_20220510_0_L2A", {"sentinel:product_id": URI.replace("N0400", "N0510")}),
        (
            "anything",
            {"s2:datatake_id": "GS2A_20220510T101611_035930_N04.00", "grid:code": "MGRS-32UPU"},
        ),
    ],
)
def test_every_spelling_names_the_image(name: str, properties: dict[str, Any]) -> None:
    assert acquisition_of(name, properties) == IMAGE


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("LC08_L2SP_193026_20220510_20220518_02_T1", {}),
        ("S2A_MSIL1C_20220510T101611_N0400_R065_T32UPU_20220510T140123", {}),
        ("S2_L3A_MAG_20211015", {"s2:mgrs_tile": "32UPU", "s2:product_uri": 7}),
    ],
)
def test_what_is_no_tile_of_level_2a_names_none(name: str, properties: dict[str, Any]) -> None:
    assert acquisition_of(name, properties) is None
