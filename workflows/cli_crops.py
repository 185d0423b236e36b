"""The commands of the crop model: `fieldline crops ...`.

Every import of a room happens inside the command that needs it; errors become sentences in
`workflows.cli`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldline.pipeline.records.canonical import file_hash
from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from fieldline.crops.recognise.features import View
    from fieldline.crops.recognise.points import Points
    from fieldline.crops.settings import ClassifySettings

crops_app = typer.Typer(help="Train, evaluate and check crop models.")

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
]
File = Annotated[Path, typer.Argument(help="Labelled series: .npz of points, or a table.")]
Layout = Annotated[str, typer.Option("--format", help="Layout of a table of labelled series.")]
Fields = Annotated[Path | None, typer.Option(help="Polygons of the table's samples.")]
Codes = Annotated[str, typer.Option(help="Table of data/ that maps the table's crop codes.")]
Bands = Annotated[
    str,
    typer.Option(help="Bands of an .npz in their order, by commas, where it has no array bands."),
]
Presto = Annotated[
    Path | None,
    typer.Option(help="Weights of the encoder Presto, whose word is kept where folds gain."),
]
Label = Annotated[str, typer.Option(help="Array of the labels of an .npz (y, cdl_code).")]


def _settings(config: list[Path] | None, presto: Path | None = None) -> ClassifySettings:
    from fieldline.workflows.config.load import load_config

    found = load_config(config or ()).crops.classify
    return found if presto is None else found.model_copy(update={"presto": presto})


def _points(
    file: Path, layout: str, fields: Path | None, codes: str, bands: str, label: str,
    settings: ClassifySettings, grid: Mapping[str, Any] | None = None, starts: str = "",
    radar: bool = False, survey: Path | None = None, orbit: str = "",
) -> Points:  # fmt: skip
    from fieldline.crops.recognise.label_tables import LabelledSeries
    from fieldline.crops.recognise.points import read_points, read_polygons

    radar = radar or bool(orbit) or "radar" in (grid or {})
    if file.suffix == ".npz":
        if radar:
            raise UserError(
                f"{file.name} holds points without radar",
                "give a table with VV and VH to a model that takes radar, or leave radar out",
            )
        names = tuple(name.strip() for name in bands.split(",") if name.strip())
        return read_points(file, names, label)
    own = {"worldcereal": "codes_worldcereal.csv", "bavaria_halfmonth": "codes_bavaria_iacs.csv"}
    source = LabelledSeries(file, layout, fields, codes or own.get(layout), survey=survey)
    return read_polygons(source, settings.step_days, grid, starts, radar=radar, orbit=orbit)


@crops_app.command("evaluate")
def crops_evaluate(
    file: File,
    protocol: Annotated[
        str, typer.Option(help="per-class:300 (labels of each class) or blocks:1000 (metres).")
    ] = "per-class:300",
    seeds: Annotated[int, typer.Option(min=1, max=50, help="Draws.")] = 1,
    holdout: Annotated[str, typer.Option(help="zone: test each zone on the others.")] = "",
    leave_out: Annotated[
        bool, typer.Option(help="Leave classes out one by one: is other land known as such?")
    ] = False,
    dates: Annotated[
        int, typer.Option(min=0, max=60, help="Also judge series that end at so many dates.")
    ] = 0,
    peers: Annotated[bool, typer.Option(help="Score plain tools in the same run.")] = True,
    radar: Annotated[
        bool, typer.Option("--radar", help="Use the table's radar (VV, VH in decibels) too.")
    ] = False,
    survey: Annotated[
        Path | None, typer.Option(help="Survey that names the crops, for --layout observations.")
    ] = None,
    presto: Presto = None,
    layout: Layout = "long",
    fields: Fields = None,
    codes: Codes = "",
    bands: Bands = "",
    label: Label = "",
    config: ConfigFiles = None,
    json_to: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Hold the crop model against plain tools on FILE, on series that none has seen.

    Example: fieldline crops evaluate points.npz --protocol per-class:300 --seeds 3 --json out.json
    """
    from fieldline.crops.model_card import write_card
    from fieldline.crops.recognise.evaluate import evaluate
    from fieldline.crops.recognise.protocols import Protocol

    if not file.is_file():
        raise UserError(f"{file} does not exist", "check the path")
    asked = Protocol.of(protocol, holdout)
    settings = _settings(config, presto)
    points = _points(
        file, layout, fields, codes, bands, label, settings, radar=radar, survey=survey
    )
    found: dict[str, Any] = {"file": file.name, "sha256": file_hash(file), "radar": radar}

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    found |= evaluate(points, asked, settings, seeds=seeds, beside=peers, say=say)
    if leave_out:
        from fieldline.crops.recognise.unseen_classes import leave_classes_out

        found["left_out"] = leave_classes_out(points, asked, settings, seeds=seeds)
    if dates:
        from fieldline.crops.recognise.early import by_date, certain_from

        found["by_date"] = by_date(points, asked, settings, seeds=seeds, dates=dates, say=say)
        found["certain_from"] = certain_from(found["by_date"])
    _show(found)
    if json_to is not None:
        write_card(found, json_to)


