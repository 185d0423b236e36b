rule grow:
    input:
        observations=PLAN.artifact("observations.parquet"),
        crops=PLAN.artifact("crops.parquet"),
    output:
        growth=PLAN.artifact("growth.parquet"),
        outcomes=PLAN.artifact("outcomes/grow.parquet"),
    params:
        settings=PLAN.section("crops.grow"),
        season=PLAN.season,
    log:
        f"{LOGS}/grow.log",
    benchmark:
        f"{BENCHMARKS}/grow.tsv"
    resources:
        mem_mb=3000,
        gpu=0,
    message:
        "Growth curves of {wildcards.county} {wildcards.season}"
    conda:
        ENVIRONMENT
    script:
        "../scripts/grow.py"
