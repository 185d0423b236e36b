from pathlib import Path

from fieldline.crops.recognise.classify import run_classify
from fieldline.crops.recognise.labels import LabelledSeries, SeasonLabels
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.config.county import CountyInputs
from fieldline.workflows.job import job, listed, optional

with job(snakemake.log[0]):
    inputs = CountyInputs(**snakemake.params.inputs)
    seasons = [Season(**values) for values in snakemake.params.seasons.values()]
    series = optional(snakemake.input.labelled_series)
    run_classify(
        Path(snakemake.input.observations),
        Path(snakemake.input.parcels),
        optional(snakemake.input.survey),
        earlier=[
            SeasonLabels(*parts)
            for parts in zip(
                listed(snakemake.input.earlier_observations),
                listed(snakemake.input.earlier_surveys),
                seasons,
                strict=False,
            )
        ],
        labelled=None
        if series is None
        else LabelledSeries(
            series,
            inputs.labelled_series_format,
            optional(snakemake.input.labelled_fields),
            inputs.label_codes,
        ),
        season=seasons[-1],
        clear=ClearSettings(**snakemake.params.clear_dates),
        settings=ClassifySettings(**snakemake.params.settings),
        out=Path(snakemake.output.crops),
        card=Path(snakemake.output.card),
        outcomes=Path(snakemake.output.outcomes),
        previous=listed(snakemake.input.previous),
    )
