"""A crop model as a folder: what it is, its numbers, its trees, how it did, and who approved it.

Owns writing, verified reading and approval. Numbers are plain arrays and xgboost's own format, so a
folder of unknown origin can be opened without running anything that came with it; what is read
answers bit by bit as what was written.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version as release
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from fieldline.crops.model_card import rounded
from fieldline.crops.networks.machine import Machine, need_networks
from fieldline.crops.networks.presto import Encoder
from fieldline.crops.networks.series import TrainedNetwork
from fieldline.crops.recognise.calibration import Mix
from fieldline.crops.recognise.ensemble import Members
from fieldline.crops.recognise.forest import Forest
from fieldline.crops.recognise.novelty import SECOND_LOOK, Novelty
from fieldline.crops.recognise.presto_member import Linear, PrestoMember
from fieldline.crops.recognise.recogniser import HeldOut, Recogniser
from fieldline.crops.recognise.second_look import SecondLook
from fieldline.crops.recognise.series_member import Networks, network_machine
from fieldline.crops.recognise.sets import PredictionSets
from fieldline.crops.recognise.space import Space
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import crops
from fieldline.pipeline.records.sealed_folder import MANIFEST, damaged, parse_json, seal, unseal
from fieldline.pipeline.records.tables import write_text

CONFIG, ARRAYS, BOOSTING, CARD, APPROVAL = (
    "model.json", "arrays.npz", "boosting.ubj", "card.json", "approval.json",
)  # fmt: skip
FILES = (CONFIG, ARRAYS, BOOSTING, CARD)
"""What a folder holds beside its manifest."""
KIND = "crop_series_model"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class StoredModel:
    """A crop model as it lies on disk."""

    model: Recogniser
    grid: dict[str, Any]
    """Steps that its features stand on, and its home."""
    card: dict[str, Any]
    """How it was made and how it did."""

    @property
    def version(self) -> str:
        """Hash of all that answers."""
        return str(self.card["version"])

    @property
    def steps(self) -> int:
        """Steps of the series that it takes."""
        if "starts" in self.grid:
            return int(self.grid["last_step"]) - int(self.grid["first_step"]) + 1
        return int(self.grid["steps"])


def write_no_model(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the folder of a run that could learn nothing: a card that says why."""
    told = canonical(rounded({**card, "version": None})) + "\n"
    seal(folder, {CONFIG: b"null", ARRAYS: b"", BOOSTING: b"", CARD: told.encode()}, None)


def write_crop_model(
    folder: Path, model: Recogniser, grid: Mapping[str, Any], card: Mapping[str, Any]
) -> str:
    """Write a model's folder.

    Args:
        folder: Where it goes.
        model: Fitted model.
        grid: Steps that its features stand on; what it serves must have the same.
        card: How it was made (hashes of its data) and how it did.

    Returns:
        Its version: the hash of all that answers.
    """
    arrays = dict(_arrays(model))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    numbers, trees = buffer.getvalue(), bytes(model.members.boosting.save_raw("ubj"))
    config = canonical(_config(model, grid)).encode()
    version = _version(config, numbers, trees)
    told = canonical(rounded({**card, "version": version})) + "\n"
    contents = {CONFIG: config, ARRAYS: numbers, BOOSTING: trees, CARD: told.encode()}
    seal(folder, contents, version)
    return version


def _version(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:12]


def _config(model: Recogniser, grid: Mapping[str, Any]) -> dict[str, Any]:
    nets = () if model.networks is None else model.networks.members
    config: dict[str, Any] = {
        "kind": KIND, "fieldline": release("fieldline"), "classes": list(model.classes),
        "view": model.view, "bands": list(model.bands), "grid": dict(grid),
        "temperatures": model.mix.temperatures, "weights": model.mix.weights,
        "temperature": model.mix.temperature, "counted": model.counted, "trust": model.trust,
        "known_scores": sorted(model.novelty.known), "limit": model.novelty.limit,
        "away_limit": model.novelty.away_limit,
        "domains": len(model.novelty.domains), "second_look": {
            name: len(forests) for name, forests in _second(model).items()
        }, "embeddings": len(model.novelty.embeddings),
        "level": model.sets.level,
        "level_of_band": {str(band): level for band, level in model.sets.of_band.items()},
        "networks": [{"classes": net.classes, "steps": net.steps} for net in nets],
    }  # fmt: skip
    if model.presto is not None:
        config["presto"] = {**model.presto.encoder.origin, "months": list(model.presto.months)}
    return config


