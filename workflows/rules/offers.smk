rule offers:
    input:
        decisions=PLAN.artifact("decisions.parquet"),
    output:
        offers=PLAN.artifact("offers.csv"),
        queue=PLAN.artifact("review_queue.csv"),
        outcomes=PLAN.artifact("outcomes/offers.parquet"),
    params:
        database=PLAN.config.database_url(),
        policy=PLAN.section("lending.policy"),
    log:
        f"{LOGS}/offers.log",
    benchmark:
        f"{BENCHMARKS}/offers.tsv"
    resources:
        mem_mb=1000,
        gpu=0,
    message:
        "Offers of {wildcards.county} {wildcards.season}"
    conda:
        ENVIRONMENT
    script:
        "../scripts/offers.py"
