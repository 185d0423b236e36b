"""How often next year's yield of a county known alone lies in its interval, on real statistics.

    python -m tests.benchmarks.known_alone DATA

Each year is told from the years before it, by five-year means, as `crops.value` does: once by
Student's t alone and once as a run tells it, with the county's own left-out errors in their part.
Yields a decimal place off are left out. Prints one line of JSON per table of `MANY` or more
left-out years, and how far both stray from what they promise.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.crops.forecast.slips import slips_of_ten
from fieldline.crops.series import Floats
from fieldline.crops.value.county_level import alone, unseen_errors
from fieldline.crops.value.prices import Z80
from fieldline.crops.value.priors import own_error

MANY = 10
"""Left-out years from which a county's own should tell better than usual ones."""
YEARS = 5
"""Years of a mean."""
_FEWEST = 50
_CY_BENCH = ("maize/*/yield*.csv", "wheat/*/yield*.csv")
_CHINA = {"cereals": "Cereal", "rice": "Rice"}

Counties = list[Floats]
"""Yields of each county by year, t/ha or any unit of one table."""


def cy_bench(folder: Path) -> dict[str, Counties]:
    """Return the tables of a folder in the layout of CY-Bench."""
    return {
        path.stem: _by_county(pd.read_csv(path), ["adm_id"], "harvest_year", "yield")
        for pattern in _CY_BENCH for path in sorted(folder.glob(pattern))
    }  # fmt: skip


def tables(data: Path) -> dict[str, Counties]:
    """Return all tables: CY-Bench's, France, Illinois and the provinces of China."""
    france = pd.read_csv(data / "cybench/data_FR/YIELD_NUTS3_FR.csv")
    soybean = pd.read_csv(data / "illinois_soy_hls/Illinois_soy_NASS_1980_2022.csv")
    soybean = soybean[~soybean["County"].str.startswith("OTHER")]
    found = cy_bench(data / "cybench") | {
        f"{crop} FR": _by_county(rows, ["IDREGION"], "FYEAR", "YIELD")
        for crop, rows in france.groupby("CROP_NAME")
    }
    found["soybean Illinois"] = _by_county(soybean, ["Ag District", "County"], "Year", "Value")
    folder = data / "china_provincial_cereals"
    return found | {f"{crop} China": _provinces(folder, name) for crop, name in _CHINA.items()}


def _by_county(rows: pd.DataFrame, place: Sequence[str], year: str, yields: str) -> Counties:
    known = rows.dropna(subset=[yields])
    return [
        county.sort_values(year)[yields].to_numpy(float) for _, county in known.groupby(list(place))
    ]


def _provinces(folder: Path, crop: str) -> Counties:
    area, product = (
        pd.read_excel(folder / f"{crop}_{what}_China_1991_2022.xls", skiprows=3, index_col=0)
        for what in ("area", "prod")
    )
    yields = product / area.where(area > 0)
    return [np.array(row.dropna()[::-1], dtype=float) for _, row in yields.iterrows()]


def without_slips(counties: Counties) -> Counties:
    """Return the yields of each county that a run's statistics believe."""
    lengths = [len(values) for values in counties]
    county = np.repeat([str(at) for at in range(len(counties))], lengths)
    years = np.concatenate([np.arange(length) for length in lengths])
    yields = np.concatenate(counties)
    kept = ~slips_of_ten(county, years, yields).slipped & (yields > 0)
    return [yields[kept & (county == str(at))] for at in range(len(counties))]


def departures(counties: Counties) -> dict[str, Floats]:
    """Return how far each year lies from what was told of it, in reaches of its interval.

    Returns:
        By rule, `t` or `told`: -1 is the lower end, 1 the upper.
    """
    usual = own_error("maize").shared
    found: dict[str, list[float]] = {"t": [], "told": []}
    for past, now, unseen in _told_years(counties):
        for rule, said in (("t", alone(past, usual)), ("told", alone(past, usual, unseen))):
            found[rule].append(np.log(now / said.t_ha) / (Z80 * said.log_sd))
    return {rule: np.array(rows) for rule, rows in found.items()}


def _told_years(counties: Counties) -> Iterator[tuple[Floats, float, Floats]]:
    for values in without_slips(counties):
        for year in range(YEARS, len(values)):
            unseen = unseen_errors(values[:year], YEARS)
            if len(unseen) >= MANY:
                yield values[year - YEARS : year], float(values[year]), unseen


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="Folder of the real data sets.")
    off: dict[str, list[tuple[float, float]]] = {"t": [], "told": []}
    for name, counties in tables(parser.parse_args().data).items():
        found = departures(counties)
        if len(found["t"]) < _FEWEST:
            continue
        line: dict[str, object] = {"table": name, "county_years": len(found["t"])}
        for rule, rows in found.items():
            below, above = float((rows < -1).mean()), float((rows > 1).mean())
            line[rule] = {"inside": round(1 - below - above, 3), "below": round(below, 3),
                          "above": round(above, 3)}  # fmt: skip
            off[rule].append((abs(below + above - 0.2), abs(below - 0.1)))
        print(json.dumps(line))
    print(json.dumps({
        rule: dict(zip(("off_inside", "off_below"), np.round(np.sum(rows, 0), 3).tolist(),
                       strict=True)) for rule, rows in off.items()
    }))  # fmt: skip


if __name__ == "__main__":
    main()
