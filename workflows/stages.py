"""The one table of stages: what each is called, runs, reads, makes, is set by and follows.

Rules, targets, outcome lists, progress, reruns and the table in the docs come from here. A stage is
one keyword-only function; the names of its parameters are the names in this table, and its type
hints say how paths and settings are handed to it (`workflows.job`).
"""

from __future__ import annotations

from fieldline.workflows.stage import (
    OF_PEOPLE,
    Applied,
    Artifact,
    Artifacts,
    Outcomes,
    Read,
    Source,
    Stage,
)

STAGES: tuple[Stage, ...] = (
    Stage(
        "intake",
        "fieldline.pipeline.parcels.intake:run_intake",
        "Intake: every row gets an outcome",
        reads={
            "sources": Source("parcels"), "boundary": Source("boundary"),
            "applied": Applied("parcels.parquet"),
        },
        makes={
            "parcels": "parcels.parquet", "farmers": "farmers.parquet",
            "contacts": "contacts.parquet",
        },
        settings={
            "county": "county_id", "season": "season_name", "settings": "intake",
            "columns": "county.inputs.parcel_columns", "crs": "county.inputs.parcel_crs",
            "layers": "county.inputs.parcel_layers", "prefixes": "county.inputs.parcel_prefixes",
            "privacy": "privacy", "vault": "vault",
        },
        mem_mb=1500,
        mem_mb_per_1000=6,
        early=True,
        together="inputs",
    ),
    Stage(
        "inputs",
        "fieldline.workflows.inputs.stage:run_inputs",
        "Input tables: every row accounted for",
        reads={
            "registry": Source("registry"), "applications": Source("applications"),
            "loan_history": Source("loan_history"), "consents": Source("consents"),
            "survey": Source("survey"),
            "prices": Source("prices"), "county_yields": Source("county_yields"),
            "weather": Source("weather"), "weather_cells": Source("weather_cells"),
            "protected": Source("protected"), "documents": Source("documents"),
            "exclusions": Source("exclusions"), "contracts": Source("contracts"),
            "guarantors": Source("guarantors"), "preapproved": Source("preapproved"),
            "labelled_series": Source("labelled_series"), "photos": Source("photos"),
            "parcels": Artifact("outcomes/intake.parquet"), "farmers": Artifact("farmers.parquet"),
            "outlines": Artifact("parcels.parquet"),
        },
        makes={"out": "inputs.parquet", "out_rows": "input_rows.parquet"},
        settings={
            "season": "season", "currency": "county.currency",
            "table_columns": "county.inputs.columns", "layouts": "layouts", "privacy": "privacy",
            "county_names": "county_names", "published_days": "published_days",
            "photo_settings": "crops.photos", "photo_files": "photo_files", "county": "county_id",
            "offer_valid_days": "lending.policy.offer_valid_days",
        },
        about="file",
        mem_mb=1000,
        mem_mb_per_1000=4,
        early=True,
        together="inputs",
    ),
    Stage(
        "scenes",
        "fieldline.pipeline.imagery.scenes:run_scenes",
        "Scenes from the archive or a provider",
        reads={
            "catalog": Source("catalog"), "parcels": Artifact("parcels.parquet"),
        },
        makes={"out": "scenes.parquet"},
        settings={
            "season": "season", "scenes": "county.scenes", "grid": "county.grid", "pull": "pull",
            "remote": "county.inputs.remote_catalog", "simulated": "county.simulated",
        },
        about="scene",
        mem_mb=2000,
        mem_mb_per_1000=2,
        minutes=720,
        together="inputs",
    ),
    Stage(
        "observe",
        "fieldline.pipeline.imagery.observe:run_observe",
        "Observations",
        reads={"scenes": Artifact("scenes.parquet"), "parcels": Artifact("parcels.parquet")},
        makes={"out": "observations.parquet"},
        settings={"grid": "county.grid", "scene_settings": "county.scenes", "settings": "observe"},
        mem_mb=3000,
        mem_mb_per_1000=8,
        threads="observe",
        in_blocks=True,
        minutes=480,
    ),
    Stage(
        "radar",
        "fieldline.pipeline.imagery.radar:run_radar",
        "Radar",
        reads={"catalog": Source("catalog"), "parcels": Artifact("parcels.parquet")},
        makes={"out": "observations_sentinel1.parquet", "out_scenes": "scenes_sentinel1.parquet"},
        settings={
            "season": "season", "radar": "county.radar", "grid": "county.grid",
            "settings": "observe", "remote": "county.inputs.remote_catalog", "pull": "pull",
            "simulated": "county.simulated",
        },
        about="scene",
        mem_mb=3000,
        mem_mb_per_1000=8,
        threads="observe",
        minutes=480,
    ),
    Stage(
        "weather",
        "fieldline.pipeline.weather.daily:run_weather",
        "Daily weather",
        reads={
            "source": Source("weather"), "cells": Source("weather_cells"),
            "parcels": Artifact("parcels.parquet"),
        },
        makes={
            "out": "weather.parquet", "out_cells": "weather_cells.parquet",
            "out_climate": "climate.parquet",
        },
        settings={
            "season": "season", "settings": "weather", "table_columns": "county.inputs.columns",
        },
        mem_mb=1000,
        mem_mb_per_1000=3,
        together="inputs",
    ),
    Stage(
        "fields_train",
        "fieldline.crops.segment.train_stage:run_fields_train",
        "Field network",
        reads={
            "scenes": Artifact("scenes.parquet"), "parcels": Artifact("parcels.parquet"),
            "outlines": Source("field_outlines"),
        },
        makes={
            "out": "models/fields/manifest.json", "weights": "models/fields/weights.safetensors",
            "config": "models/fields/config.json", "card": "models/fields/card.json",
        },
        settings={
            "grid": "county.grid", "scene_settings": "county.scenes", "settings": "crops.segment",
            "season": "season",
        },
        about="file",
        mem_mb=6000,
        threads="crops.segment",
        gpu="crops.segment",
        minutes=720,
    ),
    Stage(
        "segment",
        "fieldline.crops.segment.stage:run_segment",
        "Field polygons",
        reads={
            "scenes": Artifact("scenes.parquet"), "parcels": Artifact("parcels.parquet"),
            "network": Artifact("models/fields/manifest.json"),
        },
        makes={"out": "field_polygons.parquet", "out_rings": "ring_fields.parquet"},
        settings={
            "grid": "county.grid", "scene_settings": "county.scenes", "settings": "crops.segment",
            "season": "season",
        },
        stops=("intake", "observe"),
        about="file",
        mem_mb=4000,
        mem_mb_per_1000=25,
        threads="crops.segment",
        gpu="crops.segment",
        minutes=480,
    ),
    Stage(
        "fields",
        "fieldline.crops.recognise.fields:run_fields",
        "Planted area",
        reads={"scenes": Artifact("scenes.parquet"), "parcels": Artifact("parcels.parquet")},
        makes={"out": "fields.parquet"},
        settings={
            "grid": "county.grid", "scene_settings": "county.scenes", "settings": "crops.fields",
            "season": "season",
        },
        stops=("intake", "observe"),
        mem_mb=3000,
        mem_mb_per_1000=7,
        in_blocks=True,
        minutes=480,
    ),
    Stage(
        "crops_train",
        "fieldline.crops.recognise.train_stage:run_crops_train",
        "Crop model",
        reads={
            "observations": Artifact("observations.parquet"),
            "parcels": Artifact("parcels.parquet"),
            "survey": Source("survey"),
            "radar": Artifact("observations_sentinel1.parquet"),
            "earlier_observations": Artifact("observations.parquet", earlier=True),
            "earlier_surveys": Source("survey", earlier=True),
            "earlier_radar": Artifact("observations_sentinel1.parquet", earlier=True),
            "labelled_series": Source("labelled_series"),
            "labelled_fields": Source("labelled_fields"),
        },
        makes={
            "out": "models/crops/manifest.json", "document": "models/crops/model.json",
            "arrays": "models/crops/arrays.npz", "boosting": "models/crops/boosting.ubj",
            "card": "models/crops/card.json",
        },
        settings={
            "labelled_format": "county.inputs.labelled_series_format",
            "label_codes": "county.inputs.label_codes",
            "table_columns": "county.inputs.columns", "county": "county_id",
            "seasons": "seasons", "clear_dates": "observe.clear", "settings": "crops.classify",
            "radar_settings": "county.radar",
        },
        stops=("intake", "observe"),
        about="file",
        mem_mb=4000,
        mem_mb_per_1000=5,
        threads="crops.classify",
        gpu="crops.classify",
        minutes=720,
    ),
    Stage(
        "classify",
        "fieldline.crops.recognise.classify:run_classify",
        "Crops",
        reads={
            "observations": Artifact("observations.parquet"),
            "parcels": Artifact("parcels.parquet"),
            "model": Artifact("models/crops/manifest.json"),
            "survey": Source("survey"),
            "radar": Artifact("observations_sentinel1.parquet"),
        },
        makes={
            "out": "crops.parquet", "card": "models/crop_classifier.json",
            "out_next": "survey_next.csv",
        },
        settings={
            "table_columns": "county.inputs.columns", "county": "county_id",
            "season": "season", "clear_dates": "observe.clear", "settings": "crops.classify",
        },
        stops=("intake", "observe"),
        mem_mb=3000,
        mem_mb_per_1000=3,
        together="agronomy",
    ),
    Stage(
        "grow",
        "fieldline.crops.growth.grow:run_grow",
        "Growth curves",
        reads={
            "observations": Artifact("observations.parquet"), "crops": Artifact("crops.parquet"),
            "weather": Artifact("weather.parquet"),
            "weather_cells": Artifact("weather_cells.parquet"),
            "earlier_growth": Artifact("growth.parquet", earlier=True),
            "earlier_crops": Artifact("crops.parquet", earlier=True),
            "earlier_weather": Artifact("weather.parquet", earlier=True),
            "earlier_cells": Artifact("weather_cells.parquet", earlier=True),
            "radar": Artifact("observations_sentinel1.parquet"),
        },
        makes={"out": "growth.parquet", "out_share": "harvest_share.parquet"},
        settings={
            "season": "season", "seasons": "seasons", "clear_dates": "observe.clear",
            "settings": "crops.grow",
        },
        stops=("intake", "observe"),
        mem_mb=2000,
        mem_mb_per_1000=6,
        together="agronomy",
        in_blocks=True,
    ),
    Stage(
        "hazards",
        "fieldline.crops.growth.hazards:run_hazards",
        "Weather hazards",
        reads={
            "weather": Artifact("weather.parquet"),
            "weather_cells": Artifact("weather_cells.parquet"),
            "growth": Artifact("growth.parquet"), "crops": Artifact("crops.parquet"),
            "climate": Artifact("climate.parquet"),
            "earlier_weather": Artifact("weather.parquet", earlier=True),
        },
        makes={"out": "hazards.parquet"},
        settings={"seasons": "seasons", "settings": "crops.hazards"},
        stops=("intake", "observe", "grow"),
        mem_mb=1000,
        mem_mb_per_1000=4,
        together="agronomy",
    ),
    Stage(
        "yield",
        "fieldline.crops.value.yields:run_yields",
        "Yield and value",
        reads={
            "crops": Artifact("crops.parquet"), "growth": Artifact("growth.parquet"),
            "hazards": Artifact("hazards.parquet"), "fields": Artifact("fields.parquet"),
            "county_yields": Source("county_yields"), "prices": Source("prices"),
            "survey": Source("survey"),
            "earlier_crops": Artifact("crops.parquet", earlier=True),
            "earlier_growth": Artifact("growth.parquet", earlier=True),
            "earlier_hazards": Artifact("hazards.parquet", earlier=True),
            "earlier_surveys": Source("survey", earlier=True),
        },
        makes={
            "out": "yields.parquet", "out_crops": "crop_values.parquet",
            "card": "models/yield.json",
        },
        settings={
            "prices_format": "county.inputs.prices_format", "currency": "county.currency",
            "table_columns": "county.inputs.columns", "county_names": "county_names",
            "simulated": "county.simulated", "seasons": "seasons", "settings": "crops.yields",
        },
        stops=("intake", "observe"),
        mem_mb=1000,
        mem_mb_per_1000=8,
        together="agronomy",
    ),
    Stage(
        "history",
        "fieldline.crops.growth.history:run_history",
        "History of seasons",
        reads={
            "growth": Artifact("growth.parquet"), "crops": Artifact("crops.parquet"),
            "earlier_growth": Artifact("growth.parquet", earlier=True),
            "earlier_crops": Artifact("crops.parquet", earlier=True),
        },
        makes={"out": "history.parquet"},
        settings={"seasons": "seasons", "settings": "crops.grow"},
        stops=("intake", "observe"),
        mem_mb=1000,
        mem_mb_per_1000=8,
        together="agronomy",
    ),
    Stage(
        "evidence",
        "fieldline.lending.evidence.crosscheck:run_evidence",
        "Evidence: declared, seen, registry",
        reads={
            "parcels": Artifact("parcels.parquet"), "fields": Artifact("fields.parquet"),
            "ring_fields": Artifact("ring_fields.parquet"),
            "crops": Artifact("crops.parquet"), "crop_values": Artifact("crop_values.parquet"),
            "registry": Source("registry"), "protected": Source("protected"),
            "documents": Source("documents"),
        },
        makes={"out": "evidence.parquet"},
        settings={
            "as_of": "as_of", "currency": "county.currency", "settings": "lending.evidence",
            "privacy": "privacy", "table_columns": "county.inputs.columns",
        },
        mem_mb=1000,
        mem_mb_per_1000=12,
        together="credit",
    ),
    Stage(
        "profile",
        "fieldline.lending.profile.profiles:run_profile",
        "Profiles of farmers and households",
        reads={
            "farmers": Artifact("farmers.parquet"), "evidence": Artifact("evidence.parquet"),
            "yields": Artifact("yields.parquet"), "hazards": Artifact("hazards.parquet"),
            "history": Artifact("history.parquet"), "growth": Artifact("growth.parquet"),
            "crop_values": Artifact("crop_values.parquet"),
            "applications": Source("applications"), "documents": Source("documents"),
            "applied": Applied("application.parquet"),
        },
        makes={"out": "profiles.parquet", "out_harvests": "harvests.parquet"},
        settings={
            "as_of": "as_of", "currency": "county.currency", "policy": "lending.policy",
            "privacy": "privacy", "table_columns": "county.inputs.columns",
        },
        about="farmer",
        mem_mb=1000,
        mem_mb_per_1000=11,
        together="credit",
    ),
    Stage(
        "relations",
        "fieldline.lending.relations.stage:run_relations",
        "Relations between applicants",
        reads={
            "farmers": Artifact("farmers.parquet"), "contacts": Artifact("contacts.parquet"),
            "parcels": Artifact("parcels.parquet"), "evidence": Artifact("evidence.parquet"),
            "profiles": Artifact("profiles.parquet"), "documents": Source("documents"),
            "history": Artifact("history.parquet"),
            "earlier_parcels": Artifact("parcels.parquet", earlier=True),
            "exclusions": Source("exclusions"), "contracts": Source("contracts"),
            "guarantors": Source("guarantors"), "preapproved": Source("preapproved"),
            "harvests": Artifact("harvests.parquet"),
        },
        makes={
            "out": "relations.parquet", "out_exclusions": "exclusions.parquet",
            "out_contracts": "contracts.parquet", "out_covers": "covers.parquet",
            "out_preapproved": "preapproved.parquet",
        },
        settings={
            "county": "county_id", "offer_valid_days": "lending.policy.offer_valid_days",
            "tenor_days": "lending.policy.tenor_days", "as_of": "as_of",
            "currency": "county.currency", "settings": "lending.relations",
            "evidence_settings": "lending.evidence", "privacy": "privacy",
            "table_columns": "county.inputs.columns",
        },
        about="farmer",
        mem_mb=1000,
        mem_mb_per_1000=9,
        together="credit",
    ),
    Stage(
        "indicators",
        "fieldline.lending.indicators.stage:run_indicators",
        "Indicators of applicants",
        reads={
            name: Artifact(f"{name}.parquet")
            for name in (
                "parcels", "fields", "crops", "growth", "hazards", "yields", "history", "evidence",
                "harvests", "crop_values", "profiles", "relations",
            )
        },
        makes={"out": "indicators.parquet"},
        settings={"county": "county_id", "settings": "lending.indicators"},
        about="file",
        mem_mb=1000,
        mem_mb_per_1000=13,
        together="credit",
    ),
    Stage(
        "risk_train",
        "fieldline.lending.risk.training:run_risk_train",
        "Default model",
        reads={"loan_history": Source("loan_history")},
        makes={
            "out": "models/default/manifest.json", "document": "models/default/model.json",
            "trees": "models/default/trees.json", "scorecard": "models/default/scorecard.csv",
            "card": "models/default/card.json",
        },
        settings={
            "as_of": "as_of", "currency": "county.currency", "risk": "lending.risk",
            "policy": "lending.policy", "table_columns": "county.inputs.columns",
        },
        about="file",
        mem_mb=2000,
        early=True,
        together="credit",
    ),
    Stage(
        "decide",
        "fieldline.lending.decision.decide:run_decide",
        "Decisions",
        reads={
            "profiles": Artifact("profiles.parquet"), "farmers": Artifact("farmers.parquet"),
            "evidence": Artifact("evidence.parquet"), "harvests": Artifact("harvests.parquet"),
            "relations": Artifact("relations.parquet"),
            "exclusions": Artifact("exclusions.parquet"), "crops": Artifact("crops.parquet"),
            "contracts": Artifact("contracts.parquet"), "covers": Artifact("covers.parquet"),
            "preapproved": Artifact("preapproved.parquet"),
            "model": Artifact("models/default/manifest.json"),
            "crop_card": Artifact("models/crop_classifier.json"),
            "parts": Outcomes(of_scenes=False),
        },
        makes={
            "out": "decisions.parquet", "card": "models/pd.json", "turns": "cover_turns.parquet",
        },
        settings={
            "county": "county_id",
            "as_of": "as_of", "currency": "county.currency", "policy": "lending.policy",
        },
        about="farmer",
        mem_mb=1000,
        mem_mb_per_1000=9,
        together="credit",
    ),
    Stage(
        "offers",
        "fieldline.lending.store.offers:run_offers",
        "Offers",
        reads={
            "decisions": Artifact("decisions.parquet"), "farmers": Artifact("farmers.parquet"),
            "model": Artifact("models/pd.json"),
            "crop_card": Artifact("models/crop_classifier.json"),
            "parcels": Artifact("parcels.parquet"),
            "evidence": Artifact("evidence.parquet"),
        },
        makes={"offers": "offers.csv", "queue": "review_queue.csv"},
        keeps=("offers", "queue"),
        settings={
            "absent": "absent",
            "county": "county_id", "season": "season_name", "policy": "lending.policy",
            "settings": "lending.posting", "audit": "audit", "database": "database",
            "vault": "vault", "acts": "acts",
        },
        about="farmer",
        mem_mb=1000,
        mem_mb_per_1000=9,
        together="credit",
    ),
    Stage(
        "fairness",
        "fieldline.lending.fairness:run_fairness",
        "Decisions by group of farmers",
        reads={
            "decisions": Artifact("decisions.parquet"), "evidence": Artifact("evidence.parquet"),
            "profiles": Artifact("profiles.parquet"), "applications": Source("applications"),
        },
        makes={"out": "fairness.json"},
        settings={
            "county": "county_id", "as_of": "as_of", "currency": "county.currency",
            "settings": "lending.fairness", "privacy": "privacy",
            "table_columns": "county.inputs.columns",
        },
        about="county",
        mem_mb=1000,
        mem_mb_per_1000=8,
        together="credit",
    ),
    Stage(
        "report",
        "fieldline.desk.report.render:run_report",
        "County report",
        reads={
            "parts": Outcomes(),
            "artifacts": Artifacts((
                "parcels.parquet", "farmers.parquet", "scenes.parquet", "observations.parquet",
                "fields.parquet", "crops.parquet", "growth.parquet", "hazards.parquet",
                "yields.parquet", "history.parquet", "evidence.parquet", "profiles.parquet",
                "relations.parquet", "decisions.parquet", "offers.csv", "field_polygons.parquet",
                "models/crop_classifier.json", "models/yield.json", "models/pd.json",
                "fairness.json", "indicators.parquet",
            )),
        },
        makes={"joined": "outcomes.parquet", "report": "report.html"},
        settings={
            "county": "county_id", "season_name": "season_name", "season": "season",
            "title": "county.title", "simulated": "county.simulated",
            "suppress_below": "suppress_below", "grid": "county.grid", "scenes": "county.scenes",
        },
        about="county",
        mem_mb=2000,
        mem_mb_per_1000=8,
        together="credit",
    ),
)  # fmt: skip
"""In the order in which a row passes them; a stage reads only what stages above it make."""