def _arrays(model: Recogniser) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from (("learnt", model.learnt), ("shares", model.shares), ("pooled", model.sets.pooled))
    yield from (("offset", model.novelty.offset), ("away_offset", model.novelty.away_offset))
    groups: dict[str, Mapping[str, NDArray[Any]]] = {
        "trees": model.members.trees.arrays(), "space": model.novelty.space.arrays(),
        "known": model.novelty.known,
        "held": {"plain": model.held.plain, "labels": model.held.labels, "band": model.held.band},
    }  # fmt: skip
    groups |= {f"domain{n}": forest.arrays() for n, forest in enumerate(model.novelty.domains)}
    groups |= {f"second_{name}{n}": forest.arrays() for name, forests in _second(model).items()
               for n, forest in enumerate(forests)}  # fmt: skip
    groups |= {f"embedding{n}": s.arrays() for n, s in enumerate(model.novelty.embeddings)}
    groups["set"] = {str(n): own for n, own in enumerate(model.sets.of_class)}
    for number, net in enumerate(() if model.networks is None else model.networks.members):
        groups[f"network{number}"] = {"mean": net.mean, "spread": net.spread}
        groups[f"weights{number}"] = net.weights
    if model.presto is not None:
        groups |= {"presto": model.presto.linear.arrays(), "encoder": model.presto.encoder.weights}
    for group, arrays in groups.items():
        yield from ((f"{group}/{name}", array) for name, array in arrays.items())


def copy_crop_model(folder: Path, out: Path) -> None:
    """Copy a model's folder as it is, byte by byte, so that its version stays.

    Raises:
        UserError: The folder is damaged.
    """
    version, contents = unseal(folder / MANIFEST, FILES)
    seal(out, contents, version)


def read_run_model(
    manifest: Path, settings: ClassifySettings
) -> tuple[StoredModel | None, dict[str, Any]]:
    """Read the model of a run, which may have had nothing to learn from.

    Args:
        manifest: `manifest.json` of its folder.
        settings: Where its networks run.

    Returns:
        The model, if any, and its card.

    Raises:
        UserError: The folder is damaged or of another kind.
    """
    folder = manifest.parent
    version, contents = unseal(manifest, FILES)
    if version is None and contents[CONFIG] == b"null":
        return None, parse_json(folder / CARD, contents[CARD])
    found = read_crop_model(folder, settings)
    return found, found.card


def read_crop_model(folder: Path, settings: ClassifySettings) -> StoredModel:
    """Read and verify a model's folder.

    Args:
        folder: A folder that `write_crop_model` wrote.
        settings: Where its networks run.

    Raises:
        UserError: The folder is damaged or of another kind, or needs torch and there is none, or
            names a crop that `data/crops.csv` lacks.
    """
    version, contents = unseal(folder / MANIFEST, FILES)
    config = parse_json(folder / CONFIG, contents[CONFIG])
    card = parse_json(folder / CARD, contents[CARD])
    if not isinstance(config, dict) or config.get("kind") != KIND:
        raise UserError(f"{folder} holds no crop model", f"name a folder of kind {KIND}")
    if version != _version(contents[CONFIG], contents[ARRAYS], contents[BOOSTING]):
        raise damaged(folder / MANIFEST, "its version is not the hash of what answers")
    strange = sorted(set(config["classes"]) - set(crops()))
    if strange:
        raise UserError(
            f"the crop model of {folder} tells crops that data/crops.csv lacks: "
            f"{', '.join(strange)}", "add their rows, or train the model with known crops"
        )  # fmt: skip
    machine = None
    if config["networks"] or "presto" in config:
        need_networks(f"The crop model of {folder}")
        machine = network_machine(settings.model_copy(update={"network": "always"}))
    try:
        model = _model(config, _read_arrays(contents[ARRAYS]), _trees(contents[BOOSTING]), machine)
    except (ValueError, KeyError, TypeError, xgb.core.XGBoostError, zipfile.BadZipFile) as error:
        raise damaged(folder / ARRAYS, f"it does not hold what {CONFIG} says") from error
    return StoredModel(model, config["grid"], {**card, "version": version})


