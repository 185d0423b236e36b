from itertools import zip_longest
from pathlib import Path

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.yields import SeasonTables, run_yields
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.config.county import CountyInputs
from fieldline.workflows.job import job, listed, optional

given, made = snakemake.input, snakemake.output

with job(snakemake.log[0]):
    *past, season = [Season(**values) for values in snakemake.params.seasons.values()]
    files = zip_longest(
        past,
        listed(given.earlier_crops),
        listed(given.earlier_growth),
        listed(given.earlier_hazards),
        listed(given.earlier_surveys),
    )
    run_yields(
        Path(given.crops),
        Path(given.growth),
        Path(given.hazards),
        Path(given.cells),
        optional(given.county_yields),
        optional(given.prices),
        optional(given.survey),
        earlier=[SeasonTables(*parts) for parts in files],
        fields=Path(given.fields),
        season=season,
        currency=snakemake.params.currency,
        prices_layout=CountyInputs(**snakemake.params.inputs).prices_format,
        settings=YieldSettings(**snakemake.params.settings),
        out=Path(made.yields),
        card=Path(made.card),
        outcomes=Path(made.outcomes),
        previous=listed(given.previous),
    )
