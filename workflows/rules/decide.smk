rule decide:
    input:
        profiles=PLAN.artifact("profiles.parquet"),
        farmers=PLAN.artifact("farmers.parquet"),
        evidence=PLAN.artifact("evidence.parquet"),
        yields=PLAN.artifact("yields.parquet"),
        loan_history=PLAN.source("loan_history"),
        parts=[PLAN.artifact(f"outcomes/{s}.parquet") for s in ("intake", "observe", "weather", "fields", "classify", "grow", "hazards", "yield", "history", "evidence", "profile")],
    output:
        decisions=PLAN.artifact("decisions.parquet"),
        card=PLAN.artifact("models/pd.json"),
        outcomes=PLAN.artifact("outcomes/decide.parquet"),
    params:
        currency=PLAN.county_section("currency"),
        risk=PLAN.section("lending.risk"),
        policy=PLAN.section("lending.policy"),
        season=PLAN.season,
    log:
        f"{LOGS}/decide.log",
    benchmark:
        f"{BENCHMARKS}/decide.tsv"
    resources:
        mem_mb=2000,
        gpu=0,
    message:
        "Decisions of {wildcards.county} {wildcards.season}"
    conda:
        ENVIRONMENT
    script:
        "../scripts/decide.py"
