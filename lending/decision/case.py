"""Case: everything that one decision depends on, and nothing else.

Owns the frozen record whose stored form (`lending.decision.document`) lies in the decision's trace
and is its identity. Whatever is not in the case cannot move the decision, which is what makes an
old offer replayable.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from fieldline.lending.decision.backed import ContractCase, CoverCase, PreapprovedCase
from fieldline.lending.decision.document import completed, text
from fieldline.lending.decision.limit import Means
from fieldline.lending.decision.record import Record
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.canonical import text_hash
from fieldline.pipeline.records.money import from_minor

RULES_TODAY = 3
"""Version of the rules that new cases are decided by. Whoever changes what a case gives raises it
and keeps the old rule in `lending.decision.rules.RULES`; new words are no new rules."""


class ParcelCase(Record):
    """One parcel as the decision sees it."""

    parcel_id: str
    declared_area_m2: Decimal | None
    evidence_area_m2: Decimal
    declared_crop: str | None
    seen_crop: str | None
    valued_crop: str | None
    """Crop that income and need are reckoned with; None where the parcel has no value."""
    crop_basis: str
    scale_minor_per_mu: int
    """Scale of finance of the valued crop."""
    scale_basis: str
    codes: tuple[str, ...]
    """Evidence codes."""
    effect: str
    outcomes: tuple[str, ...]
    """Outcome codes of all stages but `ok`."""
    protected_m2: Decimal = Decimal(0)
    """Overlap with protected areas."""

    @property
    def counts(self) -> bool:
        """Whether the parcel adds to need: valued and not blocked."""
        return self.valued_crop is not None and self.effect != "block"


class PartyCase(Record):
    """Money of a farmer or a household, minor units."""

    farmers: int
    income_q10_minor: int
    income_q50_minor: int
    debt_service_minor: int
    debt_elsewhere_minor: int = 0
    """Part of the debt service that off-farm income pays."""
    household_need_minor: int
    requested_minor: int | None
    crop_cost_minor: int = 0
    """Growing costs, rent and insurance that the income is net of."""
    guaranteed_minor: int = 0
    """Guaranteed by others."""
    guaranteeing_minor: int = 0
    """Guaranteed for others."""
    off_farm_idle_minor: int = 0
    """Income from work off the farm that would count besides if it were proven."""
    household_size: int | None = None
    """People whose need the land bears, as stated or the policy's default."""

    @property
    def free_minor(self) -> int:
        """What a poor year leaves after all costs; may be negative."""
        borne = self.debt_service_minor - self.debt_elsewhere_minor
        return self.income_q10_minor - self.household_need_minor - borne

    def owing(self, debt_minor: int, guaranteeing_minor: int, hollow_minor: int = 0) -> PartyCase:
        """Return the same with more debt service, more guaranteed for others and less by others."""
        return self.model_copy(
            update={
                "debt_service_minor": self.debt_service_minor + debt_minor,
                "guaranteeing_minor": self.guaranteeing_minor + guaranteeing_minor,
                "guaranteed_minor": max(0, self.guaranteed_minor - hollow_minor),
            }
        )

    def means(self, currency: str) -> Means:
        """Return the same in units of the currency."""
        return Means(
            from_minor(self.income_q10_minor, currency),
            from_minor(self.household_need_minor, currency),
            from_minor(self.debt_service_minor, currency),
            from_minor(self.debt_elsewhere_minor, currency),
            from_minor(self.crop_cost_minor, currency),
            from_minor(self.guaranteed_minor, currency),
            from_minor(self.guaranteeing_minor, currency),
        )


class RiskCase(Record):
    """What the default model said, enough to explain it without the model."""

    model: str
    """Model name and content hash; empty where none judged."""
    problem: str
    """Why there is no model."""
    pd: Decimal | None
    """Probability of default within the product's tenor."""
    challenger: Decimal | None
    margin: float | None
    bias: float | None
    features: dict[str, float | None]
    contributions: dict[str, float]
    cohort: dict[str, dict[str, float | None]]
    finished_loans: int | None = None
    """Finished loans that the late ones are of; None where those are the ones on record."""

    @property
    def by_expert(self) -> bool:
        """Whether the expert scorecard judged, which no loan has tested."""
        return self.model.startswith("expert:")


class CeilingCase(Record):
    """The legal ceiling in force."""

    rate: Decimal
    rule: str
    valid_from: dt.date
    source: str


class LineCase(Record):
    """A line of the farmer's own or of the household, offered before, that may be running."""

    own: bool
    """Whether it is the farmer's; otherwise another's of the household."""
    county: str
    season: str
    product: str
    limit_minor: int
    valid_to: dt.date


class StatementCase(Record):
    """What the farmer owes or vouches for by the papers of another county or season."""

    county: str
    debt_service_minor: int
    """Other yearly debt service as stated there."""
    guaranteeing_minor: int
    """Guaranteed for others there, beyond what this case knows."""


class GuarantorCase(Record):
    """A guarantee of somebody who farms nothing in the county."""

    guarantor_id: str
    guaranteed_minor: int
    most_minor: int | None = None
    """What of it the guarantor can bear by what stands elsewhere; None for one unknown there."""

    @property
    def beyond_minor(self) -> int:
        """What of it counts for nothing."""
        if self.most_minor is None:
            return 0
        return max(0, self.guaranteed_minor - self.most_minor)


class RelationCase(Record):
    """What ties the farmer to other applicants, or to land on which nothing grows."""

    code: str
    """Code of `data/relation_codes.csv` whose effect was `review`."""
    count: int
    """What the code counts: households, farmers, guarantors or parcels."""
    others: tuple[str, ...] = ()
    """The other farmers, pseudonyms; some of them where there are many."""
    parcels: tuple[str, ...] = ()
    """Parcels that it rests on."""
    seasons: tuple[str, ...] = ()
    """Earlier seasons that it rests on."""


