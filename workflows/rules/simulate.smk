for simulated_county in PLAN.simulated:

    rule:
        name:
            f"simulate_{simulated_county}"
        output:
            PLAN.simulated_files(simulated_county),
        params:
            settings=PLAN.section("simulate"),
            county=simulated_county,
            folder=PLAN.simulated_folder(simulated_county),
        log:
            f"{PLAN.results}/logs/simulate_{simulated_county}.log",
        benchmark:
            f"{PLAN.results}/benchmarks/simulate_{simulated_county}.tsv"
        threads: 2
        resources:
            mem_mb=4000,
            gpu=0,
        message:
            "Simulating a county (no real farmer, field or price is in it)"
        conda:
            ENVIRONMENT
        script:
            "../scripts/simulate.py"
