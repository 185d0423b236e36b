from pathlib import Path

from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.offers import run_offers
from fieldline.workflows.job import job

with job(snakemake.log[0]):
    run_offers(
        decisions=Path(snakemake.input.decisions),
        county=snakemake.wildcards.county,
        season=snakemake.wildcards.season,
        policy=PolicySettings(**snakemake.params.policy),
        database=snakemake.params.database,
        offers=Path(snakemake.output.offers),
        queue=Path(snakemake.output.queue),
        outcomes=Path(snakemake.output.outcomes),
    )
