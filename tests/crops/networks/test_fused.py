"""The network as a GPU answers: the module's own answers, summed in another order."""

from __future__ import annotations

import pytest

from fieldline.crops.networks.fused import fused
from fieldline.crops.networks.series import build

torch = pytest.importorskip("torch")


def _learnt():
    """Return a network whose norms have seen data, as after learning."""
    torch.manual_seed(0)
    module = build(10, 5, 24)
    for values in module.parameters():
        values.data += 0.1 * torch.randn_like(values)
    module.train()
    for _ in range(5):
        module(3.0 + 2.0 * torch.randn(64, 11, 24))
    return module.eval()


def test_one_wide_kernel_a_block_answers_as_kernels_of_several_lengths_do() -> None:
    module, inputs = _learnt(), 3.0 + torch.randn(50, 11, 24)
    with torch.inference_mode():
        scores, pooled = fused(module)(inputs)
        assert torch.allclose(pooled, module.embedding(inputs), rtol=1e-4, atol=1e-5)
        assert torch.allclose(scores, module(inputs), rtol=1e-4, atol=1e-4)
        assert scores.std() > 0.1