STAGE_NAMES: tuple[str, ...] = tuple(stage.name for stage in STAGES)


def stage(name: str) -> Stage:
    """Return a stage by name.

    Raises:
        KeyError: There is no such stage.
    """
    return {item.name: item for item in STAGES}[name]


_OF_A_BLOCK = "_block"


def block_rule(name: str) -> str:
    """Return the name of the rule that does a stage's work on one block."""
    return name + _OF_A_BLOCK


def stage_of(rule: str) -> Stage:
    """Return the stage that a rule runs, on a county or on a block of it.

    Raises:
        KeyError: There is no such rule.
    """
    return stage(rule.removesuffix(_OF_A_BLOCK))


def stages_before(name: str) -> tuple[Stage, ...]:
    """Return the stages that a row passes before this one."""
    return STAGES[: STAGE_NAMES.index(name)]


def urgency(item: Stage) -> int:
    """Return the engine's priority among stages that are ready: the later one goes first, so that a
    county which has begun ends before another begins; early ones go before all."""
    return STAGE_NAMES.index(item.name) + (len(STAGES) if item.early else 0)


def made_from(item: Stage) -> frozenset[str]:
    """Return the stages of the same county and season whose files a stage reads, by name."""
    makers = {path: s.name for s in STAGES for path in (*s.makes.values(), s.outcomes)}
    found = set(item.stops)
    for read in item.reads.values():
        match read:
            case Artifact(name, earlier=False):
                found.add(makers[name])
            case Artifacts(names):
                found.update(makers[name] for name in names)
            case Outcomes(of_scenes):
                before = stages_before(item.name)
                found.update(s.name for s in before if of_scenes or s.about in OF_PEOPLE)
    return frozenset(found)


