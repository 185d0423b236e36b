rule grow:
    input:
        observations=PLAN.artifact("observations.parquet"),
        crops=PLAN.artifact("crops.parquet"),
        previous=PLAN.parts("intake", "observe"),
    output:
        growth=PLAN.artifact("growth.parquet"),
        outcomes=PLAN.artifact("outcomes/grow.parquet"),
    log:
        f"{LOGS}/grow.log",
    benchmark:
        f"{BENCHMARKS}/grow.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        gpu=0,
    params:
        settings=PLAN.section("crops.grow"),
        clear_dates=PLAN.section("observe.clear"),
        season=PLAN.season,
    message:
        "Growth curves of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/grow.py"
