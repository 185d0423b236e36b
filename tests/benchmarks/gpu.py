"""Both networks on a GPU: rates beside what the card can do, and answers beside a processor's.

    python -m tests.benchmarks.gpu --out results/benchmarks/gpu.json

First what the card does: a large matrix product in 16 bits, copies in its memory and to it; from
these follow two least times of a network: that of its arithmetic, and that of reading the inputs
and writing the outputs of each of its layers once. The rates are the network's on inputs that lie
on the card, and those of the whole function that the stages call, transfers and assembly included.
Then the answers: the largest difference between card and processor, and a card of little memory.
Where there is no GPU it ends with a sentence and code 2.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from fieldline.crops.networks.folder import weights_of
from fieldline.crops.networks.fused import fused
from fieldline.crops.networks.machine import Machine
from fieldline.crops.networks.series import Series, TrainedNetwork, build
from fieldline.crops.segment.network import Architecture, PairNetwork
from fieldline.crops.segment.predict import predict

OUT = Path("results/benchmarks/gpu.json")
GPU, CPU = Machine("cuda", 1, True), Machine("cpu", 1, False)
TILE, HALO, DATES, BANDS = 128, 16, 8, 4
STEPS, CHANNELS, CLASSES = 36, 10, 9
NETWORK = Path(__file__).parents[2] / "data/field_network/weights.safetensors"


def median_seconds(work: Callable[[], Any], times: int = 9) -> float:
    """Return the median time of work on the card, after it has run three times."""
    taken = []
    for number in range(times + 3):
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if number >= 3:
            taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def ceilings() -> dict[str, float]:
    """Return what the card does at best: operations and bytes a second."""
    side = 8192
    one, other = (torch.randn(side, side, device="cuda", dtype=torch.float16) for _ in range(2))
    source = torch.randn(2**28, device="cuda")
    target = torch.empty_like(source)
    here = torch.randn(2**27)
    pinned = here.pin_memory()
    return {
        "operations": 2 * side**3 / median_seconds(lambda: one @ other),
        "memory": 2 * source.nbytes / median_seconds(lambda: target.copy_(source)),
        "to_card": here.nbytes / median_seconds(lambda: here.to("cuda")),
        "to_card_pinned": here.nbytes
        / median_seconds(lambda: pinned.to("cuda", non_blocking=True)),
    }


@dataclass(frozen=True)
class Least:
    """What an item of a network needs at least."""

    operations: float
    layer_bytes: float
    """Inputs and outputs of its layers in 16 bits, each read or written once."""

    def seconds(self, card: dict[str, float]) -> dict[str, float]:
        """Return the least times by arithmetic and by memory."""
        return {
            "arithmetic": self.operations / card["operations"],
            "memory": self.layer_bytes / card["memory"],
        }


def least_of(module: Any, item: Any) -> Least:
    """Count an item's operations and its layers' bytes on the processor."""
    total = [0]

    def add(layer: Any, inputs: Any, output: Any) -> None:
        total[0] += 2 * (inputs[0].numel() + output.numel())

    leaves = [layer for layer in module.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(add) for layer in leaves]
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(item)
    for hook in hooks:
        hook.remove()
    return Least(counter.get_total_flops(), total[0])


class Land:
    """Scenes in memory: fields of one value with noise, scaled already, some dates not clear."""

    def __init__(self, edge: int) -> None:
        random = np.random.default_rng(0)
        self.grid = SimpleNamespace(height=edge, width=edge)
        fields = random.random((DATES, BANDS, -(-edge // 24), -(-edge // 24)), np.float32)
        stack = fields.repeat(24, axis=2).repeat(24, axis=3)[:, :, :edge, :edge]
        self._stack = stack + random.normal(0, 0.03, stack.shape).astype(np.float32)
        for date in range(1, DATES):
            self._stack[date, :, : edge // 5 * (date % 3)] = np.nan

    def read(self, window: Any) -> Any:
        """Return a window, NaN beyond the land."""
        block = np.full(
            (DATES, BANDS, int(window.height), int(window.width)), np.nan, dtype=np.float32
        )
        low = np.array([int(window.row_off), int(window.col_off)])
        first = np.maximum(low, 0)
        last = np.minimum(low + block.shape[2:], self._stack.shape[2:])
        if (last > first).all():
            (top, left), (bottom, right) = first - low, last - low
            block[:, :, top:bottom, left:right] = self._stack[
                :, :, first[0] : last[0], first[1] : last[1]
            ]
        return block

    def apply(self, block: Any) -> Any:
        """Return a block as it is."""
        return block


def raster_of(module: Any, land: Land, machine: Machine, folder: Path) -> tuple[Any, float]:
    """Return the raster of pairs of some land and the seconds it took."""
    out = folder / f"{machine.device}{time.monotonic_ns()}.npy"
    began = time.perf_counter()
    raster = predict(module, land, land, machine, out, tile=TILE, halo=HALO)  # type: ignore[arg-type]
    return raster, time.perf_counter() - began


def fields(card: dict[str, float], edge: int) -> dict[str, Any]:
    """Return the figures of the field network."""
    from safetensors.torch import load_file

    module = PairNetwork(Architecture(BANDS, 16))
    module.load_state_dict(load_file(NETWORK))
    module.eval()
    side, hectares = TILE + 2 * HALO, TILE**2 / 100
    least = least_of(module, torch.rand(1, DATES, BANDS, side, side)).seconds(card)
    answering = GPU.answering(module)
    tiles = torch.rand(16, DATES, BANDS, side, side, device="cuda", dtype=GPU.number())
    with torch.inference_mode():
        seconds = median_seconds(lambda: answering(tiles)) / len(tiles)
        steady = median_seconds(lambda: answering.steadiest(tiles)) / len(tiles)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raster_of(module, Land(256), GPU, folder)
        _, whole = raster_of(module, Land(edge), GPU, folder)
        small = Land(512)
        reference, alone = raster_of(module, small, CPU, folder)
        seen, _ = raster_of(module, small, GPU, folder)
        off = np.abs(reference.astype(np.int16) - seen)
        wide = Land(2048)
        ample, _ = raster_of(module, wide, GPU, folder)
        little, needed = _with_little_memory(module, wide, folder)
    return {
        "tile_seconds": seconds, "steadiest_tile_seconds": steady, "least_tile_seconds": least,
        "times_the_least": seconds / max(least.values()),
        "hectares_per_second": hectares / steady,
        "predict_hectares_per_second": edge**2 / 100 / whole,
        "predict_hectares_per_second_of_one_thread": 512**2 / 100 / alone,
        "levels_of_255_apart": {"most": int(off.max()), "mean": float(off.mean()),
                                "share_above_1": float((off > 1).mean())},
        "little_memory": {"bytes": needed,
                          "levels_apart": int(np.abs(ample.astype(np.int16) - little).max())},
    }  # fmt: skip


def _with_little_memory(module: Any, land: Land, folder: Path) -> tuple[Any, int]:
    """Return the raster where the card has half of what the full batch takes, and that half."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    raster_of(module, land, GPU, folder)
    allowed = torch.cuda.max_memory_reserved() // 2
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(allowed / total)
    raster, _ = raster_of(module, land, GPU, folder)
    torch.cuda.set_per_process_memory_fraction(1.0)
    return raster, allowed


