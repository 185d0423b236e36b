# A bare `snakemake` in the repository's root runs the workflow that the package carries. The call
# below is the `include:` directive with its default target taken along.
workflow.include("workflows/Snakefile", overwrite_default_target=True)
