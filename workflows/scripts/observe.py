from pathlib import Path

from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.settings import GridSettings, ObserveSettings, SceneSettings
from fieldline.workflows.job import job

with job(snakemake.log[0]):
    run_observe(
        Path(snakemake.input.scenes),
        Path(snakemake.input.parcels),
        grid=GridSettings(**snakemake.params.grid),
        scene_settings=SceneSettings(**snakemake.params.scenes),
        settings=ObserveSettings(**snakemake.params.settings),
        out=Path(snakemake.output.observations),
        outcomes=Path(snakemake.output.outcomes),
    )
