# One rule per row of the table of stages (workflows/stages.py), in the order of the chain.
for stage in STAGES:

    rule:
        name:
            stage.name
        input:
            **PLAN.reads(stage),
            **PLAN.parts(stage),
        output:
            **{
                name: update(path) if name in stage.keeps else path
                for name, path in PLAN.makes(stage).items()
            },
        log:
            *PLAN.logs(stage.name),
        priority: urgency(stage)
        group:
            PLAN.group(stage)
        container:
            IMAGE
        threads: PLAN.threads(stage)
        resources:
            **PLAN.resources(stage),
        params:
            **PLAN.settings(stage),
        message:
            f"{stage.title}: {{wildcards.county}} {{wildcards.season}}"
        script:
            "../scripts/stage.py"


# A block of a big county: the same stage on some of its parcels; the rule above joins the blocks.
for stage in (stage for stage in STAGES if stage.in_blocks):

    rule:
        name:
            block_rule(stage.name)
        input:
            **PLAN.reads(stage),
        output:
            **{name: temp(path) for name, path in PLAN.block_makes(stage).items()},
        log:
            *PLAN.logs(stage.name, BLOCK_FOLDER),
        priority: urgency(stage)
        container:
            IMAGE
        threads: PLAN.threads(stage)
        resources:
            **PLAN.resources(stage, block=True),
        params:
            **PLAN.settings(stage),
            blocks=PLAN.blocks,
        message:
            f"{stage.title}: {{wildcards.county}} {{wildcards.season}}, block {{wildcards.block}}"
        script:
            "../scripts/stage.py"