@crops_app.command("train")
def crops_train(
    file: File,
    out: Annotated[Path, typer.Option(help="New folder of the model.")],
    season_start: Annotated[
        str, typer.Option(help="First day (MM-DD) of the seasons that the model is to serve.")
    ] = "",
    view: Annotated[
        str,
        typer.Option(help="full, or shape where the counties' images are processed otherwise."),
    ] = "full",
    orbit: Annotated[
        str,
        typer.Option(
            help="Learn from VV and VH too, gamma nought in decibels, seen from here: "
            "ascending, descending or mixed."
        ),
    ] = "",
    presto: Presto = None,
    layout: Layout = "long",
    fields: Fields = None,
    codes: Codes = "",
    bands: Bands = "",
    label: Label = "",
    config: ConfigFiles = None,
) -> None:
    """Train on all series of FILE and write a model folder; the card is of series held out.

    A model that is to serve counties needs a table with dates and --season-start.

    Example: fieldline crops train series.parquet --season-start 10-01 --out model
    """
    import numpy as np

    from fieldline.crops.recognise.crop_card import model_story
    from fieldline.crops.recognise.evaluate import training_of
    from fieldline.crops.recognise.model_folder import write_crop_model
    from fieldline.crops.recognise.protocols import with_rare_joined
    from fieldline.crops.recognise.recogniser import fit_recogniser

    if view not in ("full", "shape"):
        raise UserError(f"view {view!r} is unknown", "give full or shape")
    _check_orbit(orbit, view, layout)
    settings = _settings(config, presto)
    points = _points(
        file, layout, fields, codes, bands, label, settings, None, season_start, orbit=orbit
    )
    points = with_rare_joined(points, settings.min_labels_per_class)
    seen: View = "shape" if view == "shape" else "full"
    training = training_of(points, np.arange(len(points.labels)), settings, seen)
    fitted = fit_recogniser(training, None, settings)
    card: dict[str, Any] = {
        "trained_on": {file.name: file_hash(file)}, "labels": len(training.labels),
        "remarks": list(points.remarks), "trained": True,
        "split": f"{settings.folds} folds; grouped by {training.block}",
        "settings": settings.model_dump(mode="json"),
    } | model_story(training, fitted, settings)  # fmt: skip
    version = write_crop_model(out, fitted.model, points.grid, card)
    held = card["held_out"]
    print(f"{version}  held-out macro-F1 {held['macro_f1']:.4f}  {out}")


