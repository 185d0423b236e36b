"""Configuration sections of the lending room: product, policy, price and risk."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from fieldline.lending.portfolio.settings import PortfolioSettings
from fieldline.lending.relations.settings import RelationSettings
from fieldline.pipeline.records.money import exponent, from_minor, in_force, to_minor
from fieldline.pipeline.records.settings import Section, TableName

_DIMENSIONS = ("size", "crop", "tenure")
"""What figures are told by in any county."""


class EvidenceSettings(Section):
    """Declared x seen x registry."""

    area_tolerance: float = Field(0.15, ge=0, lt=1)
    """Relative area difference that still counts as agreement."""
    field_border_m: float = Field(4.0, ge=0)
    """A ring may reach beyond its own seen fields by one pixel and a strip of this width along its
    outline, the error of seen borders, metres (on 429 real fields of Magdeburg, drawn as they are
    and 10 m aside, 1 and 5 are then found too large; at 2 m 8 and 20)."""
    misplaced_m: float = Field(1.0, ge=0)
    """What a ring leaves undrawn of its own seen field is set against what it reaches beyond, up to
    a strip of this width along its outline, metres: drawn aside is not drawn too large (1,366
    outlines of a coast, 10 m aside: newly found too large 32 without it, 18 with it)."""
    claim_iou: float = Field(0.05, gt=0, le=1)
    """IoU from which two applicants claim the same ground."""
    claim_overlap: float = Field(0.2, gt=0, le=1)
    """Overlap share of the smaller parcel from which two applicants claim the same ground."""
    registry_max_age_days: int = Field(730, ge=1)
    """Registry rows older than this at the as-of date are stale."""
    gps_tolerance_m: float = Field(5.0, ge=0)
    """Overlaps thinner than this along a shared edge are GPS wobble, not a claim (phone GNSS error
    under open sky is about 5 m) ..."""
    claim_wobble_share: float = Field(0.5, gt=0, le=1)
    """... unless they cover this share of the smaller parcel."""
    min_pixels_seen: float = Field(1.0, ge=0)
    """Parcels with less coverage than this, pixels, are too small for the seen area to count."""
    idle_fraction: float = Field(0.1, ge=0, lt=1)
    """Planted share below which no crop cycle is taken as seen."""
    idle_min_pixels: float = Field(4.0, ge=0)
    """Parcels below this many pixels are never called idle: mixed pixels hide small crops."""
    crop_conflict_probability: float = Field(0.8, gt=0, le=1)
    """Probability of the crop seen from which a difference is a conflict rather than a doubt."""
    claim_registered_share: float = Field(0.5, gt=0, le=1)
    """A registered holder keeps disputed ground where the registered area, laid on the undisputed
    part of the ring first, still covers this share of it."""
    unproven_lease_share: float = Field(0.5, ge=0, le=1)
    """Share of the area that counts where the registry names another holder and neither a lease nor
    the holder's confirmation was handed in; assumption."""
    photo_settles: Literal["accept", "review"] = "accept"
    """What a verified photo or seed receipt does to a parcel whose images contradict it: the paper
    is accepted, or a person looks at both."""
    emergence_days: int = Field(45, ge=0, le=120)
    """Days from the last sowing day of a crop's template until its growth must be seen;
    assumption."""
    protected_min_share: float = Field(0.05, ge=0, le=1)
    """A parcel is stopped where at least this share of it lies in a protected area by more than
    `gps_tolerance_m` ..."""
    protected_min_m2: float = Field(200.0, ge=0)
    """... and at least this area, m2 (two pixels of 10 m) ..."""
    protected_most_share: float = Field(0.5, gt=0, le=1)
    """... or, on a parcel of any size, this share of it."""


class IndicatorSettings(Section):
    """Indicators of applicants."""

    layer: Annotated[str | None, TableName] = None
    """Own table over `data/indicators.csv`: its columns and `county`. A row overrides or adds an
    indicator for the county that it names, or for all where that is blank; `active` 0 leaves one
    out. Empty: the base alone."""


class FairnessSettings(Section):
    """Fairness and inclusion: figures by group of farmers."""

    suppress_below: int = Field(10, ge=2)
    """Groups of fewer farmers are not shown, nor what would let their count be reckoned."""
    protected: tuple[str, ...] = ()
    """Columns of the table of applications that no decision may rest on (`gender`): decisions are
    told by them too, and nothing else reads them."""

    @field_validator("protected")
    @classmethod
    def _new_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name.strip() or name in _DIMENSIONS or names.count(name) > 1:
                raise ValueError(f"{name!r} is blank, stands twice or is one of {_DIMENSIONS}")
        return names


