rule intake:
    input:
        parcels=PLAN.source("parcels"),
        boundary=PLAN.source("boundary"),
    output:
        parcels=PLAN.artifact("parcels.parquet"),
        farmers=PLAN.artifact("farmers.parquet"),
        outcomes=PLAN.artifact("outcomes/intake.parquet"),
    log:
        f"{LOGS}/intake.log",
    benchmark:
        f"{BENCHMARKS}/intake.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        gpu=0,
    params:
        inputs=PLAN.county_section("inputs"),
        settings=PLAN.section("intake"),
        privacy=PLAN.section("privacy"),
        vault=f"{PLAN.results}/vault.sqlite",
    message:
        "Intake of {wildcards.county} {wildcards.season}: every row gets an outcome"
    script:
        "../scripts/intake.py"
