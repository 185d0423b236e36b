rule history:
    input:
        growth=PLAN.artifact("growth.parquet"),
        crops=PLAN.artifact("crops.parquet"),
        earlier_growth=PLAN.earlier("growth.parquet"),
        earlier_crops=PLAN.earlier("crops.parquet"),
        previous=PLAN.parts("intake", "observe"),
    output:
        history=PLAN.artifact("history.parquet"),
        outcomes=PLAN.artifact("outcomes/history.parquet"),
    log:
        f"{LOGS}/history.log",
    benchmark:
        f"{BENCHMARKS}/history.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        gpu=0,
    params:
        seasons=PLAN.seasons_until,
    message:
        "History of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/history.py"
