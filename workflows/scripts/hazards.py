from pathlib import Path

from fieldline.crops.growth.hazards import run_hazards
from fieldline.crops.settings import HazardSettings
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.job import job, listed

with job(snakemake.log[0]):
    run_hazards(
        Path(snakemake.input.weather),
        Path(snakemake.input.cells),
        Path(snakemake.input.growth),
        Path(snakemake.input.crops),
        season=Season(**snakemake.params.season),
        settings=HazardSettings(**snakemake.params.settings),
        out=Path(snakemake.output.hazards),
        outcomes=Path(snakemake.output.outcomes),
        previous=listed(snakemake.input.previous),
    )
