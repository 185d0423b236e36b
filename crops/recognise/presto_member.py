"""Presto's encoder as a member of the recogniser: its numbers and a linear classifier on them.

Owns the months that it is shown, the classifier, and whether it answers: only where held-out labels
gain by more than a standard error. Where nobody names weights there is no such member.

Source: Tseng et al. (2023) Lightweight, pre-trained transformers for remote sensing timeseries (the
linear probe of its section 4).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from fieldline.crops.networks.machine import Machine, choose_machine
from fieldline.crops.networks.presto import MOST_MONTHS, NDVI, Encoder, embedded, read_encoder
from fieldline.crops.recognise.calibration import Mix, best_mix, row_losses
from fieldline.crops.recognise.features import Cube, View
from fieldline.crops.recognise.forest import Labels
from fieldline.crops.series import Floats, normalised
from fieldline.crops.settings import ClassifySettings

PRESTO = "presto"
_SHARES = (1 / 9, 1 / 4, 1 / 2)
"""Weights that it may have beside the others, over theirs together."""
_PENALTY, _ROUNDS, _TINY = 0.1, 2000, 1e-6
_YEAR = 2024
"""Any year that has every day."""


@dataclass(frozen=True)
class Linear:
    """A linear classifier of the encoder's numbers."""

    mean: Floats
    spread: Floats
    slopes: Floats
    """(numbers, classes)."""
    level: Floats
    """By class; minus infinity where it had no label."""

    def predict(self, numbers: Floats) -> Floats:
        """Return class probabilities, (rows, classes)."""
        scores = (numbers - self.mean) / self.spread @ self.slopes + self.level
        power = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(power / power.sum(axis=1, keepdims=True))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def fit_linear(numbers: Floats, labels: Labels, classes: int) -> Linear:
    """Fit by penalised maximum likelihood on numbers that are scaled to a spread of one."""
    mean, spread = numbers.mean(axis=0), numbers.std(axis=0) + _TINY
    model = LogisticRegression(C=_PENALTY, max_iter=_ROUNDS)
    model.fit((numbers - mean) / spread, labels)
    coefficients, level = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients, level = np.stack([0 * coefficients[0], coefficients[0]]), [0.0, level[0]]
    slopes, levels = np.zeros((numbers.shape[1], classes)), np.full(classes, -np.inf)
    slopes[:, model.classes_], levels[model.classes_] = coefficients.T, level
    return Linear(mean, spread, slopes, levels)


@dataclass(frozen=True)
class PrestoMember:
    """The encoder, the months of the steps and the classifier."""

    encoder: Encoder
    months: tuple[int, ...]
    """Calendar month of each step."""
    linear: Linear
    machine: Machine

    def predict(self, cube: Cube) -> Floats:
        """Return class probabilities of parcels with clear dates, (parcels, classes)."""
        return self.linear.predict(numbers_of(self.encoder, cube, self.months, self.machine))


def step_months(grid: Mapping[str, Any], steps: int) -> tuple[int, ...]:
    """Return the calendar month of the middle of each step, 1..12.

    Args:
        grid: Grid of a season (`Clock.grid`), or `steps` alone: those then span a calendar year.
        steps: Number of steps.
    """
    days, first, month, day = 365 / int(grid.get("steps", 1)), 0, 1, 1
    if "starts" in grid:
        days, first = float(grid["step_days"]), int(grid["first_step"])
        month, day = (int(part) for part in grid["starts"].split("-"))
    begins = dt.datetime(_YEAR, month, day)
    return tuple(
        (begins + dt.timedelta(days=(first + step + 0.5) * days)).month for step in range(steps)
    )


def monthly(cube: Cube, months: tuple[int, ...]) -> tuple[dict[str, Floats], list[int]]:
    """Return monthly means, (parcels, months) by optical band and NDVI, and the months told.

    Steps of the same month one after the other are one column.
    """
    month = np.asarray(months)
    begins = np.flatnonzero(np.diff(month, prepend=0))
    counts = np.diff(np.append(begins, len(month)))
    means = np.add.reduceat(cube.values, begins, axis=1) / counts[:, None]
    shown = {name: means[:, :, at] for at, name in enumerate(cube.bands)}
    shown[NDVI] = normalised(shown["B08"], shown["B04"])
    return shown, month[begins].tolist()


