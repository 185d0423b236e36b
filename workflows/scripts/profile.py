from pathlib import Path

from fieldline.lending.profile.profiles import run_profile
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.settings import PrivacySettings, Season
from fieldline.workflows.job import job, optional

with job(snakemake.log[0]):
    run_profile(
        farmers=Path(snakemake.input.farmers),
        evidence=Path(snakemake.input.evidence),
        yields=Path(snakemake.input.yields),
        hazards=Path(snakemake.input.hazards),
        history=Path(snakemake.input.history),
        applications=optional(snakemake.input.applications),
        as_of=Season(**snakemake.params.season).as_of,
        currency=snakemake.params.currency,
        policy=PolicySettings(**snakemake.params.policy),
        privacy=PrivacySettings(**snakemake.params.privacy),
        out=Path(snakemake.output.profiles),
        outcomes=Path(snakemake.output.outcomes),
    )
