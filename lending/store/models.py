"""Models: what a stored default model says of stored features, reckoned again.

Owns the step from a document of the store to the two probabilities that a case holds, so that one
that was exchanged is found although everything that follows from it agrees with itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fieldline.lending.risk.serve import judging, pd_of
from fieldline.pipeline.records.errors import UserError


class StoredModel:
    """A default model as the store holds it.

    Args:
        label: What decisions name it by.
        document: Its document: card, and what serves it.

    Raises:
        UserError: The document is no model of this version, or another one's.
    """

    def __init__(self, label: str, document: Mapping[str, Any]) -> None:
        try:
            card = document["card"]
            # Models of the first format held their loans' tenor in the card, or nowhere.
            days = {"loan_days": card.get("loan_days")}
            self._model = judging({**days, **document["model"], "card": card})
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"the stored model {label} cannot be served ({error!r})",
                "replay it with the version that made it",
            ) from error
        if self._model.label != label:
            raise UserError(
                f"the stored model {label} is that of {self._model.label}",
                "verify the audit chain",
            )

    def problem(self, risk: Mapping[str, Any], days: int) -> str:
        """Return in what the model's answer is not what a case holds; empty where it is.

        Args:
            risk: Part `risk` of a stored case.
            days: Tenor of the product.
        """
        said = pd_of(self._model, risk["features"], days)
        for name, found in (("pd", said.pd), ("challenger", said.challenger)):
            if risk[name] is None or Decimal(risk[name]) != found:
                return f"risk.{name} is stored as {risk[name]} and the model says {found}"
        return ""
