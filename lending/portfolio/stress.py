"""Stress: what the lines may lose together, by the joint draws that their incomes were told by.

Owns the loss of a draw: a line is stressed where the harvest that repays it does not cover what
falls due, and then loses its LGD. Lines of one crop and one weather cell share the year's yield and
the price of a draw, so that they fall together. The model of income is `lending.profile.income`'s;
the expected loss goes by the default model's chances and has nothing of this in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fieldline.lending.portfolio.codes import LineOutcome
from fieldline.lending.portfolio.exposure import Folders
from fieldline.lending.portfolio.folders import RunFolder
from fieldline.lending.portfolio.incomes import Incomes
from fieldline.lending.portfolio.lines import Line, by_currency
from fieldline.lending.portfolio.settings import PortfolioSettings
from fieldline.lending.profile.income import IncomeModel, ParcelValue
from fieldline.lending.settings import PolicySettings

Draws = npt.NDArray[np.float64]

AS_DRAWN, DROUGHT, PRICE, BOTH = "as_drawn", "drought", "price_fall", "drought_and_price_fall"
SCENARIOS = (AS_DRAWN, DROUGHT, PRICE, BOTH)
LEVELS = (0.95, 0.99)
_TWO_SIDED = 1.96


@dataclass(frozen=True)
class Stressed:
    """The loss of one scenario over a currency's lines with draws; amounts in minor units."""

    scenario: str
    mean: float
    mean_error: float
    """Standard error of the mean by the number of draws."""
    quantiles: Mapping[float, tuple[float, float, float]]
    """By level: the quantile, and the bounds that its draws leave it at 95 %."""
    lines_mean: float
    """Lines stressed, mean over the draws."""
    missing_mean: float
    """Money that the harvests lack, mean over the draws."""
    by_group: Mapping[str, float] = field(default_factory=dict)
    """Mean loss by `dimension:group`."""


@dataclass(frozen=True)
class Losses:
    """Expected and stressed loss of the lines in one currency; amounts in minor units."""

    currency: str
    lines: int
    exposure_minor: int
    judged_minor: int
    """Exposure of the lines that a default model judged."""
    expected_minor: float
    drawn_lines: int
    """Lines whose incomes can be drawn."""
    drawn_minor: int
    scenarios: tuple[Stressed, ...]


@dataclass(frozen=True)
class Debtor:
    """A farmer with the lines that one harvest repays; amounts in minor units."""

    values: tuple[ParcelValue, ...]
    growing: float
    """Growing costs that incomes are drawn net of."""
    charges: float
    """Need and debts that the land bears."""
    due: float
    """What falls due of all lines of the farmer in this currency."""
    exposed: float
    lost: float
    """What is lost where the harvest does not cover it: LGD x exposure of the lines counted."""
    lines: int
    policy: PolicySettings
    groups: Mapping[str, float]
    """Share of the exposure by `dimension:group`."""

    def short(self, income: Draws) -> Draws:
        """Return what each draw lacks, zero where it lacks nothing.

        Costs that the lines do not pay for are paid by the harvest too, as in the rule of capacity
        (`lending.decision.limit.capacity_cap`).
        """
        available = income + self.growing - self.charges
        due = self.due + max(0.0, self.growing - self.exposed)
        return np.asarray(np.clip(due - available, 0.0, self.due))


def losses(
    lines: Sequence[Line], folders: Folders, settings: PortfolioSettings
) -> tuple[list[Losses], list[LineOutcome]]:
    """Return expected and stressed losses by currency, and of which lines neither is told.

    Args:
        lines: Lines that run.
        folders: What the run of each county and season keeps.
        settings: Draws, seed and scenarios.
    """
    outcomes = [LineOutcome(line.offer_id, "portfolio_no_pd")
                for line in lines if line.expected_minor is None]  # fmt: skip
    found = []
    for currency, own in by_currency(lines):
        reasons = {line.offer_id: undrawn(line, folders.get(line.folder)) for line in own}
        outcomes += [LineOutcome(name, code) for name, code in reasons.items() if code]
        drawn = [line for line in own if not reasons[line.offer_id]]
        judged = [line for line in own if line.expected_minor is not None]
        debtors = debtors_of(drawn, own, folders)
        found.append(
            Losses(
                currency, len(own), sum(line.exposure_minor for line in own),
                sum(line.exposure_minor for line in judged),
                sum(line.expected_minor or 0.0 for line in judged),
                len(drawn), sum(line.exposure_minor for line in drawn),
                stressed(debtors, settings),
            )
        )  # fmt: skip
    return found, outcomes


def undrawn(line: Line, folder: RunFolder | None) -> str:
    """Return why the incomes behind a line cannot be drawn; empty where they can."""
    if folder is None:
        return "portfolio_no_run"
    if folder.values is None:
        return "portfolio_no_draws"
    return "" if folder.values_of(line.farmer_id) else "portfolio_no_income"