def made_for_later() -> tuple[Stage, ...]:
    """Return the stages whose artifacts later seasons read, with all that they are made from: what
    runs of a season that is not decided itself."""
    makers = {path: item.name for item in STAGES for path in item.makes.values()}
    read = (one for item in STAGES for one in item.reads.values())
    found = {makers[one.name] for one in read if isinstance(one, Artifact) and one.earlier}
    for item in reversed(STAGES):
        if item.name in found:
            found |= made_from(item)
    return tuple(item for item in STAGES if item.name in found)


def made_files() -> tuple[str, ...]:
    """Return every artifact of a county and season, without the stages' own outcome files."""
    return tuple(name for item in STAGES for name in item.makes.values())


def stages_table() -> str:
    """Return the table of stages as Markdown, for the docs."""
    lines = ["| stage | function | reads | makes | left out |", "|---|---|---|---|---|"]
    for item in STAGES:
        reads = ", ".join(_told(read) for read in item.reads.values())
        makes = ", ".join(f"`{name}`" for name in item.makes.values())
        stops = f"parcels that {' or '.join(item.stops)} stopped" if item.stops else ""
        function = item.run.removeprefix("fieldline.").replace(":", ".")
        lines.append(f"| `{item.name}` | `{function}` | {reads} | {makes} | {stops} |")
    return "\n".join(lines) + "\n"


def _told(read: Read) -> str:
    match read:
        case Artifact(name, earlier):
            return f"`{name}`" + (" of earlier seasons" if earlier else "")
        case Source(name, earlier):
            return f"input {name}" + (" of earlier seasons" if earlier else "")
        case Outcomes():
            return "outcomes of all stages before"
        case Artifacts(names):
            return ", ".join(f"`{name}`" for name in names)
        case Applied(name):
            return f"`{name}` of who applied one by one"
