from pathlib import Path

from crops.hazards import run_hazards
from crops.settings import HazardSettings
from pipeline.settings import Season
from workflows.job import job, listed

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
