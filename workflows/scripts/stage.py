import os

from fieldline.workflows.exits import OK, leave
from fieldline.workflows.job import (
    CONFIRM_VARIABLE,
    STORE_VARIABLE,
    VAULT_VARIABLE,
    arguments,
    job,
    keep_to_threads,
)
from fieldline.workflows.stages import stage

with job(snakemake.log[0]):
    keep_to_threads(snakemake.threads)
    run, given = arguments(
        stage(snakemake.rule).run,
        snakemake.input,
        snakemake.output,
        snakemake.params,
        {
            "threads": snakemake.threads,
            "database": os.environ[STORE_VARIABLE],
            "vault": os.environ[VAULT_VARIABLE],
            "confirm": os.environ.get(CONFIRM_VARIABLE) == "1",
        },
    )
    run(**given)
leave(OK)
