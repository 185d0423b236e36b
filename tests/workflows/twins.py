"""The tables of a county as two offices send them: "Excel in China" and "Excel in Germany"."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

#: Headers by column: Fieldline's, Chinese, German.
HEADERS = {
    "parcels": {
        "parcel_id": ("地块编号", "Schlag Nr"), "farmer_id": ("农户编号", "Betriebsnummer"),
        "village": ("村", "Ort"), "declared_crop": ("申报作物", "Kultur"),
        "declared_area_mu": ("申报面积", "declared_area_mu"), "geometry": ("WKT", "Geometrie"),
    },
    "registry": {
        "parcel_id": ("地块编码", "Schlag_Nr"), "area_mu": ("面积", "area_mu"),
        "holder_id": ("承包方编码", "Inhaber Nr"), "crop": ("作物名称", "Fruchtart"),
        "recorded_on": ("登记日期", "Eintragungsdatum"),
    },
    "applications": {
        "farmer_id": ("客户编号", "Betrieb Nr"), "household_id": ("户编号", "Haushalt Nr"),
        "household_size": ("家庭人口", "Haushaltsgröße"),
        "requested_amount": ("申请金额", "Antragssumme"),
        "annual_debt_service": ("年还款额", "Schuldendienst"),
        "off_farm_income": ("非农收入", "Nebeneinkommen"), "currency": ("币种", "Währung"),
        "prior_loans": ("历史贷款笔数", "Vorkredite"), "prior_late": ("逾期次数", "Verspätungen"),
        "guarantor_id": ("担保人编号", "Bürge Nr"), "applied_on": ("申请日期", "Antragsdatum"),
    },
    "loan_history": {
        "loan_id": ("贷款编号", "Kredit Nr"), "disbursed_on": ("放款日期", "Auszahlungsdatum"),
        "due_on": ("到期日", "Fälligkeit"), "closed_on": ("结清日期", "beendet am"),
        "principal": ("本金", "Kreditsumme"), "thin_file": ("记录不足", "dünne Akte"),
        "defaulted": ("是否违约", "Ausfall"),
    },
    "survey": {
        "parcel_id": ("地块号", "Schlag"), "crop": ("作物", "Kulturart"),
        "surveyed_on": ("调查日期", "Erhebungsdatum"),
        "yield_t_ha": ("单产(吨/公顷)", "Ertrag t/ha"),
        "measured_on": ("测产日期", "Messdatum"),
    },
    "prices": {
        "crop": ("作物种类", "Frucht"), "date": ("日期", "Datum"), "price": ("单价", "Preis"),
        "currency": ("货币", "Währung"), "unit": ("单位", "Einheit"), "source": ("来源", "Quelle"),
    },
    "county_yields": {
        "crop": ("作物", "Kultur"), "year": ("年份", "Jahr"),
        "yield_t_ha": ("单产（吨/公顷）", "Ertrag (t/ha)"), "source": ("数据来源", "Quelle"),
    },
    "weather": {
        "cell_id": ("站号", "Station"), "date": ("日期", "Datum"),
        "tmin_c": ("最低气温", "Tiefsttemperatur"), "tmax_c": ("最高气温", "Höchsttemperatur"),
        "tmean_c": ("平均气温(℃)", "Mitteltemperatur"), "precip_mm": ("降水量(mm)", "Niederschlag"),
        "wind_m_s": ("风速", "Windgeschwindigkeit"),
    },
    "weather_cells": {
        "cell_id": ("站点编号", "Station"), "lon": ("经度", "Längengrad"),
        "lat": ("纬度", "Breitengrad"),
    },
}  # fmt: skip
IDS = ("parcel_id", "farmer_id", "holder_id", "household_id", "guarantor_id", "loan_id")
DATES = (
    "recorded_on", "applied_on", "disbursed_on", "due_on", "closed_on", "surveyed_on",
    "measured_on", "date",
)  # fmt: skip
AREAS = ("declared_area_mu", "area_mu")
AMOUNTS = ("requested_amount", "annual_debt_service", "off_farm_income", "principal")
FLAGS = ("thin_file", "defaulted")
CROPS = ("crop", "declared_crop")
PLAIN = (*IDS, *CROPS, "village", "currency", "unit", "source", "geometry", "cell_id", "season")
ZH = {"winter_wheat": "冬小麦", "maize": "玉米", "rice": "水稻", "soybean": "黄豆"}
DE = {"winter_wheat": "Winterweizen", "maize": "Körnermais", "rice": "Paddy rice",
      "soybean": "Sojabohnen"}  # fmt: skip

Cell = Callable[[str, str], str]


def clean(simulated: Path, name: str) -> pd.DataFrame:
    """Return a table of the simulated county as text, areas in mu with two decimals."""
    if name == "parcels":
        frame = gpd.read_file(simulated / "parcels_2024.gpkg")
        wkt = shapely.to_wkt(frame.geometry.to_numpy(), rounding_precision=-1)
        outlines = [f"SRID=4326;{text}" for text in wkt]
        kept = frame.drop(columns=["geometry", "name", "phone", "id_number"])
        return pd.DataFrame(kept).assign(geometry=outlines).astype("str")
    season = "_2024" if name in ("registry", "applications", "survey") else ""
    table = pd.read_csv(simulated / f"{name}{season}.csv", dtype="str", keep_default_na=False)
    if name == "registry":
        in_mu = (table["area_m2"].astype(float) * 15 / 10_000).map("{:.2f}".format)
        table = table.assign(area_m2=in_mu).rename(columns={"area_m2": "area_mu"})
    return table


def english(column: str, cell: str) -> str:
    """Return a cell as it is."""
    return cell


def chinese(column: str, cell: str) -> str:
    """Return a cell as a Chinese office writes it."""
    if not cell:
        return cell
    if column in IDS:
        return f'="{cell}"'
    if column in DATES:
        day = dt.date.fromisoformat(cell)
        return f"{day.year}/{day.month}/{day.day}"
    if column in AREAS:
        return f"{cell}亩"
    if column in FLAGS:
        return "是" if cell == "1" else "否"
    if column in CROPS:
        return ZH[cell]
    return {"CNY": "人民币", "CNY/kg": "元/公斤"}.get(cell, cell)


def german(column: str, cell: str) -> str:
    """Return a cell as a German office writes it."""
    if not cell:
        return cell
    if column in DATES:
        day = dt.date.fromisoformat(cell)
        return f"{day.day:02d}.{day.month:02d}.{day.year}"
    if column in AMOUNTS:
        return f"{float(cell):,.2f}".translate(str.maketrans(",.", ".,"))
    if column in FLAGS:
        return "ja" if cell == "1" else "nein"
    if column in CROPS:
        return DE[cell]
    return cell if column in PLAIN else cell.replace(".", ",")


def write_twin(
    simulated: Path, folder: Path, cell: Cell, language: int | None, mark: str, encoding: str
) -> Mapping[str, Path]:
    """Write every table of the county in one office's way.

    Args:
        simulated: Folder of the simulated county.
        folder: Where the files go.
        cell: How the office writes a cell of a column.
        language: Which of `HEADERS` it uses; None for Fieldline's own.
        mark: What separates its cells.
        encoding: What it saves text in.
    """
    folder.mkdir()
    paths = {}
    for name, headers in HEADERS.items():
        frame = clean(simulated, name)
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=mark, lineterminator="\r\n")
        named = [h if language is None or h not in headers else headers[h][language] for h in frame]
        writer.writerow(named)
        columns = [[cell(c, v) for v in frame[c]] for c in frame]
        writer.writerows(zip(*columns, strict=True))
        paths[name] = folder / f"{name}.csv"
        paths[name].write_bytes(out.getvalue().encode(encoding))
    return paths