class ExclusionCase(Record):
    """An entry of an exclusion list about the farmer, in force on the as-of date."""

    effect: Literal["decline", "review", "unclear"]
    """`unclear`: the entry cannot be read in full."""
    reason: str
    source: str
    """Who keeps the list."""
    valid_to: dt.date | None
    """Last day in force; None for one without end."""


class RuleCase(Record):
    """A row of a decision table that is in force for a farmer."""

    table: str
    """Name of the file."""
    row: int
    """Data row, the first is 1."""
    crops: tuple[str, ...]
    """Crops of the farmer that it is about; one without a name where none is known."""
    bands: dict[str, tuple[Decimal, Decimal | None]] = Field(default_factory=dict)
    """Numbers from (included) and to (excluded; None without end) that it asks for, by name."""
    otherwise: bool = False
    """Whether it fires where no other row of the table does."""
    access: Literal["", "review", "decline"] = ""
    reason: tuple[str, str] = ("", "")
    """Why access is not given, in English and Chinese."""
    sets: dict[str, Decimal] = Field(default_factory=dict)
    """Numbers of the policy that it sets."""


class TablesCase(Record):
    """The lender's decision tables as far as they are about a farmer."""

    county: str
    crops: tuple[str, ...]
    """All crops of the farmer; one without a name where none is known."""
    rows: tuple[RuleCase, ...]


class ReviewCase(Record):
    """What a person decided on the case."""

    review_id: str
    verdict: Literal["approve", "decline"]
    limit_minor: int | None
    """Amount given; None where declined."""
    officer: str
    second: str
    """The other person who confirmed it; empty where none did."""
    reason: str
    made_on: dt.date
    valid_to: dt.date
    """Last as-of date for which it counts."""


class Case(Record):
    """Everything that a decision depends on."""

    farmer_id: str
    household_id: str
    as_of: dt.date
    currency: str
    parcels_declared: int
    refusals: tuple[str, ...]
    """Outcome codes of outlines refused at intake."""
    application: str
    """Outcome of the profile stage: `ok`, `no_application`, `bad_application`, ..."""
    application_detail: str
    parcels: tuple[ParcelCase, ...]
    farmer: PartyCase
    household: PartyCase
    household_free_minor: int
    """Sum of the positive free incomes of the household's farmers."""
    evidence_area_m2: Decimal
    risk: RiskCase
    ceiling: CeilingCase
    policy: PolicySettings
    lines: tuple[LineCase, ...] = ()
    """Lines of farmer and household, offered before or elsewhere, that may be running."""
    review: ReviewCase | None = None
    """A person's decision that stands for this evidence."""
    joint_members: int = 1
    """Farmers who apply together, this one included: they share the least line."""
    elsewhere: tuple[StatementCase, ...] = ()
    """What counts of the farmer's statements in other counties and seasons."""
    guarantors: tuple[GuarantorCase, ...] = ()
    """Who of outside the county guarantees for the farmer."""
    relations: tuple[RelationCase, ...] = ()
    """Relations that ask for a person."""
    exclusions: tuple[ExclusionCase, ...] = ()
    """Entries of exclusion lists about the farmer."""
    tables: TablesCase | None = None
    """Rows of the lender's decision tables that are in force; None where there are none."""
    confidence: Decimal | None = None
    """Least probability of the crop told on any parcel, 0 where one could not be told; None where
    no table asks for it."""
    contracts: tuple[ContractCase, ...] = ()
    """Purchase contracts of the farmer."""
    preapproved: PreapprovedCase | None = None
    """An entry of the lender's pre-approved list."""
    cover: CoverCase | None = None
    """A guarantee company or pool that covers part of the line."""
    rules: int = RULES_TODAY
    """Version of the rules that decide it, a key of `lending.decision.rules.RULES`."""

    def live_lines(self, *, own: bool) -> Decimal:
        """Return the sum of the lines that may be running, units of the currency.

        Args:
            own: Those of the farmer alone, or those of the whole household.
        """
        minor = sum(line.limit_minor for line in self.lines if line.own or not own)
        return from_minor(minor, self.currency)

    def counted(self) -> Case:
        """Return the case with what is known elsewhere in farmer's and household's means.

        The largest debt that was stated anywhere counts, and every guarantee given; of one received
        what its guarantor can bear.
        """
        if not self.elsewhere and not any(one.beyond_minor for one in self.guarantors):
            return self
        mine, home = self.farmer, self.household
        stated = max((one.debt_service_minor for one in self.elsewhere), default=0)
        owed = max(0, stated - mine.debt_service_minor)
        vouched = sum(one.guaranteeing_minor for one in self.elsewhere)
        hollow = sum(one.beyond_minor for one in self.guarantors)
        farmer, household = (party.owing(owed, vouched, hollow) for party in (mine, home))
        lost = max(0, mine.free_minor) - max(0, farmer.free_minor)
        return self.model_copy(
            update={
                "farmer": farmer, "household": household, "elsewhere": (), "guarantors": (),
                "household_free_minor": self.household_free_minor - lost,
            }
        )  # fmt: skip

    @property
    def decision_id(self) -> str:
        """Hash of the stored form: inputs, model, policy and rules, and no version of code."""
        return text_hash(text(self))

    @classmethod
    def of(cls, content: dict[str, Any]) -> Case:
        """Read a case back from its stored form, whatever fields have come since."""
        return cls.model_validate(completed(content, cls))


def policy_hash(policy: PolicySettings) -> str:
    """Return the content hash of a policy snapshot."""
    return text_hash(text(policy, "policy"), 16)
