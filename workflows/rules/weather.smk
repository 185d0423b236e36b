rule weather:
    input:
        weather=PLAN.source("weather"),
        cells=PLAN.source("weather_cells"),
        parcels=PLAN.artifact("parcels.parquet"),
    output:
        weather=PLAN.artifact("weather.parquet"),
        cells=PLAN.artifact("weather_cells.parquet"),
        outcomes=PLAN.artifact("outcomes/weather.parquet"),
    params:
        settings=PLAN.section("weather"),
        season=PLAN.season,
    log:
        f"{LOGS}/weather.log",
    benchmark:
        f"{BENCHMARKS}/weather.tsv"
    resources:
        mem_mb=2000,
        gpu=0,
    message:
        "Weather of {wildcards.county} {wildcards.season}"
    conda:
        ENVIRONMENT
    script:
        "../scripts/weather.py"
