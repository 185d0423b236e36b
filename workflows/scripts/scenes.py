from pathlib import Path

from pipeline.scenes import run_scenes
from pipeline.settings import SceneSettings, Season
from workflows.job import job

with job(snakemake.log[0]):
    run_scenes(
        Path(snakemake.input.catalog),
        Path(snakemake.input.parcels),
        season=Season(**snakemake.params.season),
        scenes=SceneSettings(**snakemake.params.scenes),
        out=Path(snakemake.output.scenes),
        outcomes=Path(snakemake.output.outcomes),
    )
