rule hazards:
    input:
        weather=PLAN.artifact("weather.parquet"),
        cells=PLAN.artifact("weather_cells.parquet"),
        growth=PLAN.artifact("growth.parquet"),
        crops=PLAN.artifact("crops.parquet"),
        previous=PLAN.parts("intake", "observe", "grow"),
    output:
        hazards=PLAN.artifact("hazards.parquet"),
        outcomes=PLAN.artifact("outcomes/hazards.parquet"),
    log:
        f"{LOGS}/hazards.log",
    benchmark:
        f"{BENCHMARKS}/hazards.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        gpu=0,
    params:
        settings=PLAN.section("crops.hazards"),
        season=PLAN.season,
    message:
        "Weather hazards of {wildcards.county} {wildcards.season}"
    script:
        "../scripts/hazards.py"
