"""The machine of a network: device, threads, and a way out of a GPU's memory."""

from __future__ import annotations

import weakref

import pytest

from fieldline.crops.networks import machine
from fieldline.crops.networks.machine import choose_machine, in_batches, need_networks
from fieldline.pipeline.records.errors import UserError


def test_where_torch_is_missing_the_sentence_names_the_extra(monkeypatch) -> None:
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"Field segmentation needs torch.*fieldline\[networks\]"):
        need_networks("Field segmentation")


def test_auto_is_the_gpu_where_there_is_one_and_only_there_precision_is_mixed(monkeypatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_machine("auto") == machine.Machine("cpu", 1, False)
    with pytest.raises(UserError, match="sees no GPU"):
        choose_machine("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_machine("auto") == machine.Machine("cuda", 1, True)
    assert choose_machine("cpu") == machine.Machine("cpu", 1, False)


def test_out_of_memory_halves_the_batch_and_every_item_is_worked_on_once() -> None:
    torch = pytest.importorskip("torch")
    tried: list[int] = []

    def work(part: range) -> list[int]:
        tried.append(len(part))
        if len(part) > 3:
            raise torch.OutOfMemoryError
        return list(part)

    done = [item for _, items in in_batches(10, 8, work) for item in items]
    assert done == list(range(10))
    assert tried == [8, 4, 2, 2, 2, 2, 2]


def test_one_item_that_does_not_fit_into_emptied_memory_is_a_sentence(monkeypatch) -> None:
    torch = pytest.importorskip("torch")
    emptied: list[int] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))

    def never(part: range) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(UserError, match="not even a batch of one fits"):
        list(in_batches(2, 2, never))
    assert len(emptied) == 2
    emptied.clear()

    def once_emptied_twice(part: range) -> range:
        if len(emptied) < 2:
            raise torch.OutOfMemoryError
        return part

    assert [item for _, part in in_batches(2, 2, once_emptied_twice) for item in part] == [0, 1]


def test_what_did_not_fit_is_let_go_before_the_memory_is_emptied(monkeypatch) -> None:
    torch = pytest.importorskip("torch")
    alive: list[bool] = []

    class Tensor:
        """Stands for what a batch puts into the GPU's memory."""

    def work(part: range) -> int:
        held = Tensor()
        seen.append(weakref.ref(held))
        if len(part) > 1:
            raise torch.OutOfMemoryError
        return len(part)

    seen: list[weakref.ref[Tensor]] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(seen[-1]() is not None))
    assert [size for _, size in in_batches(2, 2, work)] == [1, 1]
    assert alive == [False]
