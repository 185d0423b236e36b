rule observe:
    input:
        scenes=PLAN.artifact("scenes.parquet"),
        parcels=PLAN.artifact("parcels.parquet"),
    output:
        observations=PLAN.artifact("observations.parquet"),
        outcomes=PLAN.artifact("outcomes/observe.parquet"),
    log:
        f"{LOGS}/observe.log",
    benchmark:
        f"{BENCHMARKS}/observe.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        gpu=0,
    params:
        grid=PLAN.county_section("grid"),
        scenes=PLAN.county_section("scenes"),
        settings=PLAN.section("observe"),
    message:
        "Observations of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/observe.py"
