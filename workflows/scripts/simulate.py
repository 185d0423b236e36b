from pathlib import Path

from data.simulate.run import simulate_county
from data.simulate.settings import SimulateSettings
from workflows.job import job

with job(snakemake.log[0]):
    simulate_county(
        SimulateSettings(**snakemake.params.settings),
        county=snakemake.params.county,
        out=next(Path(p).parent for p in snakemake.output if p.endswith("/weather.csv")),
    )
