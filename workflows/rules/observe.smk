rule observe:
    input:
        scenes=PLAN.artifact("scenes.parquet"),
        parcels=PLAN.artifact("parcels.parquet"),
    output:
        observations=PLAN.artifact("observations.parquet"),
        outcomes=PLAN.artifact("outcomes/observe.parquet"),
    params:
        grid=PLAN.county_section("grid"),
        scenes=PLAN.county_section("scenes"),
        settings=PLAN.section("observe"),
    log:
        f"{LOGS}/observe.log",
    benchmark:
        f"{BENCHMARKS}/observe.tsv"
    resources:
        mem_mb=3000,
        gpu=0,
    message:
        "Observations of {wildcards.county} {wildcards.season}"
    conda:
        ENVIRONMENT
    script:
        "../scripts/observe.py"