class RiskSettings(Section):
    """Default model."""

    model: Annotated[str | None, TableName] = None
    """`manifest.json` of an approved model folder (`fieldline risk gate`) that serves; empty: the
    one that the run itself trains."""
    expert: bool = True
    """Whether the expert scorecard stands in where loans are too few to train a model; otherwise a
    person decides every case."""
    expert_file: Annotated[str | None, TableName] = None
    """Points of the expert scorecard, a path of your own; empty means the table of data/."""

    folds: int = Field(5, ge=2)
    """Cross-validation folds, grouped by household."""
    min_loans: int = Field(200, ge=50)
    """Loan histories shorter than this train no model."""
    min_defaults: int = Field(30, ge=10)
    """Loan histories with fewer defaults train no model (the slope of calibration is unstable)."""
    search: int = Field(4, ge=0, le=4)
    """How many ways for trees to grow inner folds choose from; 0 takes the rounds, depth and so on
    that follow as they stand."""
    trees: int = Field(150, ge=10)
    """Boosting rounds."""
    depth: int = Field(3, ge=1, le=8)
    """Depth of a tree: interactions of at most this many features."""
    learning_rate: float = Field(0.05, gt=0, le=1)
    """Shrinkage of each tree."""
    min_child_weight: float = Field(5.0, ge=0)
    """Least hessian weight in a leaf: no leaf speaks for a handful of farmers."""
    subsample: float = Field(0.8, gt=0, le=1)
    """Share of loans drawn per tree."""
    l2: float = Field(1.0, ge=0)
    """Ridge penalty on leaf weights."""
    bins: int = Field(8, ge=2, le=20)
    """Most bins per feature of the scorecard, besides those of heavy and special values."""
    seed: int = 41
    """Random seed."""


