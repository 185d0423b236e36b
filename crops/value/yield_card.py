"""The yield card: what a run's yields rest on, in numbers of its own.

Owns which figures stand on it; the model itself and its checks are `yield_model`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.pooling import CURVE_FEATURES
from fieldline.crops.value.priors import own_error
from fieldline.pipeline.records.settings import Season

if TYPE_CHECKING:
    from fieldline.crops.value.yields import Valuation


def yield_card(
    valuation: Valuation, learnt: pd.DataFrame, settings: YieldSettings, season: Season
) -> dict[str, Any]:
    """Return what a card says of the yields of a season.

    Args:
        valuation: Everything that values a crop.
        learnt: Crop cuts that the model learnt from.
        settings: Settings of the stage.
        season: The season.
    """
    base: dict[str, Any] = {
        "model": valuation.model_name,
        "task": "yield of a parcel and season, as a factor on the county prior",
        "as_of": season.as_of.isoformat(),
        "settings": settings.model_dump(mode="json"),
        "crop_cuts": len(learnt),
        "priors": {c: {"t_ha": p.mean_t_ha, "years_log_sd": p.years_log_sd, "source": p.source,
                       **p.told} for c, p in sorted(valuation.priors.items())},
        "cost_bases": sorted({cost.basis for cost in valuation.costs.values()} - {""}),
        "price_log_sd": {c: p.log_sd for c, p in sorted(valuation.prices.items())},
    }  # fmt: skip
    model = valuation.model
    if model is None:
        return base | {
            "trained": False,
            "reason": f"fewer than {settings.min_cuts} crop cuts: the county prior stands",
            "own_error_source": own_error("default").source,
        }
    pooled, scale = model.pooled, model.scale
    columns = [*pooled.design.shifts, *CURVE_FEATURES]
    return base | {
        "trained": True,
        "split": f"up to {settings.folds} folds, whole parcels, everything chosen anew in each",
        "scores": model.scores,
        "prior_stands": not model.skilled,
        "penalty": {name: "left out" if np.isinf(value) else value
                    for name, value in (("shifts", pooled.strength.shift),
                                        ("curve", pooled.strength.curve))},
        "coefficients": dict(zip(columns, pooled.coefficients.tolist(), strict=True)),
        "error_log_sd": {
            "all": float(np.sqrt(scale.overall)),
            **{name: {group: float(np.sqrt(scale.overall * factor))
                      for group, factor in factors.items()}
               for name, factors in scale.factors.items()},
        },
        "interval": {"target": settings.interval, "reach": model.reach,
                     "method": "conformal, errors of unseen parcels scaled by season, crop, size",
                     "unseen_cuts_inside": model.checks},
    }  # fmt: skip
