"""Judge: the model that decides a county, as `risk_train` left it.

Owns the step from a model folder to what cases are judged by, and models/pd.json. How a model
learns is `lending.risk`, what it says of whom is the decision's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fieldline.lending.risk.default_model import population_shift
from fieldline.lending.risk.folder import read_model
from fieldline.lending.risk.serve import Judging, judging


@dataclass(frozen=True)
class Judge:
    """What judges a county, or why nothing does."""

    model: Judging | None
    problem: str = ""
    """Why no model judges; empty where one does, the expert scorecard included."""
    stored: dict[str, Any] | None = None
    """The served document."""
    card: dict[str, Any] | None = None

    def document(self, applicants: pd.DataFrame) -> dict[str, Any]:
        """Return models/pd.json: card first, then everything needed to serve the model again.

        Args:
            applicants: Feature table of those who are judged, to tell how far they are from the
                loans that the model learnt from.
        """
        card = self.card or {"model": "pd", "trained": False, "problem": self.problem}
        if self.model is None or self.stored is None:
            return {"card": card}
        shift = population_shift(self.model.cohort, applicants)
        return {"card": {**card, "population_shift": shift}, "model": self.stored}


def read_judge(manifest: Path) -> Judge:
    """Return what judges a county.

    Args:
        manifest: `manifest.json` of the folder that `risk_train` made.

    Raises:
        UserError: The folder is damaged.
    """
    document, card = read_model(manifest)
    if document is None:
        return Judge(None, card["problem"], None, card)
    stands_in = not card["trained"]
    problem = "" if stands_in else card["problem"]
    return Judge(judging(document), problem, document, card)
