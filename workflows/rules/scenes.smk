rule scenes:
    input:
        catalog=PLAN.source("catalog"),
        parcels=PLAN.artifact("parcels.parquet"),
    output:
        scenes=PLAN.artifact("scenes.parquet"),
        outcomes=PLAN.artifact("outcomes/scenes.parquet"),
    log:
        f"{LOGS}/scenes.log",
    benchmark:
        f"{BENCHMARKS}/scenes.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        gpu=0,
    params:
        scenes=PLAN.county_section("scenes"),
        season=PLAN.season,
    message:
        "Scenes of {wildcards.county} {wildcards.season} from the archive"
    script:
        "../scripts/scenes.py"
