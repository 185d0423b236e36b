from pathlib import Path

from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.weather.daily import run_weather
from fieldline.pipeline.weather.settings import WeatherSettings
from fieldline.workflows.job import job, optional

with job(snakemake.log[0]):
    run_weather(
        source=optional(snakemake.input.weather),
        cells=optional(snakemake.input.cells),
        parcels=Path(snakemake.input.parcels),
        season=Season(**snakemake.params.season),
        settings=WeatherSettings(**snakemake.params.settings),
        out=Path(snakemake.output.weather),
        out_cells=Path(snakemake.output.cells),
        outcomes=Path(snakemake.output.outcomes),
    )
