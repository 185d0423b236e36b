rule history:
    input:
        growth=PLAN.artifact("growth.parquet"),
        crops=PLAN.artifact("crops.parquet"),
        earlier_growth=PLAN.earlier("growth.parquet"),
        earlier_crops=PLAN.earlier("crops.parquet"),
    output:
        history=PLAN.artifact("history.parquet"),
        outcomes=PLAN.artifact("outcomes/history.parquet"),
    params:
        seasons=PLAN.seasons_until,
    log:
        f"{LOGS}/history.log",
    benchmark:
        f"{BENCHMARKS}/history.tsv"
    resources:
        mem_mb=2000,
        gpu=0,
    message:
        "History of {wildcards.county} {wildcards.season}"
    conda:
        ENVIRONMENT
    script:
        "../scripts/history.py"
