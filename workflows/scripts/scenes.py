from pathlib import Path

from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import SceneSettings
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.job import job

with job(snakemake.log[0]):
    run_scenes(
        Path(snakemake.input.catalog),
        Path(snakemake.input.parcels),
        season=Season(**snakemake.params.season),
        scenes=SceneSettings(**snakemake.params.scenes),
        out=Path(snakemake.output.scenes),
        outcomes=Path(snakemake.output.outcomes),
    )
