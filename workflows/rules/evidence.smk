rule evidence:
    input:
        parcels=PLAN.artifact("parcels.parquet"),
        fields=PLAN.artifact("fields.parquet"),
        crops=PLAN.artifact("crops.parquet"),
        registry=PLAN.source("registry"),
        protected=PLAN.source("protected"),
    output:
        evidence=PLAN.artifact("evidence.parquet"),
        outcomes=PLAN.artifact("outcomes/evidence.parquet"),
    log:
        f"{LOGS}/evidence.log",
    benchmark:
        f"{BENCHMARKS}/evidence.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        gpu=0,
    params:
        settings=PLAN.section("lending.evidence"),
        privacy=PLAN.section("privacy"),
        season=PLAN.season,
    message:
        "Evidence of {wildcards.county} {wildcards.season}: declared, seen, registry"
    script:
        "../scripts/evidence.py"
