from pathlib import Path

from pipeline.intake import run_intake
from pipeline.settings import CountyInputs, IntakeSettings, PrivacySettings
from workflows.job import job, listed, optional

with job(snakemake.log[0]):
    run_intake(
        sources=listed(snakemake.input.parcels),
        county=snakemake.wildcards.county,
        season=snakemake.wildcards.season,
        inputs=CountyInputs(**snakemake.params.inputs),
        settings=IntakeSettings(**snakemake.params.settings),
        privacy=PrivacySettings(**snakemake.params.privacy),
        boundary=optional(snakemake.input.boundary),
        parcels=Path(snakemake.output.parcels),
        farmers=Path(snakemake.output.farmers),
        vault=Path(snakemake.params.vault),
        outcomes=Path(snakemake.output.outcomes),
    )
