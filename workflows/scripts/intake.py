from pathlib import Path

from fieldline.pipeline.parcels.intake import run_intake
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.workflows.job import job, listed, optional

with job(snakemake.log[0]):
    run_intake(
        sources=listed(snakemake.input.parcels),
        county=snakemake.wildcards.county,
        season=snakemake.wildcards.season,
        columns=snakemake.params.inputs["parcel_columns"],
        crs=snakemake.params.inputs["parcel_crs"],
        settings=IntakeSettings(**snakemake.params.settings),
        privacy=PrivacySettings(**snakemake.params.privacy),
        boundary=optional(snakemake.input.boundary),
        parcels=Path(snakemake.output.parcels),
        farmers=Path(snakemake.output.farmers),
        vault=Path(snakemake.params.vault),
        outcomes=Path(snakemake.output.outcomes),
    )
