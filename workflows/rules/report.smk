rule report:
    input:
        parts=PLAN.outcome_parts(),
        artifacts=[PLAN.artifact(f"{n}.parquet") for n in ("parcels", "farmers", "scenes", "observations", "fields", "crops", "growth", "hazards", "yields", "history", "evidence", "profiles", "decisions")],
        cards=[PLAN.artifact(f"models/{n}.json") for n in ("crop_classifier", "yield", "pd")],
        offers=PLAN.artifact("offers.csv"),
    output:
        outcomes=PLAN.artifact("outcomes.parquet"),
        report=PLAN.artifact("report.html"),
    params:
        title=PLAN.county_section("title"),
        simulated=PLAN.county_section("simulated"),
        grid=PLAN.county_section("grid"),
        scenes=PLAN.county_section("scenes"),
        suppress_below=PLAN.config.suppress_below,
        season=PLAN.season,
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{BENCHMARKS}/report.tsv"
    resources:
        mem_mb=3000,
        gpu=0,
    message:
        "Report of {wildcards.county} {wildcards.season}"
    conda:
        ENVIRONMENT
    script:
        "../scripts/report.py"
