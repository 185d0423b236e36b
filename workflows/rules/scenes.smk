rule scenes:
    input:
        catalog=PLAN.source("catalog"),
        parcels=PLAN.artifact("parcels.parquet"),
    output:
        scenes=PLAN.artifact("scenes.parquet"),
        outcomes=PLAN.artifact("outcomes/scenes.parquet"),
    params:
        scenes=PLAN.county_section("scenes"),
        season=PLAN.season,
    log:
        f"{LOGS}/scenes.log",
    benchmark:
        f"{BENCHMARKS}/scenes.tsv"
    resources:
        mem_mb=2000,
        gpu=0,
    message:
        "Scenes of {wildcards.county} {wildcards.season} from the archive"
    conda:
        ENVIRONMENT
    script:
        "../scripts/scenes.py"
