"""The commands of field polygons: `fieldline fields ...`.

Every import of a room happens inside the command that needs it; errors become sentences in
`workflows.cli`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    from fieldline.crops.networks.folder import StoredNetwork
    from fieldline.crops.segment.learn import Recipe
    from fieldline.crops.settings import SegmentSettings

fields_app = typer.Typer(help="Field polygons: train, predict, evaluate and check networks.")

Catalog = Annotated[Path, typer.Option(help="catalog.json of a STAC archive, or any archive.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=1, max=64, help="Threads on the processor.")]
Band = Annotated[
    list[str] | None, typer.Option(help="Band to take, by Sentinel-2 name; may be given again.")
]
Steps = Annotated[int, typer.Option(min=0, help="Steps on drawn polygons.")]
Pseudo = Annotated[int, typer.Option(min=0, help="Steps on the area's own pseudo-fields first.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every draw.")]
Start = Annotated[
    Path | None,
    typer.Option(help="Model folder to begin from; the one that ships where not given."),
]
Whole = Annotated[
    bool,
    typer.Option(
        "--train-complete",
        help="Every field within the hull of the polygons to learn from is among them: land that "
        "they leave is learnt as no field.",
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin from nothing.")]


def _settings(device: str, threads: int) -> SegmentSettings:
    from fieldline.crops.settings import SegmentSettings

    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"--device {device!r} is none", "give auto, cpu or cuda")
    return SegmentSettings.model_validate({"device": device, "threads": threads})


def _recipe(
    band: list[str] | None, steps: tuple[int, int], seed: int, start: StoredNetwork | None, *,
    complete: bool,
) -> Recipe:  # fmt: skip
    """Return how to train; `steps` are those on pseudo-fields and those on drawn polygons."""
    from fieldline.crops.segment.learn import BANDS, Recipe

    bands = tuple(band or (BANDS if start is None else start.bands))
    pseudo, drawn = steps
    return Recipe(bands=bands, pseudo_steps=pseudo, steps=drawn, complete=complete, seed=seed)


def _start(folder: Path | None, fresh: bool, band: list[str] | None) -> StoredNetwork | None:
    """Return the network to begin from; the shipped one only where it knows the bands asked for."""
    from fieldline.crops.networks.folder import read_network
    from fieldline.crops.networks.machine import need_networks
    from fieldline.crops.segment.pairs import KIND
    from fieldline.crops.segment.shipped import shipped_network

    need_networks("Field segmentation")
    if fresh:
        return None
    if folder is not None:
        return read_network(folder, KIND)
    shipped = shipped_network()
    return shipped if band is None or set(band) <= set(shipped.bands) else None


def _told(phase: str, step: int, steps: int, loss: float) -> None:
    if step == steps or step % 50 == 0:
        print(f"{phase}: step {step} of {steps}, loss {loss:.3f}", flush=True)


@fields_app.command("evaluate")
def fields_evaluate(
    catalog: Catalog,
    validation: Annotated[Path, typer.Option(help="Polygons to be held against.")],
    train: Annotated[
        Path | None, typer.Option(help="Polygons to learn from; without, the model as it is.")
    ] = None,
    json_to: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
    model: Start = None,
    fresh: Fresh = False,
    train_complete: Whole = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="Every field of the area is in the validation.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Trainings, one seed each.")] = 1,
    seed: Seed = 1,
    pseudo_steps: Pseudo = 300,
    steps: Steps = 300,
    band: Band = None,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Hold the network and a plain watershed against drawn polygons of one area.

    Example: fieldline fields evaluate --catalog catalog.json --train a.geojson
    --validation b.geojson --json out.json
    """
    from fieldline.crops.segment.learn import Question, evaluate
    from fieldline.pipeline.records.canonical import canonical
    from fieldline.pipeline.records.tables import write_text

    start = _start(model, fresh, band)
    if start is None and train is None:
        raise UserError("nothing to judge", "give --train, or --model of a trained network")
    recipe = _recipe(band, (pseudo_steps, steps), seed, start, complete=train_complete)
    question = Question(catalog, validation, train, start, complete, seeds)
    found = evaluate(question, recipe, _settings(device, threads), _told)
    _print(found)
    if json_to is not None:
        write_text(json_to, canonical(found) + "\n")


