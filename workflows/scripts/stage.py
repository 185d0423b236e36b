import os

from fieldline.workflows.exits import OK, leave
from fieldline.workflows.job import (
    CONFIRM_VARIABLE,
    STORE_VARIABLE,
    VAULT_VARIABLE,
    arguments,
    in_block,
    job,
    keep_to_threads,
)
from fieldline.workflows.stages import stage_of

with job(*snakemake.log):
    keep_to_threads(snakemake.threads)
    run, given = arguments(
        stage_of(snakemake.rule).run,
        snakemake.input,
        snakemake.output,
        snakemake.params,
        {
            "threads": snakemake.threads,
            **in_block(snakemake.wildcards, snakemake.params),
            "database": os.environ[STORE_VARIABLE],
            "vault": os.environ[VAULT_VARIABLE],
            "confirm": os.environ.get(CONFIRM_VARIABLE) == "1",
        },
    )
    run(**given)
leave(OK)
