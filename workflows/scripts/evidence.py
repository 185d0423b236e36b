from pathlib import Path

from fieldline.lending.evidence.crosscheck import run_evidence
from fieldline.lending.settings import EvidenceSettings
from fieldline.pipeline.records.settings import PrivacySettings, Season
from fieldline.workflows.job import job, optional

with job(snakemake.log[0]):
    run_evidence(
        parcels=Path(snakemake.input.parcels),
        fields=Path(snakemake.input.fields),
        crops=Path(snakemake.input.crops),
        registry=optional(snakemake.input.registry),
        protected=optional(snakemake.input.protected),
        as_of=Season(**snakemake.params.season).as_of,
        settings=EvidenceSettings(**snakemake.params.settings),
        privacy=PrivacySettings(**snakemake.params.privacy),
        out=Path(snakemake.output.evidence),
        outcomes=Path(snakemake.output.outcomes),
    )
