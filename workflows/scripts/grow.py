from pathlib import Path

from fieldline.crops.growth.grow import run_grow
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.job import job, listed

with job(snakemake.log[0]):
    run_grow(
        Path(snakemake.input.observations),
        Path(snakemake.input.crops),
        season=Season(**snakemake.params.season),
        clear=ClearSettings(**snakemake.params.clear_dates),
        settings=GrowSettings(**snakemake.params.settings),
        out=Path(snakemake.output.growth),
        outcomes=Path(snakemake.output.outcomes),
        previous=listed(snakemake.input.previous),
    )
