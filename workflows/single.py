"""Single: where the stored features of a county lie, for decisions of one farmer at a time.

Owns the step from the configuration and the table of stages to `lending.decision.single`; it reads
what the chain has left and runs no stage.
"""

from __future__ import annotations

from fieldline.lending.decision.single import Features, features_of
from fieldline.workflows.config.model import Config
from fieldline.workflows.stage import Outcomes, Stage
from fieldline.workflows.stages import stage, stages_before


def outcome_parts(name: str) -> list[Stage]:
    """Return the stages whose outcomes a stage reads, in the order in which it is handed them."""
    read = next(r for r in stage(name).reads.values() if isinstance(r, Outcomes))
    people = ("parcel", "farmer")
    return [s for s in stages_before(name) if read.of_scenes or s.about in people]


def stored_features(config: Config, county: str, season: str) -> Features:
    """Open what the chain knows of a county's farmers before it decides.

    Raises:
        UserError: The chain has not come so far there, or a table is damaged.
    """
    folder = config.results / season / county
    here = config.county[county]
    return features_of(
        folder, parts=[folder / item.outcomes for item in outcome_parts("decide")],
        currency=here.currency, as_of=here.seasons[season].as_of, policy=config.lending.policy,
        county=county,
    )  # fmt: skip
