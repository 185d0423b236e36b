rule fields:
    input:
        scenes=PLAN.artifact("scenes.parquet"),
        parcels=PLAN.artifact("parcels.parquet"),
        previous=PLAN.parts("intake", "observe"),
    output:
        fields=PLAN.artifact("fields.parquet"),
        outcomes=PLAN.artifact("outcomes/fields.parquet"),
    log:
        f"{LOGS}/fields.log",
    benchmark:
        f"{BENCHMARKS}/fields.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        gpu=0,
    params:
        grid=PLAN.county_section("grid"),
        scenes=PLAN.county_section("scenes"),
        settings=PLAN.section("crops.fields"),
        season=PLAN.season,
    message:
        "Planted area of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/fields.py"