def debtors_of(drawn: Sequence[Line], lines: Sequence[Line], folders: Folders) -> list[Debtor]:
    """Return one debtor for each farmer and run; other lines of the farmer are due beside it.

    Args:
        drawn: Lines of one currency whose incomes can be drawn.
        lines: All lines of that currency.
        folders: What the runs keep.
    """
    of_farmer: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        of_farmer[line.farmer_id].append(line)
    by_run: dict[tuple[str, ...], list[Line]] = defaultdict(list)
    for line in drawn:
        by_run[(*line.folder, line.farmer_id)].append(line)
    return [_debtor(own, of_farmer[name[-1]], folders) for name, own in by_run.items()]


def _debtor(own: Sequence[Line], beside: Sequence[Line], folders: Folders) -> Debtor:
    last = max(own, key=lambda line: line.offer["valid_from"])
    folder = folders.get(last.folder)
    values = () if folder is None else folder.values_of(last.farmer_id)
    farmer = last.counted.farmer
    return Debtor(
        values,
        growing=sum(value.chance * value.charges_minor for value in values),
        charges=farmer.household_need_minor + farmer.debt_service_minor
        - farmer.debt_elsewhere_minor,
        due=sum(line.due_minor for line in beside),
        exposed=sum(line.exposure_minor for line in beside),
        lost=sum(line.lgd * line.exposure_minor for line in own),
        lines=sum(line.exposure_minor > 0 for line in own),
        policy=last.case.policy,
        groups=_groups(values),
    )  # fmt: skip


def _groups(values: Sequence[ParcelValue]) -> dict[str, float]:
    """Return the part of each crop and weather cell, by area and chance."""
    parts: dict[str, float] = defaultdict(float)
    whole = sum(value.area_ha * value.chance for value in values)
    for value in values:
        part = value.area_ha * value.chance / whole if whole else 0.0
        parts[f"crop:{value.crop}"] += part
        parts[f"weather_cell:{value.cell or 'unknown'}"] += part
    return dict(parts)


@dataclass
class _Sum:
    """What a scenario comes to, debtor by debtor."""

    loss: Draws
    lines: float = 0.0
    missing: float = 0.0
    by_group: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, debtor: Debtor, short: Draws) -> None:
        bad = short > 0
        share = float(bad.mean())
        self.loss += debtor.lost * bad
        self.lines += debtor.lines * share
        self.missing += float(short.mean())
        for group, part in debtor.groups.items():
            self.by_group[group] += part * debtor.lost * share

    def told(self, scenario: str) -> Stressed:
        ordered = np.sort(self.loss)
        error = float(self.loss.std(ddof=1) / np.sqrt(len(ordered)))
        levels = {level: quantile_with_bounds(ordered, level) for level in LEVELS}
        return Stressed(
            scenario, float(self.loss.mean()), error, levels, self.lines, self.missing,
            dict(sorted(self.by_group.items())),
        )  # fmt: skip


def stressed(
    debtors: Sequence[Debtor],
    settings: PortfolioSettings,
    scenarios: Sequence[str] = SCENARIOS,
) -> tuple[Stressed, ...]:
    """Return what the debtors lose together, scenario by scenario.

    Args:
        debtors: Farmers with lines of one currency.
        settings: Draws, seed, correlation of cells, and how bad the named scenarios are.
        scenarios: Of `SCENARIOS`.
    """
    sums = {name: _Sum(np.zeros(settings.draws)) for name in scenarios}
    known: dict[IncomeModel, Incomes] = {}
    years = (None, settings.drought_quantile)
    for debtor in debtors:
        model = model_of(debtor.policy, settings, AS_DRAWN)
        incomes = known.setdefault(model, Incomes(model, years))
        drawn, drought = incomes.of(debtor.values)
        for name, found in sums.items():
            harvests = drought if name in (DROUGHT, BOTH) else drawn
            factor = 1 - settings.price_fall if name in (PRICE, BOTH) else 1.0
            found.add(debtor, debtor.short(harvests.at(factor)))
    return tuple(found.told(name) for name, found in sums.items())


def model_of(policy: PolicySettings, settings: PortfolioSettings, scenario: str) -> IncomeModel:
    """Return the model of incomes of a policy under a scenario."""
    model = IncomeModel(
        settings.draws, settings.seed, float(policy.harvest_loss_share),
        float(policy.insurance_trigger), float(policy.insurance_share),
        policy.crops_yield_correlation, policy.crops_price_correlation,
        cells_yield_correlation=settings.cells_yield_correlation,
    )  # fmt: skip
    if scenario in (DROUGHT, BOTH):
        model = replace(model, year_quantile=settings.drought_quantile)
    if scenario in (PRICE, BOTH):
        model = replace(model, price_factor=1 - settings.price_fall)
    return model


def quantile_with_bounds(ordered: Draws, level: float) -> tuple[float, float, float]:
    """Return a quantile of sorted draws and the order statistics that bound it at 95 %.

    Source: Conover (1999), Practical Nonparametric Statistics, section 3.2 (ranks of a binomial).
    """
    count = len(ordered)
    reach = _TWO_SIDED * np.sqrt(count * level * (1 - level))
    ranks = [np.ceil(count * level) - 1, np.floor(count * level - reach) - 1,
             np.ceil(count * level + reach)]  # fmt: skip
    value, low, high = (float(ordered[int(np.clip(rank, 0, count - 1))]) for rank in ranks)
    return value, low, high
