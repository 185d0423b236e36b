"""What became of every parcel and farmer of a run: counted, printed, turned into an exit code.

Owns the last page that a lending team reads: the outcomes, the inputs that were not given and what
that cost, the figures that are nobody's yet, and a sentence for each thing that makes the run end
with exit code 3. What each outcome means is data; what each absence costs is with the inputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.absent import absent_inputs
from fieldline.workflows.money_checks import assumptions
from fieldline.workflows.stages import STAGE_NAMES, STAGES

_VALUED = (OK, "price_stale")
"""Outcomes of the yield stage with which a parcel has its value."""


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
    findings: tuple[str, ...] = ()
    """Sentences on why the run as a whole failed its purpose, exit code 3."""
    files: tuple[str, ...] = ()
    """A sentence for each input file of which rows were refused or join nothing."""


@dataclass(frozen=True)
class Summary:
    """Outcome counts of a whole run."""

    runs: tuple[RunSummary, ...]
    database: str
    absent: dict[str, dict[str, str]]
    """Inputs not given and what that costs, by county."""
    assumed: dict[str, list[str]]
    """Figures of ours that offers of a real county rest on, by county."""

    @property
    def findings(self) -> list[str]:
        """What makes the run end with exit code 3, a sentence each."""
        return [f"{run.county} {run.season}: {text}" for run in self.runs for text in run.findings]


def summarise(config: Config) -> Summary:
    """Count the outcomes of every county and season of a finished run."""
    runs = [
        summarise_outcomes(
            county, season, config.results / season / county, threshold=config.failure_threshold
        )
        for county, season in config.runs()
    ]
    absent = {name: absent_inputs(config.county[name]) for name in config.counties}
    assumed = {name: assumptions(config, name) for name in config.counties}
    return Summary(tuple(runs), config.database_url(), absent, assumed)


def summarise_outcomes(county: str, season: str, folder: Path, *, threshold: float) -> RunSummary:
    """Count the rows of `outcomes.parquet` by stage and code, and find what failed the county.

    Args:
        county: County id.
        season: Season name.
        folder: Artifacts of the two.
        threshold: Share of stopped parcels above which the run is told to have failed.
    """
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
    findings = (*_stopped(stopped, parcels, threshold), *_unfit(folder, counts))
    counts = counts.reset_index(drop=True)
    files = tuple(_told_of_files(folder / "inputs.parquet"))
    return RunSummary(county, season, folder, counts, parcels, stopped, findings, files)


def _told_of_files(path: Path) -> Iterator[str]:
    """Yield what of each input file could not be used; an older run has no such account."""
    if not path.exists():
        return
    for row in read_table(path).to_dict("records"):
        told = {"refused": "refused", "unmatched": "naming nothing that the county knows"}
        parts = [f"{row[name]:,} {what}" for name, what in told.items() if row[name]]
        if parts:
            yield f"{row['input']} {row['file']}: {' and '.join(parts)}, of {row['rows']:,} rows"


def _stopped(stopped: int, parcels: int, threshold: float) -> Iterator[str]:
    if parcels and stopped / parcels > threshold:
        yield (
            f"{stopped:,} of {parcels:,} parcels were stopped by an outcome, more than "
            f"failure_threshold {threshold:.0%} allows; the table of outcomes says by which"
        )


def _unfit(folder: Path, counts: pd.DataFrame) -> Iterator[str]:
    """Yield why no offer of a county can mean anything: nothing valued, or nobody judged."""
    profiles = read_table(folder / "profiles.parquet", ["level", "parcels_valued"])
    if int(profiles.loc[profiles["level"] == "farmer", "parcels_valued"].sum()) == 0:
        yield f"nothing could be valued, so nothing is offered{_main_cause(counts)}"
    elif read_table(folder / "decisions.parquet", ["pd"])["pd"].isna().all():
        card = json.loads((folder / "models" / "pd.json").read_text(encoding="utf-8"))["card"]
        why = f" ({card['problem']})" if card.get("problem") else ""
        yield (
            f"no farmer could be judged, since there is no default model{why}; a person decides "
            "every case. A model needs finished loans in inputs.loan_history"
        )


def _main_cause(counts: pd.DataFrame) -> str:
    """Return the commonest outcome that kept parcels from a value, with the operator's remedy."""
    valuing = counts[(counts["stage"] == "yield") & ~counts["outcome"].isin(_VALUED)]
    causes = valuing if len(valuing) else counts[counts["effect"] == "stop"]
    if causes.empty:
        return ""
    first = causes.sort_values("rows", ascending=False, kind="stable").iloc[0]
    code = outcome_codes()[first["outcome"]]
    text = code.english[:1].lower() + code.english[1:]
    return f": {text} ({code.code}, {first['rows']:,} rows). {code.remedy.rstrip('.')}"


def print_summary(summary: Summary, *, as_json: bool = False) -> None:
    """Print the outcome table of a run, as text or JSON."""
    if as_json:
        inputs = [
            {"absent": summary.absent[run.county], "assumed": summary.assumed[run.county]}
            for run in summary.runs
        ]
        runs = zip(summary.runs, inputs, strict=True)
        print(json.dumps([_as_dict(run) | told for run, told in runs], indent=2))
        return
    for run in summary.runs:
        _print_table(run)
        for sentence in run.files:
            print(f"{run.county} {run.season}: {sentence}; see `fieldline inputs check`.")
    for line in told_of_inputs(summary.absent, summary.assumed):
        print(line)


def told_of_inputs(
    absent: Mapping[str, Mapping[str, str]], assumed: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return a line for each input not given and each figure assumed, the county before it.

    Args:
        absent: Costs of absence by county and input.
        assumed: Sentences by county.
    """
    lines = [
        f"{county}: {name} is not given: {costs}."
        for county, inputs in absent.items()
        for name, costs in inputs.items()
    ]
    told = [f"{county}: {text}." for county, texts in assumed.items() for text in texts]
    return lines + told


def _as_dict(run: RunSummary) -> dict[str, object]:
    return {
        "county": run.county,
        "season": run.season,
        "parcels": run.parcels,
        "stopped": run.stopped,
        "findings": list(run.findings),
        "files": list(run.files),
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
