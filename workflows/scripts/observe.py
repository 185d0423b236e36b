from pathlib import Path

from pipeline.observe import run_observe
from pipeline.settings import GridSettings, ObserveSettings, SceneSettings
from workflows.job import job

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
