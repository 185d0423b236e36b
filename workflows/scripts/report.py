from pathlib import Path

from fieldline.desk.report.render import ReportTitle, run_report
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.job import job, listed

with job(snakemake.log[0]):
    run_report(
        listed(snakemake.input.parts),
        folder=Path(snakemake.output.report).parent,
        head=ReportTitle(
            county=snakemake.wildcards.county,
            title=snakemake.params.title,
            season_name=snakemake.wildcards.season,
            season=Season(**snakemake.params.season),
            simulated=snakemake.params.simulated,
            suppress_below=snakemake.params.suppress_below,
        ),
        grid=GridSettings(**snakemake.params.grid),
        scenes=SceneSettings(**snakemake.params.scenes),
        outcomes=Path(snakemake.output.outcomes),
        report=Path(snakemake.output.report),
    )
