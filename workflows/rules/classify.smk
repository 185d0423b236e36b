rule classify:
    input:
        observations=PLAN.artifact("observations.parquet"),
        parcels=PLAN.artifact("parcels.parquet"),
        survey=PLAN.source("survey"),
        earlier_observations=PLAN.earlier("observations.parquet"),
        earlier_surveys=PLAN.earlier_source("survey"),
        labelled_series=PLAN.source("labelled_series"),
        labelled_fields=PLAN.source("labelled_fields"),
        previous=PLAN.parts("intake", "observe"),
    output:
        crops=PLAN.artifact("crops.parquet"),
        card=PLAN.artifact("models/crop_classifier.json"),
        outcomes=PLAN.artifact("outcomes/classify.parquet"),
    log:
        f"{LOGS}/classify.log",
    benchmark:
        f"{BENCHMARKS}/classify.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        gpu=0,
    params:
        inputs=PLAN.county_section("inputs"),
        seasons=PLAN.seasons_until,
        settings=PLAN.section("crops.classify"),
        clear_dates=PLAN.section("observe.clear"),
    message:
        "Crops of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/classify.py"
