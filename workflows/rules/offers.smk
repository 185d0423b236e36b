rule offers:
    input:
        decisions=PLAN.artifact("decisions.parquet"),
    output:
        offers=PLAN.artifact("offers.csv"),
        queue=PLAN.artifact("review_queue.csv"),
        outcomes=PLAN.artifact("outcomes/offers.parquet"),
    log:
        f"{LOGS}/offers.log",
    benchmark:
        f"{BENCHMARKS}/offers.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        gpu=0,
    params:
        database=PLAN.config.database_url(),
        policy=PLAN.section("lending.policy"),
    message:
        "Offers of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/offers.py"