def _check_orbit(orbit: str, view: str, layout: str) -> None:
    """Refuse radar that a county's own would not compare with."""
    from fieldline.pipeline.imagery.radar_items import DIRECTIONS

    if not orbit:
        return
    known = (*DIRECTIONS, "mixed")
    if orbit not in known:
        raise UserError(f"orbit {orbit!r} is unknown", f"give one of {', '.join(known)}")
    if view == "shape":
        raise UserError(
            "the view shape compares the course of optical indices alone and takes no radar",
            "leave --orbit out, or give --view full",
        )
    if layout == "worldcereal":
        raise UserError(
            "worldcereal tables hold sigma nought, and a county's radar is gamma nought: they "
            "differ by the angle of view, some 0.6 to 1.6 dB",
            "leave --orbit out, or give gamma nought in the layout long",
        )


@crops_app.command("gate")
def crops_gate(
    folder: Annotated[Path, typer.Argument(help="Model folder that is to serve.")],
    on: Annotated[
        Path | None,
        typer.Option(
            help="Labelled series that it has not learnt from; without any its own labels judge "
            "it, as they were held out."
        ),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Model folder that serves today; needs --on.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who approves.")] = "",
    layout: Layout = "long",
    fields: Fields = None,
    codes: Codes = "",
    bands: Bands = "",
    label: Label = "",
    config: ConfigFiles = None,
) -> None:
    """Approve a crop model, or say why it may not serve (exit code 3).

    Example: fieldline crops gate model --on other_points.npz --by "model committee"
    """
    from fieldline.crops.recognise.gate import held_by_card, measure, objections
    from fieldline.crops.recognise.model_folder import approve_crop_model, read_crop_model
    from fieldline.workflows import exits

    settings = _settings(config)
    model = read_crop_model(folder, settings)
    if on is None:
        if against is not None:
            raise UserError("--against needs series that judge both models", "give --on FILE")
        new, old, own = held_by_card(model.card), None, False
    else:
        points = _points(on, layout, fields, codes, bands, label, settings, model.grid)
        new = measure(model, points)
        old = None if against is None else measure(read_crop_model(against, settings), points)
        own = file_hash(on) in model.card.get("trained_on", {}).values()
    found = list(objections(new, old, own))
    for objection in found:
        print(f"refused: {objection}")
    if not found:
        approve_crop_model(folder, model.version, by=by, figures=new.to_dict())
        told = "its own labels, held out" if on is None else on.name
        print(f"approved: {folder} ({model.version}), macro-F1 {new.macro_f1:.4f} on {told}; "
              "name it in crops.classify.model")  # fmt: skip
    raise typer.Exit(exits.FOUND if found else exits.OK)


def _show(found: dict[str, Any]) -> None:
    for remark in found["remarks"]:
        print(f"note      {remark}")
    print(f"{found['series']} series of {len(found['classes'])} classes")
    for name, figures in found["models"].items():
        shown = "  ".join(
            f"{key} {v['value']:.4f} [{v['low']:.4f}, {v['high']:.4f}]"
            for key, v in figures.items()
        )
        print(f"{name:<26} {shown}")
    for part, models in found["parts"].items():
        ours = models["fieldline"]["accuracy"]
        print(f"{part:<26} accuracy {ours['value']:.4f} [{ours['low']:.4f}, {ours['high']:.4f}]")
    told = ", ".join(f"{key} {value:.4f}" for key, value in found["told"].items()
                     if value is not None)  # fmt: skip
    print(f"answers   {told}")
    for row in found.get("by_date", []):
        measured = {"accuracy": row["accuracy"]["value"]} | {
            key: row[key] for key in ("told", "accuracy_when_told", "set_size")
        }
        shown = ", ".join(f"{key} {value:.4f}" for key, value in measured.items()
                          if value is not None)  # fmt: skip
        print(f"after {row['steps']:>3} steps            {shown}")
    for name, step in found.get("certain_from", {}).items():
        print(f"certain   {name} {'at no date' if step is None else f'after {step} steps'}")
    for name, row in found.get("left_out", {}).get("by_class", {}).items():
        shown = "  ".join(f"{key} {value:.4f}" for key, value in row.items())
        print(f"without {name:<18} {shown}")
