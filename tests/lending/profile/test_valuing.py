"""A county's parcels are worth the same, whether they are valued together or some at a time."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import chain

import pandas as pd

from fieldline.lending.profile.crop_value import county_norms
from fieldline.lending.profile.rotation import Rotation
from fieldline.lending.profile.valuing import Valuing
from tests.lending.profile.test_harvest import AUTUMN, POLICY, VALUES, parcel


def test_parts_of_a_county_are_worth_what_they_are_worth_in_it() -> None:
    cut = dt.date(2024, 9, 1)
    parcels = pd.DataFrame([
        parcel(
            parcel_id=f"p{n}", crop=crop, yield_q50_t_ha=4.0 + n, own_log_sd=0.1 + 0.05 * n,
            harvest_date=cut if n % 3 else None, effect="none", evidence_area_m2=1e4 + n,
            leased=n == 2, lease_to=None, unleased_area_m2=0.0,
        )
        for n, crop in enumerate(("maize", "rice", "maize", "maize", None, "rice"))
    ])  # fmt: skip
    seen = [["maize", "rice"], ["rice", "maize"], ["maize", "maize"]]
    county = Valuing(
        AUTUMN, POLICY, "CNY", VALUES, Rotation(seen, POLICY), {}, county_norms(parcels)
    )
    whole, parts = county.of(parcels), [county.of(parcels.iloc[n : n + 2]) for n in (0, 2, 4)]
    joined = pd.concat([one.harvests for one in parts], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole.harvests.reset_index(drop=True))
    for name in ("repaying", "season", "ahead"):
        values = dict(chain.from_iterable(getattr(one, name).items() for one in parts))
        assert values == getattr(whole, name)
        assert len(values) >= 4
    # what a part shows of its crops by itself is something else
    alone = replace(county, norms=county_norms(parcels.iloc[:2])).of(parcels.iloc[:2])
    assert not alone.harvests.equals(parts[0].harvests)
