"""Configuration of relations between applicants."""

from __future__ import annotations

from pydantic import Field

from fieldline.pipeline.records.settings import Section


class RelationSettings(Section):
    """From when what applicants have in common asks for a person. Two households never do: a family
    that has divided shares a phone, an account or a guarantee."""

    contact_households: int = Field(3, ge=3)
    """Households from which a shared phone, account or address asks for a person; assumption."""
    near_km: float = Field(3.0, ge=0)
    """A phone or address of farmers whose land lies within this is the village's, km (a village's
    land reaches one to three); assumption."""
    linked_households: int = Field(4, ge=3)
    """Households that phones and accounts tie together, two by two, from which a person looks;
    assumption."""
    ring_farmers: int = Field(3, ge=3)
    """Farmers from which people who guarantee for one another in a circle ask for a person."""
    chain_guarantors: int = Field(4, ge=2)
    """Guarantors one behind another from which a person looks: the first rests on the last;
    assumption."""
    idle_parcels: int = Field(2, ge=2)
    """Parcels of one farmer on which nothing grows ..."""
    idle_seasons: int = Field(2, ge=2)
    """... in this many finished seasons, watched throughout (this one once it is over) ..."""
    idle_share: float = Field(0.3, gt=0, le=1)
    """... and on this share of the land that he claims; assumption."""
    moved_share: float = Field(0.5, gt=0, le=1)
    """Share of a farmer's land that one other household claimed the season before, without a paper
    that shows why; assumption."""
    region_farmers: int = Field(3, ge=2)
    """Farmers of a village with land idle in several seasons from which it is looked at."""
    region_chance: float = Field(0.001, gt=0, lt=1)
    """Greatest chance that so many of them fall into any one village."""
