"""Sentinel-2 L2A products of a few pixels as they are downloaded, built from arrays.

Folders, file names and metadata follow ESA's product specification: what a real product holds
beside them is left out. Bands are lossless JPEG 2000, so pixels come back as they were given.
"""

from __future__ import annotations

import datetime as dt
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.warp import transform_bounds

from tests.pipeline.imagery.tiny_archive import CRS, X, Y

SIZES = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10,
    "B8A": 20, "B09": 60, "B11": 20, "B12": 20, "SCL": 20,
}  # fmt: skip
_PSD = "https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd"
_BAND_IDS = 13
#: Quality masks of a band, with the count of their layers; images from baseline 04.00 on.
_MASKS = {"MSK_DETFOO": 1, "MSK_QUALIT": 8}
_MASKS_SINCE = "04.00"


@dataclass
class TinyProduct:
    """One product: bands as arrays of digital numbers at their own resolution."""

    bands: Mapping[str, Any]
    day: dt.date = dt.date(2021, 5, 10)
    baseline: str = "03.01"
    offset: int | None = None
    """BOA_ADD_OFFSET of every band; None writes no list, as before baseline 04.00."""
    quantification: int = 10000
    tile: str = "32UPU"
    processed: str = "20210601T000000"
    cloud: float = 7.5
    sizes: Mapping[str, int] = field(default_factory=lambda: dict(SIZES))
    corner: tuple[float, float] = (X, Y)
    early: bool = False
    """Names of elements and files as before 2018."""
    level: str = "2A"

    @property
    def name(self) -> str:
        """The product's name, by ESA's convention."""
        number = self.baseline.replace(".", "")
        moment = f"{self.day:%Y%m%d}T101031"
        return f"S2A_MSIL{self.level}_{moment}_N{number}_R022_T{self.tile}_{self.processed}"


def write_safe(folder: Path, product: TinyProduct) -> Path:
    """Write a product as a `.SAFE` folder inside `folder`; return it."""
    place = folder / f"{product.name}.SAFE"
    granule = f"L{product.level}_T{product.tile}_A030000_{product.day:%Y%m%d}T101031"
    images = place / "GRANULE" / granule / "IMG_DATA"
    start = "L2A_" if product.early else ""
    for band, numbers in product.bands.items():
        size = product.sizes[band]
        file = f"{start}T{product.tile}_{product.day:%Y%m%d}T101031_{band}_{size}m.jp2"
        _write_jp2(images / f"R{size}m" / file, np.asarray(numbers), size, product.corner)
    if product.baseline >= _MASKS_SINCE:
        _write_masks(images.parent / "QI_DATA", product)
    (place / f"MTD_MSIL{product.level}.xml").write_text(_metadata(product), encoding="utf-8")
    (place / "manifest.safe").write_text(_manifest(place), encoding="utf-8")
    return place


def zipped(safe: Path, *, keep: bool = False) -> Path:
    """Pack a `.SAFE` folder as it is downloaded; return the zip."""
    target = safe.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(safe.rglob("*")):
            packed.write(path, path.relative_to(safe.parent))
    if not keep:
        shutil.rmtree(safe)
    return target


def _write_masks(folder: Path, product: TinyProduct) -> None:
    """Write the masks of every band: detector 1 everywhere, and no pixel of bad quality."""
    for band, numbers in product.bands.items():
        if band == "SCL":
            continue
        high, wide = np.asarray(numbers).shape
        for name, layers in _MASKS.items():
            mask = np.full((layers, high, wide), layers == 1)
            _write_jp2(folder / f"{name}_{band}.jp2", mask, product.sizes[band], product.corner)


def _write_jp2(
    path: Path, numbers: np.ndarray[Any, Any], size: int, corner: tuple[float, float]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype = "uint8" if "_SCL_" in path.name or path.name.startswith("MSK_") else "uint16"
    layers = numbers.reshape(-1, *numbers.shape[-2:])
    count, high, wide = layers.shape
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", height=high, width=wide, count=count,
        dtype=dtype, crs=CRS, transform=Affine(size, 0, corner[0], 0, -size, corner[1]),
        QUALITY=100, REVERSIBLE="YES",
    ) as file:  # fmt: skip
        file.write(layers.astype(dtype))
    Path(f"{path}.aux.xml").unlink(missing_ok=True)


def _footprint(product: TinyProduct) -> str:
    band, numbers = next(iter(product.bands.items()))
    high, wide = (edge * product.sizes[band] for edge in np.asarray(numbers).shape)
    left, top = product.corner
    west, south, east, north = transform_bounds(
        CRS, "EPSG:4326", left, top - high, left + wide, top
    )
    ring = [(north, west), (north, east), (south, east), (south, west), (north, west)]
    return " ".join(f"{latitude} {longitude}" for latitude, longitude in ring)


def _metadata(product: TinyProduct) -> str:
    early = "L2A_" if product.early else ""
    quantity = f"{early}BOA_QUANTIFICATION_VALUE"
    offsets = "".join(
        f'<BOA_ADD_OFFSET band_id="{band}">{product.offset}</BOA_ADD_OFFSET>'
        for band in range(_BAND_IDS)
    )
    listed = f"<BOA_ADD_OFFSET_VALUES_LIST>{offsets}</BOA_ADD_OFFSET_VALUES_LIST>"
    moment = f"{product.day}T10:10:31.024Z"
    made = dt.datetime.strptime(product.processed, "%Y%m%dT%H%M%S").isoformat()
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{product.level}_User_Product xmlns:n1="{_PSD}">
  <n1:General_Info>
    <{early}Product_Info>
      <PRODUCT_START_TIME>{moment}</PRODUCT_START_TIME>
      <PRODUCT_STOP_TIME>{moment}</PRODUCT_STOP_TIME>
      <PRODUCT_URI>{product.name}.SAFE</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-{product.level}</PROCESSING_LEVEL>
      <PROCESSING_BASELINE>{product.baseline}</PROCESSING_BASELINE>
      <GENERATION_TIME>{made}.000000Z</GENERATION_TIME>
      <Datatake datatakeIdentifier="GS2A_{product.day:%Y%m%d}T101031_030000_N{product.baseline}">
        <SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
      </Datatake>
    </{early}Product_Info>
    <Product_Image_Characteristics>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <{early}QUANTIFICATION_VALUES_LIST>
        <{quantity} unit="none">{product.quantification}</{quantity}>
        <AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>
      </{early}QUANTIFICATION_VALUES_LIST>
      {"" if product.offset is None else listed}
    </Product_Image_Characteristics>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Product_Footprint><Product_Footprint><Global_Footprint>
      <EXT_POS_LIST>{_footprint(product)}</EXT_POS_LIST>
    </Global_Footprint></Product_Footprint></Product_Footprint>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info>
    <Cloud_Coverage_Assessment>{product.cloud}</Cloud_Coverage_Assessment>
  </n1:Quality_Indicators_Info>
</n1:Level-{product.level}_User_Product>
"""


def _manifest(place: Path) -> str:
    streams = "".join(
        f'<dataObject ID="d{number}"><byteStream mimeType="application/octet-stream" '
        f'size="{path.stat().st_size}"><fileLocation locatorType="URL" '
        f'href="./{path.relative_to(place).as_posix()}"/></byteStream></dataObject>'
        for number, path in enumerate(sorted(place.rglob("*.jp2")))
    )
    return f"<xfdu><dataObjectSection>{streams}</dataObjectSection></xfdu>"