def _print(found: dict[str, Any]) -> None:
    for note in found["notes"]:
        print(f"note      {note}")
    rows = [("watershed", found["watershed"])]
    rows += [(f"network, seed {run['seed']}", run) for run in found["network"]]
    for name, run in rows:
        low, high = run["iou"]["interval"]
        half = run["objects"]["by_iou"]["0.50"]
        metres = run["boundary_m"]["value"]
        print(
            f"{name:<16} IoU {run['iou']['value']:.3f} [{low:.3f}, {high:.3f}]  F1 at .5 "
            f"{half['f1']:.3f}  PQ {half['pq']:.3f}  border "
            f"{'-' if metres is None else format(metres, '.1f')} m"
        )


@fields_app.command("train")
def fields_train(
    out: Annotated[Path, typer.Option(help="New folder of the model.")],
    catalog: Annotated[
        list[Path] | None, typer.Option(help="Archive of an area; may be given again.")
    ] = None,
    train: Annotated[
        list[Path] | None, typer.Option(help="Polygons of the same area, in the same order.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Polygons of the first area, for the card.")
    ] = None,
    simulated: Annotated[
        list[str] | None,
        typer.Option(help="Learn from a simulated area: median field in mu and fields, as 15:350."),
    ] = None,
    start: Start = None,
    fresh: Fresh = False,
    train_complete: Whole = False,
    seed: Seed = 1,
    pseudo_steps: Pseudo = 300,
    steps: Steps = 300,
    band: Band = None,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Train a network on areas with drawn polygons and write its folder with a card.

    Example: fieldline fields train --catalog catalog.json --train a.geojson
    --validation b.geojson --out model
    """
    from fieldline.workflows.fields_training import Asked, train_fields

    begin = None if simulated else _start(start, fresh, band)
    recipe = _recipe(band, (pseudo_steps, steps), seed, begin, complete=train_complete)
    asked = Asked(tuple(catalog or ()), tuple(train or ()), validation, _sizes(simulated))
    card = train_fields(asked, recipe, _settings(device, threads), begin, out, _told)
    if "evaluation" in card:
        _print(card["evaluation"])
    print(f"{out}: version {card['version']}; `fieldline fields gate {out}` approves it")


def _sizes(simulated: list[str] | None) -> tuple[tuple[float, int], ...]:
    found = []
    for text in simulated or ():
        median, _, fields = text.partition(":")
        try:
            found.append((float(median), int(fields)))
        except ValueError as error:
            raise UserError(f"--simulated {text!r} is no area", "write it as 15:350") from error
    return tuple(found)


@fields_app.command("predict")
def fields_predict(
    catalog: Catalog,
    out: Annotated[Path, typer.Option(help="GeoParquet to write.")],
    model: Start = None,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Write the field polygons of a whole archive as GeoParquet with fiboa columns.

    Example: fieldline fields predict --catalog catalog.json --out fields.parquet
    """
    from fieldline.crops.segment.learn import predict_catalog

    network = _start(model, False, None)
    if network is None:
        raise UserError("no network to predict with", "give --model")
    count, seconds, hectares = predict_catalog(network, catalog, out, _settings(device, threads))
    print(f"{out}: {count} fields, {hectares:.0f} ha in {seconds:.1f} s")


@fields_app.command("gate")
def fields_gate(
    folder: Annotated[Path, typer.Argument(help="Model folder that is to serve.")],
    against: Annotated[Path | None, typer.Option(help="Model folder that serves today.")] = None,
    by: Annotated[str, typer.Option(help="Who approves.")] = "",
) -> None:
    """Approve a model folder, or say why it may not serve (exit code 3).

    Example: fieldline fields gate model --by "data team"
    """
    from fieldline.crops.segment.gate import gate
    from fieldline.workflows import exits

    found = gate(folder, against, by=by)
    for objection in found:
        print(f"refused: {objection}")
    if not found:
        print(f"approved: {folder}; name it in crops.segment.model")
    raise typer.Exit(exits.FOUND if found else exits.OK)
