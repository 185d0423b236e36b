"""Bodies: what the decision API takes and gives, with the examples that its document shows.

Owns the shapes and their bounds; amounts are decimal strings in units of their currency, days ISO
8601, areas square metres. Nothing that names a person leaves: farmers are pseudonyms.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MOST_VERTICES = 10_000
"""Of all rings of an outline together: intake's own limits are finer."""
_MONEY = Field(ge=0, le=Decimal("1e12"), max_digits=18, decimal_places=4)
Money = Annotated[Decimal, _MONEY]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
"""Id of an application or offer."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _bounded(rings: Any) -> Any:
    if _vertices(rings) > MOST_VERTICES:
        raise ValueError(f"the outline has more than {MOST_VERTICES} vertices")
    return rings


def _vertices(rings: Any) -> int:
    if isinstance(rings, list) and rings and isinstance(rings[0], list):
        return sum(_vertices(part) for part in rings)
    return 1


Position = Annotated[
    list[Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]],
    Field(min_length=2, max_length=2),
]
Ring = Annotated[list[Position], Field(min_length=4, max_length=MOST_VERTICES)]
Rings = Annotated[list[Ring], Field(min_length=1, max_length=100)]


class Polygon(_Body):
    """A GeoJSON polygon, longitude before latitude (RFC 7946)."""

    type: Literal["Polygon"]
    coordinates: Annotated[Rings, AfterValidator(_bounded)]


class MultiPolygon(_Body):
    """A GeoJSON multipolygon."""

    type: Literal["MultiPolygon"]
    coordinates: Annotated[
        list[Rings], Field(min_length=1, max_length=100), AfterValidator(_bounded)
    ]


class Parcel(_Body):
    """An outline and what the farmer says of it."""

    outline: Annotated[Polygon | MultiPolygon, Field(discriminator="type")]
    declared_crop: Name | None = None
    declared_area_m2: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | None = None
    village: Name | None = None
    parcel_id: Name | None = None
    """A parcel of this farmer that the county knows; left out for other land."""


class Consent(_Body):
    """What the farmer agreed to: that this land is looked at and a line decided.

    With `recipient` and `data` the farmer also agreed that this one receives them; it stands beside
    the county's table of consents.
    """

    purpose: Literal["credit_decision"]
    given_on: dt.date
    expires_on: dt.date | None = None
    """Last day; left out, until it is withdrawn."""
    recipient: Name | None = None
    data: Annotated[list[Literal["identity", "offer"]], Field(max_length=2)] = []

    @model_validator(mode="after")
    def _whole(self) -> Consent:
        if self.expires_on is not None and self.expires_on < self.given_on:
            raise ValueError("the consent ends before it begins")
        if (self.recipient is None) != (not self.data):
            raise ValueError("a consent to hand over names both `recipient` and `data`")
        return self


class Facts(_Body):
    """What the farmer asks for and owes; left out, the county's file of applications counts."""

    household_size: Annotated[int, Field(ge=1, le=50)]
    household: Name | None = None
    requested_amount: Money | None = None
    annual_debt_service: Money = Decimal(0)
    off_farm_income: Money | None = None
    prior_loans: Annotated[int, Field(ge=0, le=1000)] = 0
    prior_late: Annotated[int, Field(ge=0, le=1000)] = 0


class ApplicationBody(_Body):
    """An application."""

    model_config = ConfigDict(
        extra="forbid", frozen=True,
        json_schema_extra={"examples": [{
            "county": "SIM001", "farmer": "F00012",
            "consent": {"purpose": "credit_decision", "given_on": "2024-09-01"},
            "parcels": [{
                "outline": {"type": "Polygon", "coordinates": [[
                    [115.0005, 33.0005], [115.0025, 33.0005], [115.0025, 33.0020],
                    [115.0005, 33.0020], [115.0005, 33.0005]]]},
                "declared_crop": "maize", "village": "Lower"}],
            "facts": {"household_size": 3, "requested_amount": "8000"},
        }]},
    )  # fmt: skip
    county: Name
    season: Name | None = None
    """The county's last one where left out."""
    farmer: Name
    """The lender's own number of the farmer; the answer carries a pseudonym."""
    consent: Consent
    parcels: Annotated[list[Parcel], Field(max_length=20)] = []
    """Drawn outlines; none to decide on what the county knows of the farmer."""
    facts: Facts | None = None


class Reason(_Body):
    """One reason of a decision, in the words in which it is told."""

    code: str
    english: str
    chinese: str


class OfferOut(_Body):
    """What stands for a farmer."""

    offer_id: str
    county: str
    season: str
    farmer_id: str
    product: str
    access: Literal["approve", "review", "decline"]
    status: Literal["live", "superseded", "withdrawn", "expired"]
    currency: str
    limit: str | None
    annual_rate: str | None
    tenor_days: int
    day_basis: int
    valid_from: dt.date
    valid_to: dt.date
    reasons: list[Reason]
    decision_id: str


class ApplicationOut(_Body):
    """Where an application stands."""

    application_id: str
    status: Literal["accepted", "working", "decided", "refused"]
    stage: str
    """Stage that it has come to, empty before the first."""
    county: str
    season: str
    farmer_id: str
    offer: OfferOut | None = None
    problem: str | None = None
    """Why it was refused, with the remedy."""


class EstimateOut(_Body):
    """What was decided for others on the same crop: a range of the past, no promise."""

    county: str
    season: str
    crop: str
    area_m2: float
    farmers: int
    """How many farmers the range is drawn from."""
    approved_share: float
    currency: str
    low: str
    """Tenth percentile of approved limits for this area."""
    high: str
    """Ninetieth percentile."""
    note: str


class QuoteOut(_Body):
    """What one draw costs."""

    offer_id: str
    currency: str
    amount: str
    drawn_on: dt.date
    repaid_on: dt.date
    days: int
    annual_rate: str
    day_basis: int
    interest: str
    to_repay: str


class Movement(_Body):
    """A draw or a repayment."""

    on: dt.date
    draw: Money = Decimal(0)
    repay: Money = Decimal(0)


class StatementBody(_Body):
    """What happened on a line since it was signed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True,
        json_schema_extra={"examples": [{
            "until": "2024-12-31",
            "movements": [{"on": "2024-10-08", "draw": "1000"},
                          {"on": "2024-12-01", "repay": "400"}],
        }]},
    )  # fmt: skip
    until: dt.date
    movements: Annotated[list[Movement], Field(max_length=1000)] = []


class Entry(_Body):
    """One line of a statement, after its movement."""

    on: dt.date
    draw: str
    repay: str
    interest_paid: str
    interest: str
    """Accrued since the last line and not yet paid."""
    principal: str


class StatementOut(_Body):
    """A line's account, reckoned from its terms and the movements told."""

    offer_id: str
    currency: str
    limit: str
    annual_rate: str
    day_basis: int
    until: dt.date
    entries: list[Entry]
    principal: str
    interest: str
    to_repay: str
    available: str


class Problem(_Body):
    """RFC 9457: one sentence with its remedy."""

    type: str
    title: str
    status: int
    detail: str


class Health(_Body):
    """Whether the server lives."""

    status: Literal["ok"]