def _read_arrays(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _trees(content: bytes) -> xgb.Booster:
    boosting = xgb.Booster()
    boosting.load_model(bytearray(content))
    boosting.set_param({"nthread": 1})
    return boosting


def _model(
    config: dict[str, Any], arrays: Arrays, boosting: xgb.Booster, machine: Machine | None
) -> Recogniser:
    def group(name: str) -> Arrays:
        start = f"{name}/"
        return {key.removeprefix(start): array for key, array in arrays.items()
                if key.startswith(start)}  # fmt: skip

    nets = tuple(
        TrainedNetwork(**group(f"network{n}"), classes=told["classes"], steps=told["steps"],
                       weights=group(f"weights{n}"))
        for n, told in enumerate(config["networks"])
    )  # fmt: skip
    known = group("known")
    if sorted(known) != config["known_scores"]:
        raise ValueError("scores of strangeness are missing")
    novelty = Novelty(
        Space(**group("space")),
        tuple(Space(**group(f"embedding{n}")) for n in range(config["embeddings"])),
        *_judges(config, group),
        known,
        config["limit"],
        arrays["offset"],
        config["away_limit"],
        arrays["away_offset"],
    )
    sets = PredictionSets(
        tuple(arrays[f"set/{n}"] for n in range(len(config["classes"]))), arrays["pooled"],
        config["level"], {int(band): level for band, level in config["level_of_band"].items()},
    )  # fmt: skip
    return Recogniser(
        Members(boosting, Forest.of(group("trees"))),
        None if machine is None or not nets else Networks(nets, machine),
        None if machine is None else _presto(config, group, machine),
        tuple(config["classes"]), config["view"], tuple(config["bands"]),
        Mix(config["temperatures"], config["weights"], config["temperature"]),
        arrays["learnt"], arrays["shares"], config["counted"],
        config.get("trust", 1.0),  # sealed before trust was weighed: shares were followed whole
        novelty, sets, HeldOut(**group("held")),
    )  # fmt: skip


def _second(model: Recogniser) -> dict[str, tuple[Forest, ...]]:
    return {} if model.novelty.second is None else model.novelty.second.forests()


def _judges(
    config: dict[str, Any], group: Callable[[str], Arrays]
) -> tuple[tuple[Forest, ...], SecondLook | None]:
    """Return the classifiers of labelled against unlabelled land, and the second look."""

    def forests(name: str, count: int) -> tuple[Forest, ...]:
        return tuple(Forest.of(group(f"{name}{n}")) for n in range(count))

    domains = forests("domain", config["domains"])
    if SECOND_LOOK in config["known_scores"] and "second_look" not in config:
        return (), SecondLook(domains)  # sealed when a second look saw features alone
    told = config.get("second_look", {})
    second = {name: forests(f"second_{name}", count) for name, count in told.items()}
    return domains, SecondLook(**second) if second else None


def _presto(
    config: dict[str, Any], group: Callable[[str], Arrays], machine: Machine
) -> PrestoMember | None:
    if "presto" not in config:
        return None
    told = dict(config["presto"])
    months = tuple(told.pop("months"))
    encoder = Encoder(**told, weights=group("encoder"))
    return PrestoMember(encoder, months, Linear(**group("presto")), replace(machine, mixed=False))


def approve_crop_model(folder: Path, version: str, *, by: str, figures: Mapping[str, Any]) -> None:
    """Write beside a model that it may serve, by whom and on what figures."""
    told = {"version": version, "by": by, "figures": rounded(figures)}
    write_text(folder / APPROVAL, canonical(told) + "\n")


def approved_crop_model(folder: Path, settings: ClassifySettings) -> StoredModel:
    """Read a model that was approved as it is.

    Raises:
        UserError: It is damaged, or nobody approved this version.
    """
    found = read_crop_model(folder, settings)
    path = folder / APPROVAL
    told = parse_json(path, path.read_bytes()) if path.exists() else None
    if not isinstance(told, dict) or told.get("version") != found.version:
        raise UserError(
            f"the crop model of {folder} is not approved",
            f"run fieldline crops gate {folder}, or name another in crops.classify.model",
        )
    return found
