"""The series network as a GPU answers fastest: few kernels, few passes through its memory.

Owns the same sums in another order. A block's kernels of several lengths are one of the longest,
with zeros around the shorter ones; its norm is folded into them; and adding what came in and
cutting at zero happen where the convolution writes: on a GPU this network waits for memory, not for
arithmetic. Answers differ from the module's by rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Answer = Callable[[Any], tuple[Any, Any]]
"""From inputs (series, channels, steps) to scores (series, classes) and embeddings."""


def fused(module: Any) -> Answer:
    """Return what answers as a series network does.

    Args:
        module: A series network that does not learn, where and in the precision that it answers.
    """
    import torch
    from torch.nn import functional

    last_axis = torch.channels_last
    first = module.first.weight[:, :, None].contiguous(memory_format=last_axis)
    place = (module.place + module.first.bias[:, None])[None, :, None]
    place = place.contiguous(memory_format=last_axis)
    blocks = [_folded(block) for block in module.blocks]
    look = module.attention.weight[0, :, 0]

    def answer(inputs: Any) -> tuple[Any, Any]:
        x = inputs[:, :, None].contiguous(memory_format=last_axis)
        x = functional.conv2d(x, first).add_(place)
        for neck, neck_bias, wide, bias in blocks:
            x = _added_and_cut(functional.conv2d(x, neck, neck_bias), wide, x, bias)
        steps = x[:, :, 0].transpose(1, 2)
        weight = torch.softmax(steps @ look + module.attention.bias, dim=1)
        pooled = torch.cat([torch.bmm(weight[:, None], steps)[:, 0], steps.amax(dim=1)], dim=1)
        return module.last(pooled), pooled

    return answer


def _folded(block: Any) -> tuple[Any, Any, Any, Any]:
    """Return weights and biases of a block's neck and of its one wide convolution."""
    import torch

    norm = block.norm
    longest = max(part.weight.shape[2] for part in block.parts)
    wide = torch.cat([
        torch.nn.functional.pad(part.weight.double(), [(longest - part.weight.shape[2]) // 2] * 2)
        for part in block.parts
    ])  # fmt: skip
    bias = torch.cat([part.bias.double() for part in block.parts])
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    bias = (bias - norm.running_mean.double()) * gain + norm.bias.double()
    wide = (wide * gain[:, None, None])[:, :, None].to(norm.weight.dtype)
    return (
        block.neck.weight[:, :, None].contiguous(memory_format=torch.channels_last),
        block.neck.bias,
        wide.contiguous(memory_format=torch.channels_last),
        bias.to(norm.weight.dtype),
    )


def _added_and_cut(inputs: Any, weight: Any, more: Any, bias: Any) -> Any:
    """Return a convolution, more added to it, cut at zero."""
    import torch

    side = weight.shape[3] // 2
    if inputs.is_cuda:
        return torch.cudnn_convolution_add_relu(
            inputs, weight, more, 1.0, bias, (1, 1), (0, side), (1, 1), 1
        )
    wide = torch.nn.functional.conv2d(inputs, weight, bias, padding=(0, side))
    return torch.relu(wide + more)
