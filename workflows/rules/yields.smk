rule yields:
    input:
        crops=PLAN.artifact("crops.parquet"),
        growth=PLAN.artifact("growth.parquet"),
        hazards=PLAN.artifact("hazards.parquet"),
        cells=PLAN.artifact("weather_cells.parquet"),
        fields=PLAN.artifact("fields.parquet"),
        county_yields=PLAN.source("county_yields"),
        prices=PLAN.source("prices"),
        survey=PLAN.source("survey"),
        earlier_crops=PLAN.earlier("crops.parquet"),
        earlier_growth=PLAN.earlier("growth.parquet"),
        earlier_hazards=PLAN.earlier("hazards.parquet"),
        earlier_surveys=PLAN.earlier_source("survey"),
        previous=PLAN.parts("intake", "observe"),
    output:
        yields=PLAN.artifact("yields.parquet"),
        card=PLAN.artifact("models/yield.json"),
        outcomes=PLAN.artifact("outcomes/yield.parquet"),
    log:
        f"{LOGS}/yield.log",
    benchmark:
        f"{BENCHMARKS}/yield.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        gpu=0,
    params:
        inputs=PLAN.county_section("inputs"),
        currency=PLAN.county_section("currency"),
        settings=PLAN.section("crops.yields"),
        seasons=PLAN.seasons_until,
    message:
        "Yield and value of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/yields.py"
