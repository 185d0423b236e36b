"""Relation: what ties the farmer to others."""

from __future__ import annotations

import pandas as pd

from fieldline.lending.indicators.joined import Joined


def relations_found(known: Joined) -> pd.Series[float]:
    """Codes of relations that ask for a person."""
    asks = known.relations[known.relations["effect"] == "review"]
    counts = asks.groupby("farmer_id").size().reindex(known.farmers.index)
    return counts.fillna(0).astype(float)


def sharing_households(known: Joined) -> pd.Series[float]:
    """Most households that a shared contact ties the farmer to; 0 for none that is told of."""
    shared = known.relations["code"].str.startswith(("shared_", "linked_"))
    counts = known.relations[shared].groupby("farmer_id")["count"].max()
    return counts.reindex(known.farmers.index).fillna(0).astype(float)


def guaranteed_to_asked(known: Joined) -> pd.Series[float]:
    """Guaranteed by others over the amount asked for."""
    asked = known.money("requested_minor")
    return known.money("guaranteed_minor") / asked.where(asked > 0)


def guaranteeing_to_income(known: Joined) -> pd.Series[float]:
    """Guaranteed for others over the income of a normal year."""
    income = known.money("income_q50_minor")
    return known.money("guaranteeing_minor") / income.where(income > 0)


def household_farmers(known: Joined) -> pd.Series[float]:
    """Farmers of the household who apply."""
    home = known.farmers["profiles.household_id"]
    return home.groupby(home).transform("size").astype(float)
