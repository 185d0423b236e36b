from pathlib import Path

from fieldline.crops.recognise.fields import run_fields
from fieldline.crops.settings import FieldsSettings
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.job import job, listed

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
