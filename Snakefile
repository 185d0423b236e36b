# Fieldline: from a field outline to a credit line, per county and season.
# `snakemake --cores all` runs the simulated county; `--config seasons=... counties=...` selects.
from snakemake.utils import min_version

from fieldline.workflows.plan import Plan

min_version("9.10")


configfile: "workflows/config/default.yaml"


PLAN = Plan(config)
LOGS = f"{PLAN.results}/logs/{{season}}/{{county}}"
BENCHMARKS = f"{PLAN.results}/benchmarks/{{season}}/{{county}}"
ENVIRONMENT = "../envs/fieldline.yaml"


wildcard_constraints:
    county=r"[A-Za-z0-9_-]+",
    season=r"[A-Za-z0-9_-]+",


localrules:
    all,


rule all:
    default_target: True
    input:
        PLAN.targets(),


include: "workflows/rules/simulate.smk"
include: "workflows/rules/intake.smk"
include: "workflows/rules/scenes.smk"
include: "workflows/rules/observe.smk"
include: "workflows/rules/weather.smk"
include: "workflows/rules/fields.smk"
include: "workflows/rules/classify.smk"
include: "workflows/rules/grow.smk"
include: "workflows/rules/hazards.smk"
include: "workflows/rules/yields.smk"
include: "workflows/rules/history.smk"
include: "workflows/rules/evidence.smk"
include: "workflows/rules/profile.smk"
include: "workflows/rules/decide.smk"
include: "workflows/rules/offers.smk"
include: "workflows/rules/report.smk"
