from pathlib import Path

from fieldline.workflows.job import job
from fieldline.workflows.simulate.run import simulate_county
from fieldline.workflows.simulate.settings import SimulateSettings

with job(*snakemake.log):
    simulate_county(
        SimulateSettings(**snakemake.params.settings),
        county=snakemake.params.county,
        out=next(Path(p).parent for p in snakemake.output if p.endswith("/weather.csv")),
    )