def series(card: dict[str, float], count: int) -> dict[str, Any]:
    """Return the figures of the series network."""
    torch.manual_seed(0)
    module = build(CHANNELS, CLASSES, STEPS)
    for _ in range(5):
        module(3.0 + 2.0 * torch.randn(64, CHANNELS + 1, STEPS))
    module.eval()
    least = least_of(module, torch.randn(1, CHANNELS + 1, STEPS)).seconds(card)
    answer, size = fused(GPU.answering(module)), 65536
    batch = torch.randn(size, CHANNELS + 1, STEPS, device="cuda", dtype=GPU.number())
    with torch.inference_mode():
        seconds = median_seconds(lambda: answer(batch)) / size
    random = np.random.default_rng(0)
    some = Series(
        random.normal(0.3, 0.2, (4096, STEPS, CHANNELS)), random.random((4096, STEPS)) < 0.6
    )
    mean, spread = (np.full(CHANNELS, value, np.float32) for value in (0.3, 0.2))
    network = TrainedNetwork(mean, spread, CLASSES, STEPS, weights_of(module))
    (said, placed), (here, place) = (network.answers(some, one) for one in (GPU, CPU))
    times = -(-count // len(some.values))
    many = Series(np.tile(some.values, (times, 1, 1)), np.tile(some.seen, (times, 1)))
    began = time.perf_counter()
    network.answers(many, GPU)
    whole = time.perf_counter() - began
    return {
        "seconds_per_million": seconds * 1e6,
        "least_seconds_per_million": {name: value * 1e6 for name, value in least.items()},
        "times_the_least": seconds / max(least.values()),
        "answers": {"series": len(many.values), "seconds": whole},
        "probability_apart": float(np.abs(said - here).max()),
        "embedding_apart": float(np.abs(placed - place).max()),
        "same_class": float((said.argmax(axis=1) == here.argmax(axis=1)).mean()),
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--edge", type=int, default=4096, help="Edge of the land, pixels.")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(2, "torch sees no GPU: run this on a machine that has one\n")
    torch.set_num_threads(1)
    card = ceilings()
    found: dict[str, Any] = {"card": torch.cuda.get_device_name(), "torch": torch.__version__,
                             "ceilings": card}  # fmt: skip
    for name, work, size in (("series", series, asked.series), ("fields", fields, asked.edge)):
        found[name] = work(card, size)
        print(name, json.dumps(found[name], indent=1), flush=True)
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
