from pathlib import Path

from fieldline.crops.growth.history import PastSeason, run_history
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.job import job, listed

with job(snakemake.log[0]):
    growth = [*listed(snakemake.input.earlier_growth), Path(snakemake.input.growth)]
    crops = [*listed(snakemake.input.earlier_crops), Path(snakemake.input.crops)]
    seasons = [Season(**values) for values in snakemake.params.seasons.values()]
    run_history(
        [PastSeason(season, g, c) for season, g, c in zip(seasons, growth, crops, strict=True)],
        out=Path(snakemake.output.history),
        outcomes=Path(snakemake.output.outcomes),
        previous=listed(snakemake.input.previous),
    )
