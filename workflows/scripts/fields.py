from pathlib import Path

from crops.fields import run_fields
from crops.settings import FieldsSettings
from pipeline.settings import GridSettings, SceneSettings, Season
from workflows.job import job, listed

with job(snakemake.log[0]):
    run_fields(
        Path(snakemake.input.scenes),
        Path(snakemake.input.parcels),
        grid=GridSettings(**snakemake.params.grid),
        scene_settings=SceneSettings(**snakemake.params.scenes),
        settings=FieldsSettings(**snakemake.params.settings),
        season=Season(**snakemake.params.season),
        out=Path(snakemake.output.fields),
        outcomes=Path(snakemake.output.outcomes),
        previous=listed(snakemake.input.previous),
    )
