"""The simulated crops as typed rows: agronomy, leaf optics, look and market of each.

Owns the loader of `data/simulated_crops.csv`; a crop that the simulator can plant is a row there.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import crops


@dataclass(frozen=True)
class Cultivar:
    """One crop as grown in the simulated county."""

    code: str
    aquacrop: str
    """Name of the AquaCrop parameter set."""
    thermal_scale: float
    """Factor on every thermal-time stage: the cultivar's earliness."""
    sow_date: tuple[int, int]
    """Month and day of the county's mean sowing (or transplanting)."""
    sow_sd_days: float
    irrigated: bool
    """Whether farmers irrigate the crop; how well is their skill."""
    hi0: float
    """Reference harvest index."""
    share: float
    """Share of the county's fields."""
    lai_max: float
    """Green leaf area index of a closed, unstressed canopy, m2/m2."""
    leaf_angle: float
    """Mean leaf inclination, degrees (0 is horizontal)."""
    chl: float
    """Chlorophyll a+b, ug/cm2."""
    car: float
    """Carotenoids, ug/cm2."""
    ewt: float
    """Equivalent water thickness, cm."""
    lma: float
    """Leaf mass per area, g/cm2."""
    structure_n: float
    """PROSPECT leaf structure parameter."""
    hot_spot: float
    flower: str
    """Look of what covers the canopy late: empty, `yellow`, `white`, `red` or `tassel`."""
    flower_from: float
    """Share of the season at which it begins."""
    flower_to: float
    """Share of the season at which it ends."""
    flower_cover: float
    """Largest share of the view that it takes."""
    standing_dead: float
    """Share of the lost green cover that stays as standing dead leaves."""
    residue: float
    """Ground cover of residue right after harvest."""
    wet_paddy: bool
    """Whether water stands under the young canopy."""
    price_cny_kg: float
    """Mean farm-gate price, CNY/kg; order of magnitude of Chinese markets, simulated."""
    price_amplitude: float
    """Relative seasonal swing of the price."""
    price_harvest_month: int
    """Month of the yearly low."""
    source: str

    def sowing(self, season_start: dt.date) -> dt.date:
        """Return the county's mean sowing day within the season."""
        found = dt.date(season_start.year, *self.sow_date)
        return found if found >= season_start else dt.date(season_start.year + 1, *self.sow_date)


_TEXT = frozenset({"code", "aquacrop", "flower", "source"})


def _cultivar(row: dict[str, str]) -> Cultivar:
    month, day = row["sow_date"].split("-")
    special: dict[str, object] = {
        "sow_date": (int(month), int(day)),
        "irrigated": row["irrigated"] == "1",
        "wet_paddy": row["wet_paddy"] == "1",
        "price_harvest_month": int(row["price_harvest_month"]),
    }
    plain = {
        name: value if name in _TEXT else float(value or 0)
        for name, value in row.items()
        if name not in special
    }
    return Cultivar(**(plain | special))  # type: ignore[arg-type]


@cache
def all_cultivars() -> dict[str, Cultivar]:
    """Return every crop the simulator can plant, by code."""
    with (files("fieldline") / "data" / "simulated_crops.csv").open(encoding="utf-8") as handle:
        return {row["code"]: _cultivar(row) for row in csv.DictReader(handle)}


def planted(codes: tuple[str, ...]) -> tuple[Cultivar, ...]:
    """Return the chosen cultivars in table order; all of them for an empty choice.

    Raises:
        UserError: A code that the simulator cannot plant.
    """
    table = all_cultivars()
    unknown = [code for code in codes if code not in table or code not in crops()]
    if unknown:
        raise UserError(
            f"simulate.crops names {unknown}, which are not rows of data/simulated_crops.csv",
            f"choose from {', '.join(table)}",
        )
    return tuple(c for c in table.values() if not codes or c.code in codes)