class PolicySettings(Section):
    """Limit, price and terms of the product."""

    AMOUNTS: ClassVar[tuple[str, ...]] = (
        "max_limit", "min_limit", "exposure_cap_household", "exposure_cap_farmer", "limit_step",
        "household_need_per_head", "rent_per_mu", "line_cost",
    )  # fmt: skip
    """Settings that are amounts of money: with another currency each must be stated anew."""

    product: str = "season-line"
    """Product name in the offer."""
    currency: str = "CNY"
    """Currency of the amounts in this section; the counties that it decides must lend in it."""
    dscr_min: Decimal = Field(Decimal("1.25"), ge=1, le=10)
    """Least debt service coverage of the q10 capacity."""
    max_limit: Decimal = Field(Decimal("300000"), gt=0)
    """Policy cap per farmer, units of `currency`: the most that is lent, also to whoever could bear
    more."""
    expert_limit_share: Decimal = Field(Decimal("0.1"), gt=0, le=1)
    """Share of `max_limit` that a farmer judged by the expert scorecard may get: no loan has tested
    it; assumption."""
    min_limit: Decimal = Field(Decimal("200"), ge=0)
    """Smaller lines are not worth their cost to the farmer and are declined with that reason, units
    of `currency`; kept low because a farmer with 3 mu needs about 2,000 yuan to grow a crop."""
    line_cost: Decimal = Field(Decimal("2"), ge=0)
    """What a line costs the lender whatever its size, units of `currency`: the least line is also
    the smallest whose part of `opex_rate` over the tenor bears it. 2 yuan are of the
    order reported by lenders without branches, assumption; 60 where an officer drives out."""
    exposure_cap_household: Decimal = Field(Decimal("400000"), ge=0)
    """Sum of lines and debt due within a year of one household, units of `currency`."""
    exposure_cap_farmer: Decimal = Field(Decimal("350000"), ge=0)
    """Line and debt due within a year of one farmer, units of `currency`."""
    limit_step: Decimal = Field(Decimal("100"), gt=0)
    """Limits are rounded down to this step, once, as the last act, units of `currency`."""
    rate_step: Decimal = Field(Decimal("0.0001"), gt=0, lt=1)
    """Rates are rounded up to this step (one basis point) and then held against the ceiling."""
    post_harvest_share: Decimal = Field(Decimal("0.10"), ge=0, le=1)
    """Need beyond growing the crop: post-harvest and household costs (10 %, RBI Kisan Credit Card
    master circular)."""
    maintenance_share: Decimal = Field(Decimal("0.20"), ge=0, le=1)
    """Need beyond growing the crop: upkeep of farm assets (20 %, same source)."""
    harvest_loss_share: Decimal = Field(Decimal("0.03"), ge=0, lt=1)
    """Share of the yield lost between field and sale; assumption."""
    tenor_days: int = Field(365, ge=1, le=366)
    """Tenor of the line, days from its signing: the twelve months that an unsecured line may last
    at most, so that every crop of a year can be cut within it."""
    offer_valid_days: int = Field(30, ge=1)
    """Days from the as-of date in which the farmer may sign."""
    day_basis: Literal[360, 365] = 360
    """Day-count basis of interest."""
    household_need_per_head: Decimal = Field(Decimal("6000"), ge=0)
    """Yearly subsistence need per household member, units of `currency`; assumption."""
    household_size_default: int = Field(3, ge=1)
    """Household size where the application gives none; assumption."""
    off_farm_share: Decimal = Field(Decimal("0.7"), ge=0, le=1)
    """Share of the stated off-farm income that counts: it is stated, not seen, and pays
    other debts first (they are due by contract), the household next and this line never;
    assumption."""
    need_income_share: Decimal = Field(Decimal("0.5"), ge=0, le=1)
    """The farm's part of the subsistence need is at most this share of its poor-year (q10) income:
    a household that lives on less land than its need already lives from other work; assumption."""
    off_farm_unproven_share: Decimal = Field(Decimal("0.25"), ge=0, le=1)
    """Off-farm income that is stated and not proven carries at most this share of the household's
    need ...; assumption."""
    off_farm_unproven_debt_share: Decimal = Field(Decimal("0.25"), ge=0, le=1)
    """... and pays other debts with at most this share of what is counted of it: debts that are
    stated count in full, and a household that lives of wages pays them of wages; assumption."""
    rent_per_mu: Decimal = Field(Decimal("300"), ge=0)
    """Yearly rent of leased land where no paper proves another, units of `currency` per mu; order
    of magnitude of land cost in national cost surveys, assumption."""
    insurance_trigger: Decimal = Field(Decimal("0.3"), ge=0, le=1)
    """Share of a parcel's yield that must be lost before crop insurance pays; assumption."""
    insurance_share: Decimal = Field(Decimal("0.8"), ge=0, le=1)
    """Share of the sum insured times the loss that is counted on (stages, disputes); assumption."""
    guarantee_share: Decimal = Field(Decimal("0.5"), ge=0, le=1)
    """Share of a verified guarantee that raises what a line may be; assumption."""
    contract_share: Decimal = Field(Decimal("0.6"), ge=0, le=1)
    """Share of an assigned purchase contract on which a line may rest; assumption."""
    contract_required: bool = False
    """Whether the product lends against assigned purchase contracts alone: at most `contract_share`
    of what they count for, and nothing without one."""
    cover_counted: Decimal = Field(Decimal("0.9"), ge=0, le=1)
    """Share of what a guarantee company or risk pool covers that is counted on (disputes, delay,
    its own failure); assumption."""
    own_level_share: Decimal = Field(Decimal("0.5"), ge=0, le=1)
    """Share of a parcel's departure from its neighbours' yield that stays with it next season;
    assumption."""
    next_year_spread: Decimal = Field(Decimal("1"), ge=1, le=3)
    """Caution on the spread of next season's county yield, which holds already how few years are
    known."""
    crops_yield_correlation: float = Field(0.3, ge=0, le=1)
    """Correlation of two crops' county yields in one year (log); assumption: between winter wheat
    and maize it is .02 (Spain, half irrigated) and .16 (Netherlands) on CY-Bench, between summer
    crops more."""
    crops_price_correlation: float = Field(0.55, ge=0, le=1)
    """Correlation of two crops' prices over the months to the sale (log; World Bank, six crops,
    6 and 12 months: .51 to .62)."""
    declared_crop_share: Decimal = Field(Decimal("0.5"), ge=0, le=1)
    """Chance given to a declared crop that is not up yet; the rest goes by what the county's
    parcels grew; assumption."""
    rotation_prior: float = Field(5.0, gt=0)
    """Parcels' worth of the county's crop shares in what follows a crop; assumption."""
    rotation_least: float = Field(0.05, ge=0, lt=0.5)
    """Crops that follow more rarely than this are left out of a parcel's next harvest;
    assumption."""
    funding_rate: Decimal = Field(Decimal("0.028"), ge=0, lt=1)
    """Yearly cost of funding; assumption, put your own."""
    opex_rate: Decimal = Field(Decimal("0.012"), ge=0, lt=1)
    """Yearly operating cost as a share of the limit; assumption, put your own."""
    lgd: Decimal = Field(Decimal("0.55"), ge=0, le=1)
    """Loss given default; assumption."""
    capital_charge: Decimal = Field(Decimal("0.01"), ge=0, lt=1)
    """Yearly capital charge as a share of the limit; assumption, put your own."""
    margin: Decimal = Field(Decimal("0"), ge=0, lt=1)
    """Yearly margin over what the line costs, a share of the limit."""
    rate_ceiling_file: Annotated[str, TableName] = "rate_ceilings.csv"
    """Dated legal ceilings: a table of data/, or a path of your own."""
    scale_file: Annotated[str | None, TableName] = None
    """Dated scales of finance by crop and currency, a path of your own; empty means the table of
    data/. A crop without a row in the county's currency is financed at its cash cost."""
    rule_tables: Annotated[tuple[str, ...], TableName] = ()
    """Dated decision tables, CSV files of your own: rows by product, county, crop, amount, risk and
    confidence that decline, ask a person or set numbers of this section from a day on."""
    pd_decline: float = Field(0.2, gt=0, le=1)
    """Default probability from which access is declined; assumption."""
    pd_review: float = Field(0.1, gt=0, le=1)
    """Default probability from which a person decides; assumption."""
    unlike_margin: float = Field(0.25, ge=0)
    """A feature is unlike any loan learnt from where it is worse than 99 % of them by more than
    this share of their middle 98 %: the model then guesses, and a person decides."""
    challenger_gap: float = Field(0.15, gt=0, le=1)
    """A person decides from `pd_review` plus this on, as the second default model says it;
    assumption."""
    draws: int = Field(4000, ge=200)
    """Joint draws of yield and price behind the income quantiles."""
    seed: int = 53
    """Seed of the joint draws."""

    @field_validator("currency")
    @classmethod
    def _in_force(cls, currency: str) -> str:
        return in_force(currency)

    @model_validator(mode="after")
    def _amounts_of_this_currency(self) -> PolicySettings:
        """The default amounts are yuan: 500 of another currency is another policy."""
        default = type(self).model_fields["currency"].default
        unstated = [name for name in self.AMOUNTS if name not in self.model_fields_set]
        if self.currency != default and unstated:
            raise ValueError(
                f"currency is {self.currency} and the default amounts are {default}; state "
                f"{', '.join(unstated)} in {self.currency} too (no exchange rate is assumed)"
            )
        return self

    @model_validator(mode="after")
    def _in_order(self) -> PolicySettings:
        """A floor above its ceiling would decline everybody without saying why."""
        if self.line_cost > 0 and self.opex_rate == 0:
            raise ValueError(
                f"line_cost {self.line_cost} is paid by nothing, for opex_rate is 0; state a rate, "
                "or 0 for the cost too"
            )
        if self.min_limit > self.max_limit:
            raise ValueError(f"min_limit {self.min_limit} lies above max_limit {self.max_limit}")
        if self.pd_review > self.pd_decline:
            raise ValueError(f"pd_review {self.pd_review} lies above pd_decline {self.pd_decline}")
        return self


