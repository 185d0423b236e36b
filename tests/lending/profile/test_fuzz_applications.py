"""Absurd applications: none stops a county, and every row and every farmer has an outcome.

`FIELDLINE_FUZZ_ROWS` is how many rows are written (10,000 take minutes), `FIELDLINE_FUZZ_SEED` the
seed. Each row has one to four cells that nobody should have written, and some farmers have several.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from typing import Any

from fieldline.lending.inputs import APPLICATIONS
from fieldline.lending.rows import ACCOUNTS, standing_applications
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.records.tables import read_table

AS_OF = dt.date(2024, 9, 30)
ROWS = int(os.environ.get("FIELDLINE_FUZZ_ROWS", "150"))
SEED = int(os.environ.get("FIELDLINE_FUZZ_SEED", "20241"))

ABSURD = (
    "1e18", "1e400", "1e-400", "inf", "-inf", "nan", "NaN", "", " ", "-1", "-0", "abc", "0x10",
    "3e9", "1,234.5", "1.234,5", "1 234", "１２３", "一千", "1万", "￥1000", "$5", "5%", "NULL",
    "None", "true", "9" * 400, "0." + "0" * 300 + "1", "30/09/2024", "2024-13-01", "2024-02-30",
    "1899-12-31", "9999-12-31", "0000-00-00", "20240901", "２０２４年９月１日", "45536", "=cmd()",
    "+1", "@x", "'", '"', ";", "a\nb", "\t5", "\u202e12", "\ufeff3", "é" * 50, "x" * 3000, "USD",
    "cny", "rmb", "XXX",
)  # fmt: skip


def filled(county: Any, rng: random.Random) -> None:
    """Give each farmer a hectare and an application, then spoil the applications."""
    names = [c.name for c in APPLICATIONS.columns if c.name != "farmer_id"]
    for i in range(ROWS):
        farmer = f"f{i:05d}"
        county.add(farmer, farmer, x=120.0 * (i % 100), y=120.0 * (i // 100))
        spoilt = rng.sample(names, rng.randint(1, 4))
        county.apply(farmer, **{name: rng.choice(ABSURD) for name in spoilt})
        if rng.random() < 0.05:
            county.apply(farmer, applied_on=rng.choice(ABSURD))


def test_no_absurd_application_stops_a_county(county: Any) -> None:
    rng = random.Random(SEED)
    filled(county, rng)
    decisions = county.decide()
    assert len(decisions) == ROWS
    assert set(decisions["access"]) <= {"approve", "review", "decline"}
    outcomes = read_table(county.path("outcomes_profile.parquet"))
    farmers = outcomes[outcomes["farmer_id"] != ""]
    assert sorted(farmers["farmer_id"].unique()) == sorted(decisions.index)
    assert set(outcomes["outcome"]) <= {OK, *outcome_codes()}
    told = [text for row in decisions["reasons"] for text in row]
    assert not [text for text in told if "Error" in text or "<class" in text or "Traceback" in text]


def test_every_absurd_row_is_accounted_for(county: Any) -> None:
    filled(county, random.Random(SEED + 1))
    county.write()
    table = read_input(county.path("applications.csv"), APPLICATIONS, Reading("CNY", {}, "inputs"))
    standing = standing_applications(table, AS_OF)
    counting = {int(row) + 1 for row in standing.counting.index}
    refused = set(table.problems_of_rows())
    passed_over = {problem.row for problem in ACCOUNTS["applications"][1](table, AS_OF)}
    assert counting | refused | passed_over == set(range(1, len(table.frame) + 1))
    for problem in table.problems:
        assert problem.code in outcome_codes()
