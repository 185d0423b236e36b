"""Behaviour: what the farmer asks for, owes, repaid and does with the land."""

from __future__ import annotations

import pandas as pd

from fieldline.lending.indicators.joined import Joined


def _over(part: pd.Series[float], whole: pd.Series[float]) -> pd.Series[float]:
    return part / whole.where(whole > 0)


def asked_to_income(known: Joined) -> pd.Series[float]:
    """Amount asked for over the income of a normal year."""
    return _over(known.money("requested_minor"), known.money("income_q50_minor"))


def debt_to_income(known: Joined) -> pd.Series[float]:
    """Other yearly debt service over the income of a normal year."""
    return _over(known.money("debt_service_minor"), known.money("income_q50_minor"))


def need_to_income(known: Joined) -> pd.Series[float]:
    """The household's need on the land over the income of a normal year."""
    return _over(known.money("household_need_minor"), known.money("income_q50_minor"))


def off_farm_share(known: Joined) -> pd.Series[float]:
    """Counted income from other work over all income; unknown where none was stated."""
    earned = known.money("off_farm_minor")
    return _over(earned, earned + known.money("income_q50_minor").clip(lower=0))


def late_share(known: Joined) -> pd.Series[float]:
    """Finished loans paid late over finished loans; unknown without any."""
    return _over(known.money("prior_late"), known.money("finished_loans"))


def loans_on_record(known: Joined) -> pd.Series[float]:
    """Finished loans on record."""
    return known.money("prior_loans")


def idle_seasons(known: Joined) -> pd.Series[float]:
    """Share of the seasons seen in which the land bore nothing."""
    seasons = known.parcels["history.seasons"].astype(float)
    return known.per_farmer(_over(known.parcels["history.idle_seasons"].astype(float), seasons))


def stability(known: Joined) -> pd.Series[float]:
    """Likeness of the seasons' growth."""
    return known.mean("history.stability")


def regularity(known: Joined) -> pd.Series[float]:
    """Likeness of the seasons' peak days."""
    return known.mean("history.regularity")
