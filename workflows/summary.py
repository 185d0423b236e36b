"""What became of every parcel and farmer of a run: counted, printed, turned into an exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.config.model import Config
from fieldline.workflows.stages import STAGE_NAMES, STAGES


@dataclass(frozen=True)
class RunSummary:
    """Outcome counts of one county and season."""

    county: str
    season: str
    folder: Path
    counts: pd.DataFrame
    """Columns stage, outcome, effect, rows."""
    parcels: int
    stopped: int


@dataclass(frozen=True)
class Summary:
    """Outcome counts of a whole run."""

    runs: tuple[RunSummary, ...]
    database: str
    threshold: float

    @property
    def above_threshold(self) -> bool:
        """Whether any county lost more parcels than the configured share."""
        return any(r.parcels and r.stopped / r.parcels > self.threshold for r in self.runs)


def summarise(config: Config) -> Summary:
    """Count the outcomes of every county and season of a finished run."""
    runs = [
        summarise_outcomes(county, season, config.results / season / county)
        for county, season in config.runs()
    ]
    return Summary(tuple(runs), config.database_url(), config.failure_threshold)


def summarise_outcomes(county: str, season: str, folder: Path) -> RunSummary:
    """Count the rows of `outcomes.parquet` by stage and code."""
    frame = read_table(folder / "outcomes.parquet")
    codes = outcome_codes()
    frame["effect"] = [OK if c == OK else codes[c].effect for c in frame["outcome"]]
    counts = frame.groupby(["stage", "outcome", "effect"], as_index=False).size()
    counts = counts.rename(columns={"size": "rows"})
    order = {stage: position for position, stage in enumerate(STAGE_NAMES)}
    counts = counts.sort_values(
        ["stage", "rows"], key=lambda s: s.map(order) if s.name == "stage" else -s
    )
    about_parcels = [stage.name for stage in STAGES if stage.about == "parcel"]
    of_parcels = frame[frame["stage"].isin(about_parcels)]
    stopped = of_parcels.loc[of_parcels["effect"] == "stop", "parcel_id"].nunique()
    parcels = int((frame["stage"] == "intake").sum())
    return RunSummary(county, season, folder, counts.reset_index(drop=True), parcels, stopped)


def print_summary(summary: Summary, *, as_json: bool = False) -> None:
    """Print the outcome table of a run, as text or JSON."""
    if as_json:
        print(json.dumps([_as_dict(run) for run in summary.runs], indent=2))
        return
    for run in summary.runs:
        _print_table(run)


def _as_dict(run: RunSummary) -> dict[str, object]:
    return {
        "county": run.county,
        "season": run.season,
        "parcels": run.parcels,
        "stopped": run.stopped,
        "outcomes": run.counts.to_dict("records"),
        "offers": str(run.folder / "offers.csv"),
        "report": str(run.folder / "report.html"),
    }


def _print_table(run: RunSummary) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{run.county} {run.season}: what became of every row", title_justify="left"
    )
    for name, justify in (("stage", "left"), ("outcome", "left"), ("rows", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    previous = ""
    for row in run.counts.itertuples():
        stage = "" if row.stage == previous else str(row.stage)
        stops = "stopped" if row.effect == "stop" else ""
        table.add_row(stage, str(row.outcome), f"{row.rows:,}", stops)
        previous = str(row.stage)
    Console().print(table)
