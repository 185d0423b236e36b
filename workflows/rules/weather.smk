rule weather:
    input:
        weather=PLAN.source("weather"),
        cells=PLAN.source("weather_cells"),
        parcels=PLAN.artifact("parcels.parquet"),
    output:
        weather=PLAN.artifact("weather.parquet"),
        cells=PLAN.artifact("weather_cells.parquet"),
        outcomes=PLAN.artifact("outcomes/weather.parquet"),
    log:
        f"{LOGS}/weather.log",
    benchmark:
        f"{BENCHMARKS}/weather.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        gpu=0,
    params:
        settings=PLAN.section("weather"),
        season=PLAN.season,
    message:
        "Weather of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/weather.py"