def numbers_of(encoder: Encoder, cube: Cube, months: tuple[int, ...], machine: Machine) -> Floats:
    """Return the encoder's numbers of parcels with clear dates, (parcels, numbers)."""
    return embedded(encoder.weights, *monthly(cube, months), machine)


@dataclass(frozen=True)
class PrestoTried:
    """What became of it."""

    encoder: Encoder
    why_not: str = ""
    """Why it was not tried; empty where it was."""
    said: Floats | None = None
    """(rows, classes) probabilities of each labelled row by a classifier that had not seen it."""
    member: PrestoMember | None = None
    """Learnt from all labels; None where it does not answer."""
    gain: float = 0.0
    """Fall of the log loss of held-out labels by its word, nats a label ..."""
    gain_error: float = 0.0
    """... and the standard error of that."""

    def told(self, mix: Mix) -> dict[str, Any]:
        """Return what the card says of it."""
        if self.why_not:
            return {"encoder": self.encoder.origin, "not_tried": self.why_not}
        return {
            "encoder": self.encoder.origin, "answers": self.member is not None,
            "weight": mix.weights.get(PRESTO, 0.0), "gain": self.gain,
            "gain_error": self.gain_error,
        }  # fmt: skip


def try_presto(
    cube: Cube, view: View, months: tuple[int, ...], labels: Labels, classes: int,
    fold: NDArray[np.int64], settings: ClassifySettings,
) -> PrestoTried | None:  # fmt: skip
    """Learn from the encoder's numbers without each fold, and from all; None where not wanted.

    Raises:
        UserError: The weights cannot be read, or torch is not installed.
    """
    if settings.presto is None:
        return None
    encoder = read_encoder(settings.presto)
    columns = 1 + int(np.count_nonzero(np.diff(months)))
    why = (
        "the view shape compares the course of indices alone" if view == "shape"
        else "it is shown B04 and B08" if not {"B04", "B08"} <= set(cube.bands)
        else "the months of the series are not known" if not months
        else f"it takes {MOST_MONTHS} months at most" if columns > MOST_MONTHS
        else ""
    )  # fmt: skip
    if why:
        return PrestoTried(encoder, why)
    machine = choose_machine(settings.device, mixed=False)
    numbers = numbers_of(encoder, cube, months, machine)
    said = np.full((len(labels), classes), 1.0 / classes)
    for number in np.unique(fold):
        train, test = fold != number, fold == number
        if len(np.unique(labels[train])) > 1:
            said[test] = fit_linear(numbers[train], labels[train], classes).predict(numbers[test])
    member = PrestoMember(encoder, months, fit_linear(numbers, labels, classes), machine)
    return PrestoTried(encoder, said=said, member=member)


def beside(
    tried: PrestoTried, members: Mapping[str, Floats], mix: Mix, labels: Labels
) -> tuple[PrestoTried, Mix]:
    """Return what became of it and the mix: with its word where held-out labels gain by more than
    a standard error, else as it was.

    Args:
        tried: Its word on held-out labels.
        members: Raw probabilities of the other members.
        mix: How they are mixed.
        labels: True classes.
    """
    if tried.said is None:
        return tried, mix
    whole = sum(mix.weights.values())
    more = {**members, PRESTO: tried.said}
    found = best_mix(more, labels, [mix.weights | {PRESTO: part * whole} for part in _SHARES])
    gain = row_losses(mix.of(members), labels) - row_losses(found.of(more), labels)
    error = float(gain.std() / np.sqrt(len(gain)))
    tried = replace(tried, gain=float(gain.mean()), gain_error=error)
    return (tried, found) if tried.gain > error else (replace(tried, member=None), mix)