class PostingSettings(Section):
    """What a posting of offers may do unasked."""

    withdraw_share: float = Field(0.2, ge=0, le=1)
    """A posting that would withdraw more than this share of a county's live offers ..."""
    withdraw_least: int = Field(5, ge=1)
    """... and at least this many stops until `--confirm` is given: a list of farmers that was cut
    short must not take offers back."""


class AuditSettings(Section):
    """Key and anchors of the audit chain."""

    key_file: Path | None = None
    """File of mode 600 that holds the audit key; `FIELDLINE_AUDIT_KEY` may hold it instead.
    Keep it where whoever can write to the database cannot read. Empty: the chain is unkeyed."""
    anchor_file: Path | None = None
    """File to which every posting adds the head of the chain, on a disk that whoever can write to
    the database cannot. Empty: anchors are made with `fieldline audit anchor`."""


class LendingSettings(Section):
    """All stages of the lending room."""

    evidence: EvidenceSettings = EvidenceSettings()
    """Evidence."""
    relations: RelationSettings = RelationSettings()
    """Relations between applicants."""
    indicators: IndicatorSettings = IndicatorSettings()
    """Indicators."""
    risk: RiskSettings = RiskSettings()
    """Default model."""
    policy: PolicySettings = PolicySettings()
    """Product and policy."""
    posting: PostingSettings = PostingSettings()
    """Posting of offers."""
    fairness: FairnessSettings = FairnessSettings()
    """Figures by group of farmers."""
    portfolio: PortfolioSettings = PortfolioSettings()
    """Lines after posting."""

    @field_validator("policy")
    @classmethod
    def _payable(cls, policy: PolicySettings) -> PolicySettings:
        """An amount finer than the currency's least coin would be rounded away from what is stated.

        Asked here and not of a policy alone: records of the past are read as they are.
        """
        for name in policy.AMOUNTS:
            amount: Decimal = getattr(policy, name)
            if amount != from_minor(to_minor(amount, policy.currency), policy.currency):
                raise ValueError(
                    f"{name} {amount} has more decimals than {policy.currency} has "
                    f"({exponent(policy.currency)})"
                )
        return policy
