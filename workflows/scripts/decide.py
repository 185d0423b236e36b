from pathlib import Path

from fieldline.lending.decision.decide import run_decide
from fieldline.lending.settings import PolicySettings, RiskSettings
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.job import job, listed, optional

with job(snakemake.log[0]):
    run_decide(
        farmers=Path(snakemake.input.farmers),
        profiles=Path(snakemake.input.profiles),
        evidence=Path(snakemake.input.evidence),
        yields=Path(snakemake.input.yields),
        loan_history=optional(snakemake.input.loan_history),
        parts=listed(snakemake.input.parts),
        as_of=Season(**snakemake.params.season).as_of,
        currency=snakemake.params.currency,
        risk=RiskSettings(**snakemake.params.risk),
        policy=PolicySettings(**snakemake.params.policy),
        out=Path(snakemake.output.decisions),
        card=Path(snakemake.output.card),
        outcomes=Path(snakemake.output.outcomes),
    )
