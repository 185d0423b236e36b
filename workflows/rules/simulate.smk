for simulated_county in PLAN.simulated:

    rule:
        name:
            f"simulate_{simulated_county}"
        output:
            PLAN.simulated_files(simulated_county),
        log:
            f"{PLAN.results}/logs/simulate_{simulated_county}.log",
        benchmark:
            f"{PLAN.results}/benchmarks/simulate_{simulated_county}.tsv"
        conda:
            ENVIRONMENT
        threads: 2
        resources:
            mem_mb=4000,
            gpu=0,
        params:
            settings=PLAN.section("simulate"),
            county=simulated_county,
        message:
            "Simulating a county (no real farmer, field or price is in it)"
        script:
            "../scripts/simulate.py"
