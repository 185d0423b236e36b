# One rule per row of the table of stages (workflows/stages.py), in the order of the chain.
for stage in STAGES:

    rule:
        name:
            stage.name
        input:
            **PLAN.reads(stage),
        output:
            **{
                name: update(path) if name in stage.keeps else path
                for name, path in PLAN.makes(stage).items()
            },
        log:
            PLAN.log(stage.name),
        benchmark:
            PLAN.benchmark(stage.name)
        priority: stage.priority
        container:
            IMAGE
        threads: PLAN.threads(stage)
        resources:
            mem_mb=stage.mem_mb,
            gpu=PLAN.gpus(stage),
        params:
            **PLAN.settings(stage),
        message:
            f"{stage.title}: {{wildcards.county}} {{wildcards.season}}"
        script:
            "../scripts/stage.py"
