"""Settings of the hand-over: what the bank's core system calls our products and farmers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from fieldline.pipeline.records.money import in_force
from fieldline.pipeline.records.settings import Section


class FineractProduct(Section):
    """One loan product of Apache Fineract that takes offers of one product and currency."""

    product: str
    """Product of the offers (`lending.policy.product`)."""
    currency: str = "CNY"
    """Their currency; the product of Fineract must be in it."""
    product_id: int = Field(gt=0)
    """Number of the loan product in Fineract."""
    digits: int | None = Field(None, ge=0, le=6)
    """Decimals that the product counts in; empty: those of the currency (ISO 4217). An offer that
    needs more of them is not handed over."""
    day_basis: Literal[360, 364, 365] | None = None
    """Days of a year, where the product fixes them: an offer on another basis is not handed over.
    Empty: each application states its own."""
    strategy: str = Field("mifos-standard-strategy", min_length=1, max_length=100)
    """Order in which Fineract books repayments (`transactionProcessingStrategyCode`), as the loan
    product has it."""

    @field_validator("currency")
    @classmethod
    def _in_force(cls, currency: str) -> str:
        return in_force(currency)


class FineractGuarantor(Section):
    """A guarantee company or risk pool as Fineract knows it: one of its clients, or an outsider."""

    guarantor: str
    """Company or pool, as `guarantor_id` of `inputs.guarantors` has it."""
    client_id: int | None = Field(None, gt=0)
    """Its client id in Fineract ..."""
    name: str = Field("", max_length=50)
    """... or, where it is no client there, the name under which it is entered."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.client_id is None) != bool(self.name.strip()):
            raise ValueError("give either client_id or name")
        return self


class FineractSettings(Section):
    """Hand-over to Apache Fineract."""

    tenant: str = Field("default", min_length=1)
    """Tenant (`Fineract-Platform-TenantId`)."""
    clients: Literal["reference", "external_id"] = "reference"
    """What the lender's number of a farmer is in Fineract: `reference` its client id, `external_id`
    the external id of its client, which is looked up (only with `--post`)."""
    products: tuple[FineractProduct, ...] = ()
    """Which loan product takes which offers; an offer of none is not handed over."""
    guarantors: tuple[FineractGuarantor, ...] = ()
    """Who covers lines; a covered offer of another one is not handed over."""
    user_env: str = "FIELDLINE_FINERACT_USER"
    """Environment variable of the user who posts."""
    password_env: str = "FIELDLINE_FINERACT_PASSWORD"
    """Environment variable of the password."""
    timeout_s: float = Field(30, gt=0, le=600)
    """Longest wait for one answer, s."""
    tries: int = Field(4, ge=1, le=20)
    """How often an offer is tried whose answer did not come."""
    pause_s: float = Field(2, ge=0, le=60)
    """Wait before the second try, s; it doubles with each."""

    @field_validator("guarantors")
    @classmethod
    def _named_once(cls, found: tuple[FineractGuarantor, ...]) -> tuple[FineractGuarantor, ...]:
        names = [one.guarantor for one in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"guarantor {twice!r} stands twice: keep one entry")
        return found


class HandoverSettings(Section):
    """Handing over to a core system."""

    fineract: FineractSettings = FineractSettings()
    """Apache Fineract."""
