rule hazards:
    input:
        weather=PLAN.artifact("weather.parquet"),
        cells=PLAN.artifact("weather_cells.parquet"),
        growth=PLAN.artifact("growth.parquet"),
        crops=PLAN.artifact("crops.parquet"),
    output:
        hazards=PLAN.artifact("hazards.parquet"),
        outcomes=PLAN.artifact("outcomes/hazards.parquet"),
    params:
        settings=PLAN.section("crops.hazards"),
        season=PLAN.season,
    log:
        f"{LOGS}/hazards.log",
    benchmark:
        f"{BENCHMARKS}/hazards.tsv"
    resources:
        mem_mb=2000,
        gpu=0,
    message:
        "Weather hazards of {wildcards.county} {wildcards.season}"
    conda:
        ENVIRONMENT
    script:
        "../scripts/hazards.py"
