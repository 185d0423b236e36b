for simulated_county in PLAN.simulated:

    rule:
        name:
            f"simulate_{simulated_county}"
        output:
            PLAN.simulated_files(simulated_county),
        log:
            f"logs/simulate_{simulated_county}.log",
            f"benchmarks/simulate_{simulated_county}.tsv",
        container:
            IMAGE
        threads: 2
        resources:
            mem_mb=4000,
            runtime=120,
        params:
            **PLAN.simulation(simulated_county),
        message:
            "Simulating a county (no real farmer, field or price is in it)"
        script:
            "../scripts/simulate.py"
